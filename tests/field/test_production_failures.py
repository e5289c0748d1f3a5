"""How Flux and its clients have failed in production, each failure played as it was reported. The table is PAINS.md."""

from __future__ import annotations

import anyio
import pytest

from tests.support.flux_peer import Link, flux_peer
from tests.support.frames import frame
from tests.support.refereed_call import RefereedCall
from tests.support.sessions import listen, outcomes, script, turn
from tests.support.voices import Voice
from turnkit.errors import FluxError
from turnkit.flux import connect
from turnkit.session import Reply, Session
from turnkit.turns.events import (
    BargeIn,
    Cancel,
    CancelReason,
    Commit,
    DropReason,
    EagerEndOfTurn,
    EndOfTurn,
    Event,
    Note,
    NoteKind,
    PlaybackFinished,
    PlaybackStarted,
    Speculate,
    StartOfTurn,
    StreamLost,
    StreamRestored,
    TurnDropped,
    TurnResumed,
    TurnStalled,
    TurnStarted,
    Update,
)
from turnkit.turns.policy import MinWords

pytestmark = pytest.mark.anyio


def test_failure_a_noise_takes_the_reply_and_flux_goes_silent_for_23_seconds() -> None:
    """At 13.04 s noise on the line starts a turn, which cancels the reply before its first sound; then no event comes
    for 23 s although audio flows, the caller's next words at 28 s included. They hang up.

    https://github.com/pipecat-ai/pipecat/issues/5735 - the noise's turn is released, and the question is answered.
    """
    call = RefereedCall()
    call.play(10.0, StartOfTurn(0, "When"), 1.2, EndOfTurn(0, "When do you open?"))
    call.play(1.84, StartOfTurn(1, "Hey"))
    assert [(cancel.reply, cancel.reason) for cancel in call.of(Cancel)] == [(0, CancelReason.NEW_TURN)]
    call.play(10.0)
    assert [signal.at for signal in call.of(TurnStalled)] == pytest.approx([21.04])
    commit = call.of(Commit)[-1]
    assert (commit.trigger, commit.unanswered) == ("stalled", ("When do you open?",))
    assert commit.at == pytest.approx(23.04)
    call.play(0.5, PlaybackStarted(1), 2.0, PlaybackFinished(1))
    call.play(6.0, StartOfTurn(1, "Are you"), Update(1, "Are you there?"), 0.5, EndOfTurn(1, "Are you there?"))
    assert call.of(Commit)[-1].transcript == "Are you there?"
    call.rest()


def test_failure_b_a_turn_opened_by_an_update_does_not_mute_the_agent_for_ever() -> None:
    """A turn is opened by Updates, no StartOfTurn, and then the server says nothing more; the agent stays mute, and the
    call is never ended. A watchdog on messages alone fails too: a stuck turn still sends empty Updates.

    https://github.com/bolna-ai/bolna/pull/758 - the turn ends for want of progress, empty Updates or not.
    """
    words: list[Event | float] = [Update(0, "I need", audio_end=1.0), 0.4, Update(0, "I need help", audio_end=1.4), 0.3]
    silences: tuple[list[Event | float], ...] = ([10.5], [0.25, Update(0, "", audio_end=2.0)] * 42)
    for ticks in silences:
        call = RefereedCall()
        call.play(*words, Update(0, "I need help please", audio_end=1.7))
        assert [start.transcript for start in call.of(TurnStarted)] == ["I need help please"]
        call.play(*ticks)
        (commit,) = call.of(Commit)
        assert (commit.transcript, commit.trigger) == ("I need help please", "stalled")
        call.play(PlaybackStarted(0), 2.0, PlaybackFinished(0))
        assert call.machine.floor is None
        call.rest()


