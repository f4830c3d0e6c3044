from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import pytest
from airflow.sdk import BaseHook, Connection
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_hubchan.client.errors import BadConnection
from airflow_provider_hubchan.client.models import Account
from airflow_provider_hubchan.connection import EXTRAS, SECRETS, extra_warnings, field_names, read_account, similar_extra

APP = {"login": "id", "password": "cl13nt-s3cr3t"}
REFRESH = {"refresh_token": "r3fr3sh"}
FULL = Account(client_id="id", client_secret="cl13nt-s3cr3t", refresh_token="r3fr3sh")


def account(monkeypatch: pytest.MonkeyPatch, value: dict[str, Any] | str) -> Account:
    text = value if isinstance(value, str) else json.dumps({"conn_type": "hubchan", **value})
    monkeypatch.setenv("AIRFLOW_CONN_HUBCHAN_DEFAULT", text)
    return read_account(BaseHook.get_connection("hubchan_default"))


@pytest.mark.parametrize(
    ("connection", "read_as"),
    [
        pytest.param({**APP, "extra": REFRESH}, FULL, id="the app's three, and nothing else"),
        pytest.param({**APP, "extra": json.dumps(REFRESH)}, FULL, id="extra as text"),
        pytest.param(
            {"login": " id\n", "password": "\tcl13nt-s3cr3t ", "extra": {"refresh_token": "r3fr3sh\n"}},
            FULL,
            id="space that was copied, too",
        ),
        pytest.param(
            {"login": " ", "password": "\n", "extra": {**REFRESH, "access_token": "r3ady"}},
            Account(access_token="r3ady"),
            id="a ready token beside blanks",
        ),
        pytest.param({"extra": {"access_token": "r3ady"}}, Account(access_token="r3ady"), id="a ready token"),
        pytest.param(
            {**APP, "extra": {"access_token": "r3ady"}},
            Account(access_token="r3ady"),
            id="a ready token beside an app without refresh token",
        ),
        pytest.param(
            {
                **APP,
                "host": "",
                "extra": {**REFRESH, "access_token": None, "api_version": None, "channel_id": "", "timeout": None},
            },
            FULL,
            id="a form saves null for what was not touched",
        ),
        pytest.param(
            {
                **APP,
                "extra": {**REFRESH, "api_version": "v3", "channel_id": 100200, "requests_per_10s": 50, "timeout": 2.5},
            },
            replace(
                FULL,
                api_version="v3",
                channel_id="100200",
                requests_per_10s=50.0,
                timeout=2.5,
            ),
            id="a form saves numbers",
        ),
        pytest.param(
            "hubchan://id:cl13nt-s3cr3t@/?refresh_token=r3fr3sh&channel_id=100200&requests_per_10s=50&timeout=2.5",
            replace(
                FULL,
                channel_id="100200",
                requests_per_10s=50.0,
                timeout=2.5,
            ),
            id="a URI brings strings",
        ),
    ],
)
def test_a_connection_is_read_as_an_account(
    monkeypatch: pytest.MonkeyPatch, connection: dict[str, Any] | str, read_as: Account
) -> None:
    """Forms, JSON and URIs write the same fields differently; they are read alike."""
    assert account(monkeypatch, connection) == read_as


