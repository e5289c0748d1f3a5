"""What may be asked of a rehearsed conversation, in the words of the domain."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator
from itertools import pairwise
from typing import Any

import anyio
import pytest

from tests.support.scripted_bot import OPEN, bot
from turnkit import HoldThenDecide, IgnoreBackchannels, MinWords, Overlap, Session, Verdict
from turnkit.errors import ConfigError
from turnkit.session import Reply
from turnkit.speaking import Playback
from turnkit.testing import Pace, RehearsalFailed, ScriptedLLM, ScriptedTool, ScriptedVoice, rehearse
from turnkit.turns.events import Commit, Speculate


def test_what_was_heard_and_what_was_not() -> None:
    """In any case and punctuation, as whole words, within one reply."""
    call = rehearse(bot(), "1.0 When?")
    call.assert_heard("open FROM, nine")
    call.assert_never_heard("ope", "five we")
    with pytest.raises(RehearsalFailed, match="“on Sundays” was never heard") as info:
        call.assert_heard("open", "on Sundays")
    assert "caller   has finished  “When?”" in str(info.value), "the conversation is shown"
    with pytest.raises(RehearsalFailed, match="“nine to five” was heard, and should never have been"):
        call.assert_never_heard("nine to five")
    with pytest.raises(ConfigError, match="must have words"):
        call.assert_never_heard("?!")


@pytest.mark.parametrize("name", ["assert_heard", "assert_never_heard"])
def test_an_assertion_that_could_not_fail_is_refused(name: str) -> None:
    """Without a text, with one that has no words, or with what is none."""
    judge = getattr(rehearse(bot(), "1.0 When?"), name)
    with pytest.raises(ConfigError, match=rf"^{name}\(\): must have a text"):
        judge()
    with pytest.raises(ConfigError, match=rf"^{name}\('...'\): must have words"):
        judge("open", "...")
    with pytest.raises(ConfigError, match=rf"^{name}\(3\): must be text"):
        judge(3)


def test_sentences_said_without_a_blank_between_them_are_two() -> None:
    """As by a bot that says one, uses a tool, and says the next; what is one word stays one."""

    async def respond(reply: Reply) -> None:
        await reply.say("One moment.")
        await reply.committed()
        await reply.say("The U.S.A. has it, at example.com, for 3.5.")

    call = rehearse(Session(respond=respond, speak=ScriptedVoice()), "1.0 When?")
    call.assert_heard("One moment.", "one moment the", "The USA has it", "example.com", "moment. The U.S.A.")
    call.assert_never_heard("example", "com", "35")


@pytest.mark.parametrize(
    ("says", "heard", "not_heard"),
    [
        ("ご予約は八時に承りました。", ("八時", "八 時 に", "予約"), ("七時", "時八")),
        ("Table ４, ３．５ euros.", ("4", "3.5 euros"), ("35", "5", "3")),
        ("จองโต๊ะแล้ว", ("โต๊ะ", "จอง โต๊ะ"), ("โตะ",)),
        ("क्या आप आएँगे। जी।", ("आएँगे जी",), ("आए",)),
        ("هل أنت هنا؟", ("أنت هنا",), ("هن",)),
    ],
)
def test_what_was_heard_in_other_scripts(says: str, heard: tuple[str, ...], not_heard: tuple[str, ...]) -> None:
    """Words are those that turnkit compares, with blanks between them or not, and numbers are whole."""
    call = rehearse(bot(says), "1.0 When?")
    call.assert_heard(*heard)
    call.assert_never_heard(*not_heard)
    for text in heard:
        with pytest.raises(RehearsalFailed, match="should never have been"):
            call.assert_never_heard(text)


def test_answered_once() -> None:
    """By a reply that was heard; an answer to both of two turns counts for both."""
    call = rehearse(bot(), "1.0 When? [end 0]\n+0.1 When, please? [end]")
    call.assert_answered_once()
    call.assert_answered_once("when", "When, please?")
    with pytest.raises(RehearsalFailed, match=r"“Where\?” never became final"):
        call.assert_answered_once("Where?")
    with pytest.raises(RehearsalFailed, match=r"“When\?” got no answer"):
        rehearse(Session(respond=ScriptedLLM("").respond, speak=ScriptedVoice()), "1.0 When?").assert_answered_once()
    with pytest.raises(RehearsalFailed, match="no turn became final"):
        rehearse(bot(), "1.0 [hang up]").assert_answered_once()


def test_interrupted_within() -> None:
    """From Flux's start of the turn to the last sound, which a policy that waits puts off."""
    script = "1.0 When?\n@speaking+0.5 Stop it please [open]\n+5 [hang up]"
    rehearse(bot(), script).assert_interrupted_within(0.0)
    slow = rehearse(bot(barge_in=MinWords(2)), script)
    slow.assert_interrupted_within(0.5)
    with pytest.raises(RehearsalFailed, match=r"reply 0 went on for 0\.2\d s over the caller, not 0\.1"):
        slow.assert_interrupted_within(0.1)
    with pytest.raises(RehearsalFailed, match="the agent was interrupted, and should not"):
        slow.assert_not_interrupted()
    with pytest.raises(RehearsalFailed, match="the agent was never interrupted"):
        rehearse(bot(), "1.0 When?").assert_interrupted_within(9.0)


