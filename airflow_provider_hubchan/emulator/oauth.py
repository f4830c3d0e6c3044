"""HubSpot's tokens: the refresh grant, introspection, and revocation. The caller has shown an app's credentials."""

from __future__ import annotations

from typing import Any

from airflow_provider_hubchan.emulator.records import AccessToken, App, Install
from airflow_provider_hubchan.emulator.refusals import oauth_error
from airflow_provider_hubchan.emulator.shapes import Answer
from airflow_provider_hubchan.emulator.world import World

USER = 1201


def grant(world: World, app: App, form: dict[str, str]) -> Answer:
    """``AccessTokenResponse`` (specified). The other grants need a browser, or another kind of app, and are left out."""
    if form.get("grant_type") != "refresh_token":
        return oauth_error("BAD_GRANT_TYPE", "unsupported_grant_type", "missing or unknown grant type")
    install = _install(world, app, form.get("refresh_token"))
    if install is None:
        return oauth_error("BAD_REFRESH_TOKEN", "invalid_grant", "missing or invalid refresh token")
    value = world.issue(install)
    token = {
        "access_token": value,
        "expires_in": _seconds_left(world, world.tokens[value]),
        "refresh_token": install.refresh_token,
        "token_type": "bearer",
        "token_use": "access_token",
        "hub_id": install.portal.id,
        "user_id": USER,
        "scopes": list(install.scopes),
    }
    return Answer(200, token)


def introspect(world: World, app: App, form: dict[str, str]) -> Answer:
    """What a token is good for. The hint says which kind is looked for first, so it changes nothing (after RFC 7662)."""
    value = form.get("token", "")
    token, install = world.tokens.get(value), _install(world, app, value)
    if token is not None and token.install.app is app and token.expires_at > world.clock.now():
        return Answer(200, _about(app, token.install, token.scopes, value, "access_token") | _of_access(world, app, token))
    if install is not None:
        return Answer(200, _about(app, install, install.scopes, value, "refresh_token"))
    return Answer(200, {"active": False})  # assumed, after RFC 7662


def revoke(world: World, app: App, form: dict[str, str]) -> Answer:
    """A refresh token is no good any more; access tokens that it gave live on (documented), even one that is named here.

    What is no token of the app is answered in the same way (assumed, after RFC 7009).
    """
    if install := _install(world, app, form.get("token")):
        install.revoked = True
    return Answer(200)


def _install(world: World, app: App, refresh_token: str | None) -> Install | None:
    """Where an app's refresh token is good."""
    for each in world.installs:
        if each.app is app and each.refresh_token == refresh_token and not each.revoked:
            return each
    return None


def _about(app: App, install: Install, scopes: tuple[str, ...], value: str, use: str) -> dict[str, Any]:
    """``PublicRefreshTokenInfoResponse``, and its part of ``PublicAccessTokenInfoResponse`` (specified)."""
    return {
        "active": True,
        "token": value,
        "token_type": "bearer",
        "token_use": use,
        "hub_id": install.portal.id,
        "user_id": USER,
        "client_id": app.client_id,
        "app_id": app.app_id,
        "scopes": list(scopes),
    }


def _of_access(world: World, app: App, token: AccessToken) -> dict[str, Any]:
    """The rest for an access token. What the signed one is good for is not documented."""
    signed = {
        "appId": app.app_id,
        "appInstallId": "1",
        "audience": "",
        "expiresAt": round(token.expires_at * 1000),
        "hubId": token.install.portal.id,
        "hublet": "na1",
        "installingUserId": USER,
        "isPrivateDistribution": False,
        "isServiceAccount": False,
        "isUserLevel": False,
        "newSignature": "",
        "scopeToScopeGroupPks": "",
        "scopes": "",
        "signature": "",
        "trialScopeToScopeGroupPks": "",
        "trialScopes": "",
        "userId": USER,
    }
    left = _seconds_left(world, token)
    return {"expires_in": left, "is_private_distribution": False, "signed_access_token": signed}


def _seconds_left(world: World, token: AccessToken) -> int:
    return round(token.expires_at - world.clock.now())