@pytest.mark.parametrize(
    ("fields", "base_url"),
    [
        ({}, "https://api.hubapi.com"),
        ({"host": "api-eu1.hubapi.com"}, "https://api-eu1.hubapi.com"),
        ({"host": "https://api.hubapi.com/"}, "https://api.hubapi.com"),
        ({"host": "http://127.0.0.1:8920"}, "http://127.0.0.1:8920"),
        ({"host": "127.0.0.1", "schema": "http", "port": 8920}, "http://127.0.0.1:8920"),
        ({"host": "http://localhost", "port": 8920}, "http://localhost:8920"),
        ({"host": "http://[::1]:8920"}, "http://[::1]:8920"),
        ({"host": "https://proxy.example/hubspot/"}, "https://proxy.example/hubspot"),
        ({"host": "http://hubspot", "extra": {"allow_http": "true"}}, "http://hubspot"),
        ({"host": "http://hubspot", "extra": {"allow_http": True}}, "http://hubspot"),
        ({"port": 0}, "https://api.hubapi.com"),
    ],
)
def test_the_host_may_hold_scheme_and_port(monkeypatch: pytest.MonkeyPatch, fields: dict[str, Any], base_url: str) -> None:
    """However the address is spread over the fields; plain http only to this machine, or where it is allowed by name."""
    extra = {**REFRESH, **fields.get("extra", {})}
    assert account(monkeypatch, {**APP, **fields, "extra": extra}).base_url == base_url


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ({"host": "ftp://api.hubapi.com"}, "is not one like https://api.hubapi.com"),
        ({"host": "http://api.hubapi.com"}, "plain http would send the token readable by everyone"),
        ({"host": "http://api.hubapi.com", "extra": {"allow_http": "no"}}, "plain http would send"),
        (
            {"host": "https://u:pw@api.hubapi.com"},
            "put credentials into OAuth client ID (login), OAuth client secret (password)",
        ),
        ({"host": "https://u:s3cr3t@api.hubapi.com:x"}, "API base URL (host) 'api.hubapi.com:…' is not one"),
        ({"host": "ftp://u:s3cr3t@x"}, "put credentials into OAuth client ID (login), OAuth client secret (password)"),
        ({"host": "https://[::1"}, "is not one like"),
        ({"host": "https://api.hubapi.com?x=1"}, "API base URL (host) holds more than scheme, host, port and path"),
        ({"host": "https://api.hubapi.com:x"}, "is not one like https://api.hubapi.com (is the port a number?)"),
        (
            {"extra": {"api_version": "2024-01"}},
            "(api_version) is '2024-01', not one of 2026-03, 2026-09, v3",
        ),
        ({"extra": {"timeout": "soon"}}, "Timeout (timeout) is 'soon', not a number of at least 0.1 and at most 300"),
        ({"extra": {"timeout": 0}}, "Timeout (timeout) is '0', not a number"),
        ({"extra": {"timeout": "inf"}}, "Timeout (timeout) is 'inf', not a number"),
        ({"extra": {"timeout": float("nan")}}, "Timeout (timeout) is 'nan', not a number"),
        ({"extra": {"timeout": 300.5}}, "Timeout (timeout) is '300.5', not a number of at least 0.1 and at most 300"),
        ({"extra": {"timeout": "1e400"}}, "Timeout (timeout) is '1e400', not a number"),
        ({"extra": {"timeout": "9" * 5000}}, "9', not a number of at least 0.1 and at most 300"),
        ({"extra": {"requests_per_10s": 10**400}}, "0', not a number of at least 1 and at most 100,000"),
        ({"extra": {"requests_per_10s": 100_001}}, "is '100001', not a number of at least 1 and at most 100,000"),
        ({"port": 70_000}, "is 70000, not a number from 1 to 65535"),
        ({"port": -1}, "is -1, not a number from 1 to 65535"),
        ({"port": 10**400}, "0, not a number from 1 to 65535"),
        ({"conn_type": "slack"}, "its Connection Type (conn_type) is 'slack', not 'hubchan'"),
        ({"extra": {"requests_per_10s": -1}}, "Requests per 10 seconds (requests_per_10s) is '-1', not a number of at least 1"),
        ({"extra": {"channel_id": "my channel"}}, "Channel ID (channel_id) is 'my channel', not the number of a channel"),
        ({"extra": {"channel_id": 2**31}}, "Channel ID (channel_id) is '2147483648', not the number of a channel"),
        ({"extra": {"channel_id": 100200.5}}, "Channel ID (channel_id) is '100200.5', not the number of a channel"),
        ({"extra": {"channel_id": "١٢٣"}}, "(channel_id) is '١٢٣', not the number of a channel"),
        ({"extra": {"channel_id": "9" * 5000}}, "9', not the number of a channel"),
        ({"extra": {"allow_http": "perhaps"}}, "the extra allow_http is 'perhaps', not true or false"),
        ({"extra": {"allow_http": 2}}, "the extra allow_http is '2', not true or false"),
        ({"extra": {"timeout": True}}, "Timeout (timeout) is 'True', not a number of at least 0.1"),
        (
            {"extra": {"access_token": "s3cr3t\ns3cr3t"}},
            "Access token (access_token) holds a space, a line break or a character that no token",
        ),
        (
            {"extra": {"access_token": "r3ady"}},
            "(access_token) stands beside OAuth client ID (login), OAuth client",
        ),
    ],
)
def test_a_faulty_field_is_named(monkeypatch: pytest.MonkeyPatch, fields: dict[str, Any], fault: str) -> None:
    """The error names the field, its value where that is no secret, and what it should be."""
    with pytest.raises(BadConnection) as caught:
        account(monkeypatch, {**APP, **fields, "extra": {**REFRESH, **fields.get("extra", {})}})
    assert fault in str(caught.value)
    assert "s3cr3t" not in str(caught.value)


