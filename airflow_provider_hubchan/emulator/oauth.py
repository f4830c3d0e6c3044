"""HubSpot's tokens: the refresh grant, introspection, and the check of a bearer token."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs

from airflow_provider_hubchan.emulator.clock import iso
from airflow_provider_hubchan.emulator.quota import token_refusal
from airflow_provider_hubchan.emulator.records import AccessToken, App, Install
from airflow_provider_hubchan.emulator.shapes import Answer, Call, Refused, error, method_not_allowed
from airflow_provider_hubchan.emulator.world import World


def bearer(world: World, call: Call) -> AccessToken:
    """Whose call it is. Bodies observed."""
    kind, _, value = call.headers.get("authorization", "").partition(" ")
    token = world.tokens.get(value)
    if kind.lower() != "bearer" or token is None:
        text = "Authentication credentials not found. This API supports OAuth 2.0 authentication."
        raise Refused(error(401, text, "INVALID_AUTHENTICATION"))
    late = world.clock.now() - token.expires_at
    if late >= 0:
        text = f"The OAuth token used to make this call expired {late:.0f} second(s) ago."
        raise Refused(error(401, text, "EXPIRED_AUTHENTICATION", context={"expire time": [iso(token.expires_at)]}))
    return token


def token_endpoint(world: World, call: Call, handle: Callable[[World, App, dict[str, str]], Answer]) -> Answer:
    """The token endpoints: POST, form bodies only (415 on JSON: observed), the app's credentials in the body (documented)."""
    if call.method != "POST":
        return method_not_allowed(call.method)
    if not call.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        return Answer(415, {"status": "error", "message": "Unsupported Media Type", "correlationId": str(uuid.uuid4())})
    form = {name: values[-1] for name, values in parse_qs(call.body.decode(errors="replace")).items()}
    app = world.apps.get(form.get("client_id", ""))
    if app is None:
        return _oauth_error("BAD_CLIENT_ID", "invalid_client", "missing or unknown client id")
    if app.client_secret != form.get("client_secret"):
        return _oauth_error("BAD_CLIENT_SECRET", "invalid_client", "missing or invalid client secret")
    return token_refusal(world, app) or handle(world, app, form)


def grant(world: World, app: App, form: dict[str, str]) -> Answer:
    if form.get("grant_type") != "refresh_token":  # the authorization code grant needs a browser and is left out
        return _oauth_error("BAD_GRANT_TYPE", "unsupported_grant_type", "missing or unknown grant type")
    install = _install(world, app, form.get("refresh_token"))
    if install is None or install.revoked:
        return _oauth_error("BAD_REFRESH_TOKEN", "invalid_grant", "missing or invalid refresh token")
    value = world.issue(install)
    token = {
        "access_token": value,
        "expires_in": round(world.tokens[value].expires_at - world.clock.now()),
        "refresh_token": install.refresh_token,
        "token_type": "bearer",
        "token_use": "access_token",
        "hub_id": install.portal.id,
        "user_id": 1201,
        "scopes": list(install.scopes),
    }
    return Answer(200, token)


def _install(world: World, app: App, refresh_token: str | None) -> Install | None:
    found = (each for each in world.installs if each.app is app and each.refresh_token == refresh_token)
    return next(found, None)


def introspect(world: World, app: App, form: dict[str, str]) -> Answer:
    token = world.tokens.get(form.get("token", ""))
    if token is None or token.install.app is not app or token.expires_at <= world.clock.now():
        return Answer(200, {"active": False})  # assumed, after RFC 7662
    return Answer(
        200,
        {
            "active": True,
            "token": form["token"],
            "token_type": "bearer",
            "token_use": "access_token",
            "hub_id": token.install.portal.id,
            "user_id": 1201,
            "client_id": app.client_id,
            "app_id": app.app_id,
            "scopes": list(token.scopes),
            "expires_in": round(token.expires_at - world.clock.now()),
            "is_private_distribution": False,
            "signed_access_token": _signed(app, token),
        },
    )


def _signed(app: App, token: AccessToken) -> dict[str, Any]:
    """Required by the schema; what it is good for is not documented."""
    return {
        "appId": app.app_id,
        "appInstallId": "1",
        "audience": "",
        "expiresAt": round(token.expires_at * 1000),
        "hubId": token.install.portal.id,
        "hublet": "na1",
        "installingUserId": 1201,
        "isPrivateDistribution": False,
        "isServiceAccount": False,
        "isUserLevel": False,
        "newSignature": "",
        "scopeToScopeGroupPks": "",
        "scopes": "",
        "signature": "",
        "trialScopeToScopeGroupPks": "",
        "trialScopes": "",
        "userId": 1201,
    }


def _oauth_error(status: str, oauth: str, text: str) -> Answer:
    """400 with both the older and the standard fields (documented)."""
    correlation_id = str(uuid.uuid4())
    body = {"status": status, "message": text, "correlationId": correlation_id, "error": oauth, "error_description": text}
    return Answer(400, body)
