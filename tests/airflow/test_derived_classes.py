"""Classes that users derive from ours work as those that they derive from Airflow's: what is set after ``super()`` counts, and
templates that the class itself wrote are rendered, mapped or not.
"""

from __future__ import annotations

from typing import Any

import pytest
from airflow.sdk import DAG, task

from airflow_provider_hubchan.emulator import Emulator
from airflow_provider_hubchan.notifications import MessageStatusNotifier
from airflow_provider_hubchan.operators import UpdateMessageStatusOperator
from airflow_provider_hubchan.sensors import MessageStatusSensor
from airflow_provider_hubchan.validation import WrongArguments
from tests.airflow.dag_runs import Ran

pytestmark = pytest.mark.usefixtures("airflow_database")

#: What a gateway sends to get the client secret into the inbox.
ATTACK = "{{ conn.hubchan_default.password }}"


@pytest.fixture
def hubspot(hubspot_emulator: Emulator) -> Emulator:
    hubspot_emulator.world.seed(f"m-{number}" for number in range(10))
    return hubspot_emulator


def reasons(hubspot: Emulator) -> dict[str, str]:
    """The error message of each message that was updated."""
    return {entry.path.rsplit("/", 1)[1]: entry.body["errorMessage"] for entry in hubspot.ledger.patches()}


@task
def give(value: str) -> Any:
    """A task whose output is written as Python, so that nothing of it is in the DAG file as a template."""
    return eval(value, {"ATTACK": ATTACK})


