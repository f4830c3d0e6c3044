"""``@task.hubchan_status`` in DAG runs, against the local HubSpot."""

from __future__ import annotations

import ast
import gc
import inspect
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from airflow.sdk import DAG, task

from airflow_provider_hubchan import decorators
from airflow_provider_hubchan.decorators import HubchanStatusDecoratedOperator, hubchan_status
from airflow_provider_hubchan.emulator import Emulator
from airflow_provider_hubchan.operators import UpdateMessageStatusOperator
from airflow_provider_hubchan.validation import WrongArguments
from tests.airflow.dag_runs import Ran
from tests.examples import load
from tests.paths import DOCS, EXAMPLES
from tests.versions import SINCE_3_3

pytestmark = pytest.mark.usefixtures("airflow_database")


@pytest.fixture
def hubspot(hubspot_emulator: Emulator) -> Emulator:
    hubspot_emulator.world.seed(f"m-{number}" for number in range(60))
    return hubspot_emulator


def run(function: Any, *given: Any, **arguments: Any) -> Ran:
    """Run a DAG of one decorated function, whose task is called mark."""
    with DAG("batch", schedule=None) as dag:
        task.hubchan_status(task_id="mark", **arguments)(function)(*given)
    return Ran(dag)


def test_a_function_is_the_operator(hubspot: Emulator) -> None:
    """Rows as from another task, the operator's arguments and templates, its report in XCom, its verdict."""

    def rows(ids: list[str], run_id: str | None = None) -> list[Any]:
        assert run_id, "the context's values are arguments, as for any decorated function"
        return [*ids, {"message_id": "m-3", "status": "READ"}, "nobody"]

    arguments = {"status": "FAILED", "error_message": "of {{ dag.dag_id }}", "max_rejected": 1}
    ran = run(rows, ["m-1", "m-2"], **arguments)
    assert ran.state() == "success"
    report = ran.xcom()
    assert (report["rows"], report["updated"], report["rejected"]) == (4, 3, 1)
    assert hubspot.world.messages["100200", "m-1"].error_message == "of batch"
    assert hubspot.world.counts() == {"SENT": 57, "FAILED": 2, "READ": 1}

    ran = run(rows, ["m-1", "m-2"], **{**arguments, "max_rejected": 0})
    assert (ran.state(), ran.xcom()["rejected"]) == ("failed", 1)


def test_what_a_function_returns_is_data(hubspot: Emulator) -> None:
    """A gateway's text is not rendered: it came from outside."""
    text = "{{ conn.hubchan_default.password }} {% for"

    def rows() -> list[dict[str, str]]:
        return [{"message_id": "m-1", "status": "FAILED", "error_message": text}]

    assert run(rows).state() == "success"
    assert hubspot.world.messages["100200", "m-1"].error_message == text


def test_a_mapping_is_no_set_of_outputs(hubspot: Emulator) -> None:
    """A function that says it returns a dict returns rows; the task returns one report."""

    def rows() -> dict[str, str]:
        return {"m-1": "READ", "m-2": "SENT"}

    ran = run(rows)
    assert (ran.state(), ran.xcom()["updated"]) == ("success", 2)


def test_a_generator_will_do(hubspot: Emulator) -> None:
    """Rows may come one by one."""

    def rows() -> Iterator[str]:
        yield from (f"m-{number}" for number in range(60))

    ran = run(rows, status="READ")
    assert (ran.state(), ran.xcom()["updated"]) == ("success", 60)


def test_a_function_that_returns_nothing_is_told_so(hubspot: Emulator, capsys: pytest.CaptureFixture[str]) -> None:
    """The text blames the function, not arguments that nobody gave; and no retry."""
    assert run(lambda: None, status="READ", retries=3, retry_delay=timedelta(hours=1)).state() == "failed"
    log = capsys.readouterr().out
    assert "Nothing was sent: the function returned None: let it return the rows; for nothing to do let it return []" in log
    assert "messages_file" not in log[log.index("Nothing was sent") :].split("\n")[0]
    assert hubspot.ledger.entries == []


@pytest.mark.parametrize(
    ("returned", "text"),
    [
        pytest.param(lambda: "m-1", "the function returned a str, not a list of ids or dicts", id="text"),
        pytest.param(lambda: 7, "the function returned a int, not a list of ids or dicts", id="number"),
        pytest.param(
            lambda: '{"m-1": "READ", "m-1": "SENT"}',
            "the function returned JSON text that has 'm-1' twice in one object: which value counts is not known, so let",
            id="a key twice",
        ),
    ],
)
def test_a_function_that_returns_no_rows_is_told_so(
    hubspot: Emulator, capsys: pytest.CaptureFixture[str], returned: Any, text: str
) -> None:
    """What to pass to an operator is of no use to its author."""
    assert run(returned, status="READ", retries=3, retry_delay=timedelta(hours=1)).state() == "failed"
    log = capsys.readouterr().out
    assert f"Nothing was sent: {text}" in log
    assert "map_codes()" not in log


