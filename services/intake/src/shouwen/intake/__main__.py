"""``python -m shouwen.intake`` serves; with a command it takes one mail in, or looks after the personal data."""

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence

from shouwen.intake.app import create, erase_again, take_mail
from shouwen.intake.domain.mail import MAIL_BYTES
from shouwen.intake.settings import IntakeSettings
from shouwen.runtime import logs, service
from shouwen.runtime.errors import FieldProblem, ShouwenError, TooLarge
from shouwen.runtime.rotation import Rotated, rotate
from shouwen.runtime.settings import BadSettings


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve, or do what the command says; the answer is the exit code."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    if not given:
        service.main(create, IntakeSettings)
        return 0
    options = _parser().parse_args(given)
    command: str = options.command
    if command == "mail":
        return _take_mail(options.recipient)
    try:
        settings = IntakeSettings()  # pyright: ignore[reportCallIssue] (from the environment)
        if command == "erase-again":
            sys.stdout.write(f"{asyncio.run(erase_again(settings))} cases erased again\n")
            return 0
        return _told(asyncio.run(_rotate(settings)))
    except ShouwenError as error:
        sys.stderr.write(f"{error}\n")
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m shouwen.intake", description="Without a command: serve.")
    commands = parser.add_subparsers(required=True, dest="command")
    commands.add_parser("rotate", help="bring all encrypted fields under the first key of SHOUWEN_PRIVACY_KEYS")
    commands.add_parser("erase-again", help="after a backup was restored: erase what had been erased")
    mail = commands.add_parser("mail", help="take in the mail on the standard input (pipe command of a mail server)")
    mail.add_argument("--recipient", help="whom it is for, as the envelope says; without it its own headers are read")
    return parser


def _take_mail(recipient: str | None) -> int:
    """Take one mail in; the exit codes are those of sysexits.h, by which a mail server decides."""
    logs.setup("intake", "WARNING")
    try:
        settings = IntakeSettings()  # pyright: ignore[reportCallIssue] (from the environment)
        asyncio.run(take_mail(settings, sys.stdin.buffer.read(MAIL_BYTES + 1), recipient=recipient))
    except BadSettings as error:
        return _failed(error, _TRY_AGAIN)  # the sender's mail is not to bounce for our mistake
    except TooLarge as error:
        return _failed(error, os.EX_DATAERR)
    except Exception as error:  # whatever it was, the mail must not be lost
        return _failed(error, _TRY_AGAIN)
    return os.EX_OK


_TRY_AGAIN = os.EX_TEMPFAIL


def _failed(error: Exception, code: int) -> int:
    # Texts of other errors may quote the mail.
    sys.stderr.write(f"{error if isinstance(error, ShouwenError) else type(error).__name__}\n")
    return code


async def _rotate(settings: IntakeSettings) -> Rotated:
    if settings.migration_database_url is None:
        problem = FieldProblem("SHOUWEN_MIGRATION_DATABASE_URL", "is not set", "Give the URL of the owner role.")
        raise BadSettings((problem,))
    url = settings.migration_database_url.get_secret_value()
    return await rotate(url, settings.keys, say=lambda line: print(line, flush=True))  # noqa: T201 (a command)


def _told(done: Rotated) -> int:
    for key_id, count in done.unknown_keys.items():
        sys.stderr.write(
            f"{count} fields are under key {key_id}, which is not in SHOUWEN_PRIVACY_KEYS. Add it again.\n"
        )
    if done.is_complete:
        sys.stdout.write("All fields are under the current key; the others may be removed from SHOUWEN_PRIVACY_KEYS.\n")
    return 0 if done.is_complete else 1


if __name__ == "__main__":
    sys.exit(main())
