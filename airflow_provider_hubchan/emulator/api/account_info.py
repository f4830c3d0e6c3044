"""Account information: which portal a token is for, and how much of its day is used."""

from __future__ import annotations

from datetime import timedelta

from airflow_provider_hubchan.emulator.api import quota
from airflow_provider_hubchan.emulator.api.http import Request, Response
from airflow_provider_hubchan.emulator.model.clock import iso
from airflow_provider_hubchan.emulator.model.records import AccessToken
from airflow_provider_hubchan.emulator.model.settings import PLANS
from airflow_provider_hubchan.emulator.model.world import World


def details(world: World, request: Request, token: AccessToken) -> Response:
    """``PortalInformationResponse`` (specified)."""
    portal = token.install.portal
    local = portal.calendar.local(world.clock.now())
    body = {
        "portalId": portal.id,
        "accountType": "STANDARD",
        "timeZone": portal.calendar.time_zone,
        "utcOffset": local.isoformat()[-6:],  # assumed: the offset of now, so summer time shows
        "utcOffsetMilliseconds": (local.utcoffset() or timedelta()) // timedelta(milliseconds=1),
        "companyCurrency": "USD",
        "additionalCurrencies": [],
        "uiDomain": "app.hubspot.com",
        "dataHostingLocation": "na1",
    }
    if request.address and request.address.version == "2026-09":  # documented
        body |= {"portalName": f"Account {portal.id}", "createdAt": "2024-02-29T12:00:00.000Z"}
    return Response(200, body)


def usage(world: World, request: Request, token: AccessToken) -> Response:
    """``CollectionResponseApiUsageNoPaging`` (specified): the calls of the portal's private apps, not of OAuth (documented).

    Where the plan has no daily limit, private apps have the smallest one (assumed).
    """
    portal, now = token.install.portal, world.clock.now()
    portal.used_today(now)  # counting restarts if it is a new day
    private_apps = {
        "name": "Private Apps",
        "usageLimit": quota.daily_limit(world) or PLANS["starter"][1],
        "currentUsage": portal.day.of_private_apps,
        "collectedAt": iso(now),
        "fetchStatus": "SUCCESS",
        "resetsAt": iso(portal.calendar.next_midnight(now)),
    }
    return Response(200, {"results": [private_apps]})