def test_a_held_reply_is_silent_and_goes_on() -> None:
    """A backchannel costs the time it is judged in, and no word."""
    call = rehearse(bot(barge_in=HoldThenDecide(IgnoreBackchannels())), "1.0 When?\n@speaking+0.5 Mm-hm. [end 1.0]")
    call.assert_not_interrupted()
    call.assert_heard(OPEN)
    assert "Hold  turn 1, reply 0" in str(call)
    times = [at for at, _ in call.sounds]
    assert max(later - earlier for earlier, later in pairwise(times)) > 1.0


def test_at_rest() -> None:
    """What the end of the call cuts off is named."""
    rehearse(bot(), "1.0 When?").assert_at_rest()
    with pytest.raises(RehearsalFailed, match="turn 0 was not over when the call ended"):
        rehearse(bot(), "1.0 When? [open]").assert_at_rest()
    with pytest.raises(RehearsalFailed, match="reply 0 was under way when the call ended"):
        rehearse(bot(), "1.0 When? [eager] [hang up]").assert_at_rest()
    session = bot()

    async def hang_up(source: AsyncIterable[object]) -> None:
        await session.run(source, drain=False)

    with pytest.raises(RehearsalFailed, match="reply 0 was cut off by the end of the call"):
        rehearse(session, "1.0 When?\n@speaking+0.5 [hang up]", run_call=hang_up).assert_at_rest()


class Booker:
    """A bot that books, in ways that a test must find out."""

    def __init__(self, how: str) -> None:
        self.book = ScriptedTool("book")
        self.how = how
        self.session = Session(respond=self.respond, speak=ScriptedVoice(), id="call")

    async def respond(self, reply: Reply) -> None:
        if self.how != "early":
            await reply.committed()
        key = None if self.how == "keyless" else reply.key
        await self.book(key=f"{key}:{reply.id}" if self.how == "other key" else key)
        await reply.say("Booked.")


SAID = "1.0 A table. [eager] [resumed 1] For two. [end]\n+0.1 Please. [end]"


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("well", ""),
        ("early", r"book was called at 1.83 s, before the caller's turn was final"),
        ("other key", "book took effect 2 times, under 2 keys"),
        ("keyless", "book took effect 2 times, under 2 keys"),
    ],
)
def test_effects(how: str, message: str) -> None:
    """Once, however often it was asked for; never for a draft."""
    booker = Booker(how)
    script = SAID if how in ("well", "early") else "1.0 A table. [end]\n@done For two. [end]"
    call = rehearse(booker.session, script)
    if message:
        with pytest.raises(RehearsalFailed, match=message):
            call.assert_effect_once("book")
    else:
        call.assert_effect_once("book", key="call:turn-0")
    if how == "early":
        with pytest.raises(RehearsalFailed, match=message):
            call.assert_keeps_the_rules()
    with pytest.raises(RehearsalFailed, match="should never have been called"):
        call.assert_no_effect()
    with pytest.raises(RehearsalFailed, match="pay never took effect: it was never called"):
        call.assert_effect_once("pay")
    call.assert_no_effect("pay")


