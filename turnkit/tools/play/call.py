"""One call of the page: a session with the small bot, whom the page watches, and what it changes in mid-call."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any, Protocol

import anyio
import msgspec
from anyio.abc import TaskGroup

from ...errors import ConfigError, LocalProtocolError, RemoteProtocolError, TurnkitError
from ...flux import FluxStream, connect
from ...interop import browser
from ...interop.websocket import Adapted, adapted
from ...logs import logger
from ...session import Respond, Session
from ...simulator import LiveCaller, serve
from ...speaking import Speak
from ...wire import Configure, FluxOptions
from ..talk.stopwatch import Stopwatch
from .asked import Asked, Change, Choose, HangUp, Settings, Typed, as_asked, read
from .bot import Bot
from .policies import ChosenPolicy
from .recordings import Recordings
from .speech import Speech, open_bot
from .telling import Telling
from .typist import Typist

_SEED = 150  # of a caller who hesitates where it shows: “I'd like a table …” is a pause, “please.” an end
_CHUNK, _CHUNK_SECONDS = bytes(1280), 0.04  # of 16 kHz linear16
_LATE = 1.0  # seconds after which the line is not caught up with, as when a computer has slept
_OUTBOX = 2000  # messages that may wait for a page that does not read
_CHANGES = 8  # that may wait for Flux's answer
IDLE_SECONDS = 600.0  # without a key
_UNREADABLE, _FAILED, _ENDED = 1007, 1011, 1000  # close codes
_SEND_TIMEOUT = 5.0  # after which a page that takes nothing is gone
_CLOSE_TIMEOUT = 2.0

Post = Callable[[dict[str, object]], object]


class Answering(Protocol):
    """Who answers.

    Attributes:
        greeting: what is said first.
        respond: as a session takes it.
        speak: as a session takes it.
    """

    greeting: str

    @property
    def respond(self) -> Respond: ...  # noqa: D102

    @property
    def speak(self) -> Speak: ...  # noqa: D102


class PlayCall:
    """A call, whichever way its sound comes.

    Args:
        policy: the barge-in policy.
        recordings: where it is recorded.
        bot: who answers.
        post: tells the page; must not wait.
        tasks: where what takes its time goes on.

    Attributes:
        session: the session.
        stream: the stream of Flux, once it is open.
        typist: who types, if somebody does.
    """

    def __init__(
        self, policy: ChosenPolicy, recordings: Recordings, bot: Answering, post: Post, tasks: TaskGroup
    ) -> None:
        self._policy = policy
        self._post = post
        self._tasks = tasks
        self._changes = 0
        self._recording, path = recordings.new()
        self._greeting = bot.greeting
        self.session = Session(respond=bot.respond, speak=bot.speak, barge_in=self._policy, record=path)
        self.session.observe(Telling(self.session, post, self._begun))
        self.stream: FluxStream | None = None
        self.typist: Typist | None = None

    def take(self, asked: Asked) -> None:
        """Do what the page asks."""
        match asked:
            case Typed():
                if self.typist is not None:
                    self.typist.typed(asked.text, asked.field, anyio.current_time(), kept=asked.kept)
            case Change():
                self._change(asked)
            case Choose():
                self._choose(asked.name)
            case HangUp():
                self.session.hang_up()

    def _record_policy(self) -> None:
        """So that a replay can go by it: the session's own policy is one that asks another."""
        self.session.record("PolicyChosen", policy=self._policy.name, barge_in=self._policy.text)

    def _begun(self) -> None:
        self._record_policy()
        self._post({"type": "began", "recording": self._recording, "policy": self._policy.name})
        self._tasks.start_soon(self._greet)

    async def _greet(self) -> None:
        with suppress(LocalProtocolError):  # the page may have hung up in the very moment
            self.session.initiate(self._greeting)

    def _choose(self, name: str) -> None:
        try:
            self._policy.choose(name)
        except ConfigError as error:
            logger(session=self.session.id).warning("page_chose_no_policy", problem=str(error))
            return
        self._record_policy()
        self._post({"type": "policy", "name": name})

    def _change(self, change: Change) -> None:
        if self.stream is None or self._changes >= _CHANGES:
            self._post({"type": "configured", "id": change.id, "ok": False, "why": "too many at once"})
            return
        self._changes += 1
        self._tasks.start_soon(self._configure, self.stream, change)

    async def _configure(self, stream: FluxStream, change: Change) -> None:
        told: dict[str, object] = {"type": "configured", "id": change.id, "ok": False}
        try:
            answer = await stream.configure(Configure(thresholds=change.thresholds()))
            told |= {"ok": True, "thresholds": msgspec.structs.asdict(answer.thresholds)}
        except TurnkitError as error:
            told["why"] = str(error)
        finally:
            self._changes -= 1
        self._post(told)


# With the keys ----------------------------------------------------------------------------------------------------


async def hold_typing(
    websocket: Any, settings: Settings, recordings: Recordings, *, idle_timeout: float = IDLE_SECONDS
) -> None:
    """Hold a call with somebody who types, until either side ends it; closes the websocket in the end.

    Args:
        websocket: of any framework, accepted.
        settings: how it begins.
        recordings: where it is recorded.
        idle_timeout: seconds without a key after which it is over. Default 600.

    Raises:
        ConfigError: for settings that Flux would refuse, and for a policy that there is not.
    """
    options, policy = settings.options(), ChosenPolicy(settings.policy)
    caller = LiveCaller(seed=_SEED)
    async with serve(caller) as flux, anyio.create_task_group() as tasks:
        line = _TypingLine(adapted(websocket), policy, recordings, tasks, idle_timeout)
        await line.hold(caller, options, flux.url)
        tasks.cancel_scope.cancel()


