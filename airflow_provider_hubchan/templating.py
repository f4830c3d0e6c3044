"""Templates: what a DAG file wrote is rendered, and what came from XCom never is, for a stranger may have written it."""

from __future__ import annotations

import inspect
import itertools
import re
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

from airflow_provider_hubchan.client.error_texts import readable
from airflow_provider_hubchan.mapped_output import in_slices
from airflow_provider_hubchan.validation import Check, WrongArguments, find_faults, path_text, plain_text

if TYPE_CHECKING:
    import jinja2
    from airflow.sdk import Context

#: How Jinja's expressions, statements and comments begin, and the options with which a DAG changes that.
_MARKERS = ("{{", "{%", "{#")
_MARKER_OPTIONS = (
    *("variable_start_string", "block_start_string", "comment_start_string"),
    *("line_statement_prefix", "line_comment_prefix"),
)
#: Template fields that may be what the instances of a mapped task returned.
_OF_MANY = frozenset({"messages", "message_ids"})
#: Arguments of every task that no other task's output is.
_OF_AIRFLOW = frozenset({"task_id", "dag", "task_group", "start_date", "end_date"})
_NOT_RENDERED = (
    "%s holds a template that was not rendered: class %s wrote it, and an argument of its own comes from another task, whose "
    "text may be part of it. Give %s in partial()."
)
#: A text that is no template, whatever a DAG has for markers.
_PLAIN = re.compile(r"[\w\s.:/,-]*")


class TemplatedArguments:
    """Arguments some of which are templates: rendered where the DAG file wrote them, checked when it is read and when they are
    used. A base of operators and notifiers, before that of Airflow.

    A mapped task's arguments may come from XCom. Airflow renders those of ``expand_kwargs`` (`ListOfDictsExpandInput.resolve`
    of 3.2 and 3.3 does not name them as resolved), so here a mapped task renders only what it finds in its DAG file, and what
    its class sets itself. Nothing of Airflow's internals is imported for it: where another Airflow has them otherwise, less is
    rendered, not more.
    """

    template_fields: Sequence[str] = ()
    template_ext: Sequence[str] = ()
    #: What must hold for the arguments.
    checks: ClassVar[tuple[Check, ...]] = ()
    #: Attributes that are not called what their argument is called.
    _attributes: ClassVar[Mapping[str, str]] = {}
    #: Template fields for which a template that rendered to None means that there is no value.
    _optional_fields: ClassVar[frozenset[str]] = frozenset({"error_message"})
    #: The names of the arguments that this was made with: not what a class gives to its base.
    _given: Set[str] = frozenset()
    #: Why a field has no value though one was given, by the field's name.
    _lost: Mapping[str, str] = {}

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        """Keep the names of the arguments: ``__init__`` of a derived class may add others."""
        self = super().__new__(cls)
        object.__setattr__(self, "_given", frozenset(kwargs))
        return self

    def check_when_read(self, owner: str) -> None:
        """Check what can be checked when the DAG is read: not what templates and other tasks' outputs become.

        A field of a derived class may be None now, and get its value later.

        :param owner: of the arguments, for the text.
        :raises WrongArguments: naming all faults.
        """
        values = self._values()
        if not _is_ours(type(self)):
            values = {name: value for name, value in values.items() if value is not None or name not in self.template_fields}
        get_dag = getattr(self, "get_dag", None)
        _check_when_read(self, owner, values, get_dag() if get_dag else None)

    @classmethod
    def check_some(cls, owner: str, arguments: Mapping[str, Any]) -> None:
        """Check arguments of which others are still to come, as those of ``partial``, as far as it can be done without these.

        :param owner: of the arguments, for the text.
        :param arguments: their values, by their names.
        :raises WrongArguments: naming all faults.
        """
        others = _names_of_derived_classes(cls)
        values = {name: value for name, value in arguments.items() if value is not None and name not in others}
        _check_when_read(cls, owner, values, arguments.get("dag"))

    def argument_faults(self, checks: Iterable[Check] | None = None) -> list[str]:
        """Everything that is wrong with the arguments once they are rendered, each with what to give instead.

        :param checks: those to make, None for all.
        """
        for name in self._optional_fields & set(self.template_fields):
            if _is_text_none(getattr(self, name)):
                setattr(self, name, None)
        values = {name: value for name, value in self._values().items() if name not in self._lost}
        return [*self._lost.values(), *_find_faults(self, self.checks if checks is None else checks, values)]

    def render_template(self, content: Any, *args: Any, **kwargs: Any) -> Any:
        """Render as Airflow does, except for single texts: None is None, not the word, whether or not the DAG renders native
        objects, and a name that is not defined is an error in either.

        :raises jinja2.UndefinedError: naming it.
        """
        import jinja2

        rendered = super().render_template(plain_text(content), *args, **kwargs)  # type: ignore[misc]  # of Airflow's base
        if not isinstance(content, str):
            return rendered
        if isinstance(rendered, jinja2.Undefined):
            rendered._fail_with_undefined_error()
        return None if _is_text_none(rendered) and not _is_text_none(content) else rendered

    def _values(self) -> dict[str, Any]:
        """The arguments that have an attribute already, by their names."""
        names = dict.fromkeys([*self.template_fields, *(name for check in self.checks for name in check.names)])
        attributes = {name: self._attributes.get(name, name) for name in names}
        return {name: getattr(self, attribute) for name, attribute in attributes.items() if hasattr(self, attribute)}

    def _do_render_template_fields(
        self,
        parent: Any,
        template_fields: Iterable[str],
        context: Context,
        jinja_env: jinja2.Environment,
        seen_oids: set[int],
    ) -> None:
        if parent is not self:  # an object among the arguments that has template fields of its own
            super()._do_render_template_fields(parent, template_fields, context, jinja_env, seen_oids)  # type: ignore[misc]
            return
        source = _DagFile(self, context)
        self._lost = {}
        for name in template_fields:
            given = getattr(self, name)
            if source.holds_part_of(name):
                data = {key: value for key, value in given.items() if not source.wrote_op_kwarg(key, value)}
                setattr(self, name, {key: value for key, value in given.items() if key not in data})
                self._render_field(name, context, jinja_env)
                rendered = getattr(self, name) or {}
                setattr(self, name, {key: data[key] if key in data else rendered.get(key) for key in given})
            elif source.wrote(name, given):
                self._render_field(name, context, jinja_env)
            elif name not in self._given and _is_unknown(given, source.dag):
                self.log.warning(_NOT_RENDERED, name, type(self).__name__, name)

    def _render_field(self, name: str, context: Context, jinja_env: jinja2.Environment) -> None:
        import jinja2

        given = getattr(self, name)
        try:
            # A set of its own: Airflow's holds the outputs of other tasks that are still to be resolved in
            # expand_kwargs([{"messages": task.output}]).
            super()._do_render_template_fields(self, (name,), context, jinja_env, set())  # type: ignore[misc]
            if isinstance(given, str) and getattr(self, name) is given:
                # Airflow 3.2 leaves the template in a notifier if it renders to an empty value.
                setattr(self, name, self.render_template(given, context, jinja_env))
        except jinja2.UndefinedError as error:
            setattr(self, name, None)
            reason = f"{name} has no value: its template uses a name that is not defined ({readable(str(error), 200)})"
            self._lost = {**self._lost, name: reason}
            return
        if name in _OF_MANY:
            setattr(self, name, in_slices(getattr(self, name)))
        if given is not None and getattr(self, name) is None and name not in self._optional_fields:
            self._lost = {**self._lost, name: _why_none(name, given)}


