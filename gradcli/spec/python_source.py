"""Importing the Python of a definition, which happens under --allow-python only."""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import importlib.util
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from gradcli.core.user_code import told
from gradcli.spec.fields import Context, read_text
from gradcli.spec.nodes import Node, shortened
from gradcli.spec.problems import did_you_mean

__all__ = ["load_class", "load_functions"]

Function = Callable[..., Any]

LAYER_METHODS: Final = {
    "forward": "forward(x, parameters) -> y or (y, saved)",
    "backward": "backward(x, parameters, output, cotangent[, saved]) -> (dx, {name: cotangent})",
}


def load_functions(
    source: Node, forward: Node, backward: Node | None, context: Context
) -> tuple[Function, Function | None] | None:
    """The functions that the spec names; None with the problem noted."""
    text = read_text(source, "python", context.problems)
    module = None if text is None else _import(text, source, context)
    if text is None or module is None:
        return None
    run = _function(module, text, forward, "forward", context)
    pull = None if backward is None else _function(module, text, backward, "backward", context)
    if run is None or (backward is not None and pull is None):
        return None
    return run, pull


def load_class(source: Node, named: Node, context: Context) -> type[Any] | None:
    """The class that the spec names, with the methods of a layer; None with the problem noted."""
    text = read_text(source, "python", context.problems)
    name = read_text(named, "class", context.problems)
    module = None if text is None or name is None else _import(text, source, context)
    if text is None or name is None or module is None:
        return None
    found = getattr(module, name, None)
    if not isinstance(found, type):
        classes = [key for key, value in vars(module).items() if isinstance(value, type)]
        hint = did_you_mean(name, [key for key in classes if key[0] != "_"])
        context.problems.add("SP019", f"{text} has no class {name!r}", named, hint=hint)
        return None
    missing = [method for method in LAYER_METHODS if not callable(getattr(found, method, None))]
    if missing:
        message = f"{name} has no method {' and no method '.join(missing)}"
        hint = "a layer has " + " and ".join(LAYER_METHODS[method] for method in missing)
        context.problems.add("SP019", message, named, hint=hint)
        return None
    return found


def _import(text: str, node: Node, context: Context) -> ModuleType | None:
    """A file, relative to the spec, or a dotted module. What it prints goes to standard error."""
    is_file = text.endswith(".py")
    path = Path(context.folder, text)
    if is_file and not path.is_file():
        context.problems.add("SP019", f"there is no file {text}", node)
        return None
    folder = path.parent if is_file else Path(context.folder)
    try:
        with _on_path(folder), contextlib.redirect_stdout(sys.stderr):
            return _from_file(path) if is_file else importlib.import_module(text)
    except (Exception, SystemExit) as error:
        message = f"importing {text} fails: {told(error)}"
        context.problems.add("SP019", shortened(message, 300), node)
        return None


def _from_file(path: Path) -> ModuleType:
    key = hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:12]
    name = f"_gradcli_{path.stem}_{key}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up while it is still being run
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


@contextlib.contextmanager
def _on_path(folder: Path) -> Iterator[None]:
    """The folder first among those that modules are imported from, as when its file is run."""
    entry = str(folder.resolve())
    sys.path.insert(0, entry)
    try:
        yield
    finally:
        with contextlib.suppress(ValueError):
            sys.path.remove(entry)


def _function(
    module: ModuleType, text: str, node: Node, what: str, context: Context
) -> Function | None:
    name = read_text(node, what, context.problems)
    if name is None:
        return None
    function = getattr(module, name, None)
    if callable(function):
        found: Function = function
        return found
    callables = [key for key, value in vars(module).items() if callable(value) and key[0] != "_"]
    message = f"{text} has no function {name!r}"
    context.problems.add("SP019", message, node, hint=did_you_mean(name, callables))
    return None
