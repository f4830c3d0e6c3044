"""Which account it is, and how much of its day is used."""

from __future__ import annotations

from datetime import timedelta

from airflow_provider_hubchan.emulator.records import AccessToken
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
    return Answer(200, said)