class OperatorOfRegion(UpdateMessageStatusOperator):
    """Sets its own template field as Airflow's own operators do."""

    template_fields = (*UpdateMessageStatusOperator.template_fields, "region")

    def __init__(self, *, region: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.region = region

    def execute(self, context: Any) -> dict[str, Any]:
        self.error_message = f"no route in {self.region}"
        return super().execute(context)


class SensorOfRegion(MessageStatusSensor):
    template_fields = (*MessageStatusSensor.template_fields, "region")

    def __init__(self, *, region: str, **kwargs: Any) -> None:
        super().__init__(message_ids=None, **kwargs)
        self.region = region
        self.message_ids = ["m-{{ 1 + 1 }}"]


class NotifierOfRegion(MessageStatusNotifier):
    template_fields = (*MessageStatusNotifier.template_fields, "region")

    def __init__(self, *, region: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.region = region
        self.messages = ["m-1"]


class OperatorOfDatabase(UpdateMessageStatusOperator):
    """Fetches its rows when it starts."""

    def execute(self, context: Any) -> dict[str, Any]:
        self.messages = [{"message_id": "m-1", "status": "FAILED", "error_message": ATTACK}]
        return super().execute(context)


class OperatorOfTemplate(UpdateMessageStatusOperator):
    """Sets its rows after ``super()``."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.messages = '["m-{{ 1 + 1 }}"]'


class OperatorOfEurope(UpdateMessageStatusOperator):
    """Has a template of its own."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(error_message="no route to {{ dag.dag_id }}", **kwargs)


class OperatorOfReason(UpdateMessageStatusOperator):
    """Takes the reason under a name of its own."""

    def __init__(self, *, reason: str, **kwargs: Any) -> None:
        super().__init__(error_message=f"{reason}: no route to {{{{ dag.dag_id }}}}", **kwargs)


class OperatorOfStates(UpdateMessageStatusOperator):
    """Takes an argument of ours with a meaning of its own."""

    def __init__(self, *, status: str, **kwargs: Any) -> None:
        super().__init__(status={"lost": "FAILED"}[status], error_message="no route", **kwargs)


@pytest.mark.slow
def test_what_a_derived_class_sets_itself_counts(hubspot: Emulator) -> None:
    """Before or after ``super()``, or when the task starts: the DAG is read, and the rows are marked."""
    with DAG("batch", schedule=None) as dag:
        fails: Any = {"status": "FAILED"}
        OperatorOfRegion(task_id="region", messages=["m-0"], region="{{ dag.dag_id }}", **fails)
        OperatorOfDatabase(task_id="database")
        OperatorOfTemplate(task_id="template", error_message="full", **fails)
        sensor = SensorOfRegion(task_id="sensor", region="eu", timeout=30)
        dag.get_task("template") >> sensor
        OperatorOfRegion.partial(task_id="mapped", messages=["m-3"], **fails).expand(region=["{{ dag.dag_id }}"])
        NotifierOfRegion(region="eu")
    ran = Ran(dag)
    assert ran.run_state() == "failed"  # m-2 has FAILED, which is what the sensor is told
    assert [ran.state(name) for name in ("region", "database", "template", "sensor")] == ["success"] * 3 + ["failed"]
    assert reasons(hubspot) == {"m-0": "no route in batch", "m-1": ATTACK, "m-2": "full", "m-3": "no route in batch"}


def test_a_derived_class_that_never_gets_rows_is_told_when_it_starts() -> None:
    """Our own classes are told when the DAG is read; and all else is told of a derived one then, too."""
    with pytest.raises(WrongArguments, match="neither messages nor a messages_file"):
        UpdateMessageStatusOperator(task_id="mark", status="READ")
    assert "there are neither messages nor" in OperatorOfDatabase(task_id="mark", status="READ").argument_faults()[0]
    with pytest.raises(WrongArguments, match=r"status is 'sent'.*dry_run is 'no'"):
        OperatorOfDatabase(task_id="mark", status="sent", dry_run="no")  # type: ignore[arg-type]
    with pytest.raises(WrongArguments, match="both given"):
        OperatorOfDatabase(task_id="mark", messages=["m-1"], messages_file="rows.csv")


@pytest.mark.slow
def test_a_template_of_the_class_is_rendered_in_a_mapped_task(hubspot: Emulator, capsys: pytest.CaptureFixture[str]) -> None:
    """However it is mapped, while all that is mapped goes where it is named; data is not rendered all the same."""
    operator = OperatorOfEurope
    with DAG("batch", schedule=None) as dag:
        operator(task_id="plain", messages=["m-0"], status="FAILED")
        operator.partial(task_id="literal", status="FAILED").expand(messages=[["m-1"]])
        operator.partial(task_id="output", status="FAILED").expand(messages=give("[['m-2']]"))
        operator.partial(task_id="kwargs").expand_kwargs(give("[{'messages': ['m-3'], 'status': 'FAILED'}]"))
        operator.partial(task_id="dicts").expand_kwargs([{"messages": ["m-4"], "status": "FAILED"}])
        operator.partial(task_id="data").expand(
            messages=give("[[{'message_id': 'm-5', 'status': 'FAILED', 'error_message': ATTACK}]]")
        )
        OperatorOfReason.partial(task_id="reason", messages=["m-6"], status="FAILED").expand(reason=["full"])
    assert Ran(dag).run_state() == "success"
    rendered = dict.fromkeys((f"m-{number}" for number in range(5)), "no route to batch")
    assert reasons(hubspot) == {**rendered, "m-5": ATTACK, "m-6": "full: no route to batch"}
    assert "was not rendered" not in capsys.readouterr().out


@pytest.mark.slow
def test_data_under_a_name_of_the_class_is_not_rendered(hubspot: Emulator, capsys: pytest.CaptureFixture[str]) -> None:
    """Nobody can know what the class makes of it, so nothing that the class wrote is rendered, and the log says so."""
    with DAG("batch", schedule=None) as dag:
        operator = OperatorOfReason
        operator.partial(task_id="expand", messages=["m-1"], status="FAILED").expand(reason=give("[ATTACK]"))
        operator.partial(task_id="kwargs", messages=["m-2"], status="FAILED").expand_kwargs(give("[{'reason': ATTACK}]"))
        operator.partial(task_id="lenient", messages=["m-3"], status="FAILED", reason="full").expand_kwargs(
            give("[{'reason': ATTACK}]"), strict=False
        )
    assert Ran(dag).run_state() == "success"
    raw = f"{ATTACK}: no route to {{{{ dag.dag_id }}}}"
    assert reasons(hubspot) == dict.fromkeys(("m-1", "m-2", "m-3"), raw)
    assert "error_message holds a template that was not rendered" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [{"messages": ["m-1"]}, {}], ids=["with rows", "without rows"])
def test_an_argument_with_a_meaning_of_its_own_is_not_checked_as_ours(arguments: dict[str, Any]) -> None:
    """Neither in the task nor in ``partial``."""
    with DAG("batch", schedule=None):
        OperatorOfStates(task_id="mark", status="lost", **arguments)
        OperatorOfStates.partial(task_id="mapped", status="lost").expand(messages=[["m-1"]])
