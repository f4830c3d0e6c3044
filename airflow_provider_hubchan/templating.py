"""Templates: what a DAG file wrote is rendered, and what came from XCom never is, for a stranger may have written it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_hubchan.validation import Check, WrongArguments, find_faults, path_text

if TYPE_CHECKING:
    import jinja2
    from airflow.sdk import Context

#: How Jinja's expressions, statements and comments begin, and the options with which a DAG changes that.
_MARKERS = ("{{", "{%", "{#")
_MARKER_OPTIONS = (
    *("variable_start_string", "block_start_string", "comment_start_string"),
    *("line_statement_prefix", "line_comment_prefix"),
)


class TemplatedArguments:
    """Arguments some of which are templates: rendered where the DAG file wrote them, checked when it is read and when they are
    used. A base of operators and notifiers, before that of Airflow.

    A mapped task's arguments may come from XCom. Airflow renders those of ``expand_kwargs`` (`ListOfDictsExpandInput.resolve`
    of 3.2 and 3.3 does not name them as resolved), so here a mapped task renders only what it finds in its DAG file. Nothing of
    Airflow's internals is imported for it: where another Airflow has them otherwise, less is rendered, not more.
    """

    template_fields: Sequence[str] = ()
    template_ext: Sequence[str] = ()
    #: What must hold for the arguments.
    checks: ClassVar[tuple[Check, ...]] = ()
    #: Attributes that are not called what their argument is called.
    _attributes: ClassVar[Mapping[str, str]] = {}
    #: Template fields for which a template that rendered to None means that there is no value.
    _optional_fields: ClassVar[frozenset[str]] = frozenset({"error_message"})
    #: Why a field is None though a value was given, by the field's name.
    _none_faults: Mapping[str, str] = {}

    def check_when_read(self, owner: str) -> None:
        """Check what can be checked when the DAG is read: not what templates and other tasks' outputs become.

        :param owner: of the arguments, for the text.
        :raises WrongArguments: naming all faults.
        """
        fields, markers = set(self.template_fields), tuple(self._markers())
        unknown = {name for name in fields if self._is_unknown(getattr(self, name), markers)}
        checks = [check for check in self.checks if check.when_read]
        if faults := self._text_none_faults(fields - unknown) + find_faults(checks, self._values(), unknown):
            raise WrongArguments(f"Wrong arguments of {owner}", faults)

    def argument_faults(self, checks: Iterable[Check] | None = None) -> list[str]:
        """Everything that is wrong with the arguments once they are rendered, each with what to give instead.

        :param checks: those to make, None for all.
        """
        for name in self._optional_fields & set(self.template_fields):
            if _is_text_none(getattr(self, name)):
                setattr(self, name, None)
        nones = dict(self._none_faults)
        faults = self._text_none_faults(set(self.template_fields) - nones.keys())
        unusable = nones.keys() | {name for name in self.template_fields if _is_text_none(getattr(self, name))}
        return [*nones.values(), *faults, *find_faults(self.checks if checks is None else checks, self._values(), unusable)]

    def _is_unknown(self, value: Any, markers: tuple[str, ...]) -> bool:
        is_template_file = isinstance(value, str) and value.endswith(tuple(self.template_ext))
        return is_template_file or _is_unknown(value, markers)

    def _values(self) -> dict[str, Any]:
        names = dict.fromkeys(name for check in self.checks for name in check.names)
        return {name: getattr(self, self._attributes.get(name, name)) for name in names}

    def _text_none_faults(self, names: Iterable[str]) -> list[str]:
        return [
            f"{name} is the text 'None': its template rendered to None, or what it is taken from has no value"
            for name in self.template_fields
            if name in names and name not in self._optional_fields and _is_text_none(getattr(self, name))
        ]

    def _markers(self) -> Iterator[str]:
        """How templates of this DAG begin."""
        get_dag = getattr(self, "get_dag", None)
        options = getattr(get_dag() if get_dag else None, "jinja_environment_kwargs", None) or {}
        yield from _MARKERS
        yield from (str(options[name]) for name in _MARKER_OPTIONS if options.get(name))

    def _do_render_template_fields(
        self,
        parent: Any,
        template_fields: Iterable[str],
        context: Context,
        jinja_env: jinja2.Environment,
        seen_oids: set[int],
    ) -> None:
        render = super()._do_render_template_fields  # type: ignore[misc]  # of Airflow's base
        if parent is not self:  # an object among the arguments that has template fields of its own
            render(parent, template_fields, context, jinja_env, seen_oids)
            return
        source = _DagFile(self, context)
        self._none_faults = {}
        for name in template_fields:
            given = getattr(self, name)
            data: dict[str, Any] = {}
            if source.holds_part_of(name):
                data = {key: value for key, value in given.items() if not source.wrote_op_kwarg(key, value)}
                setattr(self, name, {key: value for key, value in given.items() if key not in data})
            elif not source.wrote(name, given):
                continue
            # A set of its own: Airflow's holds the outputs of other tasks that are still to be resolved in
            # expand_kwargs([{"messages": task.output}]).
            render(self, (name,), context, jinja_env, set())
            if data:
                rendered = getattr(self, name)
                setattr(self, name, {key: data[key] if key in data else rendered[key] for key in given})
            elif isinstance(given, str) and getattr(self, name) is given and _is_unknown(given, tuple(self._markers())):
                # Airflow 3.2 leaves the template in a notifier if it renders to an empty value.
                setattr(self, name, self.render_template(given, context, jinja_env))
            if given is not None and getattr(self, name) is None and name not in self._optional_fields:
                self._none_faults = {**self._none_faults, name: _why_none(name, given)}


class _DagFile:
    """Which arguments of a task its DAG file wrote: all of a task that is not mapped."""

    def __init__(self, task: Any, context: Context) -> None:
        self._mapped = self._expand_input = None
        self._literals: Mapping[str, Any] = {}
        self._defaults: list[Mapping[str, Any]] = []
        self._is_decorated = False
        get_dag = getattr(task, "get_dag", None)
        dag = get_dag() if get_dag else None
        mapped = dag.task_dict.get(task.task_id) if dag is not None else None
        if mapped is None or not mapped.is_mapped:
            return
        self._mapped = mapped
        get_expand_input = getattr(mapped, "_get_specified_expand_input", None)
        self._literals = _literals(get_expand_input() if get_expand_input else None, context["ti"].map_index)
        groups = [dag, getattr(mapped, "task_group", None)]
        self._defaults = [
            getattr(mapped, "partial_kwargs", {}),
            *(getattr(group, "default_args", None) or {} for group in groups),
        ]
        self._is_decorated = hasattr(mapped, "op_kwargs_expand_input")  # it maps the function's arguments

    def holds_part_of(self, name: str) -> bool:
        """True for a field whose values come from several places."""
        return self._mapped is not None and self._is_decorated and name == "op_kwargs"

    def wrote(self, name: str, value: Any) -> bool:
        """True if the DAG file wrote this value of a template field."""
        if self._mapped is None or _is_output(value):
            return True
        if not self._is_decorated and name in self._literals:
            return True
        return any(name in source and _is_same(value, source[name]) for source in self._defaults)

    def wrote_op_kwarg(self, name: str, value: Any) -> bool:
        """True if the DAG file wrote this value of an argument of a decorated function."""
        if _is_output(value) or name in self._literals:
            return True
        partial, *defaults = self._defaults
        sources = [partial.get("op_kwargs") or {}, *defaults]
        return any(name in source and _is_same(value, source[name]) for source in sources)


def _literals(expand_input: Any, map_index: Any) -> Mapping[str, Any]:
    """The mapped arguments whose values the DAG file wrote."""
    kind = getattr(expand_input, "EXPAND_INPUT_TYPE", None)
    if kind == "dict-of-lists":
        return {name: value for name, value in expand_input.value.items() if not _is_output(value)}
    if kind == "list-of-dicts" and not _is_output(expand_input.value):
        arguments = expand_input.value[map_index]
        return {} if _is_output(arguments) else arguments
    return {}


def _is_output(value: Any) -> bool:
    """True for the output of another task, or a part of it, which has no value when the DAG is read (Airflow's `XComArg`, and
    what a mapped task group's function is called with).
    """
    return hasattr(value, "resolve") and hasattr(value, "iter_references")


def _is_same(value: Any, written: Any) -> bool:
    """True if a value is one of the DAG file's; of two equal texts either may be rendered."""
    return value is written or (isinstance(value, str) and value == path_text(written))


def _is_unknown(value: Any, markers: tuple[str, ...]) -> bool:
    """True for what only a run has a value of: templates, outputs of other tasks, and collections of them."""
    if isinstance(value, str):
        return any(marker in value for marker in markers)
    if _is_output(value) or callable(value):
        return True
    if isinstance(value, list | tuple | set):
        return any((isinstance(each, str) or _is_output(each)) and _is_unknown(each, markers) for each in value)
    return False


def _is_text_none(value: Any) -> bool:
    return isinstance(value, str) and value.strip() == "None"


def _why_none(name: str, given: Any) -> str:
    if isinstance(given, str) or callable(given):
        return f"{name} is None: its template rendered to None"
    advice = ": for nothing to do let that task return []" if name in ("messages", "message_ids") else ""
    return f"{name} is None: the task whose output it is returned None{advice}"
