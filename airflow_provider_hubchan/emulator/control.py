"""The control API: seed, inject faults, move the clock, and look, over HTTP. Everything is JSON.

GET    /_emulator/health
GET    /_emulator/connection            an Airflow connection to this emulator
POST   /_emulator/messages              {"ids": [...], "channel_id": optional}: an agent writes these
GET    /_emulator/messages              {"counts": {status: number}, "messages": {id: status}}
POST   /_emulator/replies               {"text": ..., "to": address or "thread": number, "channel_id": optional}: a new message
GET    /_emulator/deliveries            the webhooks that were sent, or those that fit ?message_id=...&status=..., see
                                        `Ledger.deliveries`
GET    /_emulator/faults                all faults, how many requests each has hit, and how many are left
POST   /_emulator/faults                one fault or a list of them, see `airflow_provider_hubchan.emulator.faults.fault`
DELETE /_emulator/faults                all, or with /_emulator/faults/<id> one
GET    /_emulator/answers               the names that a fault can answer with
POST   /_emulator/tokens                {"scopes": optional, "life": seconds, "value": optional}: a ready bearer token
POST   /_emulator/revoke                end the app's refresh token
GET    /_emulator/clock                 {"now": seconds since the epoch, "speed": number}
POST   /_emulator/clock                 {"advance": seconds}, or {"before_midnight": seconds}: to so long before the day ends,
                                        or {"speed": number}: 0 stops it
GET    /_emulator/settings
POST   /_emulator/settings              {name: value, ...}
GET    /_emulator/state                 everything but the ledger, as one JSON object
PUT    /_emulator/state                 such an object
GET    /_emulator/ledger                the requests that are kept, or those that fit ?method=PATCH&..., see `Ledger.chosen`
GET    /_emulator/ledger.jsonl          the same as JSON Lines
GET    /_emulator/patches               {"by_message": {id: number answered 2xx}, "total": number of all}
POST   /_emulator/reset
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse

from airflow_provider_hubchan.emulator.backend import HubspotBackend
from airflow_provider_hubchan.emulator.faults.catalogue import ANSWERS
from airflow_provider_hubchan.emulator.model.numbers import is_count, is_number
from airflow_provider_hubchan.emulator.request_log.ledger import (
    DELIVERY_CONDITIONS,
    json_array,
    json_lines,
    parse_conditions,
)
from airflow_provider_hubchan.emulator.routing import Router
from airflow_provider_hubchan.emulator.ui.page import PAGE_ROUTES

Handler = Callable[[HubspotBackend, Request], Awaitable[Any]]

#: Most characters of an error, which may name values that were sent.
MAX_ERROR = 1_500
_JSON_LINES = "application/jsonl"
_TOKEN_FIELDS = ("scopes", "life", "value")
_REPLY_FIELDS = ("text", "to", "thread", "channel_id")


async def health(backend: HubspotBackend, request: Request) -> dict[str, Any]:
    return {"ok": True}


async def connection(backend: HubspotBackend, request: Request) -> dict[str, Any]:
    return backend.connection()


async def seed_messages(backend: HubspotBackend, request: Request) -> dict[str, Any]:
    body = await _json_object(request)
    if not isinstance(body.get("ids"), list):
        raise ValueError("ids must be a list of message ids")
    world, ids = backend.world, list(map(str, body["ids"]))
    channel_id = body.get("channel_id") or world.channel_id
    world.seed(ids, channel_id)
    # In a thread: there may be very many, and other requests are served meanwhile.
    await run_in_threadpool(backend.announce, [world.messages[channel_id, message_id] for message_id in ids])
    return {"messages": len(backend.world.messages)}


async def list_messages(backend: HubspotBackend, request: Request) -> dict[str, Any]:
    world = backend.world
    statuses = {message.id: message.status for message in list(world.messages.values())}
    return {"counts": world.counts(), "messages": statuses}


async def add_reply(backend: HubspotBackend, request: Request) -> dict[str, Any]:
    # In a thread: the first one goes through all messages, and other requests are served meanwhile.
    message = await run_in_threadpool(backend.agent_says, **_checked_reply(await _json_object(request)))
    return {"message_id": message.id, "thread": message.thread}


async def list_deliveries(backend: HubspotBackend, request: Request) -> Response:
    conditions = parse_conditions(request.query_params, DELIVERY_CONDITIONS)
    deliveries = await run_in_threadpool(backend.ledger.deliveries, **conditions)
    return StreamingResponse(json_array(deliveries), media_type="application/json")


async def list_faults(backend: HubspotBackend, request: Request) -> list[dict[str, Any]]:
    return [scheduled.as_json() for scheduled in backend.schedule]


async def add_faults(backend: HubspotBackend, request: Request) -> dict[str, Any]:
    body = await _json(request)
    added = backend.schedule.add_all(body if isinstance(body, list) else [body], backend.world.clock.now())
    return {"added": len(added), "ids": [scheduled.number for scheduled in added]}


async def clear_faults(backend: HubspotBackend, request: Request) -> dict[str, Any]:
    backend.schedule.clear()
    return {}


async def remove_fault(backend: HubspotBackend, request: Request) -> dict[str, Any]:
    number = request.path_params["number"]
    if not number.isdecimal():
        raise ValueError(f"{number!r} is not the number of a fault")
    backend.schedule.remove(int(number))
    return {}


async def list_answers(backend: HubspotBackend, request: Request) -> list[dict[str, Any]]:
    return [{"answer": name, "status": answer.status, "mark": answer.mark} for name, answer in ANSWERS.items()]


async def issue_token(backend: HubspotBackend, request: Request) -> dict[str, Any]:
    return {"access_token": backend.world.issue(**_checked_token(await _json_object(request)))}


async def revoke_refresh_token(backend: HubspotBackend, request: Request) -> dict[str, Any]:
    backend.world.revoke(backend.world.install)
    return {}


async def show_clock(backend: HubspotBackend, request: Request) -> dict[str, Any]:
    clock = backend.world.clock
    return {"now": clock.now(), "speed": clock.speed}


async def move_clock(backend: HubspotBackend, request: Request) -> dict[str, Any]:
    world, body = backend.world, await _json_object(request)
    moves = {"advance": world.clock.advance, "before_midnight": world.before_midnight, "speed": world.clock.run}
    if len(body) != 1 or not body.keys() <= moves.keys():
        raise ValueError(f"the clock takes one of {', '.join(moves)}; asked was {', '.join(body) or 'nothing'}")
    ((name, value),) = body.items()
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise ValueError(f"{name} must be a number{'' if name == 'speed' else ' of seconds'}, not {value!r}")
    moves[name](value)
    return await show_clock(backend, request)


async def show_settings(backend: HubspotBackend, request: Request) -> dict[str, Any]:
    return dict(vars(backend.world.settings))


async def change_settings(backend: HubspotBackend, request: Request) -> dict[str, Any]:
    backend.choose(**await _json_object(request))
    return dict(vars(backend.world.settings))


async def show_state(backend: HubspotBackend, request: Request) -> dict[str, Any]:
    return backend.state()


async def restore_state(backend: HubspotBackend, request: Request) -> dict[str, Any]:
    backend.restore(await request.body())
    return {"messages": len(backend.world.messages), "faults": len(list(backend.schedule))}


async def show_ledger(backend: HubspotBackend, request: Request) -> Response:
    conditions = parse_conditions(request.query_params)
    # There may be 200,000 entries: in a thread, so that other requests are served meanwhile.
    entries = await run_in_threadpool(backend.ledger.chosen, **conditions)
    headers = {"X-Ledger-Dropped": str(backend.ledger.dropped)}
    accepted = request.headers.get("accept", "")
    if request.url.path.endswith(".jsonl") or "jsonl" in accepted or "ndjson" in accepted:
        return StreamingResponse(json_lines(entries), headers=headers, media_type=_JSON_LINES)
    return StreamingResponse(json_array(entries), headers=headers, media_type="application/json")


async def show_patches(backend: HubspotBackend, request: Request) -> dict[str, Any]:
    return {"by_message": backend.ledger.updates(), "total": backend.ledger.patched}


async def reset(backend: HubspotBackend, request: Request) -> dict[str, Any]:
    backend.reset()
    return {}


#: Method, path and handler of every call, the page's among them.
ROUTES: tuple[tuple[str, str, Handler], ...] = (
    *PAGE_ROUTES,
    ("GET", "/_emulator/health", health),
    ("GET", "/_emulator/connection", connection),
    ("POST", "/_emulator/messages", seed_messages),
    ("GET", "/_emulator/messages", list_messages),
    ("POST", "/_emulator/replies", add_reply),
    ("GET", "/_emulator/deliveries", list_deliveries),
    ("GET", "/_emulator/faults", list_faults),
    ("POST", "/_emulator/faults", add_faults),
    ("DELETE", "/_emulator/faults", clear_faults),
    ("DELETE", "/_emulator/faults/{number}", remove_fault),
    ("GET", "/_emulator/answers", list_answers),
    ("POST", "/_emulator/tokens", issue_token),
    ("POST", "/_emulator/revoke", revoke_refresh_token),
    ("GET", "/_emulator/clock", show_clock),
    ("POST", "/_emulator/clock", move_clock),
    ("GET", "/_emulator/settings", show_settings),
    ("POST", "/_emulator/settings", change_settings),
    ("GET", "/_emulator/state", show_state),
    ("PUT", "/_emulator/state", restore_state),
    ("GET", "/_emulator/ledger", show_ledger),
    ("GET", "/_emulator/ledger.jsonl", show_ledger),
    ("GET", "/_emulator/patches", show_patches),
    ("POST", "/_emulator/reset", reset),
)


def _by_path() -> dict[str, dict[str, Handler]]:
    handlers: dict[str, dict[str, Handler]] = {}
    for method, path, handler in ROUTES:
        handlers.setdefault(path, {})[method] = handler
    return handlers


_ROUTER = Router(_by_path().items())


def control_app(backend: HubspotBackend) -> Callable[[Any, Any, Any], Awaitable[None]]:
    """The calls above and the page for one emulator, as an ASGI application."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        response = await _respond(backend, scope, receive)
        await response(scope, receive, send)

    return app


