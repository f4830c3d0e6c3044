"""A stranger's bytes may raise anything: whatever they do to a parser concerns one row, and the next one is updated."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable

import pytest

from tests.hostile.cases import Case, case, check
from tests.hostile.runs import DRIVERS, Run
from tests.hostile.server import Step, answer, close, good_reply

EITHER = "updated|unresolved"
GOOD = b'{"id": "m-1", "status": {"statusType": "SENT"}}'
BRACKETS = b"[" * 100_000
#: With these, what follows a 429 takes a fraction of a second.
SHORT_WINDOW = ("X-HubSpot-RateLimit-Max: 100", "X-HubSpot-RateLimit-Interval-Milliseconds: 200")


def text(data: str) -> bytes:
    return data.encode("latin-1")


BODIES = [
    case("100,000 brackets", answer(body=BRACKETS), reason="Status 200|application/json"),
    case("100,000 objects", answer(body=b'{"a":' * 100_000)),
    case("100,000 brackets in an object", answer(body=b'{"a":' + BRACKETS + b"]" * 100_000 + b"}")),
    case("brackets near the recursion limit", answer(body=b'{"a":' + b"[" * 900 + b"]" * 900 + b"}"), outcome=EITHER),
    case("brackets at the recursion limit", answer(body=b'{"a":' + b"[" * 990 + b"]" * 990 + b"}"), outcome=EITHER),
    case("a whole number of 5,000 digits", answer(body=b'{"id": ' + b"9" * 5000 + b"}")),
    case("a number of 5,000 digits with a point", answer(body=b'{"id": 1.' + b"9" * 5000 + b"}"), outcome="updated"),
    case("a number beyond all floats", answer(body=b'{"id": 1e99999}'), outcome="updated"),
    case("an exponent of 5,000 digits", answer(body=b'{"id": 1e' + b"9" * 5000 + b"}"), outcome=EITHER),
    case("a lone surrogate as an escape", answer(body=b'{"id": "m-1", "text": "\\ud800"}'), outcome="updated"),
    case("a lone surrogate as bytes", answer(body=b'{"id": "m-1", "text": "\xed\xa0\x80"}'), outcome=EITHER),
    case("bytes that are not UTF-8", answer(body=b'{"id": "\xff\xfe"}')),
    case("UTF-16", answer(body=GOOD.decode().encode("utf-16")), outcome="updated"),
    case("half of UTF-16", answer(body=b"\xff\xfe{\x00\x00\xd8")),
    case("UTF-32", answer(body=GOOD.decode().encode("utf-32")), outcome="updated"),
    case("UTF-32 beyond Unicode", answer(body=b"\xff\xfe\x00\x00{\x00\x00\x00\xff\xff\xff\xff")),
    case("a byte order mark", answer(body=b"\xef\xbb\xbf" + GOOD), outcome="updated"),
    case("NaN", answer(body=b'{"id": NaN, "createdAt": -Infinity}'), outcome="updated"),
    case("a key twice", answer(body=b'{"id": "m-1", "id": "m-1"}'), outcome="updated"),
    case("nothing", answer(body=b""), reason="Status 200|empty body"),
    case("white space", answer(body=b" \r\n\t " * 100), reason="empty body"),
    case("NUL bytes", answer(body=b"\x00" * 10_000)),
    case("half a document", answer(body=b'{"id": "m-1", "sta')),
    case("two documents", answer(body=GOOD + GOOD)),
    case("a list", answer(body=[{"id": "m-1"}])),
    case("a text", answer(body="ok")),
    case("a number", answer(body=1)),
    case("null", answer(body=b"null")),
    case("true", answer(body=b"true")),
    case("a number of 5,000 digits alone", answer(body=b"-" + b"9" * 5000)),
    *(
        case(f"100,000 brackets with status {status}", answer(status, BRACKETS), reason=f"Status {status}")
        for status in (400, 401, 403, 404, 503)
    ),
    case("100,000 brackets with status 429", answer(429, BRACKETS, *SHORT_WINDOW), requests=(2, 6), reason="Status 429"),
    case("a message of brackets", answer(400, b'{"message": ' + b"[" * 300 + b"]" * 300 + b"}"), outcome="rejected"),
    case(
        "every field of another kind",
        answer(400, {"message": ["a"], "category": {"b": 1}, "subCategory": 1.5, "correlationId": True, "policyName": [None]}),
        outcome="rejected",
    ),
    case("a message that is a number", answer(404, {"message": 10**40, "category": -(10**40)}), outcome="rejected"),
    case("a policy that is a list", answer(429, {"message": None, "policyName": ["DAILY"]}, *SHORT_WINDOW), requests=(2, 6)),
]


def framed(*lines: str, body: bytes = GOOD) -> tuple[Step, Step]:
    """A success with other headers than it should have; then the end of the connection."""
    return text("\r\n".join(["HTTP/1.1 200 OK", "Content-Type: application/json", *lines])) + b"\r\n\r\n" + body, close


CHUNKED = "Transfer-Encoding: chunked"
FRAMES = [
    case("a length of 20 digits", *framed("Content-Length: " + "9" * 20)),
    case("a length of 5,000 digits", *framed("Content-Length: " + "9" * 5000), outcome=EITHER),
    case("a length of a terabyte", *framed("Content-Length: 1099511627776")),
    case("a negative length", *framed("Content-Length: -1"), outcome=EITHER),
    case("a length that is no number", *framed("Content-Length: abc"), outcome=EITHER),
    case("a length of no digits", *framed("Content-Length:"), outcome=EITHER),
    case("a length with a sign", *framed(f"Content-Length: +{len(GOOD)}"), outcome=EITHER),
    case("two different lengths", *framed(f"Content-Length: {len(GOOD)}", "Content-Length: 5")),
    case("the same length twice", *framed(*[f"Content-Length: {len(GOOD)}"] * 2), outcome=EITHER),
    case("a length that is too long", *framed(f"Content-Length: {len(GOOD) + 1}")),
    case("a length that is too short", *framed(f"Content-Length: {len(GOOD) - 1}")),
    case(
        "a length and chunks", *framed(CHUNKED, "Content-Length: 5", body=b"2f\r\n" + GOOD + b"\r\n0\r\n\r\n"), outcome=EITHER
    ),
    case("no length", *framed(), outcome="updated"),
    case("chunks", *framed(CHUNKED, body=b"2f\r\n" + GOOD + b"\r\n0\r\n\r\n"), outcome="updated"),
    case("a chunk of a negative size", *framed(CHUNKED, body=b"-2f\r\n" + GOOD + b"\r\n0\r\n\r\n")),
    case("a chunk of 16 hexadecimal digits", *framed(CHUNKED, body=b"F" * 16 + b"\r\n" + GOOD)),
    case("a chunk of 5,000 hexadecimal digits", *framed(CHUNKED, body=b"F" * 5000 + b"\r\n" + GOOD)),
    case("a chunk size that is no number", *framed(CHUNKED, body=b"zz\r\n" + GOOD + b"\r\n0\r\n\r\n")),
    case("a chunk size of no digits", *framed(CHUNKED, body=b"\r\n" + GOOD + b"\r\n0\r\n\r\n")),
    case("a chunk that is longer than its size", *framed(CHUNKED, body=b"5\r\n" + GOOD + b"\r\n0\r\n\r\n")),
    case("chunks without an end", *framed(CHUNKED, body=b"2f\r\n" + GOOD + b"\r\n")),
    case("half a chunk", *framed(CHUNKED, body=b"2f\r\n" + GOOD[:20])),
    case("an encoding of the transfer that nobody has", *framed("Transfer-Encoding: rot13"), outcome=EITHER),
    case("gzip", answer(body=gzip.compress(GOOD), Content_Encoding="gzip"), outcome="updated"),
    case("gzip that is none", answer(body=GOOD, Content_Encoding="gzip")),
    case("half of gzip", answer(body=gzip.compress(GOOD)[:-20], Content_Encoding="gzip")),
    case("gzip twice", answer(body=gzip.compress(gzip.compress(GOOD)), Content_Encoding="gzip, gzip"), outcome=EITHER),
    case("deflate", answer(body=zlib.compress(GOOD), Content_Encoding="deflate"), outcome="updated"),
    case("deflate that is none", answer(body=b"\x78\x9c" + GOOD, Content_Encoding="deflate")),
    case("zstd that is none", answer(body=b"\x28\xb5\x2f\xfd" + GOOD, Content_Encoding="zstd")),
    case("an encoding that nobody has", answer(body=b"\x00" + GOOD, Content_Encoding="rot13")),
]


def began(line: bytes) -> tuple[Step, Step]:
    """A success with another first line; then the end of the connection."""
    return line + b"\r\nContent-Type: application/json\r\nContent-Length: 47\r\n\r\n" + GOOD, close


FIRST_LINES = [
    case("HTTP 9.9", *began(b"HTTP/9.9 200 OK")),
    case("a status of five digits", *began(b"HTTP/1.1 99999 OK")),
    case("a status of 5,000 digits", *began(b"HTTP/1.1 " + b"2" * 5000 + b" OK")),
    case("a status that is no number", *began(b"HTTP/1.1 abc OK")),
    case("a negative status", *began(b"HTTP/1.1 -200 OK")),
    case("a status of zero", *began(b"HTTP/1.1 000 OK")),
    case("a status of one digit", *began(b"HTTP/1.1 2 OK")),
    case("a status of 999", answer(999, {"message": "Request denied"})),
    case("no status", *began(b"HTTP/1.1")),
    case("no reason", *began(b"HTTP/1.1 200"), outcome="updated"),
    case("an empty first line", *began(b"\r\n\r\n\r\n"), outcome=EITHER),
    case("a first line of NUL", *began(b"\x00" * 20)),
    case("a first line of 300 KB", *began(b"HTTP/1.1 200 " + b"x" * 300_000)),
    case("a reason with control characters", *began(b"HTTP/1.1 200 \x1b[31m\x00"), outcome=EITHER),
    case("another protocol", *began(b"ICY 200 OK")),
    case("JSON without HTTP", GOOD, close),
    case("an SSH server", b"SSH-2.0-OpenSSH_9.2\r\n", close),
    case("a TLS server", b"\x15\x03\x01\x00\x02\x02\x46", close),
    case("random bytes", bytes(range(256)) * 4, close),
    case("nothing at all", close, reason="closed before the reply was complete"),
    case("a line feed", b"\n", close),
]

LENGTH = f"Content-Length: {len(GOOD)}"
HEADERS = [
    case("a header without a colon", *framed(LENGTH, "no colon here"), outcome=EITHER),
    case("a header without a name", *framed(LENGTH, ": value"), outcome=EITHER),
    case("a header name with a space", *framed(LENGTH, "X Y: 1"), outcome=EITHER),
    case("a header name with NUL", *framed(LENGTH, "X\x00Y: 1"), outcome=EITHER),
    case("a header with NUL", *framed(LENGTH, "X-A: a\x00b"), outcome=EITHER),
    case("a header with CR", *framed(LENGTH, "X-A: a\rb"), outcome=EITHER),
    case("a header that goes on in the next line", *framed(LENGTH, "X-A: a\r\n b"), outcome=EITHER),
    case("a first header that goes on", *framed(" folded: yes", LENGTH), outcome=EITHER),
    case("a header that is not ASCII", *framed(LENGTH, "X-A: \xff\xe9\x80"), outcome="updated"),
    case("a header of 100 KB", *framed(LENGTH, "X-A: " + "a" * 100_000)),
    case("a header name of 100 KB", *framed(LENGTH, "a" * 100_000 + ": a")),
    case("10,000 headers", *framed(LENGTH, *(f"X-{number}: a" for number in range(10_000)))),
    case("1,000 times the same header", *framed(LENGTH, *["Set-Cookie: a=b"] * 1000)),
    case("headers without an end", b"HTTP/1.1 200 OK\r\nContent-Length: 47\r\n", close),
    case("no headers", b"HTTP/1.1 200 OK\r\n\r\n" + GOOD, close, outcome="updated"),
    case("a content type that is none", *framed(LENGTH, "Content-Type: ;;;=\xff"), outcome=EITHER),
    case("a character set that nobody has", *framed(LENGTH, "Content-Type: application/json; charset=klingon"), outcome=EITHER),
]


def limits(maximum: str = "100", interval: str = "10000", remaining: str = "99") -> bytes:
    """A success with rate headers."""
    return answer(
        200,
        GOOD,
        f"X-HubSpot-RateLimit-Max: {maximum}",
        f"X-HubSpot-RateLimit-Interval-Milliseconds: {interval}",
        f"X-HubSpot-RateLimit-Remaining: {remaining}",
    )


ODD_NUMBERS = {"400 digits": "9" * 400, "5,000 digits": "9" * 5000, "a negative one": "-5", "NaN": "NaN", "nothing": ""}
LIMITS = [
    *(case(f"a limit of {name}", limits(odd), outcome="updated") for name, odd in ODD_NUMBERS.items()),
    *(case(f"an interval of {name}", limits("100", odd), outcome="updated") for name, odd in ODD_NUMBERS.items()),
    *(case(f"a rest of {name}", limits(remaining=odd), outcome="updated") for name, odd in ODD_NUMBERS.items()),
    case("a limit of 0", limits("0"), outcome="updated"),
    case("an interval of 0", limits(interval="0"), outcome="updated"),
    case("one request in a year", limits("1", "31536000000", "0"), outcome="updated"),
    case("a window of a millisecond", limits(interval="1"), outcome="updated"),
    case("a limit in other digits", limits("\xb2\xb3"), outcome="updated"),
]

BURST = {"policyName": "TEN_SECONDLY_ROLLING", "message": "You have reached your ten_secondly_rolling limit."}
DATE = "Date: Tue, 01 Dec 2026 10:00:00 GMT"
ODD_TIMES = {
    "a number beyond all floats": "1e400",
    "a number of 5,000 digits": "9" * 5000,
    "NaN": "NaN",
    "minus five": "-5",
    "infinity": "inf",
    "nothing": "",
    "a word": "soon",
    "the year 1": "Mon, 01 Jan 0001 00:00:00 GMT",
    "the year 9999": "Fri, 31 Dec 9999 23:59:59 GMT",
    "the year 99999": "Fri, 31 Dec 99999 23:59:59 GMT",
    "the end of time, in the west": "Fri, 31 Dec 9999 23:59:59 -2359",
    "the year 1, in the east": "Mon, 01 Jan 0001 00:00:00 +2359",
    "a zone of 9,999 hours": "Tue, 01 Dec 2026 10:00:00 +999999",
    "a zone of 5,000 digits": "Tue, 01 Dec 2026 10:00:00 +" + "9" * 5000,
    "the 99th of a month": "Tue, 99 Dec 2026 99:99:99 GMT",
    "a date without a zone": "Tue, 01 Dec 2026 10:00:00",
    "commas": ",,,,",
}
TIMES = [
    *(
        case(f"503 until {name}", answer(503, {"message": "Busy"}, DATE, f"Retry-After: {odd}"))
        for name, odd in ODD_TIMES.items()
    ),
    *(
        case(f"429 until {name}", answer(429, BURST, *SHORT_WINDOW, DATE, f"Retry-After: {odd}"), requests=(2, 6))
        for name, odd in ODD_TIMES.items()
        if name != "a date without a zone"
    ),
    *(
        case(f"503 for a minute, on {name}", answer(503, {"message": "Busy"}, f"Date: {odd}", f"Retry-After: {later}"))
        for name, odd in ODD_TIMES.items()
        for later in ["Tue, 01 Dec 2026 10:01:00 GMT"]
    ),
    case("503 for a quarter of an hour", answer(503, {"message": "Busy"}, "Retry-After: 900"), ends="for now"),
    case("429 for a quarter of an hour", answer(429, BURST, "Retry-After: 900"), ends="for now"),
]
CASES = [*BODIES, *FRAMES, *FIRST_LINES, *HEADERS, *LIMITS, *TIMES]


@pytest.mark.parametrize("drive", DRIVERS)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_reply_that_no_parser_expects_concerns_its_row_alone(
    case: Case, drive: str, run_of: Callable[[Case, str], Run]
) -> None:
    """The row has its outcome, the next one is updated, the permit is back, and no connection or task is left."""
    check(case, run_of(case, drive))


def test_a_good_reply_is_read() -> None:
    """The server can be good, too: what a case shows is due to its reply."""
    for drive in DRIVERS.values():
        run = drive(case("good", good_reply("m-1"), outcome="updated"))
        assert [outcome.result for outcome in run.outcomes.values()] == ["updated", "updated"]


@pytest.mark.parametrize("status", [b"000", b"099", b"600", b"999"])
def test_after_a_status_that_http_has_not_the_connection_is_not_used_again(status: bytes) -> None:
    """Whoever sent it may end the connection at once, and the next request would be lost on it."""
    line = b"HTTP/1.1 " + status + b" OK\r\nContent-Type: application/json\r\nContent-Length: 47\r\n\r\n"
    run = DRIVERS["tasks"](case("no status of HTTP", line + GOOD))
    assert [request.connection for request in run.received if request.key == "m-1"] == [1, 2]
