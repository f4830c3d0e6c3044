"""How a fault is injected: what it does to the world, and what the caller gets to see."""

from __future__ import annotations

import dataclasses
import os
import socket
import struct
from collections.abc import Callable
from typing import Any, NamedTuple

from airflow_provider_hubchan.emulator.api import routes
from airflow_provider_hubchan.emulator.api.http import Request, Response
from airflow_provider_hubchan.emulator.api.quota import rate_headers
from airflow_provider_hubchan.emulator.asgi import disconnected_within, send_response
from airflow_provider_hubchan.emulator.faults.catalogue import ANSWERS, AnswerContext
from airflow_provider_hubchan.emulator.faults.schedule import Hit
from airflow_provider_hubchan.emulator.model.world import World

#: Seconds for what was written to leave before the connection is reset.
FLUSH = 0.02


class Injected(NamedTuple):
    """A request that a fault has hit.

    :param record: writes a response into the ledger, and returns it.
    """

    world: World
    hit: Hit
    request: Request
    record: Callable[[Response], Response]


async def inject(injected: Injected, transport: Any, receive: Any, send: Any) -> None:
    """Answer a request as its fault says, or not at all.

    :param transport: of the connection.
    :param receive: of ASGI, as *send*.
    """
    hit, fault = injected.hit, injected.hit.fault
    response = answer_hit(injected.world, hit, injected.request)
    if hit.delay and await disconnected_within(receive, hit.delay):
        return  # the caller did not wait
    if fault.reset:
        _reset_when_closed(transport)
    if fault.drop == "before":
        transport.abort()
        await disconnected_within(receive, 1.0)
        return
    half = fault.drop == "half"
    await send_response(send, injected.record(response), half, receive=receive, seconds=hit.trickle)
    if fault.reset:
        await disconnected_within(receive, FLUSH)
        transport.abort()


def answer_hit(world: World, hit: Hit, request: Request) -> Response:
    """Do to the world what the fault does, and the request if the fault lets it; the answer that the caller is to get."""
    fault, context = hit.fault, AnswerContext(world, request, hit.seconds_left)
    if fault.revoke:
        world.revoke(context.install, fault.revoke)
    true_answer = _apply(world, request, fault.lag) if fault.applies else None
    if fault.answer is not None:
        named = ANSWERS[fault.answer]
        response, has_rate_headers = named.make(context), named.has_rate_headers
        response.headers |= fault.headers
    elif true_answer is not None and fault.status is None:
        response, has_rate_headers = true_answer, True
    else:
        response, has_rate_headers = Response(fault.status or 200, fault.body, dict(fault.headers)), True
    if has_rate_headers and "x-hubspot-ratelimit-max" not in map(str.lower, response.headers):
        response.headers |= rate_headers(world, context.install)
    return response


def _apply(world: World, request: Request, lag: float) -> Response:
    """Do what the request asks; what it writes cannot be read for *lag* seconds of the emulator's clock."""
    message = world.messages.get(request.message) if lag and request.message else None
    earlier = dataclasses.replace(world.stale_reads.as_read(message, world.clock.now())) if message else None
    response = routes.answer(world, request)
    if earlier and response.status < 300:
        world.stale_reads.put(earlier, world.clock.now() + lag)
    return response


def _reset_when_closed(transport: Any) -> None:
    """Have the connection end with a reset: with no time to linger, what was not sent is discarded, and RST is sent."""
    with socket.socket(fileno=os.dup(transport.get_extra_info("socket").fileno())) as same:
        same.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
