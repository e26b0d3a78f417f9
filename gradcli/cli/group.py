"""Commands that are imported when they are used, and errors that become exit codes."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib import import_module
from typing import Any

import click

from gradcli.cli.streams import put, say, writing
from gradcli.errors import ExitCode, GradcliError

__all__ = ["TRACEBACK", "Command", "LazyGroup"]

TRACEBACK = "gradcli.traceback"
"""Set in a context's `meta` by the option `--traceback`."""


class _Helpful(click.Command):
    """Prints its help as every other text is printed, whatever becomes of it."""

    def get_help_option_names(self, ctx: click.Context) -> list[str]:
        """The same in every context, since Click keeps the option that it made in the first."""
        return ["-h", "--help"]

    def get_help_option(self, ctx: click.Context) -> click.Option | None:
        option = super().get_help_option(ctx)
        if option is not None:
            option.callback = _put_help
        return option


class Command(_Helpful):
    """A command with examples in its help, which is called when the command line is read."""

    def __init__(self, *args: Any, examples: Sequence[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.examples = examples

    def invoke(self, ctx: click.Context) -> Callable[[], Any]:
        """What is to be called; see `LazyGroup.main`."""
        assert self.callback is not None
        return partial(self.callback, **ctx.params)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        _write_examples(self.examples, formatter)
        super().format_epilog(ctx, formatter)


class LazyGroup(_Helpful, click.Group):
    """A group whose commands are named here and live in modules of their own.

    `commands_in` maps a command to its module, whose attribute `command` it is, and its short help,
    so that the list of commands is printed without importing any.
    """

    def __init__(
        self,
        *args: Any,
        commands_in: Mapping[str, tuple[str, str]],
        examples: Sequence[str],
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self._commands_in = commands_in
        self.examples = examples

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        _write_examples(self.examples, formatter)
        super().format_epilog(ctx, formatter)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args and not ctx.resilient_parsing:
            say(ctx.get_help())
            ctx.exit(ExitCode.INVALID)
        return super().parse_args(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self._commands_in)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self._commands_in:
            return None
        command: click.Command = import_module(self._commands_in[cmd_name][0]).command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, about) for name, (_, about) in self._commands_in.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in self._commands_in and not args[0].startswith("-"):
            from difflib import get_close_matches

            near = get_close_matches(args[0], self._commands_in, 1)
            hint = (
                f"Did you mean {near[0]}?" if near else f"There are {', '.join(self._commands_in)}."
            )
            raise click.UsageError(f"No such command {args[0]!r}. {hint}", ctx)
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """What the command line asks for, to be called; or an exit code."""
        work = _guarded(partial(super().invoke, ctx), ctx.meta)
        return partial(_guarded, work, ctx.meta) if callable(work) else work

    def main(self, *args: Any, **extra: Any) -> Any:
        """Run and exit with the code; with `standalone_mode=False` return it instead.

        Click only reads the command line, and the work is done when it has returned: its calls are
        nested so deeply that CPython 3.11 would ask the system for another piece of stack a
        thousand times while NumPy is imported, a tenth of the time that a small check takes.
        """
        standalone = extra.pop("standalone_mode", True)
        read: Any = super().main
        outcome: Any = None
        try:
            with writing():  # Click does it itself, of completions
                outcome = read(*args, standalone_mode=False, **extra)
            code = outcome() if callable(outcome) else outcome
        except click.ClickException as error:
            _show(error)
            code = ExitCode.INVALID
        except GradcliError as error:  # what --help or --version says cannot be written
            code = _told(error)
        except (KeyboardInterrupt, click.Abort):
            say("interrupted")
            code = ExitCode.INTERRUPTED
        if standalone:
            sys.exit(int(code or 0))
        return int(code or 0)


def _guarded(work: Callable[[], Any], meta: Mapping[str, Any]) -> Any:
    """What the work returns; every error but those of the command line ends here as a message."""
    try:
        return work()
    except (click.ClickException, click.exceptions.Exit):
        raise
    except (KeyboardInterrupt, click.Abort):
        say("interrupted")
        return ExitCode.INTERRUPTED
    except Exception as error:
        if meta.get(TRACEBACK):
            import traceback

            say(traceback.format_exc())
        return _told(error)


def _put_help(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        put(ctx.get_help() + "\n")
        ctx.exit()


def _write_examples(examples: Sequence[str], formatter: click.HelpFormatter) -> None:
    with formatter.section("Examples"):
        for line in examples:
            formatter.write(f"{'':{formatter.current_indent}}{line}\n")


def _show(error: click.ClickException) -> None:
    usage = (
        error.ctx.get_usage() + "\n" if isinstance(error, click.UsageError) and error.ctx else ""
    )
    say(f"{usage}gradcli: {error.format_message()}")


def _told(error: Exception) -> ExitCode:
    """Say what went wrong on stderr; returns the exit code."""
    if isinstance(error, GradcliError):
        from gradcli.cli.finish import say_error

        say_error(error)
        return error.exit_code
    if isinstance(error, MemoryError):
        say(f"gradcli: there is not enough memory: {error}".rstrip(": "))
        return ExitCode.INVALID
    text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    say(f"gradcli: {text}\nThis is a bug in gradcli; --traceback shows where it happened.")
    return ExitCode.BUG
