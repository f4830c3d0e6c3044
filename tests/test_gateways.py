"""The words of gateways, held against the packages that gateways publish.

The packages' files are read, not imported: importing them takes eight seconds, their words are constants.
"""

from __future__ import annotations

import ast
import re
from importlib.metadata import distribution
from pathlib import Path

import pytest

from airflow_provider_hubchan import gateways
from airflow_provider_hubchan.client.models import WRITABLE

GATEWAYS = {name: value for name, value in vars(gateways).items() if name.isupper()}

#: Gateway, the package with its words, the file of the package, and the definition in it: a class, a variable, or an argument.
PUBLISHED = [
    ("TWILIO", "twilio", "twilio/rest/api/v2010/account/message/__init__.py", "MessageInstance.Status"),
    ("INFOBIP", "infobip-api-python-client", "infobip_api_client/models/message_general_status.py", "MessageGeneralStatus"),
    ("SINCH_SMS", "sinch", "sinch/domains/sms/models/v1/types/delivery_status_type.py", "DeliveryStatusType"),
    (
        "SINCH_CONVERSATION",
        "sinch",
        "sinch/domains/conversation/models/v1/sinch_events/events/delivery_status_type.py",
        "DeliveryStatusType",
    ),
    ("TELNYX", "telnyx", "telnyx/types/outbound_message_payload.py", "To.status"),
    ("PLIVO", "plivo", "plivo/resources/messages.py", "Messages.list.message_state"),
    ("BIRD", "messagebird-sdk", "bird/_generated.py", "SMSMessageStatus"),
    ("AWS_SMS", "types-boto3-pinpoint-sms-voice-v2", "types_boto3_pinpoint_sms_voice_v2/literals.py", "EventTypeType"),
    ("WHATSAPP", "pywa", "pywa/types/message_status.py", "MessageStatusType"),
]
#: Values of a definition that are no gateway's word for a message.
NO_WORDS = {
    "AWS_SMS": re.compile(r"ALL|TEXT_ALL|(MEDIA|RCS|VOICE)_\w+"),  # filters, and other kinds of messages
    "WHATSAPP": re.compile("UNKNOWN"),  # the client's own, for words that it does not have
}
#: Words of a gateway's documentation that its package lacks.
NOT_PUBLISHED = {"WHATSAPP": {"deleted"}}


def source(package: str, file: str) -> ast.Module:
    return ast.parse(Path(str(distribution(package).locate_file(file))).read_text(encoding="utf-8"))


def defined(tree: ast.AST, name: str) -> ast.AST:
    """The class, function, variable or argument of this name that is directly in a definition."""
    first, _, rest = name.partition(".")
    for node in [*ast.iter_child_nodes(tree), *(each for each in ast.walk(tree) if isinstance(each, ast.keyword))]:
        match node:
            case ast.ClassDef(name=found) | ast.FunctionDef(name=found) | ast.keyword(arg=found):
                pass
            case ast.Assign(targets=[ast.Name(id=found)]) | ast.AnnAssign(target=ast.Name(id=found)):
                pass
            case _:
                continue
        if found == first:
            return defined(node, rest) if rest else node
    raise LookupError(name)


def words(node: ast.AST) -> set[str]:
    """The texts in a definition; of a class those of its attributes alone, not its docstrings and methods."""
    if isinstance(node, ast.ClassDef):
        return set().union(*(words(each.value) for each in node.body if isinstance(each, ast.Assign)))
    return {each.value for each in ast.walk(node) if isinstance(each, ast.Constant) and isinstance(each.value, str)}


@pytest.mark.parametrize(("name", "package", "file", "definition"), PUBLISHED, ids=[name for name, *_ in PUBLISHED])
def test_the_words_are_those_of_the_gateways_package(name: str, package: str, file: str, definition: str) -> None:
    """Each of its values is a key, and each key is one of its values."""
    published = words(defined(source(package, file), definition))
    if name in NO_WORDS:
        published = {word for word in published if not NO_WORDS[name].fullmatch(word)}
    not_published = NOT_PUBLISHED.get(name, set())
    assert not not_published & published, "it is published now"
    assert set(GATEWAYS[name]) == published | not_published


def test_the_words_of_messagebird_are_those_of_its_docstring() -> None:
    """Its package has them nowhere else."""
    client = defined(source("messagebird", "messagebird/client.py"), "Client.message_list")
    assert isinstance(client, ast.FunctionDef)
    (listed,) = re.findall(r"status filter\((.*?)\)", ast.get_docstring(client) or "")
    assert set(GATEWAYS["MESSAGEBIRD"]) == set(re.split(r", | or ", listed))


@pytest.mark.parametrize("name", GATEWAYS)
def test_a_word_stands_for_a_status_that_can_be_written_or_for_none(name: str) -> None:
    """As plain data that ``|`` changes; every gateway knows success, failure, and a word that is not final."""
    mapping = GATEWAYS[name]
    assert type(mapping) is dict
    assert {type(word) for word in mapping} == {str}
    assert set(mapping.values()) <= {*map(str, WRITABLE), None}
    assert set(mapping.values()) >= {"SENT", "FAILED", None}
    assert {type(status) for status in mapping.values()} == {str, type(None)}


@pytest.mark.parametrize("name", GATEWAYS)
def test_no_two_words_differ_in_case_or_space_alone(name: str) -> None:
    """Which of them would count could not be told."""
    compared = [word.strip().casefold() for word in GATEWAYS[name]]
    assert len(set(compared)) == len(compared)
    assert all(compared)
    assert [word.strip() for word in GATEWAYS[name]] == list(GATEWAYS[name])


def test_every_gateway_is_documented() -> None:
    """In a comment that names the field and the source of its words."""
    text = Path(gateways.__file__).read_text(encoding="utf-8")
    comments = dict(re.findall(r"^((?:#: .*\n)+)(\w+): dict\[str, str \| None\] = \{$", text, flags=re.MULTILINE))
    assert list(comments.values()) == list(GATEWAYS)
    assert len(GATEWAYS) == 13
    for comment in comments:
        assert "the field ``" in comment
        assert "Source: " in comment


def test_the_module_imports_nothing() -> None:
    """It is data: a DAG file that reads it costs the DAG processor nothing."""
    tree = ast.parse(Path(gateways.__file__).read_text(encoding="utf-8"))
    imports = [ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    assert imports == ["from __future__ import annotations"]