class _TypingLine:
    """The websocket of somebody who types."""

    def __init__(
        self, websocket: Adapted, policy: ChosenPolicy, recordings: Recordings, tasks: TaskGroup, idle_timeout: float
    ) -> None:
        self._websocket = websocket
        self._tasks = tasks
        self._idle_timeout = idle_timeout
        self._outbox, self._waiting = anyio.create_memory_object_stream[dict[str, object]](_OUTBOX)
        self._call = PlayCall(policy, recordings, Bot(self._post), self._post, tasks)
        self._code, self._why = _ENDED, "hung_up"

    async def hold(self, caller: LiveCaller, options: FluxOptions, url: str) -> None:
        """Hold the call."""
        with self._outbox, self._waiting:
            async with connect(options, url=url) as stream, anyio.create_task_group() as writing:
                self._call.stream, self._call.typist = stream, Typist(caller)
                writing.start_soon(self._write)
                self._tasks.start_soon(self._be_silent, stream)
                self._tasks.start_soon(self._read)
                try:
                    await self._call.session.run(stream)
                except TurnkitError as error:
                    self._code, self._why = _FAILED, str(error)
                self._post({"type": "ended", "why": self._why})
                self._outbox.close()
        with anyio.CancelScope(shield=True, deadline=anyio.current_time() + _CLOSE_TIMEOUT):
            await self._websocket.close(self._code)

    def _post(self, told: dict[str, object]) -> None:
        # What cannot be sent is for a page that is gone, or is about to be taken for it.
        with suppress(anyio.WouldBlock, anyio.ClosedResourceError, anyio.BrokenResourceError):
            self._outbox.send_nowait(told)

    async def _write(self) -> None:
        async for told in self._waiting:
            with anyio.move_on_after(_SEND_TIMEOUT) as bound, suppress(TurnkitError):
                await self._websocket.send(msgspec.json.encode(told).decode())
                continue
            logger(session=self._call.session.id).debug("page_lost", slow=bound.cancelled_caught)
            self._call.session.hang_up()
            return

    async def _read(self) -> None:
        try:
            while (frame := await self._next()) is not None:
                self._call.take(read(frame))
        except RemoteProtocolError as error:
            logger(session=self._call.session.id).warning("page_unreadable", problem=str(error))
            self._code, self._why = _UNREADABLE, "unreadable"
        self._call.session.hang_up()
        while await self._websocket.receive() is not None:
            pass  # what nobody reads would hold up the closing

    async def _next(self) -> str | bytes | None:
        with anyio.move_on_after(self._idle_timeout):
            return await self._websocket.receive()
        self._why = "idle"
        return None

    async def _be_silent(self, stream: FluxStream) -> None:
        """Send silence in real time: the simulator listens to its length only."""
        due = anyio.current_time()
        while True:
            due = max(due + _CHUNK_SECONDS, anyio.current_time() - _LATE)
            await anyio.sleep_until(due)
            try:
                await stream.send_audio(_CHUNK)
            except TurnkitError:  # the session is told by the stream itself
                return


# With the microphone ----------------------------------------------------------------------------------------------


async def hold_microphone(
    websocket: Any, settings: Settings, recordings: Recordings, *, speech: Speech | None = None, **flux: Any
) -> None:
    """Hold a call with a microphone, until either side ends it; closes the websocket in the end.

    Args:
        websocket: of any framework, accepted; its page has turnkit's script.
        settings: how it begins.
        recordings: where it is recorded.
        speech: how the bot speaks, and who it is. Default None: the small bot, in writing.
        flux: what `connect` takes, such as `api_key`.

    Raises:
        ConfigError: for settings that Flux would refuse, and for a policy that there is not.
        TurnkitError: if Flux cannot be reached, or its stream ends badly.
    """
    options, policy = settings.options(), ChosenPolicy(settings.policy)
    failures: list[Exception] = []
    async with AsyncExitStack() as stack, anyio.create_task_group() as tasks:
        calls: list[PlayCall] = []
        stopwatch: Stopwatch | None = None

        async def make_session(page: browser.Call) -> Session:
            nonlocal stopwatch
            bot: Answering = Bot(page.send)
            if speech is not None:
                bot, stopwatch = await open_bot(page, speech, stack)
            call = PlayCall(policy, recordings, bot, page.send, tasks)
            if stopwatch is not None:
                call.session.observe(stopwatch)
            page.on_message(lambda data: call.take(as_asked(data)))
            calls.append(call)
            return call.session

        @asynccontextmanager
        async def connected(audio: FluxOptions, **settings: Any) -> AsyncIterator[FluxStream]:
            async with connect(audio, **settings) as stream:
                calls[0].stream = stream
                if stopwatch is not None:
                    stopwatch.listen(stream)
                yield stream

        rate = {} if speech is None else {"sample_rate": speech.voice.sample_rate}
        try:
            await browser.hold_call(websocket, make_session, options=options, connect=connected, **rate, **flux)
        except TurnkitError as error:
            failures.append(error)
        tasks.cancel_scope.cancel()
    if failures:
        raise failures[0]