async def rows_later() -> list[str]:
    return ["m-1"]


async def rows_one_by_one() -> Any:
    yield "m-1"


@pytest.mark.parametrize("function", [rows_later, rows_one_by_one])
def test_an_async_function_is_refused_when_the_dag_is_read(function: Any) -> None:
    """Nothing would await it."""
    with DAG("batch", schedule=None), pytest.raises(WrongArguments, match="the function is async: let a plain function return"):
        hubchan_status(task_id="mark")(function)()


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("function", [rows_later, rows_one_by_one])
def test_what_has_to_be_awaited_is_no_rows(
    hubspot: Emulator, capsys: pytest.CaptureFixture[str], recwarn: pytest.WarningsRecorder, function: Any
) -> None:
    """A plain function that returns it is found when it runs, without Python's warning that it was never awaited."""
    operator = HubchanStatusDecoratedOperator(task_id="mark", python_callable=lambda: function(), status="READ")
    with pytest.raises(WrongArguments, match=r"the function returned '\w+': let a plain function .* with asyncio\.run"):
        operator.execute({})
    gc.collect()
    assert not [warning for warning in recwarn if "never awaited" in str(warning.message)]
    assert hubspot.ledger.entries == []


def test_a_function_is_not_called_with_wrong_arguments(hubspot: Emulator) -> None:
    """It may take the rows from a place where they are only once."""
    calls = list[None]()
    ran = run(lambda: calls.append(None), status="{{ 'delivered' }}", retries=2)
    assert (ran.state(), ran.tries(), calls) == ("failed", 1, [])


def test_functions_are_mapped(hubspot: Emulator) -> None:
    """Each mapped task marks what its call returns, with the arguments they share."""
    with DAG("batch", schedule=None) as dag:

        @task.hubchan_status(status="FAILED")
        def mark(prefix: str, numbers: list[int]) -> list[dict[str, str]]:
            return [{"message_id": f"{prefix}-{number}", "error_message": f"of {numbers}"} for number in numbers]

        mark.partial(prefix="m").expand(numbers=[[1, 2], [3]])
    ran = Ran(dag)
    assert [ran.xcom(map_index=index)["updated"] for index in (0, 1)] == [2, 1]
    assert hubspot.world.messages["100200", "m-2"].error_message == "of [1, 2]"
    assert hubspot.world.messages["100200", "m-3"].error_message == "of [3]"


@pytest.mark.slow
def test_a_wait_outside_the_slot_calls_the_function_again(hubspot: Emulator) -> None:
    """The task that goes on is another process: it calls the function for the rows again, and goes on where it was.

    On Airflow 3.2 a retry does so, from the first row.
    """
    calls = list[None]()

    def rows() -> list[str]:
        calls.append(None)
        return ["m-1", "m-2", "m-3"]

    hubspot.fault(message_id="m-2", status=503, headers={"Retry-After": "1"})
    ran = run(rows, status="READ", deferrable=True, defer_after=0.0, concurrency=1, retries=1, retry_delay=0)
    assert ran.state() == "success"
    assert len(calls) == 2
    assert ran.xcom()["updated"] == 3
    assert len(hubspot.ledger.patches("m-1")) == (1 if SINCE_3_3 else 2)


@pytest.mark.parametrize("argument", [{"messages": ["m-1"]}, {"messages_file": "rows.csv"}])
def test_rows_are_not_given_twice(argument: dict[str, Any]) -> None:
    """What the function returns and what is given cannot both be the rows: an error of the DAG, not of its task."""
    with DAG("batch", schedule=None), pytest.raises(WrongArguments, match=f"{next(iter(argument))} is given: the rows"):
        hubchan_status(task_id="mark", **argument)(lambda: ["m-2"])()


def test_a_misspelt_argument_is_an_error_of_the_dag() -> None:
    """A type checker takes it for one of Airflow's own; Airflow knows better when it reads the DAG."""
    with DAG("batch", schedule=None), pytest.raises(TypeError, match="'statuss': 'READ'"):
        hubchan_status(task_id="mark", statuss="READ")(lambda: ["m-1"])()


