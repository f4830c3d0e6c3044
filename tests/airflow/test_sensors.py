"""The sensor in its three modes, and its trigger, against the local HubSpot."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from threading import Thread
from typing import Any

import psutil
import pytest
from airflow.sdk import DAG
from airflow.sdk.exceptions import (
    AirflowException,
    AirflowFailException,
    AirflowRescheduleException,
    AirflowSensorTimeout,
    AirflowSkipException,
    TaskDeferred,
)

from airflow_provider_hubchan.client.ratelimit.limiter import RateLimiter
from airflow_provider_hubchan.client.status_poll import StatusPoll, Target
from airflow_provider_hubchan.emulator import Emulator
from airflow_provider_hubchan.sensors import MAX_DEFERRED_IDS, MessageStatusSensor
from airflow_provider_hubchan.validation import WrongArguments
from tests.airflow.dag_runs import Ran
from tests.airflow.sensor_runs import IDS, MODES, SensorTask, first_event, rebuilt, run_hurried
from tests.airflow.trigger_runs import trigger
from tests.dripping_server import DrippingServer, call_in_time
from tests.local_hubspot import sockets_to
from tests.waiting import wait_until


@pytest.fixture
def hubspot(hubspot_emulator: Emulator) -> Emulator:
    hubspot_emulator.world.seed(IDS)
    return hubspot_emulator


def read(hubspot: Emulator, *names: str) -> None:
    for name in names:
        hubspot.world.messages["100200", name].status = "READ"


@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
def test_all_modes_give_the_same_answer(hubspot: Emulator, mode: str) -> None:
    """Some are read at once, some later; there are GETs of each until it is, and no more."""
    read(hubspot, *IDS[:6])
    hubspot.fault(message_id="m-7", status=503, times=2)
    hubspot.fault(message_id="m-8", method="GET", status=200, body={"id": "m-8"})
    task = SensorTask(mode)
    hubspot.ledger.clear()

    def gets(name: str) -> int:
        return sum(entry.method == "GET" and entry.path.endswith(name) for entry in hubspot.ledger.entries)

    def agent() -> None:
        wait_until(lambda: gets("m-9") >= 1)
        read(hubspot, *IDS[6:])

    reader = Thread(target=agent)
    reader.start()
    assert task.run() == dict.fromkeys(IDS, "READ")
    reader.join()
    assert task.context["ti"].pushed["counts"] == {"READ": 10, "messages": 10}
    assert [gets(name) for name in IDS[:6]] == [1] * 6
    assert gets("m-9") >= 2
    assert hubspot.ledger.patches() == []


def test_no_file_stays_open_between_two_pokes(hubspot: Emulator) -> None:
    """A sensor that looks for hours in a worker has as many open files after its last poke as after its first."""
    task, files = SensorTask("poke"), list[int]()
    sensor = task.sensor()
    for _ in range(10):
        assert sensor.poke(task.context) is False
        assert sockets_to(hubspot) == []
        files.append(psutil.Process().num_fds())
    assert files[-1] <= files[0]


class Story:
    """A sensor in one mode: what it returned or raised, and all that it left behind."""

    def __init__(self, mode: str, **arguments: Any) -> None:
        self.task = SensorTask(mode, **arguments)
        self.result, self.error = None, ""
        try:
            self.result = self.task.run()
        except AirflowException as error:
            self.error = f"{type(error).__name__}: {error}"
            self.cause = error.__cause__
        self.pushed, self.store = self.task.context["ti"].pushed, self.task.context["task_state_store"]


def set_statuses(hubspot: Emulator) -> dict[str, str]:
    """Two messages of each status that matters, and two of one that this provider does not know."""
    statuses: dict[str, str] = {}
    for name, status in zip(IDS, ["READ", "FAILED", "SENT", "SOON", "READ"] * 2, strict=True):
        statuses[name] = status
        if status == "SOON":
            answer = {"id": name, "status": {"statusType": "SOON"}}
            hubspot.fault(message_id=name, method="GET", status=200, body=answer, times=1000)
        else:
            hubspot.world.messages["100200", name].status = status
    return statuses


COUNTS = {"READ": 4, "FAILED": 2, "SENT": 2, "SOON": 2, "messages": 10}
OVER = "The sensor's timeout was over before all had arrived: 4 of 10 messages are READ."


@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
def test_what_is_left_open_is_in_the_result_of_every_mode(
    hubspot: Emulator, mode: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Messages that were SENT, FAILED or something new at the first look, and have no answer at the last one."""
    statuses = set_statuses(hubspot)
    task_ends = IDS[-1]
    hubspot.world.messages["100200", task_ends].status = "SENT"
    hubspot.ledger.clear()

    def agent() -> None:
        wait_until(lambda: len([entry for entry in hubspot.ledger.entries if entry.method == "GET"]) >= 10)
        hubspot.fault(message_id=IDS[1], method="GET", status=503, times=1000)
        hubspot.fault(message_id=IDS[2], method="GET", status=503, times=1000)
        read(hubspot, task_ends)

    reader = Thread(target=agent)
    reader.start()
    story = Story(mode, fail_on=(), min_share=0.4)
    reader.join()
    assert (story.error, story.result, list(story.result or {})) == ("", statuses, IDS)
    assert story.pushed == {"counts": COUNTS}
    assert story.store == {}
    assert "] 4 of 10 messages are READ" in capsys.readouterr().out


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("soft_fail", [False, True])
def test_a_timeout_is_the_same_in_every_mode(
    hubspot: Emulator, mode: str, soft_fail: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    """Text, counts and statuses; the last look is the only one that has time."""
    statuses = set_statuses(hubspot)
    timeout = 6.0 if mode == "deferrable" else 1.0  # for less than five seconds no trigger is made
    story = Story(mode, fail_on=(), timeout=timeout, poke_interval=60.0, soft_fail=soft_fail)
    assert story.error == (
        "AirflowSkipException: Skipping due to soft_fail is set to True." if soft_fail else f"AirflowSensorTimeout: {OVER}"
    )
    assert not soft_fail or str(story.cause) == OVER
    assert story.pushed == {"counts": COUNTS, "return_value": statuses}
    assert story.store == {}
    assert "] 4 of 10 messages are READ." in capsys.readouterr().out


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("soft_fail", [False, True])
def test_a_failure_is_the_same_in_every_mode(hubspot: Emulator, mode: str, soft_fail: bool) -> None:
    """A message that will not get there: Airflow skips a sensor with ``soft_fail`` then; counts and statuses are in XCom."""
    hubspot.world.messages["100200", "m-9"].status = "READ"
    hubspot.ledger.clear()

    def gateway() -> None:
        wait_until(lambda: len([entry for entry in hubspot.ledger.entries if entry.method == "GET"]) >= 10)
        hubspot.world.messages["100200", "m-3"].status = "FAILED"

    reader = Thread(target=gateway)
    reader.start()
    story = Story(mode, soft_fail=soft_fail)
    reader.join()
    text = "1 of 10 messages will not be READ (m-3: FAILED, and HubSpot gives no reason)."
    assert (str(story.cause) if soft_fail else story.error.partition(": ")[2]) == text
    assert story.error.partition(":")[0] == ("AirflowSkipException" if soft_fail else "AirflowFailException")
    statuses = dict.fromkeys(IDS, "SENT") | {"m-3": "FAILED", "m-9": "READ"}
    assert story.pushed == {"counts": {"SENT": 8, "FAILED": 1, "READ": 1, "messages": 10}, "return_value": statuses}
    assert story.store == {}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("timeout", "statuses"), [(0.0, ("READ",)), (60.0, ("SENT",))], ids=["timeout", "success"])
