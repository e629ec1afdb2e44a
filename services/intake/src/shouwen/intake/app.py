"""Intake, put together."""

import structlog

from shouwen.intake import http
from shouwen.intake.domain import erasure as erasing
from shouwen.intake.domain.progress import PublicAccess
from shouwen.intake.gateways.files import Files
from shouwen.intake.gateways.mailbox import MailboxAccess, watch
from shouwen.intake.handlers import directory, erasure, mail, search
from shouwen.intake.handlers.mail import Post
from shouwen.intake.handlers.web_form import Forms
from shouwen.intake.http import attachments, bulk, cases, directory_import, scim
from shouwen.intake.http.channels import Channels
from shouwen.intake.settings import IntakeSettings
from shouwen.intake.store.mail import Mail
from shouwen.intake.store.protection import Protection
from shouwen.intake.subscribers import subscriptions
from shouwen.intake.ticker import Ticker
from shouwen.runtime import telemetry
from shouwen.runtime.auth import Principal
from shouwen.runtime.directory_file import read_directory
from shouwen.runtime.errors import FieldProblem
from shouwen.runtime.http import allow_longer_bodies, answer_directly
from shouwen.runtime.service import Service
from shouwen.runtime.settings import BadSettings

_log = structlog.stdlib.get_logger("shouwen.intake")


def create(settings: IntakeSettings) -> Service:
    """The service. The directory file, if one is set, is read now and loaded at the start.

    Raises:
        BadSettings: the directory file cannot be read or is wrong.
    """
    service = Service("intake", settings)
    protection = Protection(keys=service.keys, hash_key=service.hash_key, seal=service.seal)
    service.hears(subscriptions(protection))
    files = None if settings.attachments_url is None else Files(settings.attachments_url)
    post = None if files is None else post_of(settings, service, files, protection)
    access = PublicAccess(
        base_url=settings.public_url.rstrip("/"),
        survey_valid_for=settings.survey_valid_for,
        asks_after_end=settings.survey_after_end,
        window=settings.public_window,
        attempts_per_address=settings.public_attempts_per_address,
        attempts_per_number=settings.public_attempts_per_number,
        names_contact=settings.progress_names_contact,
    )
    forms = Forms(
        work=service.work,
        protection=protection,
        access=access,
        is_open=settings.web_forms,
        least=settings.web_form_least,
        first_asked=settings.first_asked,
    )
    channels = Channels(files=files, attachment_limit=settings.attachment_limit, post=post, forms=forms)
    routes = http.routes(service.work, protection, channels, handover_time=settings.handover_time, access=access)
    service.serves(routes)
    answer_directly(service.app, cases.registration_route(routes), cases.direct_registration(service.work, protection))
    service.serves(scim.routes(service.work, protection))
    allow_longer_bodies(service.app, bulk.PATH, bulk.TABLE_BYTES)
    allow_longer_bodies(service.app, directory_import.PATH, directory_import.TABLE_BYTES)
    allow_longer_bodies(service.app, attachments.PATH, settings.attachment_limit + attachments.FORM_BYTES)
    if settings.directory_file is not None:
        file = read_directory(settings.directory_file)

        async def load_directory() -> None:
            async with service.work.as_worker() as tx:
                changed = await directory.load_directory(tx, file, protection=protection)
            _log.info("directory loaded", branches=len(changed.branches), persons=len(changed.persons))

        service.prepares(load_directory)

    async def index_texts() -> None:
        added = await search.index_texts(service.work, protection)
        _log.info("texts can be searched", added=added)

    service.runs("index texts", index_texts)
    if post is not None and settings.imap_host is not None:
        _reads_mailbox(service, settings, settings.imap_host, post)
    ticker = Ticker(service.work, interval=settings.ticker_interval)
    service.runs("ticker", ticker.run)
    return service


async def erase_again(settings: IntakeSettings) -> int:
    """Carry out again what was erased, on data that came back with a backup; how many cases these were."""
    service = Service("intake", settings)
    protection = Protection(keys=service.keys, hash_key=service.hash_key, seal=service.seal)
    operator = Principal(person="operator", name="operator", branches=frozenset(), roles=frozenset({erasing.ROLE}))
    await service.work.open()
    try:
        async with service.work.as_person(operator) as tx:
            return await erasure.erase_again(tx, protection=protection)
    finally:
        await service.work.close()


def post_of(settings: IntakeSettings, service: Service, files: Files, protection: Protection) -> Post:
    """The channel of mail, as the settings say."""
    return Post(
        work=service.work,
        files=files,
        protection=protection,
        addresses=settings.mail_addresses,
        first_asked=settings.first_asked,
        file_limit=settings.attachment_limit,
    )


async def take_mail(settings: IntakeSettings, raw: bytes, *, recipient: str | None) -> Mail:
    """Take one mail in, beside the service; the running service tells the others.

    Raises:
        BadSettings: no file store is set.
        TooLarge, Transient: the mail was not taken.
    """
    service = Service("intake", settings)
    protection = Protection(keys=service.keys, hash_key=service.hash_key, seal=service.seal)
    if settings.attachments_url is None:
        problem = FieldProblem("SHOUWEN_ATTACHMENTS_URL", "is not set", "Mail is kept there as it came.")
        raise BadSettings((problem,))
    telemetry.setup("intake")
    await service.work.open()
    try:
        with telemetry.spanned("take in mail"):
            post = post_of(settings, service, Files(settings.attachments_url), protection)
            return await mail.take_in(post, raw, recipient=recipient)
    finally:
        await service.work.close()
        telemetry.flush()


def _reads_mailbox(service: Service, settings: IntakeSettings, host: str, post: Post) -> None:
    access = MailboxAccess(
        host=host,
        port=settings.imap_port,
        username=settings.imap_username,
        password=settings.imap_password.get_secret_value(),
        security=settings.imap_security,
        folder=settings.imap_folder,
        done_folder=settings.imap_done_folder,
        every=settings.imap_every,
    )

    async def take_in(raw: bytes) -> None:
        with telemetry.spanned("take in mail"):
            await mail.take_in(post, raw)

    service.runs("mailbox", lambda: watch(access, take_in))
