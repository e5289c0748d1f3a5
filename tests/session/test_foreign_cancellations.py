"""A cancellation that nobody asked for, and what else is no Exception, fails the reply; the call goes on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any, Literal

import anyio
import pytest

from tests.support.sessions import outcomes, script, turn
from tests.support.voices import Voice, echo
from turnkit.errors import ConnectionFailed
from turnkit.session import HostFailure, Reply, Session
from turnkit.testing import virtual_time
from turnkit.timers import on_trio
from turnkit.turns.events import Commit, EagerEndOfTurn, EndOfTurn, NoteKind, StartOfTurn, TurnResumed, TurnStarted

pytestmark = pytest.mark.anyio

LIBRARIES: tuple[Literal["asyncio", "trio"], ...] = ("asyncio", "trio")
BOUND = 120.0  # virtual seconds, after which the call counts as hanging


class Struck(BaseException):
    """A BaseException of somebody's library."""


async def _leak_a_cancellation() -> None:
    """What awaiting a cancelled task of one's own does: on trio it has to be carried out of its scope."""
    if not on_trio():
        task = asyncio.ensure_future(asyncio.sleep(60))
        task.cancel()
        await task
    leaked: list[BaseException] = []
    with anyio.CancelScope() as scope:
        scope.cancel()
        try:
            await anyio.sleep(1)
        except anyio.get_cancelled_exc_class() as cancelled:
            leaked.append(cancelled)
    raise leaked[0]


async def _strike() -> None:
    await anyio.lowlevel.checkpoint()
    raise Struck


foreign = pytest.mark.parametrize("strike", [_leak_a_cancellation, _strike])


async def _call(session: Session, *steps: object) -> None:
    with anyio.fail_after(BOUND):
        await session.run(script(*turn(0, "one"), 2.0, *steps, *turn(1, "two"), 1.0))


@foreign
@pytest.mark.parametrize("moment", ["before", "draft", "after", "must_finish"])
async def test_respond_fails_and_the_next_turn_is_answered(strike: Callable[[], Any], moment: str) -> None:
    """A task of the LLM client was cancelled, not the reply: the reply fails, and nothing else."""
    voice = Voice()

    async def respond(reply: Reply) -> None:
        if reply.turn == 0:
            if moment != "draft":
                await reply.committed()
            if moment == "after":
                await reply.say("half a")
            async with AsyncExitStack() as stack:
                if moment == "must_finish":
                    await stack.enter_async_context(reply.must_finish())
                await strike()
        await reply.say(f"answer to {reply.transcript}")

    session = Session(respond=respond, speak=voice.speak)
    ends = outcomes(session)
    await _call(session)
    assert ends[0][1] == "failed"
    assert ends[-1][1:] == ("finished", "answer to two")
    assert session.notes[NoteKind.CALLBACK_FAILED] >= 1


@foreign
@pytest.mark.parametrize("words", [0, 1])
async def test_speak_fails_and_the_next_turn_is_answered(strike: Callable[[], Any], words: int) -> None:
    """The TTS was cancelled by nobody, before its first sound or after: what was heard stands, the floor is free."""
    voice = Voice()

    async def respond(reply: Reply) -> None:
        await reply.say("one two")

    async def speak(reply: Reply, chunks: AsyncIterator[Any], playback: Any) -> None:
        if reply.turn == 0:
            if words:
                playback.started()
                playback.advance("one")
            await strike()
        await voice.speak(reply, chunks, playback)

    session = Session(respond=respond, speak=speak)
    ends = outcomes(session)
    await _call(session)
    assert ends == [(0, "failed", "one" * words), (1, "finished", "one two")]


@foreign
async def test_an_async_callback_fails_alone(strike: Callable[[], Any]) -> None:
    """Neither its reply nor the run ends with it."""
    voice = Voice()

    async def respond(reply: Reply) -> None:
        await reply.say("yes")

    async def callback(signal: object) -> None:
        await strike()

    session = Session(respond=respond, speak=voice.speak)
    session.on(TurnStarted, callback)
    session.on(Commit, callback)
    ends = outcomes(session)
    await _call(session)
    assert ends == [(0, "finished", "yes"), (1, "finished", "yes")]
    assert session.notes[NoteKind.CALLBACK_FAILED] == 4