def test_nothing_is_pushed_where_nothing_is_wanted(
    hubspot: Emulator, mode: str, timeout: float, statuses: tuple[str, ...]
) -> None:
    """``do_xcom_push=False`` is of all that the sensor pushes."""
    assert Story(mode, timeout=timeout, statuses=statuses, do_xcom_push=False).pushed == {}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        pytest.param(
            {"message_ids": lambda: iter(["m-1", None])},
            "WrongArguments: Wrong arguments, so nothing was asked: ",
            id="argument",
        ),
        pytest.param({"hubchan_conn_id": "nobody"}, "CannotPollError: Connection 'nobody' is not defined: ", id="connection"),
        pytest.param({}, "CannotPollError: No access token could be fetched. ", id="credentials"),
    ],
)
def test_soft_fail_skips_nothing_that_a_person_has_to_mend(
    hubspot: Emulator, mode: str, arguments: dict[str, Any], text: str
) -> None:
    """A sensor that is always skipped because of a typing error would never be noticed."""
    hubspot.world.install.revoked = not arguments
    made = {name: value() if callable(value) else value for name, value in arguments.items()}
    assert Story(mode, soft_fail=True, **made).error.startswith(text)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "error"),
    [
        pytest.param({"event": {"version": 1, "outcome": "done"}}, "CannotPollError: This trigger event is not of", id="event"),
        pytest.param({"message_ids": IDS[:3]}, "CannotPollError: message_ids are others than before the wait", id="messages"),
        pytest.param({"message_ids": [None]}, "WrongArguments: Wrong arguments", id="arguments"),
        pytest.param({"outcome": "refused"}, "CannotPollError: no scope", id="refused"),
        pytest.param(
            {"outcome": "error"}, "TaskDeferralError: The wait in the triggerer was ended by an error, no", id="error"
        ),
    ],
)
def test_soft_fail_skips_nothing_of_that_kind_after_the_wait(hubspot: Emulator, change: dict[str, Any], error: str) -> None:
    """Airflow would: it skips whatever the task raises when it is resumed."""
    event = {"version": 2, "outcome": "done", "before": StatusPoll(IDS, Target()).snapshot(), "unanswered": {}}
    event |= {"seen": event["before"], "reason": "no scope", "outcome": change.get("outcome", "done")}
    task = SensorTask("deferrable", soft_fail=True)
    task.arguments["message_ids"] = iter(change.get("message_ids", IDS))
    with pytest.raises(AirflowException) as caught:
        task.resume(change.get("event", event))
    assert f"{type(caught.value).__name__}: {caught.value}".startswith(error)


