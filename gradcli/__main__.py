"""`python -m gradcli`."""

from __future__ import annotations

from gradcli.cli.main import main

__all__: list[str] = []

if __name__ == "__main__":
    main(prog_name="gradcli")
