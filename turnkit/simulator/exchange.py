"""The state of one connection, and what it says next: settings, audio clock, player and faults. No socket here."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from .audio_clock import AudioClock, MarkFinder
from .call_registry import Attempt
from .disturbance import Delivery, Disturbance
from .faults import Fault
from .opus_time import NotAudio
from .parameters import Settings, Unacceptable, Unparsable, configured, read_type
from .player import Player


class InjectedFault(msgspec.Struct, frozen=True):
    """A fault that struck.

    Attributes:
        fault: with the value and moment it was given.
        audio_seconds: of sound received by then.
        after: how many messages had been sent.
        request_id: of the connection.
        connection: its number, counting the attempts of its call.
    """

    fault: Fault
    audio_seconds: float
    after: int
    request_id: str
    connection: int


class Connection:
    """What one connection has sent and received so far.

    Attributes:
        request_id: as in every message to it.
        number: counts the attempts of its call to connect, from 1.
        start: the second of the script that its audio begins with; 0 unless the simulator `continues`.
        audio_seconds: of sound received.
        commands: the types of the text frames received that were commands.
        messages: how many were sent to it.
        faults: that struck it, oldest first.
        warnings: what is wrong with its audio, by what an ear can make of it, oldest first.
        open: whether it has not ended yet.
    """

    def __init__(self, request_id: str, number: int = 1) -> None:
        self.request_id = request_id
        self.number = number
        self.start = 0.0
        self.audio_seconds = 0.0
        self.commands: list[str] = []
        self.messages = 0
        self.faults: list[InjectedFault] = []
        self.warnings: list[str] = []
        self.open = True

    def __repr__(self) -> str:
        faults = f"faults={[str(injected.fault) for injected in self.faults]!r}, " if self.faults else ""
        return (
            f"Connection({self.request_id!r}, audio_seconds={self.audio_seconds:.2f}, commands={self.commands!r}, "
            f"messages={self.messages}, {faults}open={self.open})"
        )


class Exchange:
    """What is said on one connection.

    Args:
        player: what plays the script or recording.
        settings: that the client asked for.
        connection: the account of it.
        configurable: the unsettled fields that a Configure may have. Default none.

    Attributes:
        connection: the account of it.
        player: what plays the script or recording.
        closing: code and reason, once its end is decided.
        finished: whether the client asked for the end and got it.
    """

    def __init__(
        self, player: Player, settings: Settings, connection: Connection, configurable: frozenset[str] = frozenset()
    ) -> None:
        self.connection = connection
        connection.warnings = player.warnings
        self.closing: tuple[int | None, str] | None = None
        self.finished = False
        self.player = player
        self._settings = settings
        self._configurable = configurable
        self._clock = AudioClock(settings.bytes_per_second, settings.encoding)
        self._disturbance: Disturbance | None = None
        self._attempt: Attempt | None = None
        self._marks: MarkFinder | None = None

    def set_disturbance(self, disturbance: Disturbance) -> None:
        """Let faults change what is said."""
        self._disturbance = disturbance

    def continue_call(self, attempt: Attempt) -> None:
        """Hear the script from where the caller is by now: where the call was covered, or where audio marks say."""
        self._attempt = attempt
        self._marks = MarkFinder(self._settings.bytes_per_second)

    def open(self) -> Sequence[Delivery]:
        """What is sent before anything is received."""
        return self._deliver(self.player.opening())

    def receive(self, message: str | bytes) -> Sequence[Delivery]:
        """The answer to a frame. Once this sets `closing`, no more frames may be given."""
        return self._deliver(self._answer(message))

    def _deliver(self, texts: list[str]) -> Sequence[Delivery]:
        if self._disturbance is None:
            return texts
        deliveries = self._disturbance.pass_on(texts, self._clock.seconds, last=self.closing is not None)
        if self.broken:
            self.finished = False
            self.closing = self._disturbance.closing  # silence does not answer with a close either
        return deliveries

    @property
    def broken(self) -> bool:
        """Whether a fault has silenced the connection or ended it."""
        return self._disturbance is not None and self._disturbance.muted

    def _answer(self, message: str | bytes) -> list[str]:
        if isinstance(message, str):
            return self._answer_command(message)
        if not message:
            # Deepgram takes an empty binary frame for the wish to close.
            return self._finish()
        if self._attempt is not None and self._marks is not None:
            self._find_start(message, self._attempt, self._marks)
        try:
            self.connection.audio_seconds = self._clock.hear(message)
        except NotAudio as error:
            self.closing = (1008, f"DATA-0000: {error}")
            return []
        self.player.take(message)
        return self.player.hear(self._clock.seconds)

    def _find_start(self, audio: bytes, attempt: Attempt, marks: MarkFinder) -> None:
        """Find out where the audio begins, before the first frame of it is heard."""
        marked = marks.look(audio)
        if marked is not None:
            attempt.begin_at(max(0.0, marked))
        if marks.done:
            self._marks = None
            self.connection.start = attempt.start
            self.player.begin_at(attempt.start)

    def _answer_command(self, text: str) -> list[str]:
        try:
            kind = read_type(text)
            self.connection.commands.append(kind)
            fault = self._disturbance.received(kind) if self._disturbance is not None else None
            if fault is not None and fault.name.endswith("_fatal"):
                raise Unparsable(_unknown_variant(kind))
            if kind == "CloseStream":
                return self._finish(received=True)
            if kind == "ForceEndTurn":
                if self._disturbance is not None and self._disturbance.force_false_turn():
                    return []
                return self.player.force_end()
            if fault is None or fault.name != "configure_refused":
                self._settings = configured(self._settings, text, self._configurable)
            return self.player.configure(self._settings)
        except Unparsable as error:
            self.closing = (None, "")
            failure = {"type": "Error", "code": "UNPARSABLE_CLIENT_MESSAGE", "description": str(error)}
            return [self.player.answer(failure)]
        except Unacceptable as error:
            refusal = {"type": "ConfigureFailure", "code": error.code, "description": error.description}
            return self.player.refuse(refusal)

    def _finish(self, *, received: bool = False) -> list[str]:
        if self._disturbance is not None and not received:
            self._disturbance.received("CloseStream")
        self.closing = (None, "")
        self.finished = True
        return self.player.finish()


def _unknown_variant(kind: str) -> str:
    known = "expected one of `CloseStream`, `Configure`" if kind == "ForceEndTurn" else "expected `CloseStream`"
    return f"Could not deserialize last text message: unknown variant `{kind}`, {known}"
