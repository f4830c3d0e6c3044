"""HubSpot's contract, written down from its side: a call in, an answer out.

Each rule carries its mark. *documented*: on HubSpot's pages. *specified*: in its OpenAPI files. *observed*: seen in real
replies. *assumed*: nobody says; the nearest sibling was taken as the model.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from airflow_provider_hubchan.emulator import account_info, channel_accounts, messages, quota
from airflow_provider_hubchan.emulator.oauth import bearer, grant, introspect, token_endpoint
from airflow_provider_hubchan.emulator.records import READ, WRITE, AccessToken
from airflow_provider_hubchan.emulator.shapes import VERSIONS, Answer, Call, Refused, error, method_not_allowed
from airflow_provider_hubchan.emulator.world import World


class Operation(NamedTuple):
    """What a method does at a path.

    :param scopes: any of them will do.
    """

    handle: Callable[[World, Call, AccessToken], Answer]
    scopes: tuple[str, ...]


MESSAGES: dict[str, Operation] = {}
MESSAGE = {"GET": Operation(messages.get, (READ,)), "PATCH": Operation(messages.patch, (WRITE,))}
ACCOUNTS = {"GET": Operation(channel_accounts.page, (READ, WRITE))}
DETAILS = {"GET": Operation(account_info.details, ("oauth",))}


def answer(world: World, call: Call) -> Answer:
    """Answer a call."""
    try:
        match call.segments:
            case ("oauth", version, "token") if version in VERSIONS:
                return token_endpoint(world, call, grant)
            case ("oauth", version, "token", "introspect") if version in VERSIONS:
                return token_endpoint(world, call, introspect)
        operations = _operations(call)
        if operations is None:
            return Answer(404, {"message": "resource not found"})  # assumed: an unknown address is not in the error shape
        if call.method not in operations:
            return method_not_allowed(call.method)
        return _counted(world, call, operations[call.method])
    except Refused as refused:
        return refused.answer


def _operations(call: Call) -> dict[str, Operation] | None:
    """What can be done at this path, by method."""
    match call.channels_path:
        case (_, (_, "messages", _)):
            return MESSAGE
        case (_, (_, "channel-accounts")):
            return ACCOUNTS
    match call.segments:
        case ("account-info", version, "details") if version in VERSIONS:
            return DETAILS
    return None


def _counted(world: World, call: Call, operation: Operation) -> Answer:
    """Check the bearer token, count the call against the quotas, check the scopes, answer it."""
    token = bearer(world, call)
    spared = world.settings.daily_spares_account_info and call.segments[0] == "account-info"
    if policy := quota.refusal(world, token.install, spared=spared):
        reply = quota.too_many(policy, token.install)
    elif not set(operation.scopes) & set(token.scopes):
        reply = error(
            403,
            "This app hasn't been granted all required scopes to make this call. Read more about required scopes here.",
            "MISSING_SCOPES",
            errors=[
                {
                    "message": "One or more scopes are required.",
                    "context": {"requiredGranularScopes": list(operation.scopes)},
                }
            ],
            links={"scopes": "https://developers.hubspot.com/scopes"},
        )  # observed
    else:
        try:
            reply = operation.handle(world, call, token)
        except Refused as refused:
            reply = refused.answer
    reply.headers |= quota.rate_headers(world, token.install)
    return reply
