"""What notify consists of."""

from shouwen.notify import gateways, handlers, http, subscribers
from shouwen.notify.domain.delivery import Patience
from shouwen.notify.gateways import EvaluationMailbox, SmtpAccess
from shouwen.notify.handlers import Office
from shouwen.notify.settings import NotifySettings
from shouwen.notify.ticker import Sender
from shouwen.runtime.directory_file import read_directory
from shouwen.runtime.service import Service


def create(settings: NotifySettings) -> Service:
    """Put the service together.

    Raises:
        BadSettings: a template or the directory file has a mistake.
    """
    service = Service("notify", settings)
    templates = gateways.bundled_templates()
    office = Office(
        templates=templates,
        intake_url=settings.intake_url.rstrip("/"),
        sla_url=settings.sla_url.rstrip("/"),
        sends_email=settings.smtp_host is not None,
        keys=service.keys,
        seal=service.seal,
    )
    service.hears(subscribers.subscriptions(office))
    service.serves(http.routes(service.work, office, EvaluationMailbox(settings.mailbox_dir)))

    if settings.directory_file is not None:
        directory = read_directory(settings.directory_file)

        async def fill_directory() -> None:
            async with service.work.as_worker() as tx:
                await handlers.fill_directory(tx, directory, service.keys)

        service.prepares(fill_directory)

    if settings.smtp_host is not None:
        password = settings.smtp_password
        smtp = SmtpAccess(
            host=settings.smtp_host,
            port=settings.smtp_port,
            username=settings.smtp_username,
            password=None if password is None else password.get_secret_value(),
            starttls=settings.smtp_starttls,
            timeout=settings.smtp_timeout.total_seconds(),
            sender=settings.mail_from,
        )
        patience = Patience(first=settings.retry_first, most=settings.retry_most, total=settings.retry_total)
        sender = Sender(
            work=service.work,
            office=office,
            smtp=smtp,
            patience=patience,
            tasks=settings.sender_tasks,
            interval=settings.sender_interval,
        )
        service.runs("sender", sender.run)
    return service
