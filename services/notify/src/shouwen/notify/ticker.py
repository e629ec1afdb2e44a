"""Time in: due e-mails go out, and those whose sender has died are shown as uncertain."""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

import structlog

from shouwen.notify import gateways, handlers, store
from shouwen.notify.domain import delivery
from shouwen.notify.domain.delivery import Outcome, Patience, Rejected
from shouwen.notify.domain.wording import mail_text
from shouwen.notify.gateways import SmtpAccess, SmtpConnection
from shouwen.notify.handlers import Office
from shouwen.notify.store import Claim
from shouwen.runtime import telemetry
from shouwen.runtime.errors import Transient
from shouwen.runtime.failpoint import failpoint
from shouwen.runtime.unit_of_work import UnitOfWork

T = TypeVar("T")

_MARGIN = timedelta(seconds=10)
"""Beyond the longest attempt, for the database, before a sender counts as lost."""
_LOST_EVERY_SECONDS = 2.0
_PAUSE_SECONDS = 0.5

_log = structlog.stdlib.get_logger("shouwen.sender")


@dataclass(frozen=True, slots=True)
class Sender:
    """Sends due e-mails, ``tasks`` at a time; any number of processes may run one.

    Each e-mail is marked ``sending`` and committed before the mail server hears of it, and settled afterwards. A crash
    between the two leaves it uncertain: it is not sent again by itself, so nobody gets a mail twice.
    """

    work: UnitOfWork
    office: Office
    smtp: SmtpAccess
    patience: Patience
    tasks: int
    interval: timedelta

    @property
    def lease(self) -> timedelta:
        """After this long a delivery that is still being sent has lost its sender."""
        return timedelta(seconds=2 * self.smtp.timeout) + _MARGIN

    async def run(self) -> None:
        """Send until cancelled; the mail in hand is finished first."""
        async with asyncio.TaskGroup() as group:
            for _ in range(self.tasks):
                group.create_task(self._send_due())
            group.create_task(self._notice_lost())

    async def _send_due(self) -> None:
        connection = SmtpConnection(self.smtp)
        try:
            while True:
                if not await _to_the_end(self._send_one(connection)):
                    await asyncio.sleep(self.interval.total_seconds())
        finally:
            await connection.close()

    async def _notice_lost(self) -> None:
        while True:
            await _to_the_end(self._give_up_lost())
            await asyncio.sleep(_LOST_EVERY_SECONDS)

    async def _give_up_lost(self) -> None:
        async with self.work.as_worker() as tx:
            lost = await store.give_up_lost(tx)
        for each in lost:
            _log.warning("a delivery is uncertain: its sender stopped in the middle", delivery=str(each))

    async def _send_one(self, connection: SmtpConnection) -> bool:
        async with self.work.as_worker() as tx:
            claim = await store.claim_email(tx, lease=self.lease)
        if claim is None:
            return False
        aggregate, _, identity = claim.subject.partition("/")
        case_id = identity if aggregate == "case" else None
        with telemetry.continued(claim.traceparent, "send email", branch=claim.branch, case_id=case_id):
            outcome = await self._attempt(claim, connection)
            failpoint("sender.after_send")
            await self._settle(claim, outcome)
        return True

    async def _attempt(self, claim: Claim, connection: SmtpConnection) -> Outcome:
        if claim.address is None:
            return Rejected("no address is known for the recipient any more")
        recipient = self.office.keys.decrypt(claim.address)
        text = mail_text(handlers.words(claim, self.office.keys))
        sender = self.smtp.sender
        message = gateways.mail(
            sender=sender,
            recipient=recipient,
            subject=text.subject,
            body=text.body,
            message_id=delivery.mail_message_id(claim.delivery, sender),
            thread_id=delivery.mail_thread_id(claim.subject, sender),
            created=gateways.mail_date(claim.created_at),
        )
        return await connection.send(message, recipient)

    async def _settle(self, claim: Claim, outcome: Outcome) -> None:
        if not isinstance(outcome, delivery.Accepted):
            _log.warning(
                "an e-mail did not go out",
                delivery=str(claim.delivery),
                outcome=type(outcome).__name__,
                reason=outcome.reason,
            )
        while True:
            try:
                async with self.work.as_worker() as tx:
                    await handlers.settle(tx, claim, outcome, office=self.office, patience=self.patience)
            except Transient:
                # What we know must not be lost to a restart of the database: without it the mail is uncertain.
                await asyncio.sleep(_PAUSE_SECONDS)
            else:
                return


async def _to_the_end(work: Coroutine[None, None, T]) -> T:
    """Finish ``work`` even when this task is cancelled meanwhile, and be cancelled then."""
    task = asyncio.create_task(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task})
        raise
