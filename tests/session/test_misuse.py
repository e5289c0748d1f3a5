"""What a host does wrong is told at once, with what would be right."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from tests.support.sessions import outcomes, script, turn
from tests.support.voices import Voice, echo
from turnkit.errors import ConfigError, LocalProtocolError
from turnkit.session import Reply, Session
from turnkit.speaking import Playback
from turnkit.turns.chart import ReplyState
from turnkit.turns.events import BargeIn, Commit, StartOfTurn
from turnkit.turns.machine import TurnMachine
from turnkit.turns.policy import HoldThenDecide, Overlap, Verdict

pytestmark = pytest.mark.anyio


async def test_wrong_settings_are_told_before_anything_runs() -> None:
    """respond without speak, or the other way, or what is not a function; a chunk that is neither text nor audio."""
    with pytest.raises(ConfigError, match="give both, or neither"):
        Session(respond=echo)
    with pytest.raises(ConfigError, match="respond='x'"):
        Session(respond="x", speak="y")  # type: ignore[arg-type]
    wrong: list[str] = []

    async def respond(reply: Reply) -> None:
        try:
            await reply.say(42)  # type: ignore[arg-type]
        except ConfigError as error:
            wrong.append(str(error))

    voice = Voice()
    session = Session(respond=respond, speak=voice.speak)
    await session.run(script(*turn(0, "a")))
    assert wrong == ["say(int): must be text or the bytes of audio"]
    with pytest.raises(LocalProtocolError, match="not running"):
        session.initiate("x")


async def test_a_wrong_registration_says_what_is_right() -> None:
    """on() refuses what is not a signal or not callable, with the names there are."""
    session = Session()
    with pytest.raises(ConfigError, match="must be one of the signals TurnStarted"):
        session.on(StartOfTurn, print)  # type: ignore[type-var]
    with pytest.raises(ConfigError, match="must be callable"):
        session.on(BargeIn, "stop")  # type: ignore[call-overload]


@pytest.mark.parametrize("heard", [None, b"You", 3])
async def test_what_was_heard_is_text(heard: Any) -> None:
    """Anything else is refused before it stands anywhere: not in the history, nor in the end of the reply."""
    refused: list[str] = []

    def report(call: Any, *given: Any) -> None:
        with pytest.raises(LocalProtocolError, match="must be text") as caught:
            call(*given)
        refused.append(str(caught.value))

    async def speak(reply: Reply, chunks: AsyncIterator[Any], playback: Any) -> None:
        async for _ in chunks:
            playback.advance("You")
            report(playback.advance, heard)
            report(session.playback_advanced, reply.id, heard)

    session = Session(respond=echo, speak=speak)
    ends = outcomes(session)
    await session.run(script(*turn(0, "a"), 2.0))
    assert len(refused) == 4
    assert ends == [(0, "finished", "You")]
    assert session.history[-1] == {"role": "assistant", "content": "You"}


async def test_the_host_may_report_late_and_initiate_only_while_running() -> None:
    """Reports outside the run change nothing; initiate outside the run is a mistake; a session runs once."""
    session = Session()
    session.playback_started(0)
    with pytest.raises(LocalProtocolError, match="not running"):
        session.initiate()
    outcome: list[int | None] = []
    await session.run(script(lambda: outcome.append(session.initiate()), lambda: outcome.append(session.initiate())))
    assert outcome == [0, None]
    session.playback_finished(0)
    session.discard_draft(0)
    with pytest.raises(LocalProtocolError, match="not running"):
        session.initiate()
    with pytest.raises(LocalProtocolError, match="runs once"):
        await session.run(script())


class Entered:
    """What connect(...) gives before it is entered."""

    async def __aenter__(self) -> None: ...


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ([], r"run\(list\): must be an async iterable .* or a Feed$"),
        (None, r"run\(NoneType\): must be an async iterable"),
        (Entered(), r"run\(Entered\): .*enter it first, with `async with"),
    ],
)
async def test_what_is_no_source_is_refused_and_begins_nothing(source: Any, why: str) -> None:
    """The session can still be run."""
    session = Session()
    with pytest.raises(ConfigError, match=why):
        await session.run(source)
    assert session.began_at is None
    await session.run(script())


async def test_a_report_of_the_wrong_type_changes_nothing() -> None:
    """A signal in place of its reply's number; what was heard as a number; from callbacks and from a voice."""
    session = Session()
    wrong: list[str] = []

    def expect(function: Callable[..., object], *given: object) -> None:
        with pytest.raises(LocalProtocolError) as caught:
            function(*given)
        wrong.append(str(caught.value))

    def answer(commit: Commit) -> None:
        for function in (session.playback_started, session.playback_finished, session.protect, session.discard_draft):
            expect(function, commit)
        expect(session.playback_advanced, commit, "private words")
        expect(session.playback_advanced, commit.reply, None)
        assert session.floor == (commit.reply, ReplyState.PENDING)
        session.playback_finished(commit.reply)

    session.on(Commit, answer)
    await session.run(script(*turn(0, "a")))
    rule = "(Commit): must be the number of a reply, such as `commit.reply`; nothing was changed"
    assert wrong == [
        f"playback_started{rule}",
        f"playback_finished{rule}",
        f"protect{rule}",
        f"discard_draft{rule}",
        f"playback_advanced{rule}",
        "playback_advanced: heard=NoneType: must be text; nothing was changed",
    ]

    async def speak(reply: Reply, chunks: object, playback: Playback) -> None:
        expect(playback.advance, 3)
        assert reply.heard == ""

    voiced = Session(respond=echo, speak=speak)
    await voiced.run(script(*turn(0, "a")))
    assert wrong[-1] == "playback.advance: heard=int: must be text; nothing was changed"


async def test_each_refusal_names_what_was_called() -> None:
    """signals() is not on(), and what initiate() takes is told without quoting it."""
    session = Session(respond=echo, speak=Voice().speak)
    with pytest.raises(ConfigError, match=r"^signals\('StartOfTurn'\): must be one of the signals TurnStarted"):
        session.signals(BargeIn, StartOfTurn)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=r"^initiate\(bytes\): must be the text to say, or an async function$"):
        session.initiate(b"private words")  # type: ignore[arg-type]


async def asks_somebody(overlap: Overlap) -> Verdict:
    return Verdict.YIELD


@pytest.mark.parametrize("setting", ["barge_in", "speculation"])
async def test_a_policy_cannot_be_async(setting: str) -> None:
    """It would give no verdict, and be overruled at every event; within another policy too."""
    wrong: Any = {setting: asks_somebody}
    for make in (Session, TurnMachine):
        with pytest.raises(ConfigError, match=rf"^{setting}=<function .*: must be a plain function, not async"):
            make(**wrong)
    with pytest.raises(ConfigError, match=r"^HoldThenDecide\(then=.*not async"):
        HoldThenDecide(asks_somebody)  # type: ignore[arg-type]
