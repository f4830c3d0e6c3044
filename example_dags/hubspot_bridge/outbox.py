"""The outbox: one table of messages between the receiver, the gateway and HubSpot. It is the truth; all else may be lost.

A message goes this way, and every step is one transaction:

    pending      the receiver has stored it, and only then answered HubSpot
    leased       a worker is handing it to the gateway, until ``leased_until``
    handed_over  the gateway has it; ``gateway_word`` is the newest word of the gateway about it
    refused      the gateway does not take it, or it cannot be sent

**Nothing is delivered twice, nothing is forgotten.** A worker can be killed between any two steps.

- Before it has called the gateway: the lease ends by itself, and the next worker has the message.
- After the gateway has accepted the message, and before that is noted: nobody here can know. The lease ends, the next worker
  sends the message again *under the same idempotency key*, which is HubSpot's message id, and the gateway answers with the
  message that it has already.
- A worker that was not killed but slow goes on when its lease is over: the key helps here, too, and what it notes changes
  nothing, because each update asks for the lease.

A gateway without idempotency keys has to be asked for our reference before a message is sent a second time. One that forgets
keys after a day delivers twice what waited for longer than that, after a call without an answer.

**It is right in SQLite and in PostgreSQL.** A lease is ``UPDATE … WHERE`` the message is free, and the count of the changed
rows says who was first; nothing is decided by what was read before. Rows are updated in the order of their ids, so that no
two workers each wait for a row of the other.

A status that HubSpot has rejected is not sent again: a message that it has deleted will never be there. To send all of them
again, as when HubSpot did not know its messages for an hour:

    UPDATE messages SET marked_status = 'UNKNOWN' WHERE marked_error IS NOT NULL

SQLAlchemy comes with Airflow. What is done stays in the table: delete old messages when your rules for personal data say so.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any

from sqlalchemy import (
    JSON,
    Column,
    ColumnElement,
    Engine,
    Float,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    and_,
    case,
    create_engine,
    event,
    insert,
    inspect,
    null,
    or_,
    select,
    update,
)
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.schema import CreateIndex, CreateTable

#: Seconds until the gateway is asked about a message, if no callback has said how it ended; then after twice as long each time.
ASK_AFTER = 900.0
#: Statuses of HubSpot's that a message can be in, and what it is while HubSpot is told a status, until the answer is noted.
STATUSES, UNKNOWN = ("SENT", "FAILED", "READ"), "UNKNOWN"


class PlainText(TypeDecorator[str]):
    """Text of others as every database takes it: without NUL, and with "?" for half of an emoji, where somebody has cut it."""

    impl, cache_ok = Text, True

    def process_bind_param(self, value: str | None, _: Any) -> str | None:
        return value and value.encode("utf-8", "replace").decode().replace("\0", "")


MESSAGES = Table(
    "messages",
    MetaData(),
    Column("message_id", String(255), primary_key=True),  # HubSpot's
    Column("channel_id", PlainText, nullable=False),
    Column("channel_account_id", PlainText, nullable=False),
    Column("thread_ids", JSON, nullable=False),  # ours, as we gave them to HubSpot
    Column("recipients", JSON, nullable=False),
    Column("text", PlainText, nullable=False),
    Column("attachments", JSON, nullable=False),
    Column("created_at", Float, nullable=False),  # seconds since 1970, as all times
    Column("state", String(16), nullable=False),
    Column("leased_by", String(64)),
    Column("leased_until", Float),
    Column("failures", Integer, nullable=False),  # how often it was handed over without an answer
    Column("handed_over_at", Float),
    Column("gateway_id", PlainText),
    Column("gateway_word", String(40)),
    Column("gateway_error", PlainText),
    Column("ask_after", Float),  # None: it has ended
    Column("marked_status", String(8), nullable=False),  # the last status that HubSpot has answered about, or UNKNOWN
    Column("marked_error", PlainText),  # why HubSpot has not accepted that; None: it has
)
_COLUMNS = MESSAGES.c
_INDEXES = (
    Index("messages_pending", _COLUMNS.state, _COLUMNS.failures, _COLUMNS.created_at),
    Index("messages_unmarked", _COLUMNS.gateway_word, _COLUMNS.marked_status),
    Index("messages_to_ask", _COLUMNS.ask_after),
)


@dataclass(frozen=True)
class Message:
    """An agent's reply, as HubSpot's webhook has it.

    :param thread_ids: ours, as we gave them to HubSpot.
    :param recipients: phone numbers, or what the channel has instead.
    :param attachments: as HubSpot has them.
    :param created_at: seconds since 1970; messages are handed over in this order, as long as the gateway answers.
    """

    message_id: str
    channel_id: str
    channel_account_id: str
    thread_ids: tuple[str, ...]
    recipients: tuple[str, ...]
    text: str
    attachments: tuple[dict[str, Any], ...]
    created_at: float


class Outbox:
    """The table, in the database of an SQLAlchemy URL; it is created if it is not there.

    :param url: ``sqlite:////var/lib/bridge/outbox.db``, ``postgresql+psycopg2://…``.
    :param statuses: the gateway's words to statuses of HubSpot's, like ``airflow_provider_hubchan.gateways.TWILIO``.
    """

    def __init__(self, url: str, statuses: Mapping[str, str | None]) -> None:
        self._statuses, self.engine = statuses, open_engine(url)
        if not self._is_created():  # asked first: in PostgreSQL "CREATE … IF NOT EXISTS" waits for all who write
            try:
                with self.engine.begin() as connection:
                    connection.execute(CreateTable(MESSAGES, if_not_exists=True))
                    for index in _INDEXES:
                        connection.execute(CreateIndex(index, if_not_exists=True))
            except DBAPIError:
                if not self._is_created():  # else another process was faster
                    raise

    def __enter__(self) -> Outbox:
        return self

    def __exit__(self, *_: object) -> None:
        self.engine.dispose()

    def add(self, message: Message) -> bool:
        """Store a message; it is on the disk when this returns.

        :return: False if it was there: webhooks are repeated.
        """
        values = {name: list(value) if isinstance(value, tuple) else value for name, value in vars(message).items()}
        values |= {"state": "pending", "failures": 0, "marked_status": "SENT"}  # so it stands in HubSpot from the start
        try:
            with self.engine.begin() as connection:
                connection.execute(insert(MESSAGES).values(values))
        except IntegrityError:
            if self._is_known(message.message_id):
                return False
            raise
        return True

    def lease(self, limit: int, now: float, seconds: float) -> tuple[str, list[Message]]:
        """Take messages that are pending, or whose lease is over: the oldest first, but behind all others what has had no
        answer before, so that messages that always fail do not stand in the way of the others.

        :param now: seconds since 1970.
        :param seconds: how long nobody else gets them.
        :return: the lease's name, and its messages in this order; none if there are none.
        """
        is_free = or_(_COLUMNS.state == "pending", and_(_COLUMNS.state == "leased", _COLUMNS.leased_until <= now))
        order = _COLUMNS.failures, _COLUMNS.created_at, _COLUMNS.message_id
        with self.engine.connect() as connection:
            found = sorted(connection.scalars(select(_COLUMNS.message_id).where(is_free).order_by(*order).limit(limit)))
        lease = uuid.uuid4().hex
        if not found:
            return lease, []
        take = update(MESSAGES).where(is_free).values(state="leased", leased_by=lease, leased_until=now + seconds)
        # A transaction of its own that begins with a write: SQLite refuses to make a writer of a reader whose data has changed.
        with self.engine.begin() as connection:
            taken = [each for each in found if connection.execute(take.where(_COLUMNS.message_id == each)).rowcount == 1]
            rows = connection.execute(select(MESSAGES).where(_COLUMNS.message_id.in_(taken)).order_by(*order)).mappings().all()
        return lease, [_message(row) for row in rows]

    def release(self, lease: str) -> None:
        """Give back what is left of a lease; without it the others get it when the lease is over."""
        free = {"state": "pending", "leased_by": None, "leased_until": None}
        self._change(free, _COLUMNS.leased_by == lease, _COLUMNS.state == "leased")

    def note_failed(self, lease: str, message_id: str) -> bool:
        """The gateway has given no answer about it. It stays leased, so that this worker does not get it at once again.

        :return: False if the lease is not ours any more.
        """
        return self._change({"failures": _COLUMNS.failures + 1}, *_held(lease, message_id))

    def note_accepted(self, lease: str, message_id: str, gateway_id: str, now: float) -> bool:
        """The gateway has it, under an id of its own.

        :return: False if the lease is not ours any more: somebody else has noted the same, or will.
        """
        final = [word for word, status in self._statuses.items() if status]
        has_ended = _COLUMNS.gateway_word.in_(final)  # a callback may be faster than this
        accepted: dict[str, Any] = {"state": "handed_over", "gateway_id": gateway_id, "handed_over_at": now, "leased_by": None}
        accepted["ask_after"] = case((has_ended, null()), else_=now + ASK_AFTER)
        return self._change(accepted, *_held(lease, message_id))

    def note_refused(self, lease: str, message_id: str, word: str, error: str) -> bool:
        """The gateway does not take it, and would not another time.

        :param word: a word of the gateway's that stands for FAILED.
        :return: False if the lease is not ours any more, or if a callback has shown that the gateway has the message: then it
            was handed over before, and only the second time is refused.
        """
        refused = {"state": "refused", "gateway_word": word, "gateway_error": error, "leased_by": None}
        refused |= {"marked_status": UNKNOWN}  # as whoever has noted this tells HubSpot
        if self._change(refused, *_held(lease, message_id), _COLUMNS.gateway_word.is_(None)):
            return True
        self._change({"state": "handed_over", "leased_by": None}, *_held(lease, message_id))
        return False

    def note_word(self, message_id: str, word: str, error: str = "") -> bool:
        """The gateway says what has become of a message. Callbacks come twice and in any order: one that is not final changes
        nothing once the message has ended, and nothing comes after READ.

        :param word: one of the gateway's words, in lower case.
        :return: False if there is no such message.
        :raises KeyError: nobody knows the word.
        """
        rank = _rank(self._statuses[word])
        earlier = [each for each, status in self._statuses.items() if _rank(status) <= rank]
        is_newer = or_(_COLUMNS.gateway_word.is_(None), _COLUMNS.gateway_word.in_(earlier))
        said: dict[str, Any] = {"gateway_word": word, "gateway_error": error or None}
        if rank:
            said["ask_after"] = None
        return self._change(said, _COLUMNS.message_id == message_id, is_newer) or self._is_known(message_id)

    def without_end(self, now: float, limit: int) -> list[tuple[str, str]]:
        """Messages whose callbacks seem to be lost: HubSpot's id and the gateway's of those that should be asked for now."""
        due = select(_COLUMNS.message_id, _COLUMNS.gateway_id).where(_COLUMNS.ask_after <= now)
        with self.engine.connect() as connection:
            return [(row[0], row[1]) for row in connection.execute(due.order_by(_COLUMNS.ask_after).limit(limit))]

    def ask_again(self, message_id: str, now: float) -> None:
        """It has not ended yet: ask again when it is twice as old as now."""
        later = {"ask_after": now + (now - _COLUMNS.handed_over_at)}
        self._change(later, _COLUMNS.message_id == message_id, _COLUMNS.ask_after.is_not(None))

    def unmarked(self, limit: int) -> list[dict[str, str]]:
        """Rows for the operator: what the gateway says, where HubSpot shows something else, or may show it: whoever gets these
        rows tells HubSpot, and may be killed before he notes that.

        A reply is SENT in HubSpot from the start, so "delivered" is a row only if HubSpot may have been told something else.

        :return: with ``message_id``, ``status`` (a word of the gateway's) and ``error_message``.
        """
        differs = [self._differs(status) for status in STATUSES]
        columns = (_COLUMNS.message_id, _COLUMNS.gateway_word, _COLUMNS.gateway_error)
        query = select(*columns).where(or_(*differs)).order_by(_COLUMNS.created_at, _COLUMNS.message_id).limit(limit)
        with self.engine.connect() as connection:
            rows = [row_to_mark(*row) for row in connection.execute(query)]
        self._change_each({row["message_id"]: {"marked_status": UNKNOWN} for row in rows})
        return rows

    def note_marked(self, rows: Iterable[Mapping[str, str]], rejected: Mapping[str, str]) -> None:
        """HubSpot has answered about these rows, so that they are not sent again.

        :param rows: as `unmarked` gave them.
        :param rejected: HubSpot's reasons, by message id, for those that it has not accepted.
        """
        answered = {row["message_id"]: self._statuses[row["status"]] for row in rows}
        self._change_each(
            {name: {"marked_status": status, "marked_error": rejected.get(name)} for name, status in answered.items()}
        )

    def all(self) -> list[dict[str, Any]]:
        """Every message with all that is known of it, oldest first."""
        with self.engine.connect() as connection:
            return [dict(row) for row in connection.execute(select(MESSAGES).order_by(_COLUMNS.created_at)).mappings()]

    def _is_created(self) -> bool:
        return inspect(self.engine).has_index(MESSAGES.name, str(_INDEXES[-1].name))  # the last one that is created

    def _is_known(self, message_id: str) -> bool:
        with self.engine.connect() as connection:
            return connection.scalar(select(_COLUMNS.message_id).where(_COLUMNS.message_id == message_id)) is not None

    def _differs(self, status: str) -> ColumnElement[bool]:
        words = [word for word, its in self._statuses.items() if its == status]
        others = [other for other in (*STATUSES, UNKNOWN) if other != status]
        return and_(_COLUMNS.gateway_word.in_(words), _COLUMNS.marked_status.in_(others))

    def _change_each(self, values: Mapping[str, Mapping[str, Any]]) -> None:
        with self.engine.begin() as connection:
            for message_id in sorted(values):
                connection.execute(update(MESSAGES).where(_COLUMNS.message_id == message_id).values(values[message_id]))

    def _change(self, values: Mapping[str, Any], *where: ColumnElement[bool]) -> bool:
        with self.engine.begin() as connection:
            return bool(connection.execute(update(MESSAGES).where(*where).values(values)).rowcount)


def row_to_mark(message_id: str, word: str, error: str | None) -> dict[str, str]:
    """A row for the operator, in the gateway's words."""
    return {"message_id": message_id, "status": word} | ({"error_message": error} if error else {})


def open_engine(url: str) -> Engine:
    """An engine for a URL, whose errors have no texts and phone numbers; for SQLite with what several processes need."""
    if not url.startswith("sqlite"):
        return create_engine(url, pool_pre_ping=True, hide_parameters=True)
    # One connection for each process: its threads wait in line for it, and not by polling SQLite's lock.
    engine = create_engine(url, pool_size=1, max_overflow=0, connect_args={"timeout": 30}, hide_parameters=True)

    @event.listens_for(engine, "connect")
    def set_journal(connection: Any, _: object) -> None:
        connection.execute("PRAGMA journal_mode=WAL")  # readers and the writer do not wait for each other
        connection.execute("PRAGMA synchronous=FULL")  # what is committed is on the disk, also if the power fails

    return engine


def _held(lease: str, message_id: str) -> Collection[ColumnElement[bool]]:
    return _COLUMNS.message_id == message_id, _COLUMNS.leased_by == lease, _COLUMNS.state == "leased"


def _rank(status: str | None) -> int:
    return {"READ": 2, None: 0}.get(status, 1)


def _message(row: Mapping[Any, Any]) -> Message:
    values: dict[str, Any] = {field.name: row[field.name] for field in fields(Message)}
    values |= {name: tuple(value) for name, value in values.items() if isinstance(value, list)}
    return Message(**values)
