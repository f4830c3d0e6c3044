"""Canned replies, and a player of flows: a driver that is a list."""

from __future__ import annotations

import json
from typing import Any, TypeVar

from requests.structures import CaseInsensitiveDict

from airflow_provider_hubchan.client.actions import Halt, Lost, NeedToken, Reply, Request, Step, Story, Wait

T = TypeVar("T")

MESSAGE = {"id": "m-1", "status": {"statusType": "READ"}}


def reply(status: int = 200, body: Any = None, **headers: str) -> Reply:
    """A reply; header names may be written with underscores."""
    raw = body if isinstance(body, bytes) else json.dumps(MESSAGE if body is None and status == 200 else body).encode()
    return Reply(status, CaseInsensitiveDict({name.replace("_", "-"): text for name, text in headers.items()}), raw)


def play(story: Story[T], *answers: Reply | Lost) -> tuple[list[str], T]:
    """Perform a story against canned answers; tokens are t-1, t-2 … , a new one after each refused one.

    :return: the steps in words, and the result.
    """
    waiting, steps, token = list(answers), list[str](), 1
    try:
        step: Step = next(story)
        while True:
            answer: Any = None
            match step:
                case NeedToken(refused):
                    token += refused is not None
                    answer = f"t-{token}"
                    steps.append("token" if refused is None else f"token, not {refused}")
                case Request():
                    answer = waiting.pop(0)
                    steps.append("send")
                case Wait(seconds, everyone):
                    who = "all wait" if everyone else "wait"
                    steps.append(who if seconds is None else f"{who} {seconds:g}")
                case Halt(_, permanent):
                    steps.append("halt for good" if permanent else "halt")
            step = story.send(answer)
    except StopIteration as end:
        assert not waiting, f"the story ended with {len(waiting)} answers unheard"
        return steps, end.value
