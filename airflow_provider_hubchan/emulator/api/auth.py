"""Who may call an operation: the owner of a bearer token, of a developer key, or of the credentials of an app."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import parse_qs

from airflow_provider_hubchan.emulator.api import errors, quota
from airflow_provider_hubchan.emulator.api.http import ApiError, Request, Response
from airflow_provider_hubchan.emulator.api.urls import ACCOUNT_INFO, CUSTOM_CHANNELS
from airflow_provider_hubchan.emulator.model.records import AccessToken, App
from airflow_provider_hubchan.emulator.model.world import World

Operation = Callable[[World, Request], Response]


def with_token(handler: Callable[[World, Request, AccessToken], Response], *scopes: str) -> Operation:
    """An operation for a bearer token that has any of the *scopes*.

    The request counts against the token's quotas, and the response has the rate headers.
    """

    def operation(world: World, request: Request) -> Response:
        token = _bearer_token(world, request)
        is_account_info = request.address is not None and request.address.api == ACCOUNT_INFO
        exempt = world.settings.daily_spares_account_info and is_account_info
        if policy := quota.count_request(world, token.install, exempt_from_day=exempt):
            response = quota.rate_limited(policy, token.install)
        elif not set(scopes) & set(token.scopes) or _needs_oauth(world, request, token):
            response = errors.missing_scopes(scopes)
        else:
            try:
                response = handler(world, request, token)
            except ApiError as error:
                response = error.response
        response.headers |= quota.rate_headers(world, token.install)
        return response

    return operation


def _bearer_token(world: World, request: Request) -> AccessToken:
    kind, _, value = request.authorization.partition(" ")
    token = world.tokens.get(value)
    if kind.lower() != "bearer" or token is None:
        raise ApiError(errors.unauthenticated())
    now = world.clock.now()
    if now >= token.expires_at:
        raise ApiError(errors.expired_token(token.expires_at, now))
    return token


def _needs_oauth(world: World, request: Request, token: AccessToken) -> bool:
    """True for a private app's token at the custom channels, which take tokens of OAuth only.

    HubSpot's files name OAuth alone (specified), and its guide says so, too (documented). A 403 was observed, and 404s; that
    the 403 is the one of missing scopes is assumed. Whichever app it was issued to, a token that begins with ``pat-`` is a
    private app's (documented), or a service key, of which HubSpot does not say what it may call (assumed: the same).
    """
    private = token.install.app.private or request.authorization.partition(" ")[2].startswith("pat-")
    is_custom_channels = request.address is not None and request.address.api == CUSTOM_CHANNELS
    return private and is_custom_channels and world.settings.private_apps == "specified"


def with_developer_key(handler: Callable[[World, Request, App], Response]) -> Operation:
    """An operation for a developer key and one of the developer's apps, ``hapikey`` and ``appId`` in the query (documented).

    These requests count against no quota, and a token is not accepted in place of the key (both assumed).
    """

    def operation(world: World, request: Request) -> Response:
        key, app_id = (request.parameters.get(name, [""])[-1] for name in ("hapikey", "appId"))
        if key != world.developer_key:
            return errors.wrong_developer_key()
        app = next((app for app in world.apps.values() if str(app.app_id) == app_id), None)
        if app is None:  # assumed
            return errors.invalid_parameter("appId", "must be the id of an app of yours", app_id)
        return handler(world, request, app)

    return operation


def with_credentials(handler: Callable[[World, App, dict[str, str]], Response]) -> Operation:
    """An operation for an app's credentials in a form: JSON is a 415 (observed), the query is not read (documented)."""

    def operation(world: World, request: Request) -> Response:
        if not request.headers.get("content-type", "").lower().startswith("application/x-www-form-urlencoded"):
            return errors.unsupported_media_type()
        form = {name: values[-1] for name, values in parse_qs(request.body.decode(errors="replace")).items()}
        app = world.apps.get(form.get("client_id", ""))
        if app is None:
            return errors.oauth_error("BAD_CLIENT_ID", "invalid_client", "missing or unknown client id")
        if app.client_secret != form.get("client_secret"):
            return errors.oauth_error("BAD_CLIENT_SECRET", "invalid_client", "missing or invalid client secret")
        return quota.count_token_request(world, app) or handler(world, app, form)

    return operation
