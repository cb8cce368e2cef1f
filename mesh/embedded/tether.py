"""Run a program that the kernel kills when the process that started it is gone: ``tether.py PID PROGRAM ARGUMENT...``.

It runs as a script of its own, before the program takes its place, because code between fork and exec is not safe in a
process with threads. Systems without the Linux call run the program untied.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main(arguments: list[str]) -> None:
    """Tie this process to its parent and become the program."""
    parent, command = int(arguments[0]), arguments[1:]
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        # The parent may have died before the call; then nobody is left to be tied to.
        if os.getppid() != parent:
            sys.exit(1)
    os.execvp(command[0], command)  # noqa: S606 - becoming the program is the purpose; there is no shell


if __name__ == "__main__":
    main(sys.argv[1:])
