"""Everything that an emulator holds as one JSON object, and back. The ledger is not part of it.

A record is saved with all its fields, whatever they are. Where a field holds another record that has a key, the key is saved.
"""

from __future__ import annotations

import dataclasses
import json
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import is_dataclass
from datetime import date
from typing import Any, get_args, get_origin, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model

from airflow_provider_hubchan.emulator.faults.fault import Fault
from airflow_provider_hubchan.emulator.faults.schedule import Schedule, ScheduledFault
from airflow_provider_hubchan.emulator.model.clock import CENTURY, LAST, Calendar, Clock
from airflow_provider_hubchan.emulator.model.records import (
    AccessToken,
    App,
    Channel,
    ChannelAccount,
    Install,
    Message,
    Portal,
    StagingToken,
)
from airflow_provider_hubchan.emulator.model.settings import Settings
from airflow_provider_hubchan.emulator.model.world import World

#: Version of the format.
VERSION = 1
#: How many errors of a broken snapshot are named.
MAX_ERRORS = 5
#: Records that are saved as their key: the type of the key, and how to get it.
KEYS: dict[Any, tuple[Any, Callable[[Any], Any]]] = {
    Calendar: (str, lambda calendar: calendar.time_zone),
    Portal: (int, lambda portal: portal.id),
    App: (str, lambda app: app.client_id),
    Install: (str, lambda install: f"{install.app.client_id} in {install.portal.id}"),
    Channel: (str, lambda channel: channel.id),
    ChannelAccount: (str, lambda account: account.id),
}
STRICT = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)
#: Type hints by type; to read them takes longer than to make a record.
_HINTS: dict[Any, dict[str, Any]] = {}


def as_json(world: World, schedule: Schedule) -> dict[str, Any]:
    """World and schedule as plain data: portals, apps, tokens, messages, used quotas, settings, clock, faults not over yet."""
    now = world.clock.now()
    stale_reads = list(world.stale_reads.until.values())
    return {
        "version": VERSION,
        "settings": dict(vars(world.settings)),
        "clock": {"now": now, "speed": world.clock.speed},
        "developer_key": world.developer_key,
        "serial": world.serial,
        "portals": [_record_as_plain(portal) for portal in list(world.portals.values())],
        "apps": [_record_as_plain(app) for app in list(world.apps.values())],
        "installs": [_record_as_plain(install) for install in list(world.installs)],
        "tokens": {value: _record_as_plain(token) for value, token in list(world.tokens.items())},
        "channels": [_record_as_plain(channel) for channel in list(world.channels.values())],
        "accounts": [_record_as_plain(account) for account in list(world.accounts.values())],
        "staging": [_record_as_plain(staged) for staged in list(world.staging.values())],
        "messages": [_record_as_plain(message) for message in list(world.messages.values())],
        "posted": [[*key, message_id] for key, message_id in list(world.posted.items())],
        "integration_threads": [[*each] for each in list(world.integration_threads.items())],
        "lagging": [{"until": until, "message": _record_as_plain(message)} for until, message in stale_reads],
        "last_fault": schedule.last_number,
        "faults": [
            {field.name: getattr(fault, field.name) for field in dataclasses.fields(fault) if field.name != "fault"}
            for fault in schedule
            if not fault.is_over(now)
        ],
    }


def from_json(raw: str | bytes) -> tuple[World, Schedule]:
    """World and schedule again. The clock continues from where it was.

    :param raw: what `as_json` has made, as JSON.
    :raises ValueError: it is something else, or of another version.
    """
    try:
        content = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"the state is not JSON: {error}") from error
    version = content.get("version") if isinstance(content, dict) else None
    if version != VERSION:
        raise ValueError(f"the state has version {version!r}; this emulator reads and writes version {VERSION}")
    try:
        snapshot = _Snapshot.model_validate_json(raw)
        return _world_of(snapshot), _schedule_of(snapshot)
    except ValidationError as error:
        errors = [f"{'.'.join(map(str, details['loc']))}: {details['msg']}" for details in error.errors()]
        more = f"; and {len(errors) - MAX_ERRORS} more" if len(errors) > MAX_ERRORS else ""
        raise ValueError(f"the state is broken: {'; '.join(errors[:MAX_ERRORS])}{more}") from error
    except (ValueError, TypeError) as error:
        raise ValueError(f"the state is broken: {error}") from error


def _world_of(snapshot: Any) -> World:
    world = World(Settings(**snapshot.settings))
    world.clock = Clock(at=snapshot.clock.now, speed=snapshot.clock.speed)
    world.developer_key, world.serial = snapshot.developer_key, snapshot.serial
    by_type: dict[Any, dict[Any, Any]] = {}

    def read(kind: type[Any], models: Iterable[Any]) -> dict[Any, Any]:
        by_type[kind] = _by_key(kind, (_record_of(kind, model, by_type) for model in models))
        return by_type[kind]

    world.portals = read(Portal, snapshot.portals)
    world.apps = read(App, snapshot.apps)
    world.installs = list(read(Install, snapshot.installs).values())
    if not world.installs:
        raise ValueError("no app is installed in any portal")
    world.tokens = {value: _record_of(AccessToken, model, by_type) for value, model in snapshot.tokens.items()}
    world.channels = read(Channel, snapshot.channels)
    world.accounts = read(ChannelAccount, snapshot.accounts)
    world.staging = {model.token: _record_of(StagingToken, model, by_type) for model in snapshot.staging}
    for model in snapshot.messages:
        message = _record_of(Message, model, by_type)
        world.messages[message.account.channel.id, message.id] = message
    for model in snapshot.lagging:
        world.stale_reads.put(_record_of(Message, model.message, by_type), model.until)
    world.integration_threads = dict(snapshot.integration_threads)
    world.posted = {(account_id, key): message_id for account_id, key, message_id in snapshot.posted}
    return world