def test_a_cleared_sensor_asks_anew(hubspot: Emulator) -> None:
    """HubSpot may have taken a status back since: what was seen before the clear is not believed."""
    read(hubspot, *IDS[:9])
    task = SensorTask("reschedule", poke_interval=60.0)
    with pytest.raises(AirflowRescheduleException):
        task.sensor().execute(task.context)
    assert task.context["task_state_store"] != {}
    hubspot.world.messages["100200", "m-0"].status = "SENT"
    read(hubspot, "m-9")
    instance = task.context["ti"]
    instance.try_number, instance.max_tries = 2, 1
    with pytest.raises(AirflowRescheduleException):
        task.sensor().execute(task.context)


@pytest.mark.slow
@pytest.mark.usefixtures("airflow_database")
@pytest.mark.parametrize("mode", MODES)
def test_airflow_has_the_statuses_of_a_sensor_that_was_skipped(hubspot: Emulator, mode: str) -> None:
    """A task that runs whatever became of the sensor can go on with those that have been read."""
    read(hubspot, *IDS[:4])
    with DAG("batch", schedule=None) as dag:
        arguments: dict[str, Any] = {"message_ids": IDS, "statuses": ("READ",), "poke_interval": 1.0, "timeout": 0.0}
        MessageStatusSensor(task_id="wait", soft_fail=True, **arguments | MODES[mode])
        MessageStatusSensor(task_id="wrong", soft_fail=True, **arguments | MODES[mode] | {"message_ids": iter([None])})
    ran = Ran(dag)
    assert (ran.state("wait"), ran.state("wrong")) == ("skipped", "failed")
    assert ran.xcom("wait") == dict.fromkeys(IDS[:4], "READ") | dict.fromkeys(IDS[4:], "SENT")


@pytest.mark.parametrize("mode", ["poke", "deferrable"])
def test_only_reschedule_mode_needs_the_store(hubspot: Emulator, mode: str) -> None:
    """The others have what they saw in memory, or in the trigger and its event."""
    story = Story(mode, timeout=0.0)
    assert story.store.writes == 0


@pytest.mark.slow
def test_a_sensor_that_goes_over_to_the_triggerer_leaves_nothing_in_the_store(hubspot: Emulator) -> None:
    """In reschedule mode too many may be open at first, and few enough later."""
    ids = [f"n-{number}" for number in range(MAX_DEFERRED_IDS + 100)]
    hubspot.world.seed(ids)
    task = SensorTask("reschedule", message_ids=ids, deferrable=True, poke_interval=60.0)
    with pytest.raises(AirflowRescheduleException):
        task.sensor().execute(task.context)
    assert task.context["task_state_store"] != {}
    read(hubspot, *ids[:200])
    with pytest.raises(TaskDeferred):
        task.sensor().execute(task.context)
    assert task.context["task_state_store"] == {}


