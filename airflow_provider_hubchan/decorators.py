"""The decorator: a function that says what became of messages is the task that tells HubSpot."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, ParamSpec, TypeAlias, overload

from airflow.sdk import conf
from airflow.sdk.bases.decorator import DecoratedOperator, determine_kwargs, task_decorator_factory

from airflow_provider_hubchan.hooks import HubchanHook
from airflow_provider_hubchan.operators import UpdateMessageStatusOperator

if TYPE_CHECKING:
    from airflow.sdk import Context
    from airflow.sdk.bases.decorator import Task

P = ParamSpec("P")
#: What a function returns: ids, dicts, or a mapping of id to status, which is its ids to a type checker.
Rows: TypeAlias = Iterable[str | int | Mapping[str, Any]]

#: Stands for the rows until there are some, in the serialized DAG and in the UI.
LATER = "what the function returns"


class HubchanStatusDecoratedOperator(DecoratedOperator, UpdateMessageStatusOperator):
    """`UpdateMessageStatusOperator` whose *messages* are what a function returns.

    :param python_callable: the function; it is called in each try, and again after a wait outside the worker slot, so it
        should return the same rows each time.
    :param op_args: its positional arguments. Templated.
    :param op_kwargs: its named arguments. Templated.
    """

    template_fields: Sequence[str] = (*DecoratedOperator.template_fields, *UpdateMessageStatusOperator.template_fields)
    template_fields_renderers: ClassVar[dict[str, str]] = {
        **DecoratedOperator.template_fields_renderers,
        **UpdateMessageStatusOperator.template_fields_renderers,
    }
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
            messages=LATER,
            messages_file=None,
            **kwargs,
        )

    def execute(self, context: Context) -> dict[str, Any]:
        """Call the function, and mark what it returns.

        The rows are not rendered: they are data, and what a gateway says of a failure must not run as a template.
        """
        given: dict[str, Any] = {**context, **self.op_kwargs}
        self.messages = self.python_callable(*self.op_args, **determine_kwargs(self.python_callable, self.op_args, given))
        report: dict[str, Any] = super().execute(context)
        return report


@overload
def hubchan_status(python_callable: Callable[P, Rows]) -> Task[P, Rows]: ...


@overload
def hubchan_status(
    *,
    status: str | None = None,
    error_message: str | None = None,
    delivery_task_id: str | None = None,
    channel_id: str | None = None,
    hubchan_conn_id: str = HubchanHook.default_conn_name,
    max_rejected: int | float = 0,
    report_file: str | None = None,
    dry_run: bool = False,
    concurrency: int = 16,
    resume: bool = True,
    deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
    defer_after: float = 60.0,
    max_wait: float = 26 * 3600.0,
    max_runtime: float | None = None,
    not_found_grace: float = 0.0,
    compare_before_write: bool = False,
    **kwargs: Any,
) -> Callable[[Callable[P, Rows]], Task[P, Rows]]: ...


def hubchan_status(python_callable: Callable[..., Any] | None = None, **kwargs: Any) -> Any:
    """Make a task of a function that returns rows: ``@task.hubchan_status``, or this itself.

    :param python_callable: the function to decorate; None when the decorator is called with arguments.
    :param kwargs: arguments of `UpdateMessageStatusOperator`, without *messages* and *messages_file*; and Airflow's own, like
        ``retries``.
    """
    kwargs.setdefault("multiple_outputs", False)  # "-> dict[str, str]" is what the rows are, not what the task returns
    return task_decorator_factory(python_callable, decorated_operator_class=HubchanStatusDecoratedOperator, **kwargs)