class CheckedPartial:
    """``partial`` as Airflow's operators have it, but its arguments are checked when the DAG is read: the task itself is made
    in the worker.
    """

    def __set_name__(self, owner: type, name: str) -> None:
        self._owner = owner

    def __get__(self, task: Any, cls: type[TemplatedArguments]) -> Callable[..., Any]:
        base: Any = super(self._owner, cls if task is None else task)
        of_airflow: Callable[..., Any] = base.partial
        if task is not None:  # there Airflow's raises
            return of_airflow

        def partial(**kwargs: Any) -> Any:
            cls.check_some(f"task {kwargs.get('task_id')!r}", kwargs)
            return of_airflow(**kwargs)

        return partial


#: Arguments, or the class of those that are still to be made.
_Owner: TypeAlias = TemplatedArguments | type[TemplatedArguments]


class _DagFile:
    """Which arguments of a task its DAG file wrote: all of a task that is not mapped."""

    def __init__(self, task: TemplatedArguments, context: Context) -> None:
        self._mapped = None
        self._literals: Mapping[str, Any] = {}
        self._defaults: list[Mapping[str, Any]] = []
        self._is_decorated = False
        self._given = task._given
        get_dag = getattr(task, "get_dag", None)
        self.dag = get_dag() if get_dag else None
        mapped = self.dag.task_dict.get(task.task_id) if self.dag is not None else None  # type: ignore[attr-defined]
        if mapped is None or not mapped.is_mapped:
            return
        self._mapped = mapped
        get_expand_input = getattr(mapped, "_get_specified_expand_input", None)
        self._literals = _literals(get_expand_input() if get_expand_input else None, context["ti"].map_index)
        self._partial: Mapping[str, Any] = getattr(mapped, "partial_kwargs", {})
        groups = [self.dag, getattr(mapped, "task_group", None)]
        self._defaults = [getattr(group, "default_args", None) or {} for group in groups]
        self._is_decorated = hasattr(mapped, "op_kwargs_expand_input")  # it maps the function's arguments
        is_strict = getattr(mapped, "_disallow_kwargs_override", False)
        data = self._given - _OF_AIRFLOW - self._literals.keys() - (self._partial.keys() if is_strict else set())
        self._class_has_data = "task_id" not in self._given or bool(data & _names_of_derived_classes(type(task)))

    def holds_part_of(self, name: str) -> bool:
        """True for a field whose values come from several places."""
        return self._mapped is not None and self._is_decorated and name == "op_kwargs"

    def wrote(self, name: str, value: Any) -> bool:
        """True if the DAG file wrote this value of a template field, or the class of the task did."""
        if self._mapped is None or _is_output(value):
            return True
        if not self._is_decorated and name in self._literals:
            return True
        if name in self._given:
            return name in self._partial and _is_same(value, self._partial[name])
        return not self._class_has_data or any(name in source and _is_same(value, source[name]) for source in self._defaults)

    def wrote_op_kwarg(self, name: str, value: Any) -> bool:
        """True if the DAG file wrote this value of an argument of a decorated function."""
        if _is_output(value) or name in self._literals:
            return True
        sources = [self._partial.get("op_kwargs") or {}, *self._defaults]
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