def test_a_trigger_counts_all_messages(hubspot: Emulator, capsys: pytest.CaptureFixture[str]) -> None:
    """Its log is the only one while the sensor is deferred."""
    read(hubspot, "m-1")
    event = run_hurried(first_event(trigger(-5.0, message_ids=["m-1", "m-2"], arrived=97, needed=99)))
    assert (event["outcome"], event["reason"]) == ("timeout", "98 of 99 messages are READ")
    assert "98 of 99 messages are READ." in capsys.readouterr().out


@pytest.mark.parametrize(("began", "interval"), [(0, 60.0), (50, 10.0), (57, 5.0), (70, 5.0)])
def test_the_next_look_of_a_rescheduled_sensor_is_no_later_than_its_end(hubspot: Emulator, began: int, interval: float) -> None:
    """With a longer ``poke_interval``, too; and no sooner than in five seconds, which Airflow's scheduler may need."""
    task = SensorTask("reschedule", timeout=60.0, poke_interval=3600.0)
    task.context["ti"].began -= timedelta(seconds=began)
    sensor = task.sensor()
    before = datetime.now(timezone.utc)
    with pytest.raises((AirflowRescheduleException, AirflowSensorTimeout)) as ended:
        sensor.execute(task.context)
    if isinstance(ended.value, AirflowSensorTimeout):
        assert began == 70
    else:
        assert isinstance(ended.value, AirflowRescheduleException)
        assert abs((ended.value.reschedule_date - before).total_seconds() - interval) < 3.0


@pytest.mark.parametrize("mode", MODES)
def test_a_message_that_failed_fails_the_sensor_at_once(hubspot: Emulator, mode: str) -> None:
    """With HubSpot's reason, no retry; before deferring, too."""
    message = hubspot.world.messages["100200", "m-3"]
    message.status, message.error_message = "FAILED", "30003: gone"
    with pytest.raises(AirflowFailException, match="m-3: FAILED, 30003: gone"):
        SensorTask(mode).run()


@pytest.mark.slow
def test_a_message_that_fails_later_fails_the_trigger(hubspot: Emulator) -> None:
    """The event carries the reason, the task raises it."""
    task = SensorTask("deferrable")
    with pytest.raises(TaskDeferred) as deferred:
        task.sensor().execute(task.context)
    hubspot.world.messages["100200", "m-3"].status = "FAILED"
    event = run_hurried(first_event(rebuilt(deferred.value.trigger)))
    assert event["outcome"] == "failed"
    with pytest.raises(AirflowFailException, match="m-3: FAILED"):
        task.sensor().execute_complete(task.context, event)


@pytest.mark.parametrize("mode", MODES)
def test_revoked_credentials_fail_now(hubspot: Emulator, mode: str) -> None:
    """Waiting would not bring them back."""
    hubspot.world.install.revoked = True
    with pytest.raises(AirflowFailException, match="Install the app in the account again"):
        SensorTask(mode).run()


@pytest.mark.parametrize("mode", MODES)
def test_a_time_that_is_over_is_airflows_own_timeout(hubspot: Emulator, mode: str) -> None:
    """Neither failed nor read: AirflowSensorTimeout, which is not retried."""
    with pytest.raises(AirflowSensorTimeout):
        SensorTask(mode, timeout=0.2, soft_fail=False).run()


@pytest.fixture
def dripping(monkeypatch: pytest.MonkeyPatch) -> Iterator[DrippingServer]:
    with DrippingServer() as server:
        monkeypatch.setenv("AIRFLOW_CONN_HUBCHAN_DEFAULT", server.connection())
        yield server


@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("soft_fail", "ending"), [(False, AirflowSensorTimeout), (True, AirflowSkipException)])
def test_a_sensor_ends_in_time_whatever_the_server_does(
    dripping: DrippingServer, mode: str, soft_fail: bool, ending: type[Exception], capsys: pytest.CaptureFixture[str]
) -> None:
    """A look has what is left of *timeout*; what has no answer then is open, which is no failure of a message."""
    with pytest.raises(ending):
        call_in_time(lambda: SensorTask(mode, timeout=2.0, soft_fail=soft_fail).run())
    assert dripping.requests
    assert "0 of 10 messages are READ; 10 got no answer: given up: out of time." in capsys.readouterr().out


