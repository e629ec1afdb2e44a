"""The sla service, put together."""

from shouwen.runtime.service import Service
from shouwen.sla import gateways, http, subscribers
from shouwen.sla.domain.announcement import AnnouncementDocument
from shouwen.sla.handlers import calendars, directory
from shouwen.sla.handlers.rules import Rules
from shouwen.sla.settings import SlaSettings
from shouwen.sla.ticker import Recalculator, Ticker, Waker


def create(settings: SlaSettings) -> Service:
    """A clock for every promise: hears cases and other systems' facts, fires in time, explains each deadline.

    Raises:
        BadPack: a shipped pack is not valid.
    """
    service = Service("sla", settings)
    rules = Rules(gateways.shipped_packs(), service.work)

    async def learn_directory() -> None:
        if settings.directory_file is None:
            return
        async with service.work.as_worker() as tx:
            policies = await rules.held(tx)
            await directory.learn_directory_file(gateways.branches_of(settings.directory_file), tx, policies)

    service.prepares(learn_directory)
    service.hears(subscribers.subscriptions(rules))
    service.serves(http.routes(service.work, rules))
    ticker = Ticker(service.work, interval=settings.ticker_interval, batch=settings.ticker_batch)
    service.runs("ticker", ticker.run)
    service.runs("recalculator", Recalculator(service.work, rules, interval=settings.ticker_interval).run)
    service.runs("waker", Waker(service.work, rules, interval=settings.ticker_interval).run)
    return service


async def load_announcement(settings: SlaSettings, announcement: AnnouncementDocument) -> None:
    """Load the announcement of a year straight into the service's database; running services notice by themselves.

    Raises:
        DatabaseUnavailable: the database does not answer.
    """
    work = Service("sla", settings).work
    await work.open()
    try:
        async with work.as_worker() as tx:
            await calendars.load_announcement(tx, announcement, "calendar load")
    finally:
        await work.close()
