"""The decorator: a function that says what became of messages is the task that tells HubSpot."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, ParamSpec, Protocol, TypeAlias, overload

from airflow.sdk.bases.decorator import DecoratedOperator, determine_kwargs, task_decorator_factory

from airflow_provider_hubchan.batch.rows import numbered, parse_json_text
from airflow_provider_hubchan.client.errors import BadInput
from airflow_provider_hubchan.operators import SOURCE_CHECKS, UpdateMessageStatusOperator
from airflow_provider_hubchan.validation import Check, WrongArguments

if TYPE_CHECKING:
    from airflow.sdk import Context
    from airflow.sdk.bases.decorator import Task

P = ParamSpec("P")
OperatorArguments = ParamSpec("OperatorArguments")
#: What a function returns: ids, dicts, or a mapping of id to status, which is its ids to a type checker.
Rows: TypeAlias = Iterable[str | int | Mapping[str, Any]]

#: Stands for the rows until there are some, in the serialized DAG and in the UI.
PLACEHOLDER = "what the function returns"
#: Arguments of the operator that the decorator does not take.
ROWS = ("messages", "messages_file")
_HOW_TO_AWAIT = "let a plain function return the rows; what has to be awaited it can run with asyncio.run"


def _function_faults(function: object) -> list[str]:
    is_async = inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function)
    return [f"the function is async: {_HOW_TO_AWAIT}"] if is_async else []


def _returned_faults(returned: object) -> list[str]:
    """What is wrong with what the function returned, and what to return instead."""
    if returned is None:
        return ["the function returned None: let it return the rows; for nothing to do let it return []"]
    if isinstance(returned, Awaitable) or hasattr(returned, "__aiter__"):
        if inspect.iscoroutine(returned):
            returned.close()  # else Python warns that it was never awaited
        return [f"the function returned {type(returned).__name__!r}: {_HOW_TO_AWAIT}"]
    try:
        numbered(parse_json_text(returned))
    except BadInput as error:
        # What to pass to an operator, which follows, is of no use to the author of a function.
        reason = str(error).partition(". ")[0].removeprefix("messages is ").removesuffix(".")
        return [f"the function returned {reason}"]
    return []


class HubchanStatusDecoratedOperator(DecoratedOperator, UpdateMessageStatusOperator):
    """`UpdateMessageStatusOperator` whose *messages* are what a function returns.

    :param python_callable: the function; it is called in each try, and again after a wait outside the worker slot, so it
        should return the same rows each time.
    :param op_args: its positional arguments. Templated.
    :param op_kwargs: its named arguments. Templated.
    :raises WrongArguments: naming everything that is wrong with the arguments, or with what the function returns; no retry.
    """

    template_fields: Sequence[str] = (*DecoratedOperator.template_fields, *UpdateMessageStatusOperator.template_fields)
    template_fields_renderers: ClassVar[dict[str, str]] = {
        **DecoratedOperator.template_fields_renderers,
        **UpdateMessageStatusOperator.template_fields_renderers,
    }
    checks: ClassVar[tuple[Check, ...]] = (
        Check(("python_callable",), _function_faults),
        *(check for check in UpdateMessageStatusOperator.checks if check not in SOURCE_CHECKS),
    )
    operator_extra_links = ()  # the plugin's, as of the operator
    custom_operator_name = "@task.hubchan_status"
    overwrite_rtif_after_execution = True  # the rows are known only then

    def __init__(
        self,
        *,
        python_callable: Callable[..., Any],
        op_args: Collection[Any] | None = None,
        op_kwargs: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            python_callable=python_callable,
            op_args=op_args,
            op_kwargs=op_kwargs,
            messages=PLACEHOLDER,
            messages_file=None,
            **kwargs,
        )

    def execute(self, context: Context) -> dict[str, Any]:
        """Call the function, and mark what it returns.

        The rows are not rendered: they are data, and what a gateway says of a failure must not run as a template.
        """
        self._check_at_start()  # before the function, which may take rows from where they are only once
        available: dict[str, Any] = {**context, **self.op_kwargs}
        rows = self.python_callable(*self.op_args, **determine_kwargs(self.python_callable, self.op_args, available))
        if faults := _returned_faults(rows):
            raise WrongArguments("Nothing was sent", faults)
        self.messages = rows
        report: dict[str, Any] = super().execute(context)
        return report


class _StatusDecorator(Protocol[OperatorArguments]):
    """``@task.hubchan_status`` to a type checker: with or without arguments, which are those of the operator."""

    @overload
    def __call__(  # type: ignore[overload-overlap]  # an operator takes no positional arguments
        self, python_callable: Callable[P, Rows], /
    ) -> Task[P, Rows]: ...

    @overload
    def __call__(
        self, *args: OperatorArguments.args, **kwargs: OperatorArguments.kwargs
    ) -> Callable[[Callable[P, Rows]], Task[P, Rows]]: ...


def _with_arguments_of(
    operator: Callable[OperatorArguments, Any],
) -> Callable[[Callable[..., Any]], _StatusDecorator[OperatorArguments]]:
    """Give a decorator the signature of an operator, so that its arguments are declared in one place."""
    return lambda decorator: decorator


@_with_arguments_of(UpdateMessageStatusOperator)
def hubchan_status(python_callable: Callable[..., Any] | None = None, **kwargs: Any) -> Any:
    """Make a task of a function that returns rows: ``@task.hubchan_status``, or this itself.

    :param python_callable: the function to decorate; None when the decorator is called with arguments.
    :param kwargs: arguments of `UpdateMessageStatusOperator`, without *messages* and *messages_file*; and Airflow's own, like
        ``retries``.
    :raises WrongArguments: naming everything that is wrong with *kwargs*, as far as it can be known before there is a task.
    """
    task_id = kwargs.get("task_id", getattr(python_callable, "__name__", ""))
    owner = f"task {task_id!r}" if task_id else "@task.hubchan_status"
    faults = [f"{name} is given: the rows are what the function returns, leave it out" for name in ROWS if name in kwargs]
    if faults:
        raise WrongArguments(f"Wrong arguments of {owner}", faults)
    HubchanStatusDecoratedOperator.check_some(owner, kwargs)
    kwargs.setdefault("multiple_outputs", False)  # "-> dict[str, str]" is what the rows are, not what the task returns
    return task_decorator_factory(python_callable, decorated_operator_class=HubchanStatusDecoratedOperator, **kwargs)
