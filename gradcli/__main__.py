"""The command as a process of its own: `gradcli`, and `python -m gradcli`."""

from __future__ import annotations

import atexit
import gc
import os
import sys
from contextlib import suppress
from typing import Final, NoReturn

__all__ = ["run"]

_OBJECTS: Final = 100_000
"""More than a small check makes in all, with the modules that it loads."""


def run() -> NoReturn:
    """Run the command line, and end the process at once with its exit code.

    Nearly all that a command makes stays to its end. To look for garbage in it time and again, and
    in the end to take every module apart, takes the interpreter longer than to check a small spec;
    the system takes the memory back as a whole. What asked to be called at exit is called.
    """
    gc.set_threshold(_OBJECTS)
    from gradcli.cli.main import main

    code: int = main(prog_name="gradcli", standalone_mode=False)
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:  # closed before the start, `>&-`
            with suppress(OSError, ValueError):
                stream.flush()
    os._exit(code)


if __name__ == "__main__":
    from gradcli.cli.main import main

    main(prog_name="gradcli")  # ends as usual, so that profilers and the like can report