@pytest.mark.slow
def test_a_later_look_has_what_is_left(dripping: DrippingServer) -> None:
    """In reschedule mode each look is a process of its own: the time counts from the first one."""
    task = SensorTask("reschedule", timeout=3600.0)
    task.context["ti"].began -= timedelta(seconds=3598)
    with pytest.raises(AirflowSensorTimeout):
        call_in_time(task.run)
    assert dripping.requests


def test_one_look_is_all_that_a_timeout_of_none_allows(hubspot: Emulator) -> None:
    """``timeout=0`` asks once, and has time for that."""
    read(hubspot, *IDS)
    assert SensorTask("poke", timeout=0.0).run() == dict.fromkeys(IDS, "READ")


@pytest.mark.slow
def test_a_trigger_ends_in_time_whatever_the_server_does(dripping: DrippingServer) -> None:
    """The event comes at the trigger's own end, not when Airflow takes it away."""
    event = call_in_time(lambda: run_hurried(first_event(trigger(3.0))))
    assert dripping.requests
    assert event["outcome"] == "timeout"
    assert event["reason"] == "0 of 1 message is READ; 1 got no answer: given up: out of time"


def test_a_trigger_that_begins_after_its_end_fires_at_once(hubspot: Emulator) -> None:
    """A triggerer that was away: the wait is over."""
    assert call_in_time(lambda: run_hurried(first_event(trigger(-5.0))))["outcome"] == "timeout"


@pytest.mark.slow
def test_a_deferred_sensor_ends_with_its_timeout(hubspot: Emulator) -> None:
    """The time in the triggerer is what the first look has left."""
    task = SensorTask("deferrable", timeout=60.0)
    before = time.time()
    with pytest.raises(TaskDeferred) as deferred:
        task.sensor().execute(task.context)
    assert before + 60.0 <= rebuilt(deferred.value.trigger).ends <= time.time() + 60.0
    assert timedelta(seconds=600 + 120) < deferred.value.timeout < timedelta(seconds=600 + 181)  # it has a last look after them


def test_part_of_the_messages_can_be_enough(hubspot: Emulator) -> None:
    """Eight of ten."""
    read(hubspot, *IDS[:8])
    assert SensorTask("poke", min_share=0.8).run() == dict.fromkeys(IDS[:8], "READ") | dict.fromkeys(IDS[8:], "SENT")
    with pytest.raises(AirflowSensorTimeout):
        SensorTask("poke", min_share=0.9, timeout=0.0).run()


def test_an_unknown_message_is_waited_for_while_the_grace_lasts(hubspot: Emulator) -> None:
    """Then it is an error that names it."""
    with pytest.raises(AirflowFailException, match="nobody: HubSpot answered 404"):
        SensorTask("poke", message_ids=["nobody"], not_found_grace=0.2).run()
    with pytest.raises(AirflowSensorTimeout):
        SensorTask("poke", message_ids=["nobody"], not_found_grace=60.0, timeout=0.1).run()


@pytest.mark.parametrize(
    "ids",
    [[f"m-{number}" for number in range(MAX_DEFERRED_IDS + 1)], [f"{number:01000d}" for number in range(40)]],
    ids=["many", "long"],
)
def test_too_many_for_a_trigger_wait_in_the_worker(
    hubspot: Emulator, capsys: pytest.CaptureFixture[str], ids: list[str]
) -> None:
    """And the log says why."""
    hubspot.world.seed(ids)
    task = SensorTask("reschedule", deferrable=True, message_ids=ids)
    with pytest.raises(AirflowRescheduleException):
        task.sensor().execute(task.context)
    assert "are too many for a trigger" in capsys.readouterr().out


@pytest.mark.slow
def test_few_enough_are_open_after_the_first_poke(hubspot: Emulator) -> None:
    """The others have their status already, and come back with the event."""
    ids = [f"n-{number}" for number in range(MAX_DEFERRED_IDS + 100)]
    hubspot.world.seed(ids)
    read(hubspot, *ids[:200])
    task = SensorTask("deferrable", message_ids=ids)
    with pytest.raises(TaskDeferred) as deferred:
        task.sensor().execute(task.context)
    read(hubspot, *ids)
    task.context["task_state_store"].clear()  # Airflow 3.2 has none
    event = run_hurried(first_event(rebuilt(deferred.value.trigger)))
    result = task.sensor().execute_complete(task.context, event)
    assert len(result) == 1000
    assert task.context["ti"].pushed["counts"] == {"READ": 1100, "messages": 1100}


