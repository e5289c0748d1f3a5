"""What a session tells of itself: its state, its end, what was heard last, and when it was since the call began."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import pytest

from tests.support.sessions import TURN, listen, script, turn
from tests.support.voices import Voice, echo
from turnkit.errors import ConfigError, LocalProtocolError
from turnkit.session import Session
from turnkit.trace import read
from turnkit.turns.events import (
    BargeIn,
    Commit,
    EagerEndOfTurn,
    EndOfTurn,
    Outcome,
    ReplyEnded,
    StartOfTurn,
    TurnResumed,
)
from turnkit.wire import FluxOptions

pytestmark = pytest.mark.anyio


async def test_it_shows_its_state_and_no_words() -> None:
    """Who it is, whether it runs, what the user does and who has the floor."""
    session = Session(id="call-7")
    shown = [repr(session)]
    session.on(Commit, lambda _: shown.append(repr(session)))
    await session.run(script(*turn(0, "secret"), StartOfTurn(1, "more of it"), lambda: shown.append(repr(session))))
    shown.append(repr(session))
    assert shown == [
        "<Session call-7 not run yet: the user is listening, nobody has the floor>",
        "<Session call-7 running: the user is listening, reply 0 (pending) has the floor>",
        "<Session call-7 running: the user is speaking, nobody has the floor>",
        "<Session call-7 ended: the user is listening, nobody has the floor>",
    ]


@pytest.mark.parametrize("drain", [True, False])
async def test_after_its_end_nobody_has_the_floor(drain: bool) -> None:
    """Also where a reply was heard to the last, and the run did not wait for it; nor while that end is told."""
    session = Session()
    told: list[object] = []
    session.on(ReplyEnded, lambda _: told.append(session.floor))
    await session.run(script(*TURN, lambda: session.playback_started(0)), drain=drain)
    assert session.floor is None
    assert session.user == "listening"
    assert told == [None]


async def test_what_was_heard_last_is_known_without_keeping_books() -> None:
    """Of the last reply that was not cancelled, also where the host plays them by itself."""
    session = Session()
    assert session.last_reply is None
    heard: list[tuple[int, Outcome, str]] = []

    def look() -> None:
        last = session.last_reply
        assert last is not None
        heard.append((last.reply, last.outcome, last.heard))

    def play() -> None:
        session.playback_started(0)
        session.playback_advanced(0, "A table")

    draft = turn(2, "another")[:2]
    await session.run(script(*TURN, play, *turn(1, "stop", eager=False), look, StartOfTurn(2, "x"), *draft, look))
    assert heard == [(0, Outcome.INTERRUPTED, "A table")] * 2


@pytest.mark.parametrize("before", ["", "A"])
@pytest.mark.parametrize("committed", [False, True])
async def test_what_was_heard_may_be_told_after_the_interruption(before: str, committed: bool) -> None:
    """A player may know it only once it has stopped; it stands where it would, and then the next turn is owed too."""
    session = Session()

    def play() -> None:
        session.playback_started(0)
        if before:
            session.playback_advanced(0, before)

    draft = [EagerEndOfTurn(1, "stop"), TurnResumed(1, "stop")]  # which ends too, and was never heard
    later = [*draft, EndOfTurn(1, "stop")] if committed else draft
    steps = [*TURN, play, StartOfTurn(1, "stop"), *later, lambda: session.playback_advanced(0, "A table")]
    await session.run(script(*steps, *turn(2, "please"), lambda: session.playback_advanced(7, "of no reply")))
    last = session.last_reply
    assert last is not None
    assert (last.reply, last.outcome, last.heard) == (0, Outcome.INTERRUPTED, "A table")
    said = [message["content"] for message in session.history]
    assert said == ["tea", "A table", "stop", "please"]


async def test_only_the_reply_that_was_interrupted_last_is_set_right() -> None:
    """Of one that was heard to its end, or of one before that, nothing more is taken."""
    session = Session()

    def play(reply: int) -> None:
        session.playback_started(reply)
        session.playback_advanced(reply, f"answer {reply}")

    def finish() -> None:
        session.playback_finished(1)
        for reply in (0, 1):
            session.playback_advanced(reply, "something else")

    await session.run(script(*TURN, lambda: play(0), *turn(1, "stop"), lambda: play(1), finish))
    last = session.last_reply
    assert last is not None
    assert (last.outcome, last.heard) == (Outcome.FINISHED, "answer 1")
    assert [message["content"] for message in session.history] == ["tea", "answer 0", "stop", "answer 1"]


async def test_a_signals_time_since_the_call_began() -> None:
    """In seconds, beside the monotonic `at`; of ReplyEnded too."""
    await anyio.sleep(7)
    voice = Voice()
    session = Session(respond=echo, speak=voice.speak)
    signals = listen(session)
    ends: list[Any] = []
    session.on(ReplyEnded, ends.append)
    assert session.began_at is None
    began = anyio.current_time()
    await session.run(script(2, *turn(0, "hello"), 0.45, *turn(1, "stop")))
    assert session.began_at == pytest.approx(began)
    assert [round(session.elapsed(signal), 3) for signal in signals if isinstance(signal, (Commit, BargeIn))] == [
        2.0,
        2.45,
        2.45,
    ]
    assert session.elapsed(ends[0]) == pytest.approx(2.45)
    with pytest.raises(LocalProtocolError, match="has not begun"):
        Session().elapsed(signals[0])


async def test_the_options_of_a_source_that_does_not_know_them(tmp_path: Path) -> None:
    """They are in the recording; what the source itself says comes before them."""

    class Knowing:
        options = FluxOptions(eot_threshold=0.9)

        def __aiter__(self) -> Any:
            return script(*TURN)

    mine = FluxOptions(eager_eot_threshold=0.4, eot_threshold=0.8)
    sources: list[tuple[Any, FluxOptions | None]] = [(script(*TURN), mine), (Knowing(), Knowing.options)]
    for number, (source, recorded) in enumerate(sources):
        path = tmp_path / f"{number}.jsonl"
        await Session(record=path, options=mine).run(source)
        assert read(path).options == recorded
    with pytest.raises(ConfigError, match="options: must be FluxOptions, not dict"):
        Session(options={"eot_threshold": 0.8})  # type: ignore[arg-type]
