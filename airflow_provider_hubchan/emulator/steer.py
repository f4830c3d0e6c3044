"""The part of the control prefix that steers: faults, clock, settings and state. The calls are listed in control.py."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request

from airflow_provider_hubchan.emulator.answers import ANSWERS
from airflow_provider_hubchan.emulator.local import LocalHubspot

Handle = Callable[[Request], Awaitable[Any]]


def steering(hubspot: LocalHubspot) -> list[tuple[str, str, Handle]]:
    """Method, path and handler of each call."""

    async def faults(request: Request) -> list[dict[str, Any]]:
        return [placed.as_json() for placed in hubspot.script]

    async def script(request: Request) -> dict[str, Any]:
        said = await _json(request)
        added = hubspot.script.add_all(said if isinstance(said, list) else [said], hubspot.world.clock.now())
        return {"added": len(added), "ids": [placed.number for placed in added]}

    async def unscript(request: Request) -> dict[str, Any]:
        hubspot.script.clear()
        return {}

    async def unscript_one(request: Request) -> dict[str, Any]:
        hubspot.script.remove(request.path_params["number"])
        return {}

    async def answers(request: Request) -> list[dict[str, Any]]:
        return [{"answer": name, "status": each.status, "mark": each.mark} for name, each in ANSWERS.items()]

    async def clock(request: Request) -> dict[str, Any]:
        return _clock(hubspot)

    async def move(request: Request) -> dict[str, Any]:
        world, said = hubspot.world, await asked(request)
        moves = {"advance": world.clock.advance, "before_midnight": world.before_midnight, "speed": world.clock.run}
        if len(said) != 1 or not said.keys() <= moves.keys():
            raise ValueError(f"the clock takes one of {', '.join(moves)}; asked was {', '.join(said) or 'nothing'}")
        ((name, value),) = said.items()
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise ValueError(f"{name} must be a number{'' if name == 'speed' else ' of seconds'}, not {value!r}")
        moves[name](value)
        return _clock(hubspot)

    async def settings(request: Request) -> dict[str, Any]:
        return dict(vars(hubspot.world.settings))

    async def change(request: Request) -> dict[str, Any]:
        hubspot.choose(**await asked(request))
        return dict(vars(hubspot.world.settings))

    async def state(request: Request) -> dict[str, Any]:
        return hubspot.state()

    async def restore(request: Request) -> dict[str, Any]:
        hubspot.restore(await request.body())
        return {"messages": len(hubspot.world.messages), "faults": len(list(hubspot.script))}

    return [
        ("GET", "faults", faults),
        ("POST", "faults", script),
        ("DELETE", "faults", unscript),
        ("DELETE", "faults/{number:int}", unscript_one),
        ("GET", "answers", answers),
        ("GET", "clock", clock),
        ("POST", "clock", move),
        ("GET", "settings", settings),
        ("POST", "settings", change),
        ("GET", "state", state),
        ("PUT", "state", restore),
    ]


async def asked(request: Request) -> dict[str, Any]:
    """The body, which must be an object; nothing is an empty one.

    :raises ValueError: it is something else.
    """
    said = await _json(request)
    if not isinstance(said, dict):
        raise ValueError("the body must be a JSON object")
    return said


async def _json(request: Request) -> Any:
    try:
        return json.loads(await request.body() or b"{}")
    except (ValueError, RecursionError) as error:
        raise ValueError(f"the body is not JSON: {error}") from error


def _clock(hubspot: LocalHubspot) -> dict[str, Any]:
    clock = hubspot.world.clock
    return {"now": clock.now(), "speed": clock.speed}
