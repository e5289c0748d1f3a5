"""Players: what one connection says, and when, from a script or a recording, with answers to commands in between.

Players hold the connection's one counter over all messages. They know the audio clock and no other.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, Literal, Protocol, TypeAlias

import msgspec

from .. import wire
from ..errors import ConfigError
from .detector import Detector
from .parameters import Settings
from .recorded_session import RecordedFrame, Recording

_TOLERANCE = 0.01  # seconds: recorded windows carry float32 noise, and the next frame is 0.08 away

_Answer: TypeAlias = Literal["configure", "force_end"]

_NO_ACTIVE_TURN = {
    "type": "Warning",
    "code": "FORCE_END_TURN_NO_ACTIVE_TURN",
    "description": "Received ForceEndTurn while no turn was active; the request was ignored.",
}


class Player(Protocol):
    """What a connection says: the text frames to send next, each exactly once and in order.

    Attributes:
        warnings: what is wrong with the audio, for people to read; it grows while the audio comes.
    """

    warnings: list[str]

    def opening(self) -> list[str]:
        """What is sent before any audio is there."""

    def take(self, audio: bytes) -> None:
        """Take the audio itself; to be said before `hear` counts it."""

    def hear(self, seconds: float) -> list[str]:
        """What is due once `seconds` of stream audio have been received."""

    def configure(self, settings: Settings) -> list[str]:
        """The answer to a Configure that was taken; `settings` are in force from here on."""

    def refuse(self, refusal: dict[str, Any]) -> list[str]:
        """The answer to a Configure that was not taken."""

    def force_end(self) -> list[str]:
        """The answer to a ForceEndTurn."""

    def finish(self) -> list[str]:
        """What is left to say after CloseStream."""

    def answer(self, fields: dict[str, Any]) -> str:
        """Number a message that answers a command."""

    def begin_at(self, second: float) -> None:
        """The stream's audio begins at this second of the play; to be said before any of it is heard."""


def _stamp(fields: dict[str, Any], request_id: str, sequence_id: int) -> str:
    # Flux's Error is the one message without the id of the request.
    ids = {} if fields["type"] == "Error" else {"request_id": request_id}
    return msgspec.json.encode({"type": fields["type"], **ids, **fields, "sequence_id": sequence_id}).decode()


class ScriptPlayer:
    """Plays a script, as the detector hears it."""

    def __init__(self, detector: Detector, request_id: str) -> None:
        self.warnings: list[str] = []
        self._detector = detector
        self._request_id = request_id
        self._sequence_id = -1

    def opening(self) -> list[str]:
        """Connected, the first message."""
        return [self.answer({"type": "Connected"})]

    def take(self, audio: bytes) -> None:
        """Pay no heed: only the length of audio counts."""

    def hear(self, seconds: float) -> list[str]:
        """What the detector says by this second of audio."""
        return [self.answer(message) for message in self._detector.hear(seconds)]

    def configure(self, settings: Settings) -> list[str]:
        """Take new settings, and report them."""
        self._detector.settings = settings
        return [self.answer(settings.describe())]

    def refuse(self, refusal: dict[str, Any]) -> list[str]:
        """Report the refusal; nothing changes."""
        return [self.answer(refusal)]

    def force_end(self) -> list[str]:
        """End the open turn, or warn that there is none."""
        return [self.answer(self._detector.force_end() or _NO_ACTIVE_TURN)]

    def finish(self) -> list[str]:
        """What the detector has left to say."""
        return [self.answer(message) for message in self._detector.finish()]

    def answer(self, fields: dict[str, Any]) -> str:
        """Number a message and write it."""
        self._sequence_id += 1
        return _stamp(fields, self._request_id, self._sequence_id)

    def begin_at(self, second: float) -> None:
        """Hear the script from this second on."""
        self._detector.begin_at(second)


