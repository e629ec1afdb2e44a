"""Turn into another program that ends with its parent; a script without imports of ours, so that it starts in 30 ms.

    python -I -S tether.py PARENT DEATH_SIGNAL USER COMMAND…

USER is a numeric `uid:gid` to change to, or `-`. On Linux the kernel sends DEATH_SIGNAL when the parent is gone,
even after a SIGKILL; elsewhere the next start finds the leftovers by their pid files.
"""

import ctypes
import os
import sys

PR_SET_PDEATHSIG = 1


def main(parent: str, death_signal: str, user: str, *command: str) -> None:
    """Change the user, tie this process to its parent, and become the command."""
    if user != "-":
        uid, _, gid = user.partition(":")
        os.setgroups([])
        os.setgid(int(gid))
        os.setuid(int(uid))
    if sys.platform == "linux":
        # After setuid: a change of user clears the setting.
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0)
        if os.getppid() != int(parent):  # the parent died before it could be watched
            sys.exit(1)
    os.execv(command[0], command)  # noqa: S606 - no shell is wanted


if __name__ == "__main__":
    main(*sys.argv[1:])
