"""The command as a process of its own: `gradcli`, and `python -m gradcli`."""

from __future__ import annotations

import gc

__all__ = ["run"]

_OBJECTS = 100_000
"""More than a small check makes in all, modules included."""


def run() -> None:
    """Run the command line and exit with its code.

    What a command makes, above all the modules that it loads, stays to its end and holds next to no
    cycles. To look for some in it time and again, and once more when the process ends and gives
    all memory back anyhow, takes as long as to check a small spec.
    """
    gc.set_threshold(_OBJECTS)
    try:
        from gradcli.cli.main import main

        main(prog_name="gradcli")
    finally:
        gc.freeze()


if __name__ == "__main__":
    run()