def _is_ours(cls: type) -> bool:
    return cls.__module__.partition(".")[0] == __name__.partition(".")[0]


def _names_of_derived_classes(cls: type) -> set[str]:
    """The arguments that classes take which are derived from ours; what these make of them is theirs."""
    derived = itertools.takewhile(lambda each: not _is_ours(each), cls.__mro__)
    own = [vars(each)["__init__"] for each in derived if "__init__" in vars(each)]
    return {name for init in own for name in inspect.signature(init).parameters}


def _is_output(value: Any) -> bool:
    """True for the output of another task, or a part of it, which has no value when the DAG is read (Airflow's `XComArg`, and
    what a mapped task group's function is called with).
    """
    return hasattr(value, "resolve") and hasattr(value, "iter_references")


def _is_same(value: Any, written: Any) -> bool:
    """True if a value is one of the DAG file's; of two equal texts either may be rendered."""
    return value is written or (isinstance(value, str) and value == path_text(written))


def _is_unknown(value: Any, dag: Any) -> bool:
    """True for what only a run has a value of: templates, outputs of other tasks, and collections of them.

    :param dag: which may have markers of its own. None: there is none yet, and every text may be a template that has
        a character beyond those of words and paths.
    """
    if isinstance(value, str):
        if dag is None:
            return not _PLAIN.fullmatch(value.strip())
        options = getattr(dag, "jinja_environment_kwargs", None) or {}
        markers = [*_MARKERS, *(str(options[name]) for name in _MARKER_OPTIONS if options.get(name))]
        return any(marker in value for marker in markers)
    if _is_output(value) or callable(value):
        return True
    if isinstance(value, list | tuple | set):
        return any((isinstance(each, str) or _is_output(each)) and _is_unknown(each, dag) for each in value)
    return False


def _check_when_read(owner: _Owner, subject: str, values: dict[str, Any], dag: Any) -> None:
    template_ext = tuple(owner.template_ext)  # files of which Airflow takes the content for a template

    def has_value(name: str, value: Any) -> bool:
        is_file = isinstance(value, str) and value.endswith(template_ext)
        return name not in owner.template_fields or not (is_file or _is_unknown(value, dag))

    fixed = {name: value for name, value in values.items() if has_value(name, value)}
    if faults := _find_faults(owner, [check for check in owner.checks if check.when_read], fixed):
        raise WrongArguments(f"Wrong arguments of {subject}", faults)


def _find_faults(owner: _Owner, checks: Iterable[Check], values: dict[str, Any]) -> list[str]:
    """What is wrong with arguments that have a value, each with what to give instead."""
    nones = {name for name in owner.template_fields if name not in owner._optional_fields and _is_text_none(values.get(name))}
    faults = [
        f"{name} is the text 'None': its template rendered to None, or what it is taken from has no value"
        for name in owner.template_fields
        if name in nones
    ]
    return faults + find_faults(checks, {name: value for name, value in values.items() if name not in nones})


def _is_text_none(value: Any) -> bool:
    return isinstance(value, str) and value.strip() == "None"


def _why_none(name: str, given: Any) -> str:
    if isinstance(given, str) or callable(given):
        return f"{name} is None: its template rendered to None"
    advice = ": for nothing to do let that task return []" if name in _OF_MANY else ""
    return f"{name} is None: the task whose output it is returned None{advice}"
