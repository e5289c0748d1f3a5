"""One call of a soak: a caller with audio in real time, the client, a session with a small bot, and the ledger."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeAlias

import anyio

from ...errors import ConnectionFailed, LocalProtocolError, TurnkitError
from ...flux import FluxStream, StreamItem, connect
from ...session import Reply, Session
from ...speaking import Playback
from ...timers import clock
from ...turns.events import Commit, ReplyEnded, Signal, StreamLost, StreamRestored, TurnDropped, TurnStarted
from ...turns.policy import MinWords
from ...wire import Configure, Connected, FluxOptions, Thresholds, TurnInfo
from .ledger import Ledger
from .plan import OUTAGE_SECONDS, SETTLE_SECONDS, Plan
from .speech import FRAME_SECONDS, Speech
from .tally import Tally

Through: TypeAlias = Callable[[Any], Any]
"""What stands between the client and the session: an async iterable of messages in, one out."""

_CHECK_SECONDS = 0.24
_CONFIGURE_AFTER = 5.0
_CHANGE = Configure(thresholds=Thresholds(eot_threshold=0.75))
_LLM_SECONDS = 0.3
_TTS_SECONDS = 0.15
_WORD_SECONDS = 0.3
_ANSWERS = ("Well, that is good to know.", "I see what you mean, thank you. Shall we go on with the rest of it?")


class SoakCall:
    """One call, from dialling to hanging up.

    Args:
        number: Number of the call.
        speech: What the caller says.
        tally: Tally of all calls.
        plan: Plan of all calls: how long they last, whether audio is sent, and what carries it.
        tick: Waits for the first tick of the caller's clock that is due then or later; returns when it was due.
        begin: Second of the speech with which the caller begins.
        stopping: Tells whether the soak is to end early.
        connected: Called with the id of each connection, and this call.

    Attributes:
        ledger: The account of its words.
        number: Number of the call.
        failure: The error that ended it for good; None if none did.
    """

    def __init__(
        self,
        number: str,
        speech: Speech,
        tally: Tally,
        plan: Plan,
        *,
        tick: Callable[[float], Awaitable[float]],
        begin: float,
        stopping: Callable[[], bool],
        connected: Callable[[str, SoakCall], object],
    ) -> None:
        self._first = round(begin / FRAME_SECONDS)  # frame
        begin = self._first * FRAME_SECONDS
        self.ledger = Ledger(speech, number, begin)
        self.number = number
        self.failure: TurnkitError | None = None
        self._hung_up_at: float | None = None
        self._speech = speech
        self._tally = tally
        self._plan = plan
        self._tick = tick
        self._now = clock()
        self._stopping = stopping
        self._connected = connected
        self._begin = self._said = begin  # seconds of speech given to the client
        self._silence = 0.0  # that the client made up
        self._sent = 0.0
        self._lost = 0.0
        self._offline = False

    async def hold(self, url: str, through: Through) -> None:
        """Hold the call. Raises ConnectionFailed if there is no connection to begin with; later failures are kept."""
        options = FluxOptions(eot_threshold=0.7, eager_eot_threshold=0.4, tag=(self.number,))
        async with connect(options, url=url, transport=self._plan.transport) as stream:
            self._tally.begun += 1
            session = Session(respond=_respond, speak=_speak, barge_in=MinWords(2), id=self.number)
            for kind in (TurnStarted, Commit, TurnDropped):
                session.on(kind, self._on_signal)
            session.on(ReplyEnded, self._tally.add_reply)
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._talk, stream)
                if self._plan.audio:
                    tasks.start_soon(self._configure, stream)
                try:
                    await session.run(through(_ObservedStream(stream, self._on_item)))
                except TurnkitError as failure:
                    self.failure = failure
                    self._account_for_lost_audio(stream)
                    self.ledger.drop_rest()
                finally:
                    tasks.cancel_scope.cancel()
            self._tally.add_call(session.notes, stream, self._silence)

    @property
    def said_until(self) -> float:
        """The second of speech up to which it is to be accounted for: what is said after that is cut off."""
        return self._said if self._hung_up_at is None else self._hung_up_at

    # The caller ---------------------------------------------------------------------------------------------------

    async def _talk(self, stream: FluxStream) -> None:
        """Say what there is to say, in real time; stay on the line until it is dealt with; hang up."""
        began = await self._tick(self._now())
        frame = self._first
        try:
            while frame * FRAME_SECONDS < self._plan.length and not self._stopping():
                frame = await self._send_frame(stream, began, frame)
            self._hung_up_at = self._said
            if self._plan.audio:
                while not self._may_hang_up():
                    for _ in range(round(_CHECK_SECONDS / FRAME_SECONDS)):
                        frame = await self._send_frame(stream, began, frame)
            await stream.close()
        except ConnectionFailed:
            return  # the stream has ended, and whoever reads it is told why

    async def _send_frame(self, stream: FluxStream, began: float, frame: int) -> int:
        """Let 80 ms pass, and send what was said in them."""
        due = began + (frame + 1 - self._first) * FRAME_SECONDS
        await self._tick(due)
        self._tally.behind = max(self._tally.behind, self._now() - due)
        if self._plan.audio:
            self._said = (frame + 1) * FRAME_SECONDS
            await stream.send_audio(self._speech.frame(frame))
            self._sent = stream.audio_sent or 0.0
            self._silence = max(self._silence, self._begin + self._sent - self._said)
        return frame + 1

    def _may_hang_up(self) -> bool:
        waited = self._said - self.said_until
        return waited > (OUTAGE_SECONDS if self._offline else SETTLE_SECONDS) or self.ledger.settled(self.said_until)

    async def _configure(self, stream: FluxStream) -> None:
        """Change a threshold, once a call: a command that faults may strike, too."""
        await anyio.sleep(_CONFIGURE_AFTER)
        try:
            await stream.configure(_CHANGE)
        except LocalProtocolError:
            return  # hung up by then
        except TurnkitError as error:
            self._tally.configures_failed[type(error).__name__] += 1

    # What the ledger needs -----------------------------------------------------------------------------------------

    def _on_item(self, item: StreamItem, stream: FluxStream) -> None:
        if type(item) is TurnInfo:
            self._tally.messages += 1
            self.ledger.take_message(item, self._begin - self._silence)
        elif isinstance(item, Connected):
            self._tally.connections += 1
            self.ledger.add_connection(item)
            self._connected(item.request_id, self)
        elif isinstance(item, StreamLost):
            self._offline = True
            self._tally.losses += 1
            self._tally.replayed += max(0.0, self._sent - (stream.audio_sent or 0.0))
        elif isinstance(item, StreamRestored):
            self._offline = False
            self._tally.reconnects += 1
            self._account_for_lost_audio(stream)

    def _account_for_lost_audio(self, stream: FluxStream) -> None:
        lost = stream.lost_audio_seconds or 0.0
        if lost > self._lost:
            self.ledger.drop_audio(lost - self._lost)
            self._tally.dropped += lost - self._lost
            self._lost = lost

    def _on_signal(self, signal: Signal) -> None:
        self.ledger.take_signal(signal)
        self._tally.turns += isinstance(signal, TurnStarted)


class _ObservedStream:
    """The stream, with a callback for each item."""

    def __init__(self, stream: FluxStream, on_item: Callable[[StreamItem, FluxStream], None]) -> None:
        self._stream = stream
        self._on_item = on_item
        self.send_force_end_turn = stream.send_force_end_turn

    def __aiter__(self) -> _ObservedStream:
        return self

    async def __anext__(self) -> StreamItem:
        item = await self._stream.__anext__()
        self._on_item(item, self._stream)
        return item

    async def read_into(self, take: Callable[[StreamItem], bool]) -> None:
        """Iterate as the stream does it for a session that nothing stands before."""

        def observe(item: StreamItem) -> bool:
            self._on_item(item, self._stream)
            return take(item)

        await self._stream.read_into(observe)


# The bot ------------------------------------------------------------------------------------------------------------


async def _respond(reply: Reply) -> None:
    await anyio.sleep(_LLM_SECONDS)
    await reply.say(_ANSWERS[reply.id % len(_ANSWERS)])


async def _speak(_reply: Any, chunks: AsyncIterator[str | bytes], playback: Playback) -> None:
    await anyio.sleep(_TTS_SECONDS)
    said: list[str] = []
    async for chunk in chunks:
        playback.started()
        for word in str(chunk).split():
            await playback.wait_resumed()
            await anyio.sleep(_WORD_SECONDS)
            said.append(word)
            playback.advance(" ".join(said))
