"""Records as plain data and back: whatever fields they have, and a key in the place of another record."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, is_dataclass
from datetime import date
from typing import Any, get_args, get_origin, get_type_hints

from pydantic import BaseModel, ConfigDict, create_model

from airflow_provider_hubchan.emulator.clock import Calendar
from airflow_provider_hubchan.emulator.records import App, Channel, ChannelAccount, Install, Portal

#: What stands for another record: the type of its key, and the key.
KEYS: dict[Any, tuple[Any, Callable[[Any], Any]]] = {
    Calendar: (str, lambda calendar: calendar.time_zone),
    Portal: (int, lambda portal: portal.id),
    App: (str, lambda app: app.client_id),
    Install: (str, lambda install: f"{install.app.client_id} in {install.portal.id}"),
    Channel: (str, lambda channel: channel.id),
    ChannelAccount: (str, lambda account: account.id),
}
#: Types of each kind's fields; to read them takes longer than to make a record.
_HINTS: dict[Any, dict[str, Any]] = {}
STRICT = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)


def plain(value: Any) -> Any:
    """A value of a record's field."""
    if type(value) in KEYS:
        _, key = KEYS[type(value)]
        return key(value)
    if is_dataclass(value):
        return record_as_plain(value)
    if isinstance(value, deque | tuple | list):
        return [plain(each) for each in list(value)]  # at once: calls are counted meanwhile
    return value.isoformat() if isinstance(value, date) else value


def record_as_plain(record: Any) -> dict[str, Any]:
    """All its fields, by their names without the underscore of a private one."""
    return {each.name.lstrip("_"): plain(getattr(record, each.name)) for each in fields(record)}


def shape_of(kind: type[Any]) -> type[BaseModel]:
    """What `record_as_plain` makes of records of this kind, to hold data against."""
    hints = {name.lstrip("_"): (_shape(hint), ...) for name, hint in _hints(kind).items()}
    return create_model(kind.__name__, __config__=STRICT, **hints)  # type: ignore[call-overload, no-any-return]


def record_of(kind: type[Any], said: BaseModel, known: Mapping[Any, Mapping[Any, Any]]) -> Any:
    """The record again.

    :param said: of the kind's shape.
    :param known: the records that it may refer to, by kind and key.
    :raises ValueError: it refers to one that is not there.
    """
    hints = _hints(kind)
    return kind(**{name: _value(kind, hint, getattr(said, name.lstrip("_")), known) for name, hint in hints.items()})


def by_key(kind: type[Any], records: Iterable[Any]) -> dict[Any, Any]:
    """Records of a kind by what stands for them.

    :raises ValueError: two are the same.
    """
    _, key = KEYS[kind]
    found: dict[Any, Any] = {}
    for record in records:
        if found.setdefault(key(record), record) is not record:
            raise ValueError(f"there are two records of kind {kind.__name__} with the key {key(record)!r}")
    return found


def _value(kind: type[Any], hint: Any, said: Any, known: Mapping[Any, Mapping[Any, Any]]) -> Any:
    if hint is Calendar:
        return Calendar(said)
    if hint in KEYS:
        if said not in known[hint]:
            raise ValueError(f"a record of kind {kind.__name__} is of {hint.__name__} {said!r}, which is not there")
        return known[hint][said]
    if is_dataclass(hint) and isinstance(hint, type):
        return record_of(hint, said, known)
    return deque(said) if get_origin(hint) is deque else said


def _shape(hint: Any) -> Any:
    if hint in KEYS:
        return KEYS[hint][0]
    if get_origin(hint) is deque:
        return list[get_args(hint)[0]]  # type: ignore[misc]
    return shape_of(hint) if is_dataclass(hint) and isinstance(hint, type) else hint


def _hints(kind: type[Any]) -> dict[str, Any]:
    if kind not in _HINTS:
        hints = get_type_hints(kind)
        _HINTS[kind] = {each.name: hints[each.name] for each in fields(kind)}
    return _HINTS[kind]