class RecordingPlayer:
    """Plays a recording in step with the audio, verbatim.

    A recorded answer waits for its command: it is sent when the command comes, if that is before the next frame that
    is no answer is due, and otherwise never. A command that comes earlier gets the answer that is still to come, at its
    time; one that the recording has no answer for is answered at once. What follows is renumbered so that no
    `sequence_id` is missing.

    A turn that is ended by such a command stays ended: the rest of it is skipped, up to the next `turn_index`. A turn
    whose recorded end nobody asked for ends before the next frame all the same, as if by `timeout`.
    """

    def __init__(self, recording: Recording, request_id: str) -> None:
        self.warnings: list[str] = []
        self._frames = recording.frames
        self._request_id = request_id
        self._next = 0
        self._sequence_id = -1
        self._shift = 0  # how far the numbers are from the recorded ones
        self._following = 0  # the frame that comes next if nothing is put in or left out; -1 once something was
        self._claimed: Counter[_Answer] = Counter()
        self._waiting: list[int] = []  # the answers of this gap that no command has asked for
        self._turn: RecordedFrame | None = None  # the latest frame of the open turn
        self._ended = -1  # turns up to this index were ended by command

    def opening(self) -> list[str]:
        """The frames due at once, after a Connected if the recording has none."""
        if isinstance(self._frames[0].message, wire.Connected):
            return self.hear(0.0)
        return [self.answer({"type": "Connected"}), *self.hear(0.0)]

    def take(self, audio: bytes) -> None:
        """Pay no heed: only the length of audio counts."""

    def hear(self, seconds: float) -> list[str]:
        """The recorded frames due by this second of audio."""
        texts: list[str] = []
        while self._next < len(self._frames) and self._frames[self._next].due <= seconds + _TOLERANCE:
            place = self._next
            self._next += 1
            message = self._frames[place].message
            if isinstance(message, wire.TurnInfo) and message.turn_index <= self._ended:
                continue
            answered = _answers(self._frames[place])
            if answered is None:
                texts += self._end_gap()
            elif self._claimed[answered]:
                self._claimed[answered] -= 1
            else:
                self._waiting.append(place)
                continue
            texts.append(self._send(place))
        return texts

    def configure(self, settings: Settings) -> list[str]:
        """The recorded answer, or the settings."""
        recorded = self._claim("configure")
        return [self.answer(settings.describe())] if recorded is None else recorded

    def refuse(self, refusal: dict[str, Any]) -> list[str]:
        """The recorded answer, or the refusal."""
        recorded = self._claim("configure")
        return [self.answer(refusal)] if recorded is None else recorded

    def force_end(self) -> list[str]:
        """The recorded answer, or the end of the open turn, or a warning."""
        recorded = self._claim("force_end")
        if recorded is not None:
            return recorded
        if self._turn is None or not isinstance(self._turn.message, wire.TurnInfo):
            return [self.answer(_NO_ACTIVE_TURN)]
        fields = msgspec.json.decode(self._turn.text, type=dict[str, Any])
        fields.pop("sequence_id", None)
        self._ended = self._turn.message.turn_index
        self._turn = None
        return [self.answer({**fields, "event": "EndOfTurn", "trigger": "manual"})]

    def finish(self) -> list[str]:
        """Nothing: all that was said is in the recording."""
        return []

    def answer(self, fields: dict[str, Any]) -> str:
        """Number a message and write it."""
        self._sequence_id += 1
        self._following = -1
        return _stamp(fields, self._request_id, self._sequence_id)

    def begin_at(self, second: float) -> None:
        """Raise ConfigError: a recording plays from its start."""
        raise ConfigError(f"second {second:g}: a recording plays from its start; only a script can go on elsewhere")

    def _end_gap(self) -> list[str]:
        """Give up the answers that nobody asked for; a turn's end among them is still its end."""
        waiting, self._waiting = self._waiting, []
        ends = [place for place in waiting if isinstance(self._frames[place].message, wire.TurnInfo)]
        return [self._send(place, trigger="timeout") for place in ends]

    def _claim(self, answer: _Answer) -> list[str] | None:
        """What the recording itself answers, nothing if it does so later, None if never: each serves one command."""
        for place in self._waiting:
            if _answers(self._frames[place]) == answer:
                self._waiting.remove(place)
                return [self._send(place)]
        to_come = sum(_answers(frame) == answer for frame in self._frames[self._next :])
        if to_come <= self._claimed[answer]:
            return None
        self._claimed[answer] += 1
        return []

    def _send(self, place: int, **changes: str) -> str:
        """The text of a recorded frame, with the number that it has here."""
        frame = self._frames[place]
        if isinstance(frame.message, wire.TurnInfo):
            self._follow(frame, frame.message)
        recorded: int = getattr(frame.message, "sequence_id", -1)
        numbered: dict[str, Any] = {}
        if recorded >= 0:
            if place != self._following:
                self._shift = self._sequence_id + 1 - recorded
            self._sequence_id = recorded + self._shift
            self._following = place + 1
            if self._shift:
                numbered = {"sequence_id": self._sequence_id}
        elif place == self._following:
            self._following += 1
        if not numbered and not changes:
            return frame.text
        fields = msgspec.json.decode(frame.text, type=dict[str, Any])
        return msgspec.json.encode({**fields, **changes, **numbered}).decode()

    def _follow(self, frame: RecordedFrame, message: wire.TurnInfo) -> None:
        if message.event == "EndOfTurn":
            self._turn = None
        elif message.event == "StartOfTurn" or self._turn is not None:
            self._turn = frame


def _answers(frame: RecordedFrame) -> _Answer | None:
    """The kind of command that a recorded frame answers."""
    message = frame.message
    if isinstance(message, (wire.ConfigureSuccess, wire.ConfigureFailure)):
        return "configure"
    manual = isinstance(message, wire.TurnInfo) and message.trigger == "manual"
    refused = isinstance(message, wire.WarningMessage) and message.code == _NO_ACTIVE_TURN["code"]
    return "force_end" if manual or refused else None