@pytest.mark.parametrize(
    "event",
    [None, "done", {}, {"version": 1, "outcome": "done"}, {"version": 2}, {"version": 2, "outcome": "later"}, "x" * 100_000],
    ids=["none", "text", "empty", "version", "no outcome", "outcome", "long"],
)
def test_an_event_of_another_version_is_an_error(event: Any) -> None:
    """An upgrade while the sensor was deferred."""
    task = SensorTask("deferrable")
    with pytest.raises(AirflowFailException, match="not of this version of the provider") as caught:
        task.sensor().execute_complete(task.context, event)
    assert len(str(caught.value)) < 500


@pytest.mark.slow
def test_other_messages_than_before_the_wait_are_an_error(hubspot: Emulator) -> None:
    """The trigger's snapshot is of others."""
    task = SensorTask("deferrable")
    with pytest.raises(TaskDeferred) as deferred:
        task.sensor().execute(task.context)
    read(hubspot, *IDS)
    event = run_hurried(first_event(rebuilt(deferred.value.trigger)))
    task.arguments["message_ids"] = IDS[:3]
    with pytest.raises(AirflowFailException, match="message_ids are others than before the wait"):
        task.sensor().execute_complete(task.context, event)


class Table:
    """As pyarrow has it: iteration gives columns."""

    column_names = ("id",)

    def to_pylist(self) -> list[dict[str, str]]:
        return [{"id": "m-1"}]

    def __iter__(self) -> Iterator[str]:
        return iter(self.column_names)


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        ({"message_ids": None}, "message_ids is a NoneType: give a list of ids"),
        ({"message_ids": "m-1"}, "message_ids is a str"),
        ({"message_ids": {"m-1": "READ"}}, "message_ids is a dict"),
        (
            {"message_ids": Table()},
            "message_ids is a Table, whose iteration does not give rows: pass the rows as a list, df.to_pylist()",
        ),
        ({"message_ids": ["m-1", "", None, float("nan"), True]}, "holds 4 that are no ids: '', None, nan, True. Leave"),
        ({"message_ids": ["m" * 1001]}, "holds 1 that are no ids: 'mmmmmmmmmmmm...mmmmmmmmmmmmm' (1,001 characters). Leave"),
        ({"message_ids": ["m\0", "\ud800", 10**5000]}, "holds 3 that are no ids: 'm\\x00', '\\ud800', "),
        ({"statuses": "READ"}, "statuses is 'READ': give some of SENT, FAILED, READ as a tuple"),
        ({"statuses": ()}, "statuses is ()"),
        ({"fail_on": ("LOST",)}, "fail_on is ('LOST',)"),
        ({"min_share": 1.1}, "min_share is 1.1"),
        ({"share": 0.0}, "share is 0.0"),
        (
            {"channel_id": "my channel"},
            "Wrong arguments of task 'wait': channel_id is 'my channel', not the number of a channel",
        ),
        (
            {"message_ids": "['m-1', 'm-2']"},
            "message_ids is a str: give a list of ids, or the output of the task that has them. If",
        ),
        ({"message_ids": "[1"}, "or set render_template_as_native_obj=True on the DAG"),
        ({"statuses": [["SENT"]]}, "statuses is [['SENT']]"),
        ({"statuses": 5}, "statuses is 5"),
        ({"fail_on": None}, "fail_on is None"),
        ({"deferrable": "False"}, "deferrable is 'False': give True or False; it is no template"),
        ({"hubchan_conn_id": " "}, "hubchan_conn_id is empty"),
        ({"message_ids": '[{"a": 1, "a": 2}]'}, "message_ids is JSON text that has 'a' twice in one object"),
    ],
)
def test_wrong_arguments_are_named(hubspot: Emulator, arguments: dict[str, Any], fault: str) -> None:
    """When the DAG is read."""
    with pytest.raises(WrongArguments) as caught, DAG("batch", schedule=None):
        SensorTask("poke", **arguments).sensor()
    assert fault in str(caught.value)
    assert hubspot.ledger.entries == []


