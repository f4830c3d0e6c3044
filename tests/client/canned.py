"""Canned responses, and a driver that is a list: it performs a flow against them."""

from __future__ import annotations

import json
from typing import Any, TypeVar

from requests.structures import CaseInsensitiveDict

from airflow_provider_hubchan.client.actions import Abort, Action, Flow, NeedToken, NoResponse, Request, Response, Wait
from airflow_provider_hubchan.client.models import Token

T = TypeVar("T")

MESSAGE = {"id": "m-1", "status": {"statusType": "READ"}}


def reply(status: int = 200, body: Any = None, **headers: str) -> Response:
    """A response; header names may be written with underscores."""
    raw = body if isinstance(body, bytes) else json.dumps(MESSAGE if body is None and status == 200 else body).encode()
    return Response(status, CaseInsensitiveDict({name.replace("_", "-"): text for name, text in headers.items()}), raw)


def refusal(status: int, **headers: str) -> Response:
    """An error of HubSpot's, with the least by which it can be told from that of somebody else."""
    return reply(status, {"message": "No."}, **headers)


def run_flow(flow: Flow[T], *responses: Response | NoResponse) -> tuple[list[str], T]:
    """Perform a flow against canned responses; tokens are t-1, t-2 … , a new one after each refused one.

    :return: the actions in words, and the flow's result.
    """
    waiting, actions, token = list(responses), list[str](), 1
    try:
        action: Action = next(flow)
        while True:
            result: Any = None
            match action:
                case NeedToken(refused):
                    token += refused is not None
                    result = Token(f"t-{token}")
                    actions.append("token" if refused is None else f"token, not {refused}")
                case Request():
                    result = waiting.pop(0)
                    actions.append("send")
                case Wait(seconds, whole_account):
                    who = "all wait" if whole_account else "wait"
                    actions.append(who if seconds is None else f"{who} {seconds:g}")
                case Abort(_, permanent):
                    actions.append("abort for good" if permanent else "abort")
            action = flow.send(result)
    except StopIteration as end:
        assert not waiting, f"the flow ended with {len(waiting)} responses that it did not ask for"
        return actions, end.value