def test_a_blank_secret_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Space is no secret: better an error here than from HubSpot."""
    with pytest.raises(BadConnection, match=r"cannot be used: OAuth client secret \(password\) missing"):
        account(monkeypatch, {"login": "id", "password": "   ", "extra": REFRESH})


def test_all_faults_are_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """One error for all of them, and where to fix it."""
    with pytest.raises(BadConnection) as caught:
        account(monkeypatch, {"login": "id", "extra": {"api_version": "v9", "timeout": "x"}})
    assert str(caught.value) == (
        "Connection 'hubchan_default' cannot be used: OAuth client secret (password), Refresh token (refresh_token) missing: "
        "all three of the OAuth app are needed, or an access token instead; API version (api_version) is 'v9', not one of "
        "2026-03, 2026-09, v3; Timeout (timeout) is 'x', not a number of at least 0.1 and at most 300. Edit it under Admin > "
        "Connections, or where AIRFLOW_CONN_HUBCHAN_DEFAULT or your secrets backend defines it."
    )


def test_the_largest_numbers_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """300 seconds and 100,000 requests: more can only be a mistake."""
    largest = {"timeout": 300, "requests_per_10s": 100_000}
    read = account(monkeypatch, {**APP, "port": 65535, "extra": {**REFRESH, **largest}})
    assert (read.timeout, read.requests_per_10s, read.base_url) == (300.0, 100_000.0, "https://api.hubapi.com:65535")


@pytest.mark.parametrize(
    ("given", "read_as"), [(100200, "100200"), (" 100200\n", "100200"), ("2147483647", "2147483647"), (None, None), (" ", None)]
)
def test_a_channel_is_whatever_hubspot_may_take(monkeypatch: pytest.MonkeyPatch, given: Any, read_as: str | None) -> None:
    """A 32-bit integer, as text or as a number; nothing for none."""
    assert account(monkeypatch, {**APP, "extra": {**REFRESH, "channel_id": given}}).channel_id == read_as


def test_an_accounts_repr_holds_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """The repr ends in tracebacks."""
    text = repr(account(monkeypatch, {**APP, "extra": REFRESH})) + repr(Account(access_token="r3ady"))
    assert not any(secret in text for secret in ("cl13nt-s3cr3t", "r3fr3sh", "r3ady"))


def as_object(monkeypatch: pytest.MonkeyPatch, extra: str) -> Connection:
    """What the database or a secrets backend holds."""
    return Connection(conn_id="hubchan_default", conn_type="hubchan", login="id", password="cl13nt-s3cr3t", extra=extra)


def as_json(monkeypatch: pytest.MonkeyPatch, extra: str) -> Connection:
    """An environment variable in JSON, with the extra as text."""
    return from_environment(monkeypatch, json.dumps({"conn_type": "hubchan", **APP, "extra": extra}))


def as_uri(monkeypatch: pytest.MonkeyPatch, extra: str) -> Connection:
    """An environment variable that is a URI, with an extra as Airflow's ``get_uri`` writes it."""
    return from_environment(monkeypatch, "hubchan://id:cl13nt-s3cr3t@/?" + urlencode({"__extra__": extra}))