def _schedule_of(snapshot: Any) -> Schedule:
    schedule = Schedule()
    for model in snapshot.faults:
        try:
            fault = Fault.parse(model.spec)
        except ValueError as error:
            raise ValueError(f"fault {model.number}: {error}") from error
        schedule.put(ScheduledFault(fault=fault, **dict(model)))
    schedule.last_number = max(schedule.last_number, snapshot.last_fault)
    return schedule


def _plain(value: Any) -> Any:
    """The value of a record's field as plain data."""
    if type(value) in KEYS:
        _, key = KEYS[type(value)]
        return key(value)
    if is_dataclass(value):
        return _record_as_plain(value)
    if isinstance(value, deque | tuple | list):
        return [_plain(item) for item in list(value)]  # a list: the server's thread may add calls meanwhile
    return value.isoformat() if isinstance(value, date) else value


def _record_as_plain(record: Any) -> dict[str, Any]:
    """All fields of a record, by their names without the underscore of a private one."""
    return {field.name.lstrip("_"): _plain(getattr(record, field.name)) for field in dataclasses.fields(record)}


def _record_of(kind: type[Any], model: BaseModel, by_type: Mapping[Any, Mapping[Any, Any]]) -> Any:
    """The record again.

    :param model: of `_model_of` its type.
    :param by_type: the records that it may refer to, by type and key.
    :raises ValueError: it refers to one that is not there.
    """
    hints = _hints(kind)
    values = {name: _value(kind, hint, getattr(model, name.lstrip("_")), by_type) for name, hint in hints.items()}
    return kind(**values)


def _value(kind: type[Any], hint: Any, plain: Any, by_type: Mapping[Any, Mapping[Any, Any]]) -> Any:
    if hint is Calendar:
        return Calendar(plain)
    if hint in KEYS:
        if plain not in by_type[hint]:
            raise ValueError(f"a record of kind {kind.__name__} is of {hint.__name__} {plain!r}, which is not there")
        return by_type[hint][plain]
    if is_dataclass(hint) and isinstance(hint, type):
        return _record_of(hint, plain, by_type)
    return deque(plain) if get_origin(hint) is deque else plain


def _by_key(kind: type[Any], records: Iterable[Any]) -> dict[Any, Any]:
    """Records of a type by their keys.

    :raises ValueError: two have the same key.
    """
    _, key = KEYS[kind]
    found: dict[Any, Any] = {}
    for record in records:
        if found.setdefault(key(record), record) is not record:
            raise ValueError(f"there are two records of kind {kind.__name__} with the key {key(record)!r}")
    return found


def _model_of(kind: type[Any]) -> type[BaseModel]:
    """A model of what `_record_as_plain` makes of records of this type, to validate plain data."""
    hints = {name.lstrip("_"): (_plain_type(hint), ...) for name, hint in _hints(kind).items()}
    return create_model(kind.__name__, __config__=STRICT, **hints)  # type: ignore[call-overload, no-any-return]


def _plain_type(hint: Any) -> Any:
    if hint in KEYS:
        return KEYS[hint][0]
    if get_origin(hint) is deque:
        return list[get_args(hint)[0]]  # type: ignore[misc]
    return _model_of(hint) if is_dataclass(hint) and isinstance(hint, type) else hint


def _hints(kind: type[Any]) -> dict[str, Any]:
    if kind not in _HINTS:
        hints = get_type_hints(kind)
        _HINTS[kind] = {field.name: hints[field.name] for field in dataclasses.fields(kind)}
    return _HINTS[kind]


class _ClockModel(BaseModel):
    model_config = STRICT
    now: float = Field(ge=0, le=LAST - CENTURY)
    speed: float


class _StaleReadModel(BaseModel):
    model_config = STRICT
    until: float
    message: _model_of(Message)  # type: ignore[valid-type]


class _ScheduledFaultModel(BaseModel):
    model_config = STRICT
    number: int
    spec: dict[str, Any]
    added_at: float
    seen: int
    struck: int
    tries: dict[str, int]


def _list_of(kind: type[Any]) -> Any:
    return (list[_model_of(kind)], ...)  # type: ignore[misc]


def _dict_of(kind: type[Any]) -> Any:
    return (dict[str, _model_of(kind)], ...)  # type: ignore[misc]


_Snapshot: Any = create_model(
    "State",
    __config__=STRICT,
    version=(int, ...),
    settings=(dict[str, Any], ...),
    clock=(_ClockModel, ...),
    developer_key=(str, ...),
    serial=(int, ...),
    portals=_list_of(Portal),
    apps=_list_of(App),
    installs=_list_of(Install),
    tokens=_dict_of(AccessToken),
    channels=_list_of(Channel),
    accounts=_list_of(ChannelAccount),
    staging=_list_of(StagingToken),
    messages=_list_of(Message),
    posted=(list[tuple[str, str, str]], ...),
    integration_threads=(list[tuple[int, str]], []),  # states of before have none
    lagging=(list[_StaleReadModel], ...),
    last_fault=(int, ...),
    faults=(list[_ScheduledFaultModel], ...),
)
