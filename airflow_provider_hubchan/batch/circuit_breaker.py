"""When a batch is to end early, because the rows that are left would fare no better."""

from __future__ import annotations

from dataclasses import replace

from airflow_provider_hubchan.client.actions import Abort
from airflow_provider_hubchan.client.error_texts import count_of
from airflow_provider_hubchan.client.errors import Problem
from airflow_provider_hubchan.client.models import Outcome

#: 404s without a category in a row, and not one success, after which the address is taken to be wrong.
MAX_BARE_NOT_FOUND = 20
_WRONG_ADDRESS = (
    "the API answers 404 without a category to every message, so the address is taken to be wrong. Check the connection's API "
    "base URL and API version, and the channel id."
)


class CircuitBreaker:
    """Says when a batch is to end early: a server that is down is not asked ten thousand times.

    :param threshold: rows in a row that may end *unresolved*, 0 for any number.
    """

    def __init__(self, threshold: int) -> None:
        self._threshold = threshold
        self._unresolved_in_a_row = 0
        self._last: Problem | None = None

    def record(self, outcome: Outcome) -> None:
        """Take note of the outcome of a row that was sent."""
        if outcome.result == "unresolved":
            self._unresolved_in_a_row += 1
            self._last = outcome.problem
        else:
            self._unresolved_in_a_row = 0

    @property
    def abort_reason(self) -> Abort | None:
        """Why the batch is to end, None if it may go on."""
        if not 0 < self._threshold <= self._unresolved_in_a_row:
            return None
        last = self._last.reason if self._last else ""
        text = f"{count_of(self._unresolved_in_a_row, 'row')} in a row got no answer, so no other row is tried. {last}"
        return Abort(Problem(text, "HubSpot does not answer"), permanent=False)


class AddressCheck:
    """Tells a message that HubSpot does not know from an address that is wrong: both are answered with 404.

    HubSpot names a ``category`` when it does not know a message; the 404 of an unknown address has another shape (seen in its
    developer forum; nobody has documented it). So a 404 without a category is held back until another row proves that the
    address is right; it is *rejected* then. If `MAX_BARE_NOT_FOUND` of them come and nothing is proved, it is the address.

    :param is_proved: True if an earlier try has proved the address.
    """

    def __init__(self, *, is_proved: bool = False) -> None:
        self._is_proved = is_proved
        self._held: list[tuple[int, Outcome]] = []

    def holds(self, position: int, outcome: Outcome) -> bool:
        """True if the outcome says nothing of its row yet; `take_held` gives it back when it does.

        :param position: of the update in the batch, from 0.
        """
        problem = outcome.problem
        if self._is_proved or outcome.result != "rejected" or problem is None:
            return False
        if problem.status != 404 or problem.category is not None:
            return False
        self._held.append((position, outcome))
        return True

    def record(self, outcome: Outcome) -> None:
        """Take note of an outcome that is not held: whatever HubSpot decided about a row, the address was right."""
        if outcome.result != "unresolved":
            self._is_proved = True

    def take_held(self, *, is_final: bool = False) -> list[tuple[int, Outcome]]:
        """The outcomes that were held and now hold.

        :param is_final: True at the end of a batch: there were too few of them to speak against the address.
        """
        if not self._is_proved and not is_final:
            return []
        held, self._held = self._held, []
        return held

    @property
    def abort_reason(self) -> Abort | None:
        """Why the batch is to end, None if it may go on."""
        if self._is_proved or len(self._held) < MAX_BARE_NOT_FOUND:
            return None
        last = self._held[-1][1].problem
        assert last is not None
        problem = replace(
            last, reason=f"{count_of(len(self._held), 'row')} in a row: {_WRONG_ADDRESS} The last one: {last.reason}"
        )
        return Abort(replace(problem, label="404, the address is wrong"), permanent=True)
