"""A session's recording: what happens is kept in memory for a moment, and written when the loop gets round to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from math import inf
from pathlib import Path
from typing import Any

from ..errors import ConfigError
from ..logs import logger
from ..timers import EARLY_SECONDS, Alarm
from ..trace.recorder import Recorder
from ..turns.events import Event, ReplyEnded, Signal
from ..version import installed_version
from ..wire import ConfigureSuccess, Connected, FluxOptions, Message, TurnInfo

FLUSH_SECONDS = 0.5
"""So much of a call is lost if the process is killed."""

_CONFIGURED = ("thresholds", "keyterms", "language_hints", "profanity_filter", "numerals")


class Recording:
    """The observer that feeds a session's recorder, and has it flushed through the session's own alarm.

    A recording that fails is logged once, and the call goes on without it.

    Attributes:
        recorder: the recorder that writes the file.
        frames: whether it keeps every message whole; if not, those of turns say nothing to `received`.
    """

    __slots__ = (
        "_alarm",
        "_append",
        "_audio_reported",
        "_flush_at",
        "_now",
        "_options",
        "_reported",
        "_session",
        "_settings",
        "frames",
        "recorder",
    )

    def __init__(
        self,
        record: str | Path | Recorder,
        session: str,
        settings: Mapping[str, Any],
        options: FluxOptions | None,
        *,
        audio: bool = False,
    ) -> None:
        if audio and isinstance(record, Recorder) and not record.wants_audio:
            raise ConfigError("audio=True: is for the Recorder to know: Recorder(path, audio=True)")
        self.recorder = record if isinstance(record, Recorder) else Recorder(record, audio=audio)
        self.frames = self.recorder.frames
        self._append = self.recorder.pending.append
        self._session = session
        self._settings = settings
        self._options = options
        self._alarm: Alarm | None = None  # None before the conversation and after it
        self._now: Callable[[], float] = float
        self._flush_at = inf
        self._reported = self._audio_reported = False

    def begin(self, source: object, now: Callable[[], float], alarm: Alarm) -> None:
        """The conversation begins.

        Args:
            source: where the messages come from; it may know the options of its connection, better than whoever made
                the session.
            now: the session's clock.
            alarm: the session's alarm, which is to call `tick` whenever it rings.

        Raises:
            LocalProtocolError: if the recorder has been used before.
        """
        self._now = now
        options = getattr(source, "options", None)
        self.recorder.begin(
            self._session,
            datetime.now(UTC).isoformat(timespec="milliseconds"),
            now(),
            dict(self._settings),
            options=options if isinstance(options, FluxOptions) else self._options,
            turnkit=installed_version(),
        )
        self._report_failure()
        self._alarm = alarm
        if self.recorder.wants_audio and self.recorder.failure is None:
            self._begin_audio(source)

    def _begin_audio(self, source: object) -> None:
        watch = getattr(source, "watch_audio", None)
        if self.recorder.audio is None or watch is None:
            why = "its encoding is none of a WAV file" if watch is not None else "the source does not say what is sent"
            logger(session=self._session).warning("recording_without_audio", reason=why)
            return
        watch(self._sent)

    def _sent(self, place: int, data: bytes) -> None:
        if self._alarm is not None:
            self.recorder.sent(place, data)
            self._flush_after(self._now())

    def received(self, message: Message) -> None:
        """A message of Flux came: what it says beside the turns is a fact; whole, it is kept if frames are."""
        if self.frames:
            self.recorder.frame(self._now(), message)
        if isinstance(message, Connected):
            self.fact(self._now(), "Connected", request_id=message.request_id)
        elif isinstance(message, ConfigureSuccess):
            self.fact(self._now(), "Configured", **{name: getattr(message, name) for name in _CONFIGURED})

    def fed(self, at: float, event: Event, signals: tuple[Signal, ...], message: TurnInfo | None = None) -> None:
        """The machine was fed."""
        # At every message: what `Recorder.fed` does, without the calls.
        self._append((at, event, signals))
        if self._flush_at == inf:
            self._flush_after(at)

    def woken(self, at: float, signals: tuple[Signal, ...]) -> None:
        """Time passed for the machine."""
        self.recorder.woken(at, signals)
        self._flush_after(at)

    def closed(self, at: float, signals: tuple[Signal, ...]) -> None:
        """The machine was closed."""
        self.recorder.closed(at, signals)
        self._flush_at = -inf  # what still comes is written at the end

    def told(self, signal: Signal | ReplyEnded) -> None:
        """The session itself reported a signal."""
        self.recorder.told(signal)
        self._flush_after(signal.at)

    def fact(self, at: float, name: str, /, **fields: Any) -> None:
        """Something happened that the machine is not told; raises LocalProtocolError as `Recorder.fact` does."""
        if self._alarm is not None:
            self.recorder.fact(at, name, **fields)
            self._flush_after(at)

    def tick(self, now: float) -> None:
        """The alarm has rung, for this or for something else."""
        if now + EARLY_SECONDS >= self._flush_at:
            self._flush_at = inf
            self.recorder.flush()
            self._report_failure()
        elif self._alarm is not None:
            self._alarm.bring_forward(self._flush_at)

    def end(self) -> None:
        """The conversation is over: write the rest, and close the file."""
        self._alarm = None
        self.recorder.end()
        self._report_failure()
        if self.recorder.lost:
            logger(session=self._session).warning("recording_incomplete", records_lost=self.recorder.lost)

    def _flush_after(self, at: float) -> None:
        if self._flush_at == inf and self._alarm is not None:
            self._flush_at = at + FLUSH_SECONDS
            self._alarm.bring_forward(self._flush_at)

    def _report_failure(self) -> None:
        recorder = self.recorder
        self._report_audio()
        if self._reported or not (recorder.failure or recorder.full):
            return
        self._reported = True
        log, path = logger(session=self._session), str(recorder.path)
        if recorder.failure is not None:
            error = recorder.failure.strerror or type(recorder.failure).__name__
            log.error("recording_failed", path=path, error=error)
        else:
            log.warning("recording_full", path=path, bytes=recorder.written)

    def _report_audio(self) -> None:
        audio = self.recorder.audio
        if self._audio_reported or audio is None or not (audio.failure or audio.full):
            return
        self._audio_reported = True
        log, path = logger(session=self._session), str(audio.path)
        if audio.failure is not None:
            log.error("recording_audio_failed", path=path, error=audio.failure.strerror or type(audio.failure).__name__)
        else:
            log.warning("recording_audio_full", path=path, seconds=round(audio.seconds, 1))