@pytest.mark.parametrize("value", [None, "0.5", True, [1], float("nan"), -1])
def test_every_wrong_number_is_named_at_once(hubspot: Emulator, value: Any) -> None:
    """By what it is before by how much."""
    numbers = dict.fromkeys(("min_share", "share", "not_found_grace", "concurrency"), value)
    with pytest.raises(WrongArguments) as caught:
        SensorTask("poke", **numbers).sensor()
    assert [name for name in numbers if f" {name} is {value!r}: give " in str(caught.value)] == list(numbers)
    assert hubspot.ledger.entries == []


def test_ids_that_are_json_are_read(hubspot: Emulator) -> None:
    """What ``| tojson`` renders to."""
    assert SensorTask("poke", message_ids='["m-1", "m-2"]', statuses=("SENT",)).run() == {"m-1": "SENT", "m-2": "SENT"}


def test_ids_of_a_set_are_asked_for_in_one_order(hubspot: Emulator) -> None:
    """A retry, and the task that goes on after a wait, find them as they were."""
    assert list(SensorTask("poke", message_ids=set(IDS), statuses=("SENT",)).run()) == sorted(IDS)


def test_ids_of_an_iterator_are_checked_when_they_are_read(hubspot: Emulator) -> None:
    """Checking them when the DAG is read would use them up."""
    task = SensorTask("poke", message_ids=iter(["m-1", None]))
    sensor = task.sensor()
    with pytest.raises(WrongArguments, match="nothing was asked: message_ids holds 1 that are no ids: None"):
        sensor.execute(task.context)


def test_a_template_of_a_sensor_that_rendered_to_none_is_named(hubspot: Emulator) -> None:
    """Whatever the argument: it is not taken for "not given"."""
    nothing = dict.fromkeys(MessageStatusSensor.template_fields, "{{ params.get('nothing') }}")
    sensor = MessageStatusSensor(task_id="wait", **nothing)  # type: ignore[arg-type]
    sensor.render_template_fields({"params": {}})
    faults = sensor.argument_faults()
    assert faults == [f"{name} is None: its template rendered to None" for name in nothing]


def test_nothing_to_wait_for_is_a_success_with_a_warning(hubspot: Emulator, capsys: pytest.CaptureFixture[str]) -> None:
    """Emptiness is explicit."""
    assert SensorTask("poke", message_ids=[]).run() == {}
    assert "There are no messages to wait for." in capsys.readouterr().out


def test_a_sensor_leaves_an_updater_four_fifths(hubspot: Emulator) -> None:
    """Its requests are bounded by its share of the account's quota."""
    assert RateLimiter().share(0.2).max_permits(100, 10.0) == 20
    assert SensorTask("poke").sensor().share == 0.2


@pytest.mark.slow
def test_five_hundred_triggers_on_one_loop_do_not_block_it(hubspot: Emulator) -> None:
    """Whatever they do, the loop turns at least as often as it does with one that sleeps for 50 ms."""
    longest = 0.0

    async def watch_the_loop() -> None:
        nonlocal longest
        while True:
            before = time.perf_counter()
            await asyncio.sleep(0.001)
            longest = max(longest, time.perf_counter() - before)

    async def main() -> list[Any]:
        watcher = asyncio.create_task(watch_the_loop())
        events = await asyncio.gather(*(first_event(each) for each in triggers))
        watcher.cancel()
        return list(events)

    read(hubspot, *IDS)
    triggers = [trigger(message_ids=[IDS[number % 10]], poke_interval=1.0) for number in range(500)]
    events = run_hurried(main())
    assert {event["outcome"] for event in events} == {"done"}
    assert hubspot.ledger.patches() == []
    assert sockets_to(hubspot) == []
    print(f"longest gap {longest * 1000:.0f} ms")


@pytest.mark.slow
def test_a_trigger_that_is_cancelled_leaves_no_socket(hubspot: Emulator) -> None:
    """A triggerer that shuts down, or a task that is cleared: the session goes with the trigger."""
    task = SensorTask("deferrable")
    with pytest.raises(TaskDeferred) as deferred:
        task.sensor().execute(task.context)
    hubspot.fault(method="GET", delay=30.0, times=100)

    async def cancel_under_way() -> None:
        before = len(hubspot.ledger.entries)
        waiting = asyncio.create_task(first_event(rebuilt(deferred.value.trigger)))
        while len(hubspot.ledger.entries) == before:
            await asyncio.sleep(0.01)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    run_hurried(cancel_under_way())
    assert sockets_to(hubspot) == []