def test_an_effect_of_a_reply_that_is_over_is_too_late() -> None:
    """Somebody outside of the reply does for it what the caller has stopped."""
    tool = ScriptedTool("pay")
    left: list[Reply] = []

    async def respond(reply: Reply) -> None:
        left.append(reply)
        await reply.say("One two three four five six.")

    session = Session(respond=respond, speak=ScriptedVoice())

    async def run_call(source: AsyncIterable[object]) -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(session.run, source)
            await anyio.sleep(6.0)
            await tool(key=left[0].key)

    call = rehearse(session, "1.0 Pay. [end]\n@speaking+0.5 No. [end]", run_call=run_call)
    with pytest.raises(RehearsalFailed, match=r"pay was called at 6\.00 s, for a reply that was over"):
        call.assert_keeps_the_rules()


def test_a_voice_that_plays_on_over_the_caller_is_found_out() -> None:
    """It is shielded from being stopped."""

    async def stubborn(reply: Reply, chunks: AsyncIterator[Any], playback: Playback) -> None:
        with anyio.CancelScope(shield=True):
            async for chunk in chunks:
                playback.started()
                await anyio.sleep(3.0)
                playback.advance(chunk)

    session = Session(respond=ScriptedLLM([OPEN]).respond, speak=stubborn)
    call = rehearse(session, "1.0 When?\n@speaking+0.5 No. [end]")
    with pytest.raises(
        RehearsalFailed, match=r"reply 0 was heard at \d\.\d\d s, though the caller had the floor since"
    ):
        call.assert_keeps_the_rules()
    with pytest.raises(RehearsalFailed, match="went on for"):
        call.assert_interrupted_within(1.0)


def test_a_draft_that_is_played_is_found_out() -> None:
    """A bot of callbacks that plays at Speculate."""
    session = Session()
    session.on(Speculate, lambda draft: session.playback_started(draft.reply))
    call = rehearse(session, "1.0 When?")
    with pytest.raises(RehearsalFailed, match=r"reply 0 was heard at .* before the caller's turn was final"):
        call.assert_keeps_the_rules()


def test_what_the_bot_raises_is_not_overlooked() -> None:
    """The session survives it, and so would the test; failures of stand-ins are as they should be."""

    async def buggy(reply: Reply) -> None:
        async with anyio.create_task_group():
            raise KeyError("menu")

    call = rehearse(Session(respond=buggy, speak=ScriptedVoice()), "1.0 When?")
    with pytest.raises(RehearsalFailed, match="the bot raised KeyError: 'menu'") as info:
        call.assert_keeps_the_rules()
    assert isinstance(info.value.__cause__, KeyError)

    def broken(overlap: Overlap) -> Verdict:
        raise RuntimeError("no idea")

    with pytest.raises(RehearsalFailed, match="a policy failed: "):
        rehearse(bot(barge_in=broken), "1.0 When?\n@speaking No. [end]").assert_keeps_the_rules()
    session = bot()
    session.on(Commit, lambda commit: 1 / 0)
    with pytest.raises(RehearsalFailed, match=r"a callback failed: .*ZeroDivisionError"):
        rehearse(session, "1.0 When?").assert_keeps_the_rules()
    planned = Session(respond=ScriptedLLM(OPEN, pace=Pace(fails_at=1)).respond, speak=ScriptedVoice())
    rehearse(planned, "1.0 When?").assert_keeps_the_rules()
