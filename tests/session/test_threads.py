"""Other threads: what they call is refused and changes nothing; what they ask for is done in the right one."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Callable
from typing import Any

import anyio
import pytest
from anyio import to_thread

from tests.support.sessions import TURN, listen, outcomes, script
from tests.support.voices import echo
from turnkit.errors import ConfigError, LocalProtocolError
from turnkit.session import Reply, Session
from turnkit.session.loop_thread import LoopThread
from turnkit.turns.events import BargeIn, Commit

pytestmark = pytest.mark.anyio


class Observer:
    """Sees nothing."""


CALLS: dict[str, Callable[[Session], object]] = {
    "playback_started": lambda session: session.playback_started(0),
    "playback_advanced": lambda session: session.playback_advanced(0, "some"),
    "playback_finished": lambda session: session.playback_finished(0),
    "protect": lambda session: session.protect(0),
    "discard_draft": lambda session: session.discard_draft(0),
    "context_changed": lambda session: session.context_changed(),
    "initiate": lambda session: session.initiate(),
    "interrupt": lambda session: session.interrupt("typed"),
    "hang_up": lambda session: session.hang_up(),
    "busy": lambda session: session.busy().__enter__(),
    "remember": lambda session: session.remember({"role": "tool", "content": "x"}),
    "record": lambda session: session.record("Fact"),
    "on": lambda session: session.on(BargeIn, print),
    "observe": lambda session: session.observe(Observer()),  # type: ignore[arg-type]
    "signals": lambda session: session.signals(),
}


def refusal(call: Callable[[], object]) -> str:
    """What it says as it refuses."""
    try:
        call()
    except LocalProtocolError as error:
        return str(error)
    return "not refused"


@pytest.mark.parametrize("name", CALLS)
async def test_a_call_from_another_thread_is_refused_and_changes_nothing(name: str) -> None:
    """The reply still has its floor and its one end; what is right is in the message."""
    session = Session()
    signals, ends = listen(session), outcomes(session)
    registered = dict(session._callbacks.registered)
    said: list[str] = []

    async def source() -> AsyncIterator[object]:
        for event in TURN:
            yield event
        session.playback_started(0)
        before = session._machine.snapshot()
        said.append(await to_thread.run_sync(refusal, lambda: CALLS[name](session)))
        assert session._machine.snapshot() == before
        assert session._callbacks.registered == registered
        assert session.history == [{"role": "user", "content": "tea"}]
        session.playback_finished(0)

    await session.run(source())
    assert said == [
        f"{name}(): called from another thread than the one that runs the session; nothing was changed. "
        "Give it to session.call_from_thread"
    ]
    assert ends == [(0, "finished", "")]
    assert [type(signal).__name__ for signal in signals] == ["TurnStarted", "Speculate", "Commit"]


async def test_before_and_after_the_run_there_is_no_wrong_thread() -> None:
    """A session may be made and set up, and looked at, wherever that is."""
    session = Session()
    await to_thread.run_sync(lambda: session.on(BargeIn, print))
    await session.run(script(*TURN))
    await to_thread.run_sync(session.playback_finished, 0)
    await to_thread.run_sync(session.hang_up)


async def test_a_voice_that_reports_from_a_thread_fails_and_ends_its_reply() -> None:
    """`speak` has the same rule as the session: its reply has failed, and no more."""
    refused: list[str] = []

    async def speak(reply: Reply, chunks: AsyncIterator[Any], playback: Any) -> None:
        async for _ in chunks:
            refused.append(await to_thread.run_sync(refusal, playback.started))
            refused.append(await to_thread.run_sync(refusal, lambda: playback.advance("You")))
            playback.advance("You")

    session = Session(respond=echo, speak=speak)
    ends = outcomes(session)
    await session.run(script(*TURN, 5))
    assert [message.split(":")[0] for message in refused] == ["playback()"] * 4
    assert ends == [(0, "finished", "You")]


async def test_a_report_that_was_refused_is_no_report() -> None:
    """The session says that it does not know what was heard."""

    async def speak(reply: Reply, chunks: AsyncIterator[Any], playback: Any) -> None:
        async for _ in chunks:
            await to_thread.run_sync(refusal, playback.started)

    session = Session(respond=echo, speak=speak)
    await session.run(script(*TURN, 5))
    assert session.last_reply is not None
    assert not session.last_reply.reported


async def test_a_thread_may_have_its_calls_made() -> None:
    """In the session's thread, in order, with what they return and what they raise."""
    session = Session()
    ends = outcomes(session)
    here, there = threading.get_ident(), list[int]()
    results: list[object] = []
    session.on(Commit, lambda _: there.append(threading.get_ident()))

    def player() -> None:
        call = session.call_from_thread
        call(session.playback_started, 0)
        call(session.playback_advanced, 0, "hello")
        results.append(call(lambda: session.floor))
        call(session.playback_finished, 0)
        results.append(call(session.initiate))
        try:
            call(session.initiate, "without a voice")
        except LocalProtocolError as error:
            results.append(str(error))

    async def source() -> AsyncIterator[object]:
        for event in TURN:
            yield event
        await to_thread.run_sync(player)

    await session.run(source())
    assert ends == [(0, "finished", "hello"), (1, "cancelled", "")]
    assert there == [here, here]
    assert results == [
        (0, "audible"),
        1,
        "initiate(what): this session has no speak; answer the Commit instead",
    ]


async def test_in_the_sessions_own_thread_it_is_called_at_once() -> None:
    """Nobody waits for themselves."""
    session = Session()
    seen: list[object] = []
    session.on(Commit, lambda _: seen.append(session.call_from_thread(lambda: session.floor)))
    await session.run(script(*TURN))
    assert seen == [(0, "pending")]


async def test_what_cannot_be_called_says_so() -> None:
    """Async functions, and sessions that do not run: nothing is called."""
    session = Session()
    called: list[str] = []
    with pytest.raises(LocalProtocolError, match="not running"):
        session.call_from_thread(called.append, "before")
    await session.run(script(lambda: session.call_from_thread(called.append, "meanwhile")))
    with pytest.raises(LocalProtocolError, match="not running"):
        session.call_from_thread(called.append, "after")
    with pytest.raises(ConfigError, match="must not be async"):
        session.call_from_thread(echo, called)  # type: ignore[arg-type, unused-coroutine]
    assert called == ["meanwhile"]


async def test_a_call_that_waits_as_the_session_ends_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not made, and nobody waits for ever: the thread has asked, and the loop gets to it only after the end."""
    home = LoopThread()
    asked, late = threading.Event(), list[Callable[[], object]]()
    called: list[str] = []
    refused: list[str] = []

    def ask_the_loop(_: object, work: Callable[[], object]) -> None:
        late.append(work)
        asked.set()

    monkeypatch.setattr("turnkit.session.loop_thread.call_in_loop", ask_the_loop)
    home.begin()
    thread = threading.Thread(target=lambda: refused.append(refusal(lambda: home.call(called.append, "too late"))))
    thread.start()
    assert asked.wait(60)
    home.end()
    thread.join(60)
    assert refused == ["call_from_thread(): the session has ended; nothing was called"]
    for work in late:
        work()
    assert called == []


async def test_a_thread_may_hang_up() -> None:
    """The run returns, and whoever asked goes on."""
    session = Session()
    asked: list[str] = []

    def leave() -> None:
        session.call_from_thread(session.hang_up)
        asked.append("went on")

    async with anyio.create_task_group() as tasks:
        session.on(Commit, lambda _: tasks.start_soon(to_thread.run_sync, leave))
        await session.run(script(*TURN, 3600))
    assert asked == ["went on"]
