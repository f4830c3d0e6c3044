"""Which account it is, and how much of its day is used."""

from __future__ import annotations

from datetime import timedelta

from airflow_provider_hubchan.emulator import quota
from airflow_provider_hubchan.emulator.clock import iso
from airflow_provider_hubchan.emulator.records import AccessToken
from airflow_provider_hubchan.emulator.settings import PLANS
from airflow_provider_hubchan.emulator.shapes import Answer, Call
from airflow_provider_hubchan.emulator.world import World


def details(world: World, call: Call, token: AccessToken) -> Answer:
    """``PortalInformationResponse`` (specified)."""
    portal = token.install.portal
    local = portal.calendar.local(world.clock.now())
    said = {
        "portalId": portal.id,
        "accountType": "STANDARD",
        "timeZone": portal.calendar.time_zone,
        "utcOffset": local.isoformat()[-6:],  # assumed: of now, so summer time shows
        "utcOffsetMilliseconds": (local.utcoffset() or timedelta()) // timedelta(milliseconds=1),
        "companyCurrency": "USD",
        "additionalCurrencies": [],
        "uiDomain": "app.hubspot.com",
        "dataHostingLocation": "na1",
    }
    if call.version == "2026-09":  # documented
        said |= {"portalName": f"Account {portal.id}", "createdAt": "2024-02-29T12:00:00.000Z"}
    return Answer(200, said)


def usage(world: World, call: Call, token: AccessToken) -> Answer:
    """``CollectionResponseApiUsageNoPaging`` (specified): of the account's private apps together, not of OAuth's (documented).

    Where the plan has no daily limit, private apps have the smallest one (assumed).
    """
    portal, now = token.install.portal, world.clock.now()
    portal.used_today(now)  # a new day begins if it is time
    said = {
        "name": "Private Apps",
        "usageLimit": quota.daily(world) or PLANS["starter"][1],
        "currentUsage": portal.day.of_private_apps,
        "collectedAt": iso(now),
        "fetchStatus": "SUCCESS",
        "resetsAt": iso(portal.calendar.next_midnight(now)),
    }
    return Answer(200, {"results": [said]})
