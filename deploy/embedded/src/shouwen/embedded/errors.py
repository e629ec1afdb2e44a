"""What the `shouwen` command says when it cannot go on: one sentence of cause, one of remedy."""


class LauncherError(Exception):
    """The suite cannot be started or stopped as asked."""

    def __init__(self, cause: str, remedy: str = "") -> None:
        super().__init__(f"{cause}\n  {remedy}" if remedy else cause)
        self.cause = cause
        self.remedy = remedy
