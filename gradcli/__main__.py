"""The command as a process of its own: `gradcli`, and `python -m gradcli`.

Nothing that takes time is imported before Ctrl-C is waited for.
"""

from __future__ import annotations

import atexit
import gc
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Final, NoReturn

__all__ = ["run"]

_OBJECTS: Final = 100_000
"""More than a small check makes in all, with the modules that it loads."""

_INTERRUPTED: Final = 130
"""`ExitCode.INTERRUPTED`, whose module may not be there yet."""


def run() -> NoReturn:
    """Run the command line, and end the process at once with its exit code.

    Nearly all that a command makes stays to its end. To look for garbage in it time and again, and
    in the end to take every module apart, takes the interpreter longer than to check a small spec;
    the system takes the memory back as a whole. What asked to be called at exit is called.
    """
    gc.set_threshold(_OBJECTS)
    code = _main()
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:  # closed before the start, `>&-`
            _tried(stream.flush)
    os._exit(code)


def _main() -> int:
    """The command's exit code; Ctrl-C counts while its modules are loaded, too."""
    try:
        from gradcli.cli.main import main

        code: int = main(prog_name="gradcli", standalone_mode=False)
    except KeyboardInterrupt:
        code = _INTERRUPTED
        if sys.stderr is not None:
            _tried(sys.stderr.write, "interrupted\n")
    return code


def _tried(call: Callable[..., object], *arguments: str) -> None:
    try:
        call(*arguments)
    except (OSError, ValueError):  # nobody listens
        return


if __name__ == "__main__":
    sys.exit(_main())  # ends as usual, so that profilers and the like can report
