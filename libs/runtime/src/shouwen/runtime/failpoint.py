"""Named points at which a test may kill the process: the proof that a crash there loses nothing and doubles nothing.

``SHOUWEN_FAILPOINT="consumer.before_commit@3"`` kills the process with SIGKILL when it passes that point the third
time. Without the variable a passage costs one comparison.
"""

import os
import signal
from collections import Counter

VARIABLE = "SHOUWEN_FAILPOINT"
_passages: Counter[str] = Counter()
_name, _, _nth = os.environ.get(VARIABLE, "").partition("@")
_fatal = int(_nth or 1)


def failpoint(name: str) -> None:
    """Pass the point ``name``; the passage that the environment names is the last thing this process does."""
    if name != _name:
        return
    _passages[name] += 1
    if _passages[name] == _fatal:
        os.kill(os.getpid(), signal.SIGKILL)
