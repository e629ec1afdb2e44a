"""What the rooms of the channels need to know beside the transactions."""

from dataclasses import dataclass

from shouwen.intake.gateways.files import Files
from shouwen.intake.handlers.mail import Post
from shouwen.intake.handlers.web_form import Forms


@dataclass(frozen=True, slots=True)
class Channels:
    """How matters and files come in, as the settings say.

    Args:
        files: where contents are kept; None takes none.
        attachment_limit: the longest file, in bytes.
        post: the channel of mail; None without a file store.
        forms: the channel of the public web form.
    """

    files: Files | None
    attachment_limit: int
    post: Post | None
    forms: Forms
