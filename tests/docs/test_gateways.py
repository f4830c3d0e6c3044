"""The page about gateways, held against the words and the arithmetic it shows."""

from __future__ import annotations

import re
from collections import Counter

from airflow_provider_hubchan import gateways
from tests.docs.pages import page, table

PAGE = page("gateways")
NAMES = [name for name in vars(gateways) if name.isupper()]


def test_the_table_of_words_is_the_modules() -> None:
    """Each word under its status, each gateway with a field, in the order of the module."""
    rows = table(PAGE, "mapping | gateway |")
    assert [row[0].strip("`") for row in rows] == NAMES
    for name, _, field, *columns in rows:
        mapping: dict[str, str | None] = getattr(gateways, name.strip("`"))
        shown = {
            word: status for status, cell in zip(("SENT", "FAILED", "READ", None), columns, strict=True) for word in words(cell)
        }
        assert shown == mapping
        assert re.fullmatch(r"`[\w.]+`", field)


def words(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def test_what_is_sent_and_how_long_it_takes_is_computed() -> None:
    """As many requests as there are receipts whose word has a status, at the limit that the table gives."""
    heading = re.search(r"\| ([\d,]+) receipts, (\d+) % of them failures, at (\d+) requests per 10 s \|", PAGE)
    assert heading
    receipts, share, limit = (int(number.replace(",", "")) for number in heading.groups())
    failures = receipts * share // 100
    events = Counter(delivered=receipts - failures, undelivered=failures)
    (changed,) = re.findall(r"For the second line write `statuses=(.+?)`", PAGE)
    only_what_informs: dict[str, str | None] = eval(changed, vars(gateways).copy())
    expected = []
    for statuses in (gateways.TWILIO, only_what_informs):
        requests = sum(times for word, times in events.items() if statuses[word])
        seconds = requests * 10 / limit
        expected.append([f"{requests:,}", f"{seconds:.0f} seconds" if seconds < 60 else f"{seconds / 60:.1f} minutes"])
    assert [row[1:] for row in table(PAGE, "10,000 receipts")] == expected
    assert expected == [["10,000", "15.2 minutes"], ["200", "18 seconds"]]


def test_every_gateway_has_a_field_for_the_id_or_the_lack_of_one() -> None:
    """The second table has a row for each of the first, and says of each what it was checked against."""
    rows = table(PAGE, "gateway | `message_id` comes back in |")
    assert len(rows) == len(NAMES)
    assert all(len(row) == 4 and all(row) for row in rows)