def as_query(monkeypatch: pytest.MonkeyPatch, extra: str) -> Connection:
    """The same, with each extra in the query: strings alone."""
    return from_environment(monkeypatch, "hubchan://id:cl13nt-s3cr3t@/?" + urlencode(json.loads(extra)))


def from_environment(monkeypatch: pytest.MonkeyPatch, text: str) -> Connection:
    monkeypatch.setenv("AIRFLOW_CONN_HUBCHAN_DEFAULT", text)
    connection: Connection = BaseHook.get_connection("hubchan_default")
    return connection


Source = Callable[[pytest.MonkeyPatch, str], Connection]
SOURCES = pytest.mark.parametrize("source", [as_object, as_json, as_uri])
SOURCES_OF_STRINGS = pytest.mark.parametrize("source", [as_object, as_json, as_uri, as_query])
#: A good value of each extra, as a string.
VALUES = {
    "refresh_token": "r3fr3sh",
    "channel_id": "100200",
    "access_token": "r3ady",
    "api_version": "v3",
    "requests_per_10s": "50",
    "timeout": "2.5",
    "allow_http": "true",
}


def faults_of(connection: Connection, **options: bool) -> tuple[str, ...]:
    """What is wrong with a connection; the error is short and holds no secret and no control character."""
    try:
        read_account(connection, **options)
    except BadConnection as error:
        text = str(error)
        assert len(text) <= 1500
        assert text.isprintable()
        assert not any(secret in text for secret in ("cl13nt-s3cr3t", "r3fr3sh", "r3ady"))
        return error.faults
    return ()


def other_styles(name: str) -> Iterator[str]:
    """The ways in which people write the name of an extra."""
    words = name.split("_")
    yield from (name.upper(), name.title(), name.capitalize(), name.replace("_", "-"), name.replace("_", " "), f" {name} ")
    yield from (name.replace("_", ""), name.replace("_", "."), words[0] + "".join(map(str.title, words[1:])), f"{name}s")
    yield from (name.rstrip("s") + "z", f"extra__hubchan__{name.upper()}", f'"{name}"', f"{name}:")


def typos(name: str) -> Iterator[str]:
    """One character left out, doubled, replaced, or swapped with the next."""
    for place in range(len(name)):
        yield name[:place] + name[place + 1 :]
        yield name[: place + 1] + name[place:]
        yield name[:place] + "x" + name[place + 1 :]
        yield name[:place] + name[place : place + 2][::-1] + name[place + 2 :]


@pytest.mark.parametrize("name", EXTRAS)
def test_every_misspelling_is_recognized(name: str) -> None:
    """Other case, spaces, hyphens, camelCase; typos."""
    written = {each.removeprefix("extra__hubchan__") for each in (*other_styles(name), *typos(name))}
    assert len(written) > 25
    assert {each: similar_extra(each) for each in written} == dict.fromkeys(written, name)


@SOURCES_OF_STRINGS
@pytest.mark.parametrize("name", EXTRAS)
def test_a_misspelled_extra_is_a_fault_that_names_the_right_one(
    monkeypatch: pytest.MonkeyPatch, name: str, source: Source
) -> None:
    """One fault, whatever defines the connection: nothing is said to be missing that is there under another name."""
    login = {} if name in SECRETS else REFRESH
    for written in {*other_styles(name), name[1:]} - {name}:
        connection = source(monkeypatch, json.dumps({**login, written: VALUES[name]}))
        (fault,) = faults_of(connection, needs_channel=name == "channel_id")
        assert fault.endswith(f"for {written!r} write {name}")
        assert fault.startswith("Extra Fields JSON (extra) has names that are almost right: ")
        assert not extra_warnings(connection)


