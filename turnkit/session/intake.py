"""The intake of a session: an item of a source becomes events for the machine, and notes of what is odd about it.

Nothing in here waits, logs or knows the time.
"""

from __future__ import annotations

from typing import NamedTuple, TypeAlias, final, get_args

from ..errors import FluxError, RemoteProtocolError
from ..turns.events import Event, NoteKind, StreamLost, StreamRestored, TurnEvent
from ..wire import (
    WORDLESS_EVENTS,
    ConfigureFailure,
    Connected,
    ErrorMessage,
    Message,
    TurnInfo,
    Unknown,
    WarningMessage,
    decode,
    to_event,
)

_TURN_EVENTS = frozenset(get_args(TurnEvent))
_EVENTS = frozenset(get_args(Event))


@final
class Surprise(NamedTuple):
    """Something odd that was tolerated: a Note that has no time yet."""

    kind: NoteKind
    detail: str


Step: TypeAlias = Event | Surprise
"""An event to feed, or a surprise to note."""


class Intake:
    """Reads the items of one source; it remembers the numbers of its messages, and whether the stream is lost."""

    __slots__ = ("_connected", "_error", "_lost", "_request_id", "_sequence_id")

    def __init__(self) -> None:
        self._sequence_id = -1  # of the last message; -1 if it had none, or if the count begins anew
        self._lost = self._connected = False
        self._error: ErrorMessage | None = None  # that lost the stream, or came after it was
        self._request_id = ""

    @property
    def fatal(self) -> FluxError | None:
        """Flux's Error after which nothing came any more; None if there was none."""
        error = self._error
        if error is None or not self._lost:
            return None
        return FluxError(error.code, error.description, request_id=error.request_id or self._request_id)

    def take(self, item: object) -> tuple[Message | None, tuple[Step, ...]]:
        """Read one item.

        Args:
            item: a message of Flux, an event, or whatever `turnkit.wire.decode` takes.

        Returns:
            The message that it was, None if it was no message or could not be read; and what follows from it, in the
            order in which it is to be done.
        """
        kind = type(item)
        if kind is TurnInfo:
            return item, self._turn(item)  # type: ignore[return-value, arg-type]
        if kind is StreamLost:
            return None, self.lose(item.reason)  # type: ignore[attr-defined]
        if kind in _EVENTS:
            if kind in _TURN_EVENTS or kind is StreamRestored:
                self._lost = False
            return None, (item,)  # type: ignore[return-value]
        try:
            message = decode(item)
        except RemoteProtocolError as error:
            return None, (Surprise(NoteKind.MALFORMED_MESSAGE, str(error)),)
        return message, self._turn(message) if type(message) is TurnInfo else self._beside_the_turns(message)

    def take_due(self, message: TurnInfo) -> Event | None:
        """The event of the message that is due, which is nearly every one; None if it is another, and not taken."""
        if message.sequence_id != self._sequence_id + 1:
            return None
        event: Event | None
        kind = WORDLESS_EVENTS.get(message.event)
        if kind is None:
            event = to_event(message)
            if event is None:
                return None
        else:  # `to_event`, without the call: this is nearly every message
            confidence, end = message.end_of_turn_confidence, message.audio_window_end
            event = kind(message.turn_index, message.transcript, confidence, end)
        self._sequence_id += 1
        self._lost = False
        return event

    def lose(self, reason: str) -> tuple[StreamLost, ...]:
        """The stream is lost; that is an event only if it was not lost already."""
        if self._lost:
            return ()
        self._lost, self._connected, self._sequence_id = True, False, -1
        self._error = None
        return (StreamLost(reason),)

    def _turn(self, message: TurnInfo) -> tuple[Step, ...]:
        gap = self._count(message.sequence_id)
        event = to_event(message)
        if event is None:
            return (*gap, Surprise(NoteKind.UNKNOWN_MESSAGE, f"TurnInfo with event {message.event[:40]!r}"))
        self._lost = False
        return (*gap, event)

    def _beside_the_turns(self, message: Message) -> tuple[Step, ...]:
        if isinstance(message, Unknown):
            self._sequence_id = -1  # it may have had a number of its own
            kind = NoteKind.MALFORMED_MESSAGE if message.problem else NoteKind.UNKNOWN_MESSAGE
            return (Surprise(kind, f"{message.type[:40]!r}: {message.problem or 'a type that turnkit does not know'}"),)
        before: tuple[Step, ...] = ()
        if isinstance(message, Connected):
            before, self._request_id = self._connect(), message.request_id
        before += self._count(message.sequence_id)
        if isinstance(message, ErrorMessage):
            said = ": ".join(part for part in (message.code or "without a code", message.description[:200]) if part)
            lost = self.lose(message.code or "Flux sent an Error")
            self._error = message
            return (*before, Surprise(NoteKind.FLUX_ERROR, said), *lost)
        if isinstance(message, WarningMessage):
            return (*before, Surprise(NoteKind.FLUX_WARNING, message.code or "without a code"))
        if isinstance(message, ConfigureFailure):
            code = message.code or message.error_code or "without a code"
            return (*before, Surprise(NoteKind.CONFIGURE_FAILED, code))
        return before

    def _connect(self) -> tuple[Step, ...]:
        # If whoever reconnected did not say that the old stream was lost: turns are counted from 0 again.
        steps: tuple[Step, ...] = self.lose("connected anew") if self._connected else ()
        self._connected, self._sequence_id = True, -1
        if self._lost:
            self._lost = False
            steps += (StreamRestored("connected"),)
        return steps

    def _count(self, sequence_id: int) -> tuple[Step, ...]:
        last, self._sequence_id = self._sequence_id, sequence_id
        if sequence_id != last + 1 and sequence_id >= 0 and last >= 0:
            return (Surprise(NoteKind.SEQUENCE_GAP, f"sequence_id {sequence_id} after {last}"),)
        return ()
