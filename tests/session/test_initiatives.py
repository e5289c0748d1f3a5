"""Initiatives that wait: in the order they came in, each with its own words, until they are heard or closed."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from tests.support.sessions import TURN, listen, outcomes, script, turn
from tests.support.voices import Voice, echo
from turnkit.errors import LocalProtocolError
from turnkit.session import Reply, Session
from turnkit.turns.events import (
    Cancel,
    CancelReason,
    Commit,
    EndOfTurn,
    Initiate,
    PlaybackFinished,
    PlaybackStarted,
    ReplyEnded,
    StartOfTurn,
    TurnStarted,
)

pytestmark = pytest.mark.anyio


async def test_two_in_a_row_are_heard_one_after_the_other() -> None:
    """With wait; the return values say which has begun and which waits."""
    voice, given = Voice(), list[int | None]()
    session = Session(respond=echo, speak=voice.speak)
    ends = outcomes(session)

    def ask() -> None:
        given.extend(session.initiate(what, wait=True) for what in ("one two", "three", "four five"))

    await session.run(script(ask, 2.0))
    assert given == [0, None, None]
    assert voice.sounds == [(0, "one"), (0, "two"), (1, "three"), (2, "four"), (2, "five")]
    assert [outcome for _, outcome, _ in ends] == ["finished"] * 3


async def test_without_wait_the_second_is_refused_with_a_reason() -> None:
    """And says nothing, whatever comes later."""
    voice, given = Voice(), list[int | None]()
    session = Session(respond=echo, speak=voice.speak)
    refused: list[Cancel] = []
    session.on(Cancel, refused.append)
    await session.run(
        script(
            lambda: given.append(session.initiate("one")),
            lambda: given.append(session.initiate("never")),
            1,
            lambda: given.append(session.initiate("two")),
            1,
        )
    )
    assert given == [0, None, 2]
    assert [(cancel.reply, cancel.reason) for cancel in refused] == [(1, CancelReason.FLOOR_TAKEN)]
    assert voice.heard == "one two"


async def test_one_that_a_turn_cancelled_before_its_first_sound_is_heard_after_the_answer() -> None:
    """As the first of those that wait, with a reply of its own, and asked for its words again."""
    voice, asked = Voice(), list[int]()
    session = Session(respond=echo, speak=voice.speak)
    ends = outcomes(session)

    async def disclaim(reply: Reply) -> None:
        asked.append(reply.id)
        await anyio.sleep(0.5)
        await reply.say("recorded")

    def ask() -> None:
        session.initiate(disclaim, wait=True)
        session.initiate("welcome", wait=True)

    await session.run(script(ask, 0.2, *turn(0, "hello", eager=False), 5))
    assert voice.heard == "You said: hello recorded welcome"
    assert asked == [0, 2]
    assert ends == [
        (0, "cancelled", ""),
        (1, "finished", "You said: hello"),
        (2, "finished", "recorded"),
        (3, "finished", "welcome"),
    ]


async def test_one_that_was_heard_in_part_is_not_said_again() -> None:
    """Interrupted is interrupted."""
    voice = Voice()
    session = Session(respond=echo, speak=voice.speak)
    await session.run(
        script(lambda: session.initiate("one two three", wait=True), 0.15, *turn(0, "stop", eager=False), 5)
    )
    assert voice.heard == "one two You said: stop"


async def test_those_that_wait_at_the_end_are_cancelled() -> None:
    """Each with a reply number of its own; nothing of them is said."""
    session = Session()
    signals = listen(session)

    def ask() -> None:
        session.initiate(wait=True)
        session.initiate(wait=True)

    await session.run(script(StartOfTurn(0, "hello"), ask))
    cancels = [(signal.reply, signal.reason) for signal in signals if isinstance(signal, Cancel)]
    assert cancels == [(0, CancelReason.CLOSED), (1, CancelReason.CLOSED)]


@pytest.mark.parametrize(
    ("waits", "heard"),
    [
        ((True, True), "You said: hello first second"),
        ((True, False), "You said: hello first"),
        ((False, True), "You said: hello first second"),
    ],
)
async def test_each_has_its_own_words_also_from_within_a_callback(waits: tuple[bool, bool], heard: str) -> None:
    """Asked for while an earlier one's Commit is decided and not carried out yet."""
    voice, given = Voice(), list[int | None]()
    session = Session(respond=echo, speak=voice.speak)

    def ask_again(_: object) -> None:
        if not given:
            given.append(session.initiate("first", wait=waits[0]))
            given.append(session.initiate("second", wait=waits[1]))

    session.on(ReplyEnded, ask_again)
    await session.run(script(*turn(0, "hello", eager=False), 5))
    assert voice.heard == heard
    assert [reply is not None for reply in given] == [True, False]


