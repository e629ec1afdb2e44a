"""The sla service, put together."""

from shouwen.runtime.service import Service
from shouwen.sla import gateways, http, subscribers
from shouwen.sla.domain.policies import Policies
from shouwen.sla.handlers import directory
from shouwen.sla.settings import SlaSettings
from shouwen.sla.ticker import Ticker


def create(settings: SlaSettings) -> Service:
    """A clock for every promise: hears cases and other systems' facts, fires in time, explains each deadline.

    Raises:
        BadPack: a shipped pack is not valid.
    """
    policies = Policies(gateways.shipped_packs())
    service = Service("sla", settings)

    async def learn_directory() -> None:
        if settings.directory_file is None:
            return
        async with service.work.as_worker() as tx:
            await directory.learn_directory_file(gateways.branches_of(settings.directory_file), tx, policies)

    service.prepares(learn_directory)
    service.hears(subscribers.subscriptions(policies))
    service.serves(http.routes(service.work, policies))
    ticker = Ticker(service.work, interval=settings.ticker_interval, batch=settings.ticker_batch)
    service.runs("ticker", ticker.run)
    return service
