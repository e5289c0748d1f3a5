"""A session's recording: what happens is kept in memory for a moment, and written when the loop gets round to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from math import inf
from pathlib import Path
from typing import Any

from ..logs import logger
from ..timers import Alarm
from ..trace import Recorder
from ..turns.events import Event, ReplyEnded, Signal
from ..wire import ConfigureSuccess, Connected, FluxOptions, Message, TurnInfo

FLUSH_SECONDS = 0.5  # so much of a call is lost if the process is killed
_TICK = 1e-6  # seconds by which a timer may be early


class Tape:
    """Keeps the recorder of one session fed, and flushed through the session's own alarm.

    Nothing here raises: a recording that fails is logged once, and the call goes on without it.
    """

    __slots__ = ("_alarm", "_append", "_due", "_now", "_reported", "_session", "_settings", "frames", "recorder")

    def __init__(self, record: str | Path | Recorder, session: str, settings: Mapping[str, Any]) -> None:
        self.recorder = record if isinstance(record, Recorder) else Recorder(record)
        self.frames = self.recorder.frames
        self._append = self.recorder.pending.append
        self._session = session
        self._settings = settings
        self._alarm: Alarm | None = None
        self._now: Callable[[], float] = float
        self._due = inf
        self._reported = False

    def begin(self, source: object, now: Callable[[], float], alarm: Alarm) -> None:
        """The conversation begins, on `source`, which may know the options of its connection.

        `alarm` is to call `tick` whenever it rings. Raises LocalProtocolError if the recorder has been used before.
        """
        self._now = now
        options = getattr(source, "options", None)
        self.recorder.begin(
            self._session,
            datetime.now(UTC).isoformat(timespec="milliseconds"),
            now(),
            dict(self._settings),
            options=options if isinstance(options, FluxOptions) else None,
            turnkit=_version(),
        )
        self._report()
        self._alarm = alarm

    def fed(self, at: float, event: Event, signals: tuple[Signal, ...], message: TurnInfo | None) -> None:
        # At every message: what `Recorder.fed` does, without the calls.
        self._append((at, event, signals, message))
        if self._due == inf:
            self._set(at)

    def woken(self, at: float, signals: tuple[Signal, ...]) -> None:
        self.recorder.woken(at, signals)
        self._set(at)

    def closed(self, at: float, signals: tuple[Signal, ...]) -> None:
        self.recorder.closed(at, signals)
        self._due = -inf  # what still comes is written at the end

    def told(self, signal: Signal | ReplyEnded) -> None:
        self.recorder.told(signal)
        self._set(signal.at)

    def fact(self, name: str, fields: Mapping[str, Any]) -> None:
        if self._alarm is not None:
            at = self._now()
            self.recorder.fact(at, name, **fields)
            self._set(at)

    def took(self, message: Message) -> None:
        """What Flux says beside the turns; and every message, if whole frames were asked for."""
        if self.frames:
            self.recorder.frame(self._now(), message)
        if isinstance(message, Connected):
            self.fact("Connected", {"request_id": message.request_id})
        elif isinstance(message, ConfigureSuccess):
            fields = ("thresholds", "keyterms", "language_hints", "profanity_filter", "numerals")
            self.fact("Configured", {name: getattr(message, name) for name in fields})

    def _set(self, at: float) -> None:
        if self._due == inf and self._alarm is not None:
            self._due = at + FLUSH_SECONDS
            self._alarm.bring_forward(self._due)

    def tick(self, now: float) -> None:
        """The alarm has rung, for this or for something else."""
        if now + _TICK >= self._due:
            self._due = inf
            self.recorder.flush()
            self._report()
        elif self._alarm is not None:
            self._alarm.bring_forward(self._due)

    def end(self) -> None:
        """The conversation is over."""
        self._alarm = None
        self.recorder.end()
        self._report()
        if self.recorder.lost:
            logger(session=self._session).warning("recording_incomplete", records_lost=self.recorder.lost)

    def _report(self) -> None:
        recorder = self.recorder
        if self._reported or not (recorder.failure or recorder.full):
            return
        self._reported = True
        log, path = logger(session=self._session), str(recorder.path)
        if recorder.failure is not None:
            error = recorder.failure.strerror or type(recorder.failure).__name__
            log.error("recording_failed", path=path, error=error)
        else:
            log.warning("recording_full", path=path, bytes=recorder.written)


def _version() -> str:
    try:
        return version("turnkit")
    except PackageNotFoundError:
        return ""
