"""A caller who keeps to a script: what Flux says of the words, at their times, as a source for a session."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator
from typing import Any, Protocol

import anyio

from ..errors import ConfigError
from ..turns.events import (
    EagerEndOfTurn,
    EndOfTurn,
    StartOfTurn,
    StreamLost,
    StreamRestored,
    TurnEvent,
    TurnResumed,
    Update,
)
from .caller_script import LineStart, Step, parse

StreamEvent = TurnEvent | StreamLost | StreamRestored
_REQUEST = "00000000-0000-4000-8000-000000000000"


class CallProgress(Protocol):
    """The call as its caller sees it: the time, what the agent has done, and where to write down the caller's part."""

    def now(self) -> float:
        """Seconds since the call began."""

    def flux_says(self, event: StreamEvent) -> None:
        """Write down that Flux tells the bot this, now."""

    def reached(self, start: LineStart, since: float, last: float) -> float | None:
        """When the agent did what a line waits for.

        Args:
            start: What is waited for.
            since: When the line before began, in seconds of the call: words heard before then do not count.
            last: When the line before ended, in seconds of the call: what finished before then does not count.

        Returns:
            Seconds since the call began; None if the agent has not done it yet.
        """

    async def changed(self) -> None:
        """Wait until the agent has done something, anything."""

    def gave_up(self, why: str) -> None:
        """Write down that the caller hangs up, as what they waited for did not come."""


class Caller:
    """A caller who keeps to a script; the text form stands in `turnkit.testing.caller_script`.

    One caller can be used for many calls.

    Args:
        script: What the caller says and when, a line an utterance.
        patience: Seconds to wait for something that the agent is to do; then the rehearsal fails. Default 60.
        wire: Whether the bot gets Flux's raw frames as dicts, with sequence ids, instead of events. Default False.

    Attributes:
        script: The script as it was given.
        lines: The script, line by line.
        patience: As given.
        wire: As given.

    Raises:
        ConfigError: The script cannot be played, told with line, value and rule; or the patience is not positive.
    """

    def __init__(self, script: str, *, patience: float = 60.0, wire: bool = False) -> None:
        if not patience > 0:
            raise ConfigError(f"patience={patience!r}: must be a positive number of seconds")
        self.script = script
        self.lines = parse(script)
        self.patience = patience
        self.wire = wire

    def __repr__(self) -> str:
        options = ", wire=True" if self.wire else ""
        return f'Caller("""\n{self.script.strip(chr(10))}\n"""{options})'

    async def call(self, progress: CallProgress) -> AsyncGenerator[object]:
        """Yield what Flux says, at the script's times: the source for a session."""
        flux = _Flux()
        began = ended = 0.0
        if self.wire:
            yield flux.connected()
        for line in self.lines:
            at = await self._wait(line.start, progress, began, ended)
            if at is None:
                progress.gave_up(f"line {line.number} of the caller's script waited {self.patience:g} s in vain")
                return
            await _sleep_until(progress, at)
            began = progress.now()
            for step in line.steps:
                await anyio.sleep(step.seconds)
                if step.kind == "hang up":
                    return
                for event in flux.take(step, progress.now()):
                    progress.flux_says(event)
                    yield flux.frame(event) if self.wire else event
            ended = progress.now()

    async def _wait(self, start: LineStart, progress: CallProgress, began: float, ended: float) -> float | None:
        """The second in which the line is to begin, once that is known; None if it never is."""
        if start.after == "start":
            return start.seconds
        if start.after == "line":
            return ended + start.seconds
        with anyio.move_on_after(self.patience):
            while (at := progress.reached(start, began, ended)) is None:
                await progress.changed()
            return at + start.seconds
        return None


async def _sleep_until(progress: CallProgress, at: float) -> None:
    wait = at - progress.now()
    if wait > 0:
        await anyio.sleep(wait)


class _Flux:
    """The stream as Flux keeps it: indexes, sequence ids and the words of the open turn."""

    def __init__(self) -> None:
        self._index = 0
        self._sequence_id = -1
        self._text = ""
        self._open = self._eager = False

    def take(self, step: Step, at: float) -> Iterator[StreamEvent]:
        """What Flux says at a step."""
        match step.kind:
            case "word":
                self._text = f"{self._text} {step.text}".strip()
                kind = Update if self._open else StartOfTurn
                yield self._event(TurnResumed if self._eager else kind, 0.1, at)
                self._open, self._eager = True, False
            case "as":
                self._text = step.text
            case "eager":
                self._eager = True
                yield self._event(EagerEndOfTurn, 0.6, at)
            case "resumed":
                self._eager = False
                yield self._event(TurnResumed, 0.2, at)
            case "end" | "timeout" | "forced":
                trigger = {"end": "model", "timeout": "timeout", "forced": "manual"}[step.kind]
                yield EndOfTurn(self._index, self._text, 0.9, at, trigger=trigger)
                self._over(self._index + 1)
            case "lost":
                yield StreamLost("scripted")
                self._over(0)
            case _:
                yield StreamRestored("scripted")

    def _event(self, kind: type[Any], confidence: float, at: float) -> TurnEvent:
        event: TurnEvent = kind(self._index, self._text, confidence, at)
        return event

    def _over(self, index: int) -> None:
        self._index, self._text = index, ""
        self._open = self._eager = False

    # On the wire --------------------------------------------------------------------------------------------------

    def connected(self) -> dict[str, Any]:
        """The first frame of a connection."""
        self._sequence_id = 0
        return {"type": "Connected", "request_id": _REQUEST, "sequence_id": 0}

    def frame(self, event: StreamEvent) -> dict[str, Any]:
        """The frame that says this."""
        if isinstance(event, StreamRestored):
            return self.connected()
        self._sequence_id += 1
        frame: dict[str, Any] = {"request_id": _REQUEST, "sequence_id": self._sequence_id}
        if isinstance(event, StreamLost):
            return {"type": "Error", **frame, "code": "INTERNAL_SERVER_ERROR", "description": "scripted"}
        words = [{"word": word, "confidence": 0.9} for word in event.transcript.split()]
        frame |= {
            "type": "TurnInfo",
            "event": type(event).__name__,
            "turn_index": event.turn_index,
            "audio_window_start": 0.0,
            "audio_window_end": event.audio_end,
            "transcript": event.transcript,
            "words": words,
            "end_of_turn_confidence": event.confidence,
        }
        return frame | ({"trigger": event.trigger} if isinstance(event, EndOfTurn) else {})