async def _respond(backend: HubspotBackend, scope: Any, receive: Any) -> Response:
    match = _ROUTER.match(scope["raw_path"].decode("ascii"))
    if match is None:
        return PlainTextResponse("Not Found", 404)
    handler = match.target.get("GET" if scope["method"] == "HEAD" else scope["method"])
    if handler is None:
        return PlainTextResponse("Method Not Allowed", 405, {"Allow": ", ".join(match.target)})
    request = Request({**scope, "path_params": match.ids}, receive)
    try:
        result = await handler(backend, request)
        if isinstance(result, Response):
            return result
        text = json.dumps(result)  # in ASCII: a body may hold half a surrogate pair
        return Response(text, media_type="application/json")
    except (ValueError, TypeError) as error:
        return JSONResponse({"error": str(error)[:MAX_ERROR]}, 400)


async def _json_object(request: Request) -> dict[str, Any]:
    """The body, which must be an object; an empty body is an empty object.

    :raises ValueError: it is something else.
    """
    body = await _json(request)
    if not isinstance(body, dict):
        raise ValueError("the body must be a JSON object")
    return body


async def _json(request: Request) -> Any:
    try:
        return json.loads(await request.body() or b"{}")
    except (ValueError, RecursionError) as error:
        raise ValueError(f"the body is not JSON: {error}") from error