def test_what_is_wrong_with_a_misspelled_extra_is_named_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """One error for the names and the values; what has its own name goes before what is almost it."""
    extra = {**REFRESH, "Timeout": "soon", "request_per_10s": 0, "apiVersion": "v9", "api_version": "v3", "Channel ID": "sms"}
    assert faults_of(as_object(monkeypatch, json.dumps(extra))) == (
        "Extra Fields JSON (extra) has names that are almost right: for 'Timeout' write timeout, for 'request_per_10s' write "
        "requests_per_10s, for 'apiVersion' write api_version, for 'Channel ID' write channel_id",
        "Channel ID (channel_id) is 'sms', not the number of a channel, like 100200",
        "Requests per 10 seconds (requests_per_10s) is '0', not a number of at least 1 and at most 100,000",
        "Timeout (timeout) is 'soon', not a number of at least 0.1 and at most 300",
    )


UNKNOWN = (
    *("note", "team", "owner", "comment", "environment", "region", "host", "headers", "verify", "proxies", "version", "api"),
    *("token", "client_id", "client_secret", "portal_id", "channel_name", "timezone", "time", "read_timeout", "rate_limit"),
    *("refresh", "access_key", "extra__http__headers", "r" * 100_000, "t\u00fcr", ""),
)


@SOURCES_OF_STRINGS
@pytest.mark.parametrize("name", UNKNOWN, ids=[name[:20] or "no name" for name in UNKNOWN])
def test_an_unknown_extra_is_a_warning(monkeypatch: pytest.MonkeyPatch, name: str, source: Source) -> None:
    """Named, with the names that are read, and without its value; the connection can be used."""
    connection = source(monkeypatch, json.dumps({**REFRESH, name: "unr3ad"}))
    assert read_account(connection) == FULL
    (warning,) = extra_warnings(connection)
    assert (repr(name) if len(name) < 28 else "'rrrr") in warning
    assert warning.endswith(
        "which nothing reads; the names that are read are refresh_token, channel_id, access_token, api_version, "
        "requests_per_10s, timeout, allow_http"
    )
    assert "unr3ad" not in warning
    assert len(warning) <= 1500


def test_unknown_extras_are_named_all_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """One warning, of bounded length; what has no value is not worth one."""
    extra: dict[str, Any] = {**REFRESH, "note": 1, "team": ["a"], "line\nbreak": {"a": 1}, "old": None, "empty": " "}
    (warning,) = extra_warnings(as_object(monkeypatch, json.dumps(extra)))
    assert warning.startswith("Extra Fields JSON (extra) has 'note', 'team', 'line\\nbreak', which nothing reads")
    (warning,) = extra_warnings(as_object(monkeypatch, json.dumps({f"{number:50}": 1 for number in range(1000)})))
    assert " and 993 more, which nothing reads" in warning
    assert len(warning) <= 1500
    assert warning.isprintable()


@SOURCES
def test_what_airflow_itself_writes_is_no_surprise(monkeypatch: pytest.MonkeyPatch, source: Source) -> None:
    """The form's nulls, defaults and numbers; and the prefix that forms of old put before each name."""
    form = {"channel_id": None, "access_token": None, "api_version": "2026-03", "requests_per_10s": None, "timeout": 10}
    connection = source(monkeypatch, json.dumps({**REFRESH, **form}))
    assert (read_account(connection), extra_warnings(connection)) == (FULL, [])
    old = {f"extra__hubchan__{name}": value for name, value in {**REFRESH, **form, "timeout": 3, "channel_id": ""}.items()}
    connection = source(monkeypatch, json.dumps({**old, "extra__hubchan__timeout": 3, "timeout": 5}))
    assert (read_account(connection), extra_warnings(connection)) == (replace(FULL, timeout=5.0), [])
    connection = source(monkeypatch, json.dumps(old))
    assert (read_account(connection), extra_warnings(connection)) == (replace(FULL, timeout=3.0), [])