async def test_the_cancel_of_one_and_a_new_one_in_the_same_step_keep_their_order() -> None:
    """A turn cancels the first; the callback of that very turn asks for another before the Cancel is told."""
    voice = Voice()
    session = Session(respond=echo, speak=voice.speak)
    session.on(TurnStarted, lambda _: session.initiate("second", wait=True))

    async def first(reply: Reply) -> None:
        await anyio.sleep(0.5)
        await reply.say("first")

    await session.run(script(lambda: session.initiate(first, wait=True), 0.1, *turn(0, "hello", eager=False), 5))
    assert voice.heard == "You said: hello first second"


async def test_what_a_source_initiates_takes_nobody_elses_words() -> None:
    """Initiate may come as an event, too; its words are `respond`'s."""
    voice = Voice()

    async def respond(reply: Reply) -> None:
        await reply.say("of the source")

    session = Session(respond=respond, speak=voice.speak)
    await session.run(
        script(
            lambda: session.initiate("mine", wait=True),
            Initiate(wait=True),
            lambda: session.initiate("mine too", wait=True),
            5,
        )
    )
    assert voice.heard == "mine of the source mine too"


async def test_a_protected_one_that_waits_is_protected() -> None:
    """From the beginning: what is said over it, heard or not, is answered after it."""
    voice = Voice()
    session = Session(respond=echo, speak=voice.speak)

    async def slowly(reply: Reply) -> None:
        await anyio.sleep(0.5)
        await reply.say("this call is recorded")

    def ask() -> None:
        session.initiate("hello", wait=True)
        session.initiate(slowly, protected=True, wait=True)

    await session.run(script(ask, 0.3, *turn(0, "what", eager=False), 5))
    assert voice.heard == "hello this call is recorded You said: what"


async def test_a_host_that_answers_by_itself_may_wait_too() -> None:
    """Without respond and speak, the Commit is the answer; words cannot be given."""
    session = Session()
    commits: list[tuple[int, str]] = []

    def answer(commit: Commit) -> None:
        commits.append((commit.reply, commit.trigger))

    session.on(Commit, answer)
    with_words: list[Any] = []

    def ask() -> None:
        assert session.initiate(wait=True) is None
        with pytest.raises(LocalProtocolError, match="has no speak"):
            session.initiate("words", wait=True)
        with_words.append("refused")

    await session.run(script(*TURN, PlaybackStarted(0), ask, PlaybackFinished(0), PlaybackFinished(1), 1))
    assert commits == [(0, "model"), (1, "initiate")]
    assert with_words == ["refused"]


async def test_typed_text_comes_before_what_waits() -> None:
    """It is the user's turn, and theirs is the floor."""
    voice = Voice()
    session = Session(respond=echo, speak=voice.speak)
    typed: list[int | None] = []

    def both() -> None:
        session.initiate("news", wait=True)
        typed.append(session.interrupt("press one"))

    await session.run(script(StartOfTurn(0, "um"), both, 0.1, EndOfTurn(0, "um"), 5))
    assert typed == [1]
    assert voice.heard == "You said: press one news"