def test_failure_c_after_a_reconnect_an_update_comes_before_the_start() -> None:
    """The connection is lost in mid-turn; the new one goes on with an Update before its StartOfTurn, which a stale flag
    then suppresses: the words after it belong to no turn.

    https://github.com/livekit/agents-js/pull/1813 - the loss closes what was open, and counting starts at nought.
    """
    call = RefereedCall()
    call.talk()
    call.play(PlaybackFinished(0), StartOfTurn(1, "I'd like"), 0.5, Update(1, "I'd like the blue"))
    call.play(StreamLost("1006"), 0.8, StreamRestored(), Update(0, "one", audio_end=0.4), 0.24)
    assert call.machine.turn is None
    (drop, start) = call.play(StartOfTurn(0, "one please", audio_end=0.64))
    assert isinstance(drop, TurnDropped)
    assert (drop.transcript, drop.reason) == ("I'd like the blue", DropReason.STREAM_LOST)
    assert isinstance(start, TurnStarted)
    assert start.turn == 2
    call.play(0.5, EndOfTurn(0, "one, please"), PlaybackStarted(1), 1.0, StartOfTurn(1, "no"))
    assert call.of(Commit)[-1].unanswered == ("I'd like the blue",)
    assert [barge.reply for barge in call.of(BargeIn)] == [1]
    assert [note for note in call.of(Note) if note.kind is not NoteKind.MISSING_START] == []


async def test_failure_d_a_stall_right_after_an_eager_end_leaves_no_orphan_and_no_second_turn() -> None:
    """A watchdog ends the turn right after an eager end: the speculative task is orphaned, and the user's turn stands
    twice in the context.

    https://github.com/bolna-ai/bolna/pull/843 - the draft for these very words is the answer; the late end is stale.
    """
    voice = Voice()
    begun: list[str] = []

    async def respond(reply: Reply) -> None:
        begun.append(reply.transcript)
        await reply.say("Right away.")

    session = Session(respond=respond, speak=voice.speak, stall_timeout=3.0, stall_grace=0.0)
    ends = outcomes(session)
    signals = listen(session)
    start = [StartOfTurn(0, "a taxi"), 0.5, EagerEndOfTurn(0, "a taxi please")]
    await session.run(script(*start, 4.0, EndOfTurn(0, "A taxi, please."), 1.0))
    (commit,) = (signal for signal in signals if isinstance(signal, Commit))
    assert (commit.speculative, commit.trigger) == (True, "stalled")
    assert begun == ["a taxi please"]
    assert ends == [(0, "finished", "Right away.")]
    assert [message["content"] for message in session.history] == ["a taxi please", "Right away."]
    assert session.notes == {NoteKind.STALE_TURN: 1}


def test_failure_e_a_fast_end_after_a_pause_in_mid_thought_is_not_taken_for_a_stale_one() -> None:
    """After any pause in mid-thought a prompt and legitimate EndOfTurn is dropped as stale, because a local detector
    had heard speech again; the turn then waits five seconds.

    https://github.com/vellum-ai/vellum-assistant/pull/40224 - only turn_index tells: stale is what is below the newest.
    """
    call = RefereedCall()
    call.play(StartOfTurn(0, "hi"), 0.5, EndOfTurn(0, "hi"), PlaybackStarted(0), PlaybackFinished(0), 1.0)
    call.play(StartOfTurn(1, "I was"), 0.5, EagerEndOfTurn(1, "I was thinking"), 0.6)
    call.play(TurnResumed(1, "I was thinking"), 0.05)
    (stale,) = call.play(EndOfTurn(0, "hi"))
    assert isinstance(stale, Note)
    (cancelled_or_commit, *_) = call.play(EndOfTurn(1, "I was thinking of Rome."))
    assert isinstance(cancelled_or_commit, Commit)
    assert (cancelled_or_commit.at, cancelled_or_commit.transcript) == (call.at, "I was thinking of Rome.")
    assert call.of(TurnStalled) == []


async def test_failure_f_an_end_without_words_takes_the_draft_with_it() -> None:
    """An eager end set off a draft, and then the EndOfTurn has no text.

    https://github.com/bolna-ai/bolna/blob/03d0327170c06faa000765b446a674ea1276ff40/bolna/transcriber/deepgram_transcriber.py
    guards against it - the draft is cancelled, nothing is said, and the next turn is an ordinary one.
    """
    voice = Voice()

    async def respond(reply: Reply) -> None:
        await reply.say(f"To {reply.transcript}")

    session = Session(respond=respond, speak=voice.speak)
    ends = outcomes(session)
    signals = listen(session)
    empty = [StartOfTurn(0, "hm"), EagerEndOfTurn(0, "hm"), 0.3, EndOfTurn(0, "")]
    await session.run(script(*empty, 1.0, *turn(1, "hello")))
    assert ends == [(0, "cancelled", ""), (1, "finished", "To hello")]
    assert [signal.reason for signal in signals if isinstance(signal, Cancel)] == [CancelReason.EMPTY_TURN]
    assert [signal.reason for signal in signals if isinstance(signal, TurnDropped)] == [DropReason.EMPTY]
    assert [message["content"] for message in session.history] == ["hello", "To hello"]