@SOURCES
@pytest.mark.parametrize(
    ("extra", "found"),
    [
        pytest.param('["r3fr3sh"]', "an array", id="array"),
        pytest.param('"r3fr3sh"', "a string", id="string"),
        pytest.param(json.dumps(json.dumps({"refresh_token": "r3fr3sh"})), "a string", id="written as JSON twice"),
        pytest.param("5", "a number", id="number"),
        pytest.param("0.5", "a number", id="float"),
        pytest.param("true", "a boolean", id="boolean"),
        pytest.param("r3fr3sh", "not JSON", id="text"),
        pytest.param('{"refresh_token": "r3fr3sh"', "not JSON", id="broken"),
        pytest.param("{'refresh_token': 'r3fr3sh'}", "not JSON", id="quotes of Python"),
        pytest.param("refresh_token=r3fr3sh", "not JSON", id="query"),
    ],
)
def test_an_extra_that_is_no_object_is_a_fault(monkeypatch: pytest.MonkeyPatch, extra: str, found: str, source: Source) -> None:
    """What it is and what to write; the other faults beside it, but nothing that may be in it is said to be missing."""
    connection = source(monkeypatch, extra)
    fault = f'Extra Fields JSON (extra) is {found}: write a JSON object like {{"channel_id": "100200"}}'
    assert faults_of(connection, needs_channel=True) == (fault,)
    assert not extra_warnings(connection)
    connection.host = "ftp://x"
    assert faults_of(connection)[0] == fault
    assert "is not one like" in faults_of(connection)[1]
    connection.host = "http://hubspot"
    assert faults_of(connection) == (fault,)


@pytest.mark.parametrize("extra", ["[" * 100_000, '{"timeout": ' + "1" * 5000 + "}"], ids=["nested", "digits"])
def test_an_extra_that_python_does_not_parse_is_a_fault(monkeypatch: pytest.MonkeyPatch, extra: str) -> None:
    """Its errors are of other types than those of broken JSON."""
    (fault,) = faults_of(as_object(monkeypatch, extra))
    assert fault.startswith("Extra Fields JSON (extra) is not JSON")


@pytest.mark.parametrize("extra", [None, "", " ", "null", "{}", " {}\n"])
def test_no_extra_is_an_empty_one(monkeypatch: pytest.MonkeyPatch, extra: Any) -> None:
    """As Airflow stores a connection whose extra was never touched, or emptied."""
    (fault,) = faults_of(as_object(monkeypatch, extra))
    assert fault.startswith("Refresh token (refresh_token) missing")


def test_an_extra_that_is_parsed_already_is_read() -> None:
    """Airflow 3.2 has a dict in a connection that was made of a URI."""
    arguments: dict[str, Any] = {"conn_id": "x", "uri": "hubchan://id:cl13nt-s3cr3t@/?refresh_token=r3fr3sh"}
    assert read_account(Connection(**arguments)) == FULL


@SOURCES
@pytest.mark.parametrize("name", EXTRAS)
@pytest.mark.parametrize(("value", "found"), [({"r3fr3sh": "r3ady"}, "an object"), (["r3fr3sh"], "an array"), ([], "an array")])
def test_an_extra_of_a_wrong_type_is_a_fault(
    monkeypatch: pytest.MonkeyPatch, name: str, value: Any, found: str, source: Source
) -> None:
    """Its type is named, never what is in it; it is not said to be missing besides."""
    login = {} if name == "access_token" else REFRESH
    extra = {**login, "channel_id": "7", name: value}
    assert faults_of(source(monkeypatch, json.dumps(extra)), needs_channel=True) == (
        f"{field_names(name)} is {found}: write it as a string",
    )


@pytest.mark.parametrize(("value", "found"), [(True, "a boolean"), (False, "a boolean"), (17, "a number"), (1.5, "a number")])
@pytest.mark.parametrize("name", SECRETS)
def test_a_secret_is_a_string(monkeypatch: pytest.MonkeyPatch, name: str, value: Any, found: str) -> None:
    """Nothing else can be a token."""
    assert SECRETS == ("refresh_token", "access_token")
    (fault,) = faults_of(as_object(monkeypatch, json.dumps({name: value})))
    assert fault == f"{field_names(name)} is {found}: write it as a string"


