"""Every public name is in the API reference, and its docstring says what it takes and what it raises."""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import pytest

from airflow_provider_hubchan.batch.report import Report
from tests.docs.pages import fences
from tests.modules import IMPORTABLE, PACKAGE, errors
from tests.paths import DOCS, EXAMPLES

REFERENCE = (DOCS / "reference.md").read_text(encoding="utf-8")
#: Modules that users import from.
FOR_USERS = ("operators", "sensors", "decorators", "notifications", "triggers", "retries", "hooks", "client.errors")
#: The module whose data users import.
DATA = f"{PACKAGE}.gateways"
#: What the provider's own modules call: functions and classes in modules for users, and methods of the hook.
INTERNAL = {"hooks.mask", "notifications.CallbackSummary", "notifications.failure_reason", "notifications.redact"}
INTERNAL_METHODS = {"portal", "resolve_channel", "run_batch", "sync_driver", "async_driver"}


def is_importable(path: str) -> bool:
    """True if this Airflow can import the module of a name: 3.2 cannot import the retry policy."""
    return path.removeprefix(f"{PACKAGE}.").rpartition(".")[0] in IMPORTABLE


def entries() -> Iterator[tuple[str, Any]]:
    """Every name that the reference lists, and the members that it lists of it."""
    for path, options in re.findall(r"^::: (\S+)\n((?: .*\n)*)", REFERENCE, flags=re.MULTILINE):
        module, name = path.rsplit(".", 1)
        if path == DATA:
            thing = import_module(DATA)
        elif is_importable(path):
            thing = getattr(import_module(module), name)
        else:
            continue
        yield path, thing
        for members in re.findall(r"members: \[(.*)\]", options):
            for member in members.split(", "):
                yield f"{path}.{member}", inspect.getattr_static(thing, member)


LISTED = dict(entries())
#: What is listed but for data, which takes and raises nothing.
CALLABLE = [path for path in LISTED if not path.startswith(DATA)]


def path_of(thing: Any) -> str:
    return f"{thing.__module__}.{thing.__qualname__}"


def raised(thing: Any) -> set[str]:
    """The names of the errors that a function, or any method of a class, raises itself."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(thing)))
    calls = (node.exc for node in ast.walk(tree) if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call))
    return {call.func.id for call in calls if isinstance(call.func, ast.Name)}


def test_every_public_name_is_in_the_reference() -> None:
    """All that the modules for users define, every error, and the report."""
    modules = [import_module(f"{PACKAGE}.{name}") for name in FOR_USERS if name in IMPORTABLE]
    public = {
        path_of(thing)
        for module in modules
        for name, thing in vars(module).items()
        if not name.startswith("_")
        and inspect.isroutine(thing) | inspect.isclass(thing)
        and thing.__module__ == module.__name__
    }
    public |= {path_of(error) for error in errors()} | {path_of(Report)}
    internal = {f"{PACKAGE}.{name}" for name in INTERNAL}
    assert internal <= public
    assert public - internal <= set(LISTED)
    assert not internal & set(LISTED)


def test_all_data_is_in_the_reference() -> None:
    """In the order of the module."""
    own = [f"{DATA}.{name}" for name in vars(import_module(DATA)) if name.isupper()]
    assert [path for path in LISTED if path.startswith(f"{DATA}.")] == own


def test_what_the_pages_import_is_in_the_reference() -> None:
    """Whatever module it is of; the local HubSpot has a page of its own."""
    files = [*EXAMPLES.glob("*.py"), *DOCS.rglob("*.py")]
    code = [*(path.read_text(encoding="utf-8") for path in files), *fences("python").values()]
    imported = {
        f"{node.module}.{alias.name}"
        for text in code
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith(PACKAGE)
        for alias in node.names
    }
    assert {name for name in imported if is_importable(name)} <= set(LISTED)


def test_every_public_method_of_the_hook_is_in_the_reference() -> None:
    """What begins with an underscore is ours, and so is what only the provider's own tasks call; the rest a user may call."""
    hook = f"{PACKAGE}.hooks.HubchanHook"
    own = {name for name, value in vars(LISTED[hook]).items() if not name.startswith("_") and not isinstance(value, str)}
    assert own >= INTERNAL_METHODS
    assert {f"{hook}.{name}" for name in own - INTERNAL_METHODS} <= set(LISTED)
    assert not {f"{hook}.{name}" for name in INTERNAL_METHODS} & set(LISTED)


@pytest.mark.parametrize("path", CALLABLE)
def test_every_parameter_is_documented(path: str) -> None:
    """A ``:param:`` for each, and none for what is not there."""
    thing = LISTED[path]
    function = thing.__init__ if inspect.isclass(thing) else getattr(thing, "func", thing)
    parameters = inspect.signature(function).parameters.values()
    own = {each.name for each in parameters if each.kind is not each.VAR_KEYWORD and each.name not in ("self", "args")}
    documented = set(re.findall(r":param (\w+):", inspect.getdoc(thing) or ""))
    assert own == documented - {"kwargs"}


@pytest.mark.parametrize("path", CALLABLE)
def test_every_error_that_is_raised_is_documented(path: str) -> None:
    """``:raises:`` in the docstring of the class or function, or in that of the method that raises."""
    thing = LISTED[path]
    text = inspect.getsource(thing) if inspect.isclass(thing) else inspect.getdoc(thing) or ""
    documented = set(re.findall(r":raises (\w+):", text))
    assert raised(getattr(thing, "func", thing)) <= documented