async def test_failure_g_a_start_of_turn_does_not_bypass_the_least_number_of_words() -> None:
    """With three words required, every StartOfTurn of Flux interrupts all the same: one word is enough.

    https://github.com/pipecat-ai/pipecat/issues/2988 - nothing stops the agent that the policy has not seen.
    """
    voice = Voice()
    cleared: list[str] = []

    async def respond(reply: Reply) -> None:
        await reply.say("one two three four five six seven eight nine ten")

    session = Session(respond=respond, speak=voice.speak, barge_in=MinWords(3))
    session.on(BargeIn, lambda signal: cleared.append(signal.transcript))
    word = [frame("StartOfTurn", 1, "Okay"), 0.2, frame("EndOfTurn", 1, "Okay.")]
    words = [frame("StartOfTurn", 2, "Please"), 0.1, frame("Update", 2, "Please stop that")]
    heard: list[int] = []
    await session.run(
        script(*turn(0, "count"), 0.25, *word, lambda: heard.extend([len(cleared), len(voice.sounds)]), 0.2, *words, 1),
        drain=False,
    )
    assert heard == [0, 5], "it talks on over one word"
    assert cleared == ["Please stop that"]
    assert 7 <= len(voice.sounds) <= 8


@pytest.mark.parametrize("inference", [0.0, 0.1, 0.3, 0.5])
async def test_failure_h_a_gate_does_not_lose_the_tool_call_of_a_draft_that_is_kept(inference: float) -> None:
    """A gate that holds a speculative reply back loses its tool call when all goes well: the words are released, the
    call is not.

    https://github.com/pipecat-ai/pipecat/pull/5625 - a kept draft passes the barrier exactly once, whichever is first.
    """
    voice = Voice()
    booked: list[tuple[str, bool]] = []

    async def respond(reply: Reply) -> None:
        await reply.say("One moment. ")
        await anyio.sleep(inference)
        await reply.committed()
        booked.append((reply.key, reply.speculative))
        await reply.say("Booked.")

    session = Session(respond=respond, speak=voice.speak, id="call")
    await session.run(script(StartOfTurn(0, "book"), EagerEndOfTurn(0, "book it"), 0.3, EndOfTurn(0, "Book it.")))
    assert booked == [("call:turn-0", True)]
    assert voice.heard == "One moment. Booked."


async def test_failure_i_an_error_and_the_close_behind_it_are_one_failure() -> None:
    """Flux says Error and hangs up: one failure, which surfaces twice.

    https://github.com/pipecat-ai/pipecat/issues/3463 - it is raised once, the stream is lost once, and the words that
    were open are dealt with once.
    """

    async def fail(link: Link) -> None:
        await link.connected()
        await link.turn("StartOfTurn", "A table")
        await link.turn("EagerEndOfTurn", "A table for two")
        await link.say("Error", code="UNPARSABLE_CLIENT_MESSAGE", description="unknown variant")
        await link.close(None)

    session = Session(lost_turn_grace=0.2)
    signals = listen(session)
    async with flux_peer(fail) as peer, connect(url=peer.url) as stream:
        with pytest.raises(FluxError) as raised:
            await session.run(stream)
        assert [message async for message in stream] == []
    assert raised.value.code == "UNPARSABLE_CLIENT_MESSAGE"
    assert [signal.reason for signal in signals if isinstance(signal, Cancel)][:1] == [CancelReason.STREAM_LOST]
    assert len([signal for signal in signals if isinstance(signal, Speculate)]) == 1
    assert [(signal.transcript, signal.trigger) for signal in signals if isinstance(signal, Commit)] == [
        ("A table for two", "stream_lost")
    ]
    assert not session.notes
