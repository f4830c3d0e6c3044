"""How a call is spoiled: what its fault does to the world, and what the caller gets to see."""

from __future__ import annotations

import dataclasses
import os
import socket
import struct
from collections.abc import Callable
from typing import Any, NamedTuple

from airflow_provider_hubchan.emulator import contract
from airflow_provider_hubchan.emulator.answers import ANSWERS
from airflow_provider_hubchan.emulator.asgi import gone_within, send_answer
from airflow_provider_hubchan.emulator.named import Occasion
from airflow_provider_hubchan.emulator.quota import rate_headers
from airflow_provider_hubchan.emulator.script import Strike
from airflow_provider_hubchan.emulator.shapes import Answer, Call
from airflow_provider_hubchan.emulator.world import World

#: Seconds for what was written to leave before the connection is reset.
LEAVING = 0.02


class Spoiled(NamedTuple):
    """A call that a fault has struck.

    :param noted: writes an answer into the ledger, and hands it on.
    """

    world: World
    strike: Strike
    call: Call
    noted: Callable[[Answer], Answer]


async def spoil(spoiled: Spoiled, transport: Any, receive: Any, send: Any) -> None:
    """Answer a call as its fault says, or not at all.

    :param transport: of the connection.
    """
    strike, fault = spoiled.strike, spoiled.strike.fault
    answer = answered(spoiled.world, strike, spoiled.call)
    if strike.delay and await gone_within(receive, strike.delay):
        return  # the caller did not wait
    if fault.reset:
        _reset_when_closed(transport)
    if fault.drop == "before":
        transport.abort()
        await gone_within(receive, 1.0)
        return
    await send_answer(send, spoiled.noted(answer), half=fault.drop == "half", receive=receive, seconds=strike.trickle)
    if fault.reset:
        await gone_within(receive, LEAVING)
        transport.abort()


def answered(world: World, strike: Strike, call: Call) -> Answer:
    """Do to the world what fault and call do to it; the answer that the caller is to get."""
    fault, occasion = strike.fault, Occasion(world, call, strike.left)
    if fault.revoke:
        world.revoke(occasion.install, fault.revoke)
    true = _done(world, call, fault.lag) if fault.applies else None
    if fault.answer is not None:
        named = ANSWERS[fault.answer]
        answer, counted = named.make(occasion), named.counted
        answer.headers |= fault.headers
    elif true is not None and fault.status is None:
        answer, counted = true, True
    else:
        answer, counted = Answer(fault.status or 200, fault.body, dict(fault.headers)), True
    if counted and "x-hubspot-ratelimit-max" not in map(str.lower, answer.headers):
        answer.headers |= rate_headers(world, occasion.install)
    return answer


def _done(world: World, call: Call, lag: float) -> Answer:
    """Do what the call asks; with *lag*, what it writes cannot be read for so many seconds."""
    message = world.messages.get(call.message) if lag and call.message else None
    before = dataclasses.replace(world.lagging.as_read(message, world.clock.now())) if message else None
    answer = contract.answer(world, call)
    if before and answer.status < 300:
        world.lagging.put(before, world.clock.now() + lag)
    return answer


def _reset_when_closed(transport: Any) -> None:
    """Have the end of the connection be a reset: to linger for no time discards what was not sent, and says RST."""
    with socket.socket(fileno=os.dup(transport.get_extra_info("socket").fileno())) as same:
        same.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