def test_its_arguments_are_declared_by_the_operator() -> None:
    """A type checker and an editor know them from there: the decorator has none of its own beside the function."""
    (decorator,) = (
        node
        for node in ast.parse(inspect.getsource(decorators)).body
        if isinstance(node, ast.FunctionDef) and node.name == "hubchan_status"
    )
    assert [ast.unparse(each) for each in decorator.decorator_list] == ["_with_arguments_of(UpdateMessageStatusOperator)"]
    assert [each.arg for each in (*decorator.args.args, *decorator.args.kwonlyargs)] == ["python_callable"]


def test_its_arguments_are_the_operators() -> None:
    """Every one of them reaches the operator, but for where the rows come from."""
    parameters = inspect.signature(UpdateMessageStatusOperator.__init__).parameters.values()
    own = {each.name: each.default for each in parameters if each.kind is each.KEYWORD_ONLY}
    given: dict[str, Any] = {name: not default if isinstance(default, bool) else 7 for name, default in own.items()}
    given |= {"status": None, "delivery_task_id": "deliver", "error_message": "gone", "report_file": "left.jsonl"}
    given |= {"columns": {"message_id": "client_ref"}, "statuses": None, "hubchan_conn_id": "mine", "channel_id": "100201"}
    del given["messages"], given["messages_file"]
    words = {"status": "READ", "delivery_task_id": None, "statuses": {"seen": "READ"}}
    with DAG("batch", schedule=None) as dag:
        hubchan_status(task_id="mark", **given)(lambda: ["m-1"])()
        hubchan_status(task_id="mark_words", **{**given, **words})(lambda: ["m-1"])()
    operator = dag.get_task("mark")
    assert {name: getattr(dag.get_task("mark_words"), name) for name in words} == words
    given["is_dry_run"] = given.pop("dry_run")
    assert len(given) > 15
    assert {name: getattr(operator, name) for name in given} == given


def test_a_type_checker_knows_what_is_right() -> None:
    """mypy holds it: --strict has nothing against the first four, and where it had nothing against the others, it would say
    that an "ignore" ignores nothing. Airflow takes all but the wrong argument; the last ones would fail when they run.
    """
    with DAG("batch", schedule=None) as dag:

        @hubchan_status
        def bare(ids: list[str]) -> list[str]:
            return ids

        @hubchan_status(report_file="left.jsonl", max_rejected=0.01, retries=3, retry_delay=timedelta(minutes=1))
        def mapping(ids: list[str]) -> dict[str, str]:
            return dict.fromkeys(ids, "READ")

        @hubchan_status()
        def dicts() -> list[dict[str, str]]:
            return []

        @hubchan_status(status="READ")
        def generator() -> Iterator[str | int | dict[str, Any]]:
            yield from ("m-1", 2, {"message_id": "m-3", "status": "SENT"})

        bare(["m-1"])
        mapping.partial().expand(ids=[["m-1"], ["m-2"]])
        dicts()
        generator()

        @hubchan_status  # type: ignore[arg-type]
        def no_rows() -> int:
            return 1

        @hubchan_status(status="READ")  # type: ignore[arg-type]
        def nothing() -> None:
            return None

        with pytest.raises(WrongArguments, match="report_file is 3"):

            @hubchan_status(report_file=3)  # type: ignore[call-overload, untyped-decorator]
            def wrong_argument() -> list[str]:
                return []

        no_rows()
        nothing()
        bare(1)  # type: ignore[arg-type]
    assert dag.task_ids == ["bare", "mapping", "dicts", "generator", "no_rows", "nothing", "bare__1"]


def test_the_page_shows_the_example() -> None:
    """The snippet is what the next test runs."""
    example = (EXAMPLES / "mark_by_function.py").read_text(encoding="utf-8")
    page = (DOCS / "decorator.md").read_text(encoding="utf-8")
    assert f"<!-- example_dags/mark_by_function.py -->\n```python\n{example}```" in page


@pytest.mark.slow
def test_the_example_is_one_task(hubspot_emulator: Emulator) -> None:
    """A mapping of id to status, made by the function that is the task."""
    hubspot_emulator.world.seed(["message-1", "message-2", "message-3"])
    ran = Ran(load("mark_by_function").mark_by_function())
    assert ran.state() == "success"
    assert hubspot_emulator.world.counts() == {"READ": 1, "FAILED": 1, "SENT": 1}
    assert hubspot_emulator.world.messages["100200", "message-2"].error_message == "the gateway could not deliver it"