def _checked_token(body: dict[str, Any]) -> dict[str, Any]:
    """The arguments of `World.issue`.

    :raises ValueError: names everything that is wrong with them.
    """
    scopes, life, value = body.get("scopes", []), body.get("life", 0), body.get("value", "")
    problems = [f"a token has no {name}; it has {', '.join(_TOKEN_FIELDS)}" for name in body if name not in _TOKEN_FIELDS]
    if not isinstance(scopes, list) or not all(isinstance(scope, str) for scope in scopes):
        problems.append(f"scopes must be a list of texts, not {scopes!r}")
    if not is_number(life):
        problems.append(f"life must be a number of seconds, at least 0, not {life!r}")
    if not isinstance(value, str):
        problems.append(f"value must be a text, not {value!r}")
    if problems:
        raise ValueError("; ".join(problems))
    return body


def _checked_reply(body: dict[str, Any]) -> dict[str, Any]:
    """The arguments of `HubspotBackend.agent_says`.

    :raises ValueError: names everything that is wrong with them.
    """
    problems = [f"a reply has no {name}; it has {', '.join(_REPLY_FIELDS)}" for name in body if name not in _REPLY_FIELDS]
    problems += [
        f"{name} must be a text, not {body[name]!r}"
        for name in ("text", "to", "channel_id")
        if name in body and not isinstance(body[name], str)
    ]
    if "thread" in body and not is_count(body["thread"]):
        problems.append(f"thread must be the number of a thread, not {body['thread']!r}")
    if "text" not in body or ("to" in body) == ("thread" in body):
        problems.append("a reply needs a text, and either to or thread")
    if problems:
        raise ValueError("; ".join(problems))
    return body
