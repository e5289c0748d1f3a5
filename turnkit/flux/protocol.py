"""The client without I/O: what Flux sends in; items for the consumer, frames to send, a deadline and a verdict out.

Rule 1: nothing here waits, reads a clock, logs or rolls dice of its own; `now` is the caller's, in monotonic seconds.
Rule 2: nothing that Flux sends, and no moment at which a connection ends, is impossible. Only misuse raises, and then
    nothing was changed.
Rule 3: each byte of raw audio is, at any moment, one of these: covered by Flux, under way on this connection, waiting,
    or counted as lost. What a connection that is lost had not covered waits again; what was covered is not sent twice.
    Flux hears sooner than it tells, so it has covered what lies before the end of the last word that it told, and what
    it heard more than `TOLD_WITHIN_SECONDS` ago; of a stream that ends, all that it heard.
Rule 4: of audio that no connection takes, `replay_seconds` are kept, the latest.
Rule 5: a connection that stands is given up by the watchdogs only (`Watchdogs.decide`), or because its closing or a
    frame took too long. Then it takes nothing more, is to be dropped (`given_up`), and ends as any other.
Rule 6: the stream's time runs on over connections, though each of Flux's begins at 0; it never passes what was sent.

A stream has one connection at a time, and how it stands with that is `line`:

    OPEN     it stands, as far as is known
    BROKEN   it takes no frame any more; what it has brought may still be read, and then it ends
    LOST     it has ended, and another one may be made
    OVER     there will be none any more

Whoever holds the socket tells what happens to it and sends what is to be sent, does as `given_up`, `attempt_at` and
`attempts_until` say, and calls `wake` when `deadline` has come.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from enum import Enum
from math import inf
from random import Random
from typing import TypeAlias

from ..errors import (
    ConfigError,
    ConnectionFailed,
    FluxError,
    LocalProtocolError,
    RemoteProtocolError,
    TurnkitError,
)
from ..turns.events import StreamLost, StreamRestored
from ..wire import (
    CloseStream,
    Command,
    Configure,
    ConfigureFailure,
    ConfigureSuccess,
    Connected,
    ErrorMessage,
    FluxOptions,
    ForceEndTurn,
    Message,
    TurnInfo,
    Unknown,
    WarningMessage,
    decode,
    encode,
)
from .audio_buffer import FRAME_SECONDS, new_audio_buffer
from .bounds import Bounds
from .configure import applied
from .failures import UNPARSABLE, flux_error
from .heard import TOLD_WITHIN_SECONDS, Heard
from .reconnecting import Retries, is_permanent
from .requests import NO_TURN, Request, Requests
from .stream_time import shifted
from .watchdogs import Watchdogs

StreamItem: TypeAlias = Message | StreamLost | StreamRestored
"""What iterating a `FluxStream` yields."""

_OURS_TO_END = (1000, 1001, 1005, 1006)  # after CloseStream, Flux closes without a code: 1005, 1006 if TCP is faster


class Line(Enum):
    """How a stream stands with its connection."""

    OPEN = "open"
    BROKEN = "broken"
    LOST = "lost"
    OVER = "over"


# Bound once: before Python 3.12 looking up an enum's member costs more than a call.
_OPEN, _BROKEN, _LOST, _OVER = Line


class FluxProtocol:
    """Keeps the books of one stream over all its connections, and decides what is to be done with them.

    Args:
        host: what to call the other side in errors.
        options: of the first connection.
        bounds: the stream's.
        random: for the pauses between attempts.
        hide: takes out of a message what the consumer must not see, the credential. Default None: nothing.

    Attributes:
        options: in force, Configures included.
        request_id: of the connection.
        line: how the stream stands with its connection.
        closing: whether `close` was called.
        being_read: whether somebody reads what the connection brings; the caller sets it.
        given_up: why the connection is to be dropped; None if it is not.
        failure: why the stream is over, or takes nothing any more; None if it does, or was asked to end.
        deadline: when to call `wake` at the latest; `inf` if there is nothing to wait for.
        attempts: how many attempts the last connection took.
        lost_meanwhile: seconds of audio that the last outage cost.
        heard: what Flux has told.
        audio: what was given to be sent.
        requests: the commands that Flux answers.
    """

    __slots__ = (
        "_bounds",
        "_close_at",
        "_commands",
        "_farewell",
        "_hide",
        "_host",
        "_last_end_forced",
        "_retries",
        "_silence_after",
        "_silence_at",
        "_stuck",
        "_time_offset",
        "_watchdogs",
        "attempts",
        "audio",
        "being_read",
        "closing",
        "deadline",
        "failure",
        "given_up",
        "heard",
        "line",
        "lost_meanwhile",
        "options",
        "request_id",
        "requests",
    )

    def __init__(
        self,
        host: str,
        options: FluxOptions,
        bounds: Bounds,
        random: Random,
        *,
        hide: Callable[[Message], Message] | None = None,
    ) -> None:
        self._host = host
        self._hide = hide
        self._bounds = bounds
        self.options = options
        self.request_id = ""
        self.line = _OPEN
        self.closing = self.being_read = False
        self.given_up: TurnkitError | None = None
        self.failure: TurnkitError | None = None
        self.deadline = inf
        self.attempts = 0
        self.lost_meanwhile = 0.0
        self.audio = new_audio_buffer(options, bounds.replay_seconds)
        self.requests = Requests()
        self._commands: list[tuple[Command, Request]] = []
        self._retries = Retries(bounds, random)
        self._watchdogs = Watchdogs(host, bounds)
        self.heard = Heard()
        self._stuck = False  # given up because its turn has nothing new and does not end
        self._time_offset = 0.0  # where its time begins in the stream's
        self._silence_after = bounds.silence_after if self.audio.is_raw else inf
        self._silence_at = inf  # when silence is due, if a turn is open
        self._farewell = False  # whether the commands that close are still to be sent
        self._last_end_forced = False
        self._close_at = inf

    @property
    def readable(self) -> bool:
        """Whether the connection may still bring something."""
        return self.line is _OPEN or self.line is _BROKEN

    @property
    def reconnects(self) -> bool:
        """Whether a connection that is lost will be made again."""
        return self._bounds.reconnect_timeout > 0 and not self.closing and self.line is not _OVER

    # What the connection does ----------------------------------------------------------------------------------------

    def connection_made(self, connected: Connected, now: float) -> tuple[StreamItem, ...]:
        """There is a connection, the first or another; returns the items for the consumer.

        What waits for it is then to be sent.
        """
        again = self.line is _LOST
        self.line = _OPEN
        self.given_up = None
        self._stuck = False
        self.request_id = connected.request_id
        self.heard.count(connected.sequence_id)
        self.audio.begin_connection()
        self._watchdogs.connection_made()
        if not again:
            return (connected,)
        self._retries.restored(now)
        self.attempts = self._retries.tries
        pending = self.requests.pending
        if pending is not None and pending.sent is not None:
            self._commands.append((pending.sent, pending))
            pending.deadline = now + self._bounds.answer_timeout
            self._due(pending.deadline)
        reason = f"connected again ({self.attempts} attempt{'s' if self.attempts > 1 else ''})"
        if self.lost_meanwhile:
            reason += f", {self.lost_meanwhile:.2f} s of audio were lost"
        return (StreamRestored(reason), connected)

    def receive(self, frame: bytes, now: float) -> StreamItem | None:
        """A frame has come; returns what it is for the consumer, None if it is nothing.

        One that cannot be read is an `Unknown` with its problem. After Flux's Error the connection is lost, or the
        stream is over, as after `connection_ended`.
        """
        if not (self.line is _OPEN or self.line is _BROKEN):
            return None
        try:
            message = decode(frame)
        except RemoteProtocolError as error:
            message = Unknown(type="", problem=str(error), raw=frame)
        del frame  # it may quote the credential, and would be seen in a traceback
        if self._hide is not None and (type(message) is not TurnInfo or message.event != "Update"):
            message = self._hide(message)
        heard = self.heard
        heard.count(-1 if isinstance(message, Unknown) else message.sequence_id)
        if type(message) is TurnInfo:
            if heard.follow(message, self.audio.connection_seconds):
                self.audio.cover(heard.progress - TOLD_WITHIN_SECONDS)
            if message.event != "Update":
                if heard.turn_open:
                    if self._silence_at < self.deadline:
                        self.deadline = self._silence_at
                elif message.event == "EndOfTurn" and message.trigger == "manual":
                    self.requests.forced_end_answered(message, now)
            return shifted(message, self._time_offset) if self._time_offset else message
        if isinstance(message, ConfigureSuccess):
            with suppress(ConfigError):  # the echo is Flux's; an odd one must not end the call
                self.options = self.options.updated(message)
            self.requests.configure_answered(message)
        elif isinstance(message, ConfigureFailure):
            self.requests.configure_answered(message)
        elif isinstance(message, WarningMessage) and message.code == NO_TURN:
            self.requests.forced_end_answered(message, now)
        elif isinstance(message, ErrorMessage):
            if self.closing and message.code == UNPARSABLE:
                return None  # the host does not know the ForceEndTurn of our close; it hangs up next, as we want
            return self.connection_ended(flux_error(message, self.request_id), now)
        return message

    def connection_ended(self, cause: TurnkitError, now: float, *, code: int | None = None) -> StreamLost | None:
        """The connection has ended.

        Args:
            cause: why, as far as the socket knows.
            now: the present second.
            code: with which it was closed; None if it was not closed.

        Returns:
            The item for the consumer; None if the stream is over, because of `failure` or as it was asked to.
        """
        if not self.readable:
            return None
        if self.closing and code in _OURS_TO_END:
            self._end(None, clean=self.line is _OPEN and not self._farewell)
            return None
        failure = self.given_up or cause
        if not self.reconnects or (is_permanent(failure) and not self._refused_force_end_turn(failure)):
            self._end(failure)
            return None
        covered = self.heard.progress if self._stuck else self.heard.window
        if self.audio.is_raw:
            covered = self.heard.covered(covered)
        self.line = _LOST
        self.heard.begin_connection()
        self._retries.lost(failure, now)
        self.lost_meanwhile = 0.0
        self._time_offset += covered
        self.audio.rewind(covered)
        self._lose(self.audio.drop_excess())
        self._commands.clear()
        self.requests.connection_lost(now + self._bounds.reconnect_timeout + self._bounds.answer_timeout)
        return StreamLost(str(failure))

    def send_failed(self, cause: TurnkitError, now: float, *, stuck: bool = False) -> None:
        """A frame did not leave; `stuck`: within its time, so that the connection has to be given up."""
        if self.line is _OPEN:
            self._break(cause if stuck else None, now)
            self.failure = None if self.reconnects or self.closing else cause

    # What the caller wants -------------------------------------------------------------------------------------------

    def check_open(self) -> None:
        """See that something can be sent, now or later; raises LocalProtocolError or ConnectionFailed."""
        if self.line is _OPEN and not self.closing:
            return
        if self.closing:
            raise LocalProtocolError("the stream is closed: nothing can be sent after close()")
        if self.line is _OVER or not self.reconnects:
            why = self.failure or self.given_up
            raise ConnectionFailed(f"the stream to {self._host} has ended: {why}", (why,) if why else ())

    def add_audio(self, data: bytes | bytearray | memoryview, now: float) -> None:
        """Take audio that is to be sent; raises as `check_open` does."""
        if self.line is not _OPEN or self.closing:
            self.check_open()
        data = bytes(data)
        if not data:
            return
        audio = self.audio
        seconds = audio.seconds(len(data))
        self._silence_at = now + max(self._silence_after, 2 * seconds)
        self._watchdogs.audio_given(seconds)
        audio.add(data)
        if self.heard.turn_open and self._silence_at < self.deadline:
            self._due(self._silence_at)
        if self.line is _LOST:
            self._lose(audio.drop_excess())
        elif self.line is _BROKEN:
            audio.bound()

    def queue_configure(self, command: Configure) -> tuple[Request, object]:
        """Take a Configure that is to be sent, merged with the others that wait.

        Returns:
            The request, for `start_configure` once none is pending, and the ticket, for `withdraw_configure`.

        Raises:
            ConfigError: for what Flux would refuse.
            ConnectionFailed, LocalProtocolError: as `check_open` does.
        """
        self.check_open()
        if command.language_hints is not None and self.options.model.endswith("-en"):
            raise ConfigError(f"language_hints: only flux-general-multi takes hints, not {self.options.model!r}")
        applied(self.expected_options, command)
        return self.requests.queue(command)

    @property
    def expected_options(self) -> FluxOptions:
        """The options once Flux has taken all Configures that wait or are under way."""
        return self.requests.expected(self.options)

    def start_configure(self, request: Request, now: float) -> None:
        """Send what was queued, to this connection or the next; raises as `check_open` does."""
        self.check_open()
        outage = 0.0 if self.line is _OPEN else self._bounds.reconnect_timeout
        command = self.requests.start(request, now + outage + self._bounds.answer_timeout)
        self._due(request.deadline)
        if self.line is _OPEN:
            self._commands.append((command, request))

    def withdraw_configure(self, request: Request, ticket: object) -> None:
        """Take a Configure out again, unless it was sent."""
        del request.asked[ticket]

    def force_end_turn(self, now: float) -> Request | None:
        """Send ForceEndTurn; None if there is no connection, or the host does not know it. Raises as `check_open`."""
        self.check_open()
        if self.line is not _OPEN or self.heard.knows_force_end_turn is False:
            return None
        request = self.requests.force_end(now + self._bounds.answer_timeout, self.heard.steps)
        self._commands.append((ForceEndTurn(), request))
        self._due(request.deadline)
        return request

    def close(self, now: float) -> None:
        """Send the rest of the audio, end the open turn and ask Flux to close; done twice, it does nothing.

        A stream that is lost ends at once.
        """
        if self.closing:
            return
        self.closing = True
        if self.line is _LOST:
            self._end(None)
        elif self.line is _OPEN:
            self._farewell = True
        elif self.line is _BROKEN:
            self._close_by(now)

    def end(self) -> None:
        """There will be no connection any more, whatever was under way."""
        self.closing = True
        self._end(None)

    # What is to be sent ----------------------------------------------------------------------------------------------

    def next_command(self, now: float) -> str | None:
        """The next command, which then counts as sent; None if there is none."""
        while self._commands:
            command, request = self._commands.pop(0)
            if not request.settled:  # what was given up before it left does not go
                return encode(command)
        if not self._farewell or self.line is not _OPEN or self.audio.waiting:
            return None
        if self.heard.turn_open and self.heard.knows_force_end_turn is not False and not self._last_end_forced:
            self._last_end_forced = True
            return encode(ForceEndTurn())
        self._farewell = False
        self._close_by(now)
        return encode(CloseStream())

    def next_audio(self, now: float, *, short: bool = False) -> bytes:
        """The next frame of audio, which then counts as sent; empty if there is none.

        Args:
            now: the present second.
            short: whether one that is not full may go; on closing it may.
        """
        if self.line is not _OPEN:
            return b""
        frame = self.audio.next_frame(short=short or self.closing)
        if frame:
            self._watchdogs.audio_sent(self.heard.messages, now)
            if self._watchdogs.due_at < self.deadline:
                self.deadline = self._watchdogs.due_at
        return frame

    # Time ------------------------------------------------------------------------------------------------------------

    def wake(self, now: float) -> None:
        """Let time pass; harmless when nothing is due. Afterwards see what is to be sent, and `given_up`."""
        unended = any(request.progress == self.heard.steps for request in self.requests.expire(now))
        if self._close_at <= now:
            self._close_at = inf
            what = f"{self._host} did not close within {self._bounds.close_timeout} s (close_timeout)"
            self._break(ConnectionFailed(what, (TimeoutError(what),)), now)
        if self.line is _OPEN and not self.closing:
            unended = unended and self.heard.turn_open and self.reconnects
            cause = self._watchdogs.decide(now, heard=self.heard.messages, being_read=self.being_read, unended=unended)
            if cause is not None:
                self._stuck = unended
                self._break(cause, now)
            elif self.heard.turn_open and self._silence_at <= now:
                if not self.audio.ready:
                    self.audio.add_silence()
                self._silence_at += FRAME_SECONDS
                if self._silence_at <= now:  # late; what was missed of it is not made up for
                    self._silence_at = now + FRAME_SECONDS
        self.deadline = min(self.requests.deadline, self._close_at)
        if self.line is _OPEN and not self.closing:
            self._due(self._watchdogs.due_at)
            if self.heard.turn_open:
                self._due(self._silence_at)

    # Making connections ----------------------------------------------------------------------------------------------

    @property
    def attempt_at(self) -> float:
        """When to try to connect next, while the line is lost."""
        return self._retries.next_at

    @property
    def attempts_until(self) -> float:
        """Until when an attempt may last."""
        return self._retries.deadline

    def seek(self, now: float) -> None:
        """Somebody wants more, so connections are tried: only from now on runs the time that an outage may take."""
        self._retries.begin(now)
        if self._retries.next_at >= self._retries.deadline:
            self._give_up_outage()

    def attempt_failed(self, failure: TurnkitError, now: float) -> None:
        """An attempt to connect failed."""
        self._retries.failed(failure, now)
        if is_permanent(failure):
            self._end(failure)
        elif self._retries.next_at >= self._retries.deadline:
            self._give_up_outage()

    def attempts_timed_out(self, now: float) -> None:
        """The time is over, in the middle of an attempt."""
        if self.line is _LOST:
            what = f"{self._host} did not answer before reconnect_timeout was over"
            self._retries.failed(ConnectionFailed(what, (TimeoutError(what),)), now)
            self._give_up_outage()

    def _give_up_outage(self) -> None:
        failures = self._retries.failures
        self._end(
            ConnectionFailed(
                f"{self._host} was lost and could not be had back within {self._bounds.reconnect_timeout} s "
                f"(reconnect_timeout, {self._retries.tries - 1} attempts). The last: {failures[-1]}",
                tuple(failures),
            )
        )

    # What follows ----------------------------------------------------------------------------------------------------

    def _refused_force_end_turn(self, failure: TurnkitError) -> bool:
        """Whether Flux hung up because of a ForceEndTurn that this host does not know: it will get no other one."""
        if not isinstance(failure, FluxError) or failure.code != UNPARSABLE or self.heard.knows_force_end_turn:
            return False
        if not self.requests.forced_ends or self.requests.pending is not None:
            return False
        self.heard.knows_force_end_turn = False
        return True

    def _lose(self, seconds: float) -> None:
        """So much audio will never be covered, though its time has passed."""
        self._time_offset += seconds
        self.lost_meanwhile += seconds

    def _break(self, cause: TurnkitError | None, now: float) -> None:
        """The connection takes nothing more; it is to be dropped if there is a cause."""
        self.line = _BROKEN
        self.given_up = self.given_up or cause
        self._commands.clear()
        self.audio.bound()
        if self.closing and cause is None:
            self._close_by(now)

    def _close_by(self, now: float) -> None:
        self._close_at = now + self._bounds.close_timeout
        self._due(self._close_at)

    def _due(self, at: float) -> None:
        if at < self.deadline:
            self.deadline = at

    def _end(self, failure: TurnkitError | None, *, clean: bool = False) -> None:
        """The stream is over; `clean`: Flux has covered all that it was sent."""
        if self.line is _OVER:
            return
        self.audio.lose_rest(None if clean or self.line is _LOST else self.heard.window)
        self.line = _OVER
        self.failure = failure
        self.heard.turn_open = False
        self.deadline = self._close_at = inf
        self._commands.clear()
        self.requests.end()
