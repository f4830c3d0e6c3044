"""Who may call: with a bearer token, a developer key, or the credentials of an app. Each kind makes a call of an operation."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import parse_qs

from airflow_provider_hubchan.emulator import quota, refusals
from airflow_provider_hubchan.emulator.records import AccessToken, App
from airflow_provider_hubchan.emulator.shapes import Answer, Call, Refused, error
from airflow_provider_hubchan.emulator.world import World

Handle = Callable[[World, Call], Answer]
#: Versions whose files let private apps call custom channels (specified), though the guide does not (documented).
WITH_PRIVATE_APPS = ("2025-09", "2026-09")


def with_token(handle: Callable[[World, Call, AccessToken], Answer], *scopes: str) -> Handle:
    """For a bearer token with any of these scopes. The call counts against its quotas, and the reply says what is left."""

    def call_with_token(world: World, call: Call) -> Answer:
        token = bearer(world, call)
        spared = world.settings.daily_spares_account_info and call.segments[0] == "account-info"
        if policy := quota.refusal(world, token.install, spared=spared):
            reply = quota.too_many(policy, token.install)
        elif not set(scopes) & set(token.scopes) or _is_shut_out(world, call, token):
            reply = refusals.missing_scopes(scopes)
        else:
            try:
                reply = handle(world, call, token)
            except Refused as refused:
                reply = refused.answer
        reply.headers |= quota.rate_headers(world, token.install)
        return reply

    return call_with_token


def bearer(world: World, call: Call) -> AccessToken:
    """Whose call it is."""
    kind, _, value = call.headers.get("authorization", "").partition(" ")
    token = world.tokens.get(value)
    if kind.lower() != "bearer" or token is None:
        raise Refused(refusals.unauthenticated())
    now = world.clock.now()
    if now >= token.expires_at:
        raise Refused(refusals.expired(token.expires_at, now))
    return token


def _is_shut_out(world: World, call: Call, token: AccessToken) -> bool:
    """True for the token of a private app at a version whose file names OAuth alone; a 403 was observed, and 404s."""
    return (
        token.install.app.private
        and world.settings.private_apps == "specified"
        and call.channels_path is not None
        and call.version not in WITH_PRIVATE_APPS
    )


def with_developer_key(handle: Callable[[World, Call, App], Answer]) -> Handle:
    """For the key of a developer account and an app of it in the query, as ``hapikey`` and ``appId`` (documented).

    These calls count against no quota, and a token does not do (both assumed).
    """

    def call_with_key(world: World, call: Call) -> Answer:
        key, app_id = (call.parameters.get(name, [""])[-1] for name in ("hapikey", "appId"))
        if key != world.developer_key:
            links = {"api key": "https://app.hubspot.com/l/api-key/"}
            return error(401, "The API key provided is invalid.", "INVALID_AUTHENTICATION", links=links)  # observed
        app = next((each for each in world.apps.values() if str(each.app_id) == app_id), None)
        if app is None:  # assumed
            return error(400, "appId must be the id of an app of yours", "VALIDATION_ERROR", context={"appId": [app_id]})
        return handle(world, call, app)

    return call_with_key


def with_credentials(handle: Callable[[World, App, dict[str, str]], Answer]) -> Handle:
    """For an app's credentials in a form: JSON is a 415 (observed), and the query does not do (documented)."""

    def call_with_form(world: World, call: Call) -> Answer:
        if not call.headers.get("content-type", "").lower().startswith("application/x-www-form-urlencoded"):
            return refusals.not_a_form()
        form = {name: values[-1] for name, values in parse_qs(call.body.decode(errors="replace")).items()}
        app = world.apps.get(form.get("client_id", ""))
        if app is None:
            return refusals.oauth_error("BAD_CLIENT_ID", "invalid_client", "missing or unknown client id")
        if app.client_secret != form.get("client_secret"):
            return refusals.oauth_error("BAD_CLIENT_SECRET", "invalid_client", "missing or invalid client secret")
        return quota.token_refusal(world, app) or handle(world, app, form)

    return call_with_form