@pytest.mark.parametrize("error", [asyncio.CancelledError, Struck])
async def test_a_sync_callback_and_an_observer_fail_alone(error: type[BaseException]) -> None:
    """Whatever task they happen to be called in goes on, and so does the call."""
    voice = Voice()

    async def respond(reply: Reply) -> None:
        await reply.say("yes")

    def callback(signal: object) -> None:
        raise error

    class Watcher:
        def __getattr__(self, name: str) -> Any:
            def verb(*_: object, **__: object) -> None:
                raise error

            return verb

    session = Session(respond=respond, speak=voice.speak)
    session.on(TurnStarted, callback)
    session.on(Commit, callback)
    session.observe(Watcher())
    ends = outcomes(session)
    await _call(session)
    assert ends == [(0, "finished", "yes"), (1, "finished", "yes")]


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("place", ["respond", "callback"])
@pytest.mark.parametrize("library", LIBRARIES)
def test_what_ends_the_program_passes(
    error: type[BaseException], place: str, library: Literal["asyncio", "trio"]
) -> None:
    """Ctrl-C is nobody's failure; it comes out of the run, alone or in a group."""
    voice = Voice()

    async def respond(reply: Reply) -> None:
        await reply.committed()
        if place == "respond":
            raise error
        await reply.say("yes")

    def callback(signal: object) -> None:
        raise error

    session = Session(respond=respond, speak=voice.speak)
    if place == "callback":
        session.on(Commit, callback)
    backend, options = virtual_time(library)
    seen: BaseException | None = None
    try:
        anyio.run(_call, session, backend=backend, backend_options=options)
    except BaseException as raised:
        seen = raised
    while isinstance(seen, BaseExceptionGroup):
        seen = seen.exceptions[0]
    assert type(seen) is error


async def test_a_real_cancellation_passes() -> None:
    """A run that is cancelled ends at once, and nothing in it counts as failed."""
    voice = Voice()

    async def respond(reply: Reply) -> None:
        await reply.say("one two three four five six seven eight nine ten")
        await anyio.sleep(5)

    session = Session(respond=respond, speak=voice.speak)
    ends = outcomes(session)
    with anyio.move_on_after(0.5) as scope:
        await session.run(script(*turn(0, "one"), 60.0))
    assert scope.cancelled_caught
    assert [end[1] for end in ends] == ["interrupted"]
    assert session.notes[NoteKind.CALLBACK_FAILED] == 0


@foreign
async def test_a_source_fails_as_any_other(strike: Callable[[], Any]) -> None:
    """A task of the client was cancelled, not the run: what was said is answered, and the caller gets an error."""
    voice = Voice()

    async def source() -> AsyncIterator[object]:
        for event in turn(0, "one"):
            yield event
        await strike()

    session = Session(respond=echo, speak=voice.speak)
    ends = outcomes(session)
    with pytest.raises(ConnectionFailed, match=r"the source raised \w+, and nobody had asked for it") as caught:
        await session.run(source())
    assert ends == [(0, "finished", "You said: one")]
    assert caught.value.attempts == (caught.value.__cause__,)


def test_a_run_that_asyncio_cancels_is_cancelled() -> None:
    """By Task.cancel, as asyncio.timeout and TaskGroup do, of which anyio knows nothing."""

    async def call(session: Session) -> None:
        async with asyncio.timeout(1.0):
            await session.run(script(*turn(0, "one"), 60.0))

    voice = Voice()
    session = Session(respond=echo, speak=voice.speak)
    backend, options = virtual_time("asyncio")
    with pytest.raises(TimeoutError):
        anyio.run(call, session, backend=backend, backend_options=options)


class Raised(BaseException):
    """What a policy raises that is no Exception."""


@pytest.mark.parametrize("setting", ["barge_in", "speculation"])
@pytest.mark.parametrize("error", [asyncio.CancelledError(), Raised()], ids=["CancelledError", "BaseException"])
async def test_a_policy_fails_alone(setting: str, error: BaseException) -> None:
    """It is told, the machine goes by its default, and the source is not said to have failed."""

    def policy(situation: object) -> Any:
        raise error

    voice = Voice()
    policies: dict[str, Any] = {setting: policy}
    session = Session(respond=echo, speak=voice.speak, **policies)
    ends, failures = outcomes(session), list[HostFailure]()
    session.on_error(failures.append)
    with anyio.fail_after(BOUND):
        await session.run(script(*turn(0, "one"), 0.5, *turn(1, "two"), 1.0))
    assert [(reply, outcome) for reply, outcome, _ in ends] == [(0, "interrupted"), (1, "finished")]
    assert {failed.error for failed in failures} == {error}
    assert session.notes[NoteKind.POLICY_FAILED] == len(failures)


@pytest.mark.parametrize("anyio_backend", [virtual_time("asyncio")], ids=["asyncio"])  # on trio only scopes make them
async def test_one_that_comes_as_the_reply_is_cancelled_ends_nothing_else() -> None:
    """The draft is cancelled, and before it learns that, its LLM client raises a cancellation of its own."""
    voice = Voice()
    go = anyio.Event()

    async def respond(reply: Reply) -> None:
        if reply.turn == 0 and not go.is_set():
            await go.wait()
            raise asyncio.CancelledError
        await reply.say(f"answer to {reply.turn}")

    async def source() -> AsyncIterator[object]:
        yield StartOfTurn(0, "one")
        yield EagerEndOfTurn(0, "one")
        await anyio.sleep(0.5)
        go.set()
        yield TurnResumed(0, "one and")
        yield EndOfTurn(0, "one and more")
        await anyio.sleep(2)
        for event in turn(1, "two"):
            yield event
        await anyio.sleep(2)

    session = Session(respond=respond, speak=voice.speak)
    ended = outcomes(session)
    with anyio.fail_after(BOUND):
        await session.run(source())
    assert [outcome for _, outcome, _ in ended] == ["cancelled", "finished", "finished"]
    assert "answer to 1" in voice.heard