@pytest.mark.parametrize(
    ("value", "flag"),
    [
        *((word, True) for word in (True, 1, "1", "true", "True", " YES ", "on")),
        *((word, False) for word in (False, 0, "0", "false", "False", "no", "OFF", None, "", " ")),
    ],
)
def test_a_flag_is_a_yes_or_a_no(monkeypatch: pytest.MonkeyPatch, value: Any, flag: bool) -> None:
    """As JSON or as a word; plain http is allowed by the one and refused without the other."""
    connection = as_object(monkeypatch, json.dumps({**REFRESH, "allow_http": value}))
    connection.host = "http://hubspot"
    assert (faults_of(connection) == ()) == flag
    assert not any("allow_http is" in fault for fault in faults_of(connection))


@pytest.mark.parametrize("value", ["maybe", "ja", 2, 0.5, "truee", [], {"a": 1}])
def test_a_flag_that_is_neither_is_a_fault(monkeypatch: pytest.MonkeyPatch, value: Any) -> None:
    """Even where it would change nothing."""
    (fault,) = faults_of(as_object(monkeypatch, json.dumps({**REFRESH, "allow_http": value})))
    assert fault.startswith("the extra allow_http is ")


def test_a_missing_channel_is_one_fault_among_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """If the task names none; what is there but wrong is not missing as well."""
    connection = as_object(monkeypatch, json.dumps({"timeout": "x"}))
    assert [fault.partition(")")[0] for fault in faults_of(connection, needs_channel=True)] == [
        "Refresh token (refresh_token",
        "Channel ID (channel_id",
        "Timeout (timeout",
    ]
    assert len(faults_of(connection)) == 2
    wrong = as_object(monkeypatch, json.dumps({**REFRESH, "channel_id": "sms"}))
    assert faults_of(wrong, needs_channel=True) == faults_of(wrong)


#: Texts so short that Airflow does not mask them in the logs of later tests.
TEXT = st.text(max_size=4)
VALUE = st.none() | st.booleans() | st.integers() | st.floats() | TEXT | st.lists(TEXT, max_size=2)
NAME = st.sampled_from([each for name in EXTRAS for each in (name, *other_styles(name), *typos(name))]) | st.text()


@settings(deadline=None)
@given(st.dictionaries(NAME, VALUE), st.text() | st.none(), st.booleans())
def test_any_extra_is_an_account_or_faults(extra: dict[str, Any], host: str | None, needs_channel: bool) -> None:
    """No other error, and no text that is long or holds control characters."""
    connection = Connection(conn_id="x", conn_type="hubchan", host=host, login="id", password="p", extra=json.dumps(extra))
    faults_of(connection, needs_channel=needs_channel)
    for warning in extra_warnings(connection):
        assert len(warning) <= 1500
        assert warning.isprintable()


def test_an_error_is_short_however_much_is_wrong() -> None:
    """Everything at once, each value as long as can be."""
    extra = {"api_version": "v" * 9999, "timeout": "t" * 9999, "requests_per_10s": "r" * 9999, "channel_id": "c" * 9999}
    extra |= {"allow_http": "a" * 9999, "access_token": "a b", **{f"{name}{' ' * 50}": "1" for name in EXTRAS}}
    extra |= {name.upper(): "1" for name in EXTRAS}
    connection = Connection(conn_id="x", conn_type="hubchan", host=f"ftp://{'h' * 9999}", extra=json.dumps(extra))
    assert len(faults_of(connection, needs_channel=True)) == 8


@pytest.mark.parametrize(
    ("host", "port", "text"),
    [
        ("id:s3cret", None, "'id:…' is not one like"),
        ("https://api.example.com:s3cret/x", None, "is not one like"),
        ("api example.com", None, "is not one like"),
        ("api.example.com", 99999999, "is 99999999, not a number from 1 to 65535"),
        ("api.example.com", -5, "is -5, not a number from 1 to 65535"),
    ],
)
def test_a_host_that_is_none_is_named_without_what_may_be_secret(host: str, port: int | None, text: str) -> None:
    """Somebody may have written login and password into it."""
    connection = Connection(conn_id="x", conn_type="hubchan", host=host, port=port, extra='{"access_token": "pat-1"}')
    with pytest.raises(BadConnection) as caught:
        read_account(connection)
    assert text in str(caught.value)
    assert "s3cret" not in str(caught.value)
