"""Everything that a local HubSpot knows, as one JSON object, and back. The ledger is not part of it."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from pydantic import BaseModel, Field, ValidationError, create_model

from airflow_provider_hubchan.emulator.clock import CENTURY, LAST, Clock
from airflow_provider_hubchan.emulator.faults import Fault
from airflow_provider_hubchan.emulator.plain import STRICT, by_key, record_as_plain, record_of, shape_of
from airflow_provider_hubchan.emulator.records import (
    AccessToken,
    App,
    Channel,
    ChannelAccount,
    Install,
    Message,
    Portal,
    StagingToken,
)
from airflow_provider_hubchan.emulator.script import Placed, Script
from airflow_provider_hubchan.emulator.settings import Settings
from airflow_provider_hubchan.emulator.world import World

VERSION = 1
#: Errors that are told of a state that is none.
TOLD = 5


class _Clock(BaseModel):
    model_config = STRICT
    now: float = Field(ge=0, le=LAST - CENTURY)
    speed: float


class _Lagging(BaseModel):
    model_config = STRICT
    until: float
    message: shape_of(Message)  # type: ignore[valid-type]


class _Placed(BaseModel):
    model_config = STRICT
    number: int
    spec: dict[str, Any]
    added_at: float
    seen: int
    struck: int
    tries: dict[str, int]


def _many(kind: type[Any]) -> Any:
    return (list[shape_of(kind)], ...)  # type: ignore[misc]


def _named(kind: type[Any]) -> Any:
    return (dict[str, shape_of(kind)], ...)  # type: ignore[misc]


_State: Any = create_model(
    "State",
    __config__=STRICT,
    version=(int, ...),
    settings=(dict[str, Any], ...),
    clock=(_Clock, ...),
    developer_key=(str, ...),
    serial=(int, ...),
    portals=_many(Portal),
    apps=_many(App),
    installs=_many(Install),
    tokens=_named(AccessToken),
    channels=_many(Channel),
    accounts=_many(ChannelAccount),
    staging=_many(StagingToken),
    messages=_many(Message),
    posted=(list[tuple[str, str, str]], ...),
    lagging=(list[_Lagging], ...),
    last_fault=(int, ...),
    faults=(list[_Placed], ...),
)


def as_json(world: World, script: Script) -> dict[str, Any]:
    """World and script as plain data: portals, apps, tokens, messages, quotas used, settings, clock, faults that are left."""
    now = world.clock.now()
    return {
        "version": VERSION,
        "settings": dict(vars(world.settings)),
        "clock": {"now": now, "speed": world.clock.speed},
        "developer_key": world.developer_key,
        "serial": world.serial,
        "portals": [record_as_plain(each) for each in list(world.portals.values())],
        "apps": [record_as_plain(each) for each in list(world.apps.values())],
        "installs": [record_as_plain(each) for each in list(world.installs)],
        "tokens": {value: record_as_plain(each) for value, each in list(world.tokens.items())},
        "channels": [record_as_plain(each) for each in list(world.channels.values())],
        "accounts": [record_as_plain(each) for each in list(world.accounts.values())],
        "staging": [record_as_plain(each) for each in list(world.staging.values())],
        "messages": [record_as_plain(each) for each in list(world.messages.values())],
        "posted": [[*key, message_id] for key, message_id in list(world.posted.items())],
        "lagging": [
            {"until": until, "message": record_as_plain(message)} for until, message in list(world.lagging.until.values())
        ],
        "last_fault": script.last,
        "faults": [
            {each.name: getattr(placed, each.name) for each in dataclasses.fields(placed) if each.name != "fault"}
            for placed in script
            if not placed.is_over(now)
        ],
    }


def from_json(raw: str | bytes) -> tuple[World, Script]:
    """World and script again. The clock goes on from where it was.

    :param raw: what `as_json` made, as JSON.
    :raises ValueError: it is something else, or of another version.
    """
    try:
        said = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"the state is not JSON: {error}") from error
    version = said.get("version") if isinstance(said, dict) else None
    if version != VERSION:
        raise ValueError(f"the state has version {version!r}; this emulator reads and writes version {VERSION}")
    try:
        return _world(state := _State.model_validate_json(raw)), _script(state)
    except ValidationError as error:
        told = [f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()]
        more = f"; and {len(told) - TOLD} more" if len(told) > TOLD else ""
        raise ValueError(f"the state is broken: {'; '.join(told[:TOLD])}{more}") from error
    except (ValueError, TypeError) as error:
        raise ValueError(f"the state is broken: {error}") from error


def _world(state: Any) -> World:
    world = World(Settings(**state.settings))
    world.clock = Clock(at=state.clock.now, speed=state.clock.speed)
    world.developer_key, world.serial = state.developer_key, state.serial
    known: dict[Any, dict[Any, Any]] = {}

    def keyed(kind: type[Any], said: Any) -> dict[Any, Any]:
        known[kind] = by_key(kind, (record_of(kind, each, known) for each in said))
        return known[kind]

    world.portals = keyed(Portal, state.portals)
    world.apps = keyed(App, state.apps)
    world.installs = list(keyed(Install, state.installs).values())
    if not world.installs:
        raise ValueError("no app is installed in any portal")
    world.tokens = {value: record_of(AccessToken, each, known) for value, each in state.tokens.items()}
    world.channels = keyed(Channel, state.channels)
    world.accounts = keyed(ChannelAccount, state.accounts)
    world.staging = {each.token: record_of(StagingToken, each, known) for each in state.staging}
    for each in state.messages:
        message = record_of(Message, each, known)
        world.messages[message.account.channel.id, message.id] = message
    for each in state.lagging:
        world.lagging.put(record_of(Message, each.message, known), each.until)
    world.posted = {(account_id, key): message_id for account_id, key, message_id in state.posted}
    return world


def _script(state: Any) -> Script:
    script = Script()
    for each in state.faults:
        try:
            fault = Fault.read(each.spec)
        except ValueError as error:
            raise ValueError(f"fault {each.number}: {error}") from error
        script.place(Placed(fault=fault, **dict(each)))
    script.last = max(script.last, state.last_fault)
    return script
