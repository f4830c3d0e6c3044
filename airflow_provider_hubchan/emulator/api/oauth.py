"""HubSpot's tokens: the refresh grant, introspection and revocation, each for the credentials of an app."""

from __future__ import annotations

from typing import Any

from airflow_provider_hubchan.emulator.api.errors import oauth_error
from airflow_provider_hubchan.emulator.api.http import Response
from airflow_provider_hubchan.emulator.model.records import USER_ID, AccessToken, App, Install
from airflow_provider_hubchan.emulator.model.world import World


def grant(world: World, app: App, form: dict[str, str]) -> Response:
    """``AccessTokenResponse`` (specified). The other grants need a browser, or another kind of app, and are left out."""
    if form.get("grant_type") != "refresh_token":
        return oauth_error("BAD_GRANT_TYPE", "unsupported_grant_type", "missing or unknown grant type")
    install = _install_of(world, app, form.get("refresh_token"))
    if install is None:
        return oauth_error("BAD_REFRESH_TOKEN", "invalid_grant", "missing or invalid refresh token")
    value = world.issue(install)
    body = {
        "access_token": value,
        "expires_in": _seconds_left(world, world.tokens[value]),
        "refresh_token": install.refresh_token,
        "token_type": "bearer",
        "token_use": "access_token",
        "hub_id": install.portal.id,
        "user_id": USER_ID,
        "scopes": list(install.scopes),
    }
    return Response(200, body)


def introspect(world: World, app: App, form: dict[str, str]) -> Response:
    """What a token may do. Its hint only says which kind to look for first, so it changes nothing (after RFC 7662)."""
    value = form.get("token", "")
    token, install = world.tokens.get(value), _install_of(world, app, value)
    if token is not None and token.install.app is app and token.expires_at > world.clock.now():
        common = _token_info(app, token.install, token.scopes, value, "access_token")
        return Response(200, common | _access_token_info(world, app, token))
    if install is not None:
        return Response(200, _token_info(app, install, install.scopes, value, "refresh_token"))
    return Response(200, {"active": False})  # assumed, after RFC 7662


def revoke(world: World, app: App, form: dict[str, str]) -> Response:
    """End a refresh token. Access tokens live on (documented), even one that is named here.

    What is not a refresh token of the app is answered in the same way (assumed, after RFC 7009).
    """
    if install := _install_of(world, app, form.get("token")):
        install.revoked = True
    return Response(200)


def _install_of(world: World, app: App, refresh_token: str | None) -> Install | None:
    """Where an app's refresh token is valid."""
    for install in world.installs:
        if install.app is app and install.refresh_token == refresh_token and not install.revoked:
            return install
    return None


def _token_info(app: App, install: Install, scopes: tuple[str, ...], value: str, use: str) -> dict[str, Any]:
    """``PublicRefreshTokenInfoResponse``, whose fields are also in ``PublicAccessTokenInfoResponse`` (specified)."""
    return {
        "active": True,
        "token": value,
        "token_type": "bearer",
        "token_use": use,
        "hub_id": install.portal.id,
        "user_id": USER_ID,
        "client_id": app.client_id,
        "app_id": app.app_id,
        "scopes": list(scopes),
    }


def _access_token_info(world: World, app: App, token: AccessToken) -> dict[str, Any]:
    """The other fields of ``PublicAccessTokenInfoResponse`` (specified). What the signed token is for is not documented."""
    signed = {
        "appId": app.app_id,
        "appInstallId": "1",
        "audience": "",
        "expiresAt": round(token.expires_at * 1000),
        "hubId": token.install.portal.id,
        "hublet": "na1",
        "installingUserId": USER_ID,
        "isPrivateDistribution": False,
        "isServiceAccount": False,
        "isUserLevel": False,
        "newSignature": "",
        "scopeToScopeGroupPks": "",
        "scopes": "",
        "signature": "",
        "trialScopeToScopeGroupPks": "",
        "trialScopes": "",
        "userId": USER_ID,
    }
    seconds_left = _seconds_left(world, token)
    return {"expires_in": seconds_left, "is_private_distribution": False, "signed_access_token": signed}


def _seconds_left(world: World, token: AccessToken) -> int:
    return round(token.expires_at - world.clock.now())
