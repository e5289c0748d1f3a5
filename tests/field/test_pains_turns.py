"""What hurts those who build voice bots, as tests: whose turn it is. The table is PAINS.md."""

from __future__ import annotations

import pytest

from tests.support.frames import frame
from tests.support.refereed_call import RefereedCall
from tests.support.sessions import listen, script, turn
from tests.support.voices import Voice, echo
from turnkit.errors import FluxError
from turnkit.session import Reply, Session
from turnkit.turns.chart import ReplyState, UserState
from turnkit.turns.events import (
    BargeIn,
    Commit,
    DropReason,
    EagerEndOfTurn,
    EndOfTurn,
    Event,
    Hold,
    PlaybackAdvanced,
    PlaybackFinished,
    PlaybackStarted,
    Resume,
    ResumeReason,
    StartOfTurn,
    StreamLost,
    TurnDropped,
    TurnResumed,
    TurnStalled,
    TurnStarted,
    Update,
)
from turnkit.turns.machine import TurnMachine
from turnkit.turns.policy import (
    EchoGuard,
    Grace,
    HoldThenDecide,
    IgnoreBackchannels,
    MinDuration,
    MinWords,
    Never,
    all_of,
)

pytestmark = pytest.mark.anyio

STEPS: tuple[Event, ...] = (
    StartOfTurn(1, "no"),
    StartOfTurn(1, ""),
    Update(1, "no wait"),
    EagerEndOfTurn(1, "no wait"),
    TurnResumed(1, "no wait"),
    EndOfTurn(1, "no wait"),
    EndOfTurn(1, ""),
    StartOfTurn(2, "hello"),
    PlaybackStarted(1),
    PlaybackFinished(0),
    StreamLost("gone"),
)


def comes_to_rest(machine: TurnMachine, at: float) -> None:
    """Silence, and then the agent finishing what it has to say, leave nothing open; by deadlines that lie ahead."""
    began = at
    while (deadline := machine.deadline) is not None:
        assert deadline > at
        at = deadline
        machine.wake(at)
    assert at - began <= 14.0, "hold, grace and stall, one after the other, and no more"
    assert (machine.user, machine.draft) == (UserState.LISTENING, None)
    while machine.floor is not None:
        reply, state = machine.floor
        assert state is not ReplyState.HELD
        machine.feed(PlaybackFinished(reply), at)
    assert (machine.suspended, machine.deadline) == (None, None)


def test_p02_an_interruption_never_leaves_the_agent_silent_for_ever() -> None:
    """The user goes on just as the answer begins; the next answer says "speaking" and is silent until they speak again.

    https://github.com/livekit/agents/issues/3418 - from every state, silence leads to rest in bounded time.
    """
    call = RefereedCall()
    call.talk("My name is John")
    call.play(0.1, StartOfTurn(1, "Doe"))
    assert len(call.of(BargeIn)) == 1
    call.play(0.4, EndOfTurn(1, "Doe."), PlaybackFinished(0))
    assert call.of(Commit)[-1].reply == 1
    call.play(0.5, PlaybackStarted(1), PlaybackAdvanced(0, "late"), 3.0, PlaybackFinished(1))
    assert call.machine.floor is None
    call.rest()

    for policy in (HoldThenDecide(MinWords(2)), Never(), MinWords(2)):
        call = RefereedCall(barge_in=policy)
        call.talk()
        reached = [(call.machine.snapshot(), call.at)]
        for _ in range(4):
            following: dict[bytes, float] = {}
            for state, at in reached:
                for step in STEPS:
                    machine = TurnMachine.restore(state, barge_in=policy)
                    machine.feed(step, at + 0.1)
                    following[machine.snapshot()] = at + 0.1
                    comes_to_rest(machine, at + 0.1)
            reached = list(following.items())


def test_p03_a_turn_in_which_flux_falls_silent_is_released_with_its_words() -> None:
    """Flux stops sending events while a turn is open, and nothing ever releases it: dead air until the caller hangs up.

    https://github.com/pipecat-ai/pipecat/issues/5735 - a stall timer ends the turn on its last words, and is set again
    for whatever comes later of it, which is a fresh turn.
    """
    call = RefereedCall()
    call.play(StartOfTurn(0, "I"), 0.25, Update(0, "I need a taxi"), 10.0)
    stalled, commit = call.signals[-2:]
    assert isinstance(stalled, TurnStalled)
    assert stalled.at == pytest.approx(0.25 + 8.0)
    assert isinstance(commit, Commit)
    assert (commit.transcript, commit.trigger) == ("I need a taxi", "stalled")
    assert commit.at == pytest.approx(0.25 + 10.0)
    assert call.play(Update(0, "I need a taxi"), Update(0, "I need a taxi.")) == []
    assert call.machine.turn is None, "the words that it had already are no new turn"
    call.play(1.0, Update(0, "I need a taxi tomorrow"))
    assert call.of(TurnStarted)[-1].turn == 1
    call.play(10.0)
    assert [commit.trigger for commit in call.of(Commit)] == ["stalled", "stalled"]
    assert call.of(Commit)[-1].unanswered == ("I need a taxi",)
    call.play(StartOfTurn(1, "at six"), EndOfTurn(1, "at six"))
    assert call.of(Commit)[-1].transcript == "at six"
    call.rest()


async def test_p04_a_reconnect_in_mid_turn_loses_no_words_and_swallows_no_start() -> None:
    """Half the sentence is lost with the connection, the next StartOfTurn is swallowed, the turn stays open for ever.

    https://github.com/pipecat-ai/pipecat/issues/6219 - a loss closes or carries the turn; turns are counted on.
    """
    session = Session()
    signals = listen(session)
    with pytest.raises(FluxError, match="INTERNAL_SERVER_ERROR"):
        await session.run(
            script(
                {"type": "Connected", "sequence_id": 0},
                *(frame("StartOfTurn", index, "hm") for index in range(5)),
                frame("Update", 4, "I would like to book"),
                {"type": "Error", "code": "INTERNAL_SERVER_ERROR"},
                0.5,
                {"type": "Connected", "sequence_id": 0},
                frame("StartOfTurn", 0, "a table"),
                frame("EndOfTurn", 0, "a table for two"),
                lambda: session.playback_started(4),
                frame("StartOfTurn", 1, "by the window"),
                {"type": "Error", "code": "INTERNAL_SERVER_ERROR"},
            )
        )
    starts = [signal.turn for signal in signals if isinstance(signal, TurnStarted)]
    commits = [signal for signal in signals if isinstance(signal, Commit)]
    assert starts == [0, 1, 2, 3, 4, 5, 6]
    assert (commits[4].turn, commits[4].transcript) == (5, "a table for two")
    assert commits[4].unanswered[-1] == "I would like to book"
    assert [signal.turn for signal in signals if isinstance(signal, BargeIn)] == [6]
    assert (commits[5].turn, commits[5].trigger) == (6, "stream_lost"), "nobody comes back: answered after a grace"
    assert commits[5].transcript == "by the window"


def test_p11_showing_that_one_listens_does_not_stop_the_agent() -> None:
    """A "hmm" or "yes" stops the bot; a gate of two words would ignore those, but also "wait, listen".

    https://github.com/bolna-ai/bolna/issues/223 - what stops the agent is a policy that sees the words; it may ignore
    them, duck the agent, or stop it.
    """
    for index, text in enumerate(("hmm", "yes", "Okay.", "mhm", "uh huh", "yeah, right, I see"), start=1):
        for policy in (IgnoreBackchannels(), HoldThenDecide(IgnoreBackchannels())):
            call = RefereedCall(barge_in=policy)
            call.talk()
            call.play(0.5, StartOfTurn(index, text.split()[0]), 0.25, Update(index, text), 0.5, EndOfTurn(index, text))
            assert call.of(BargeIn) == [], text
            assert call.machine.floor == (0, ReplyState.AUDIBLE), text
            assert [drop.reason for drop in call.of(TurnDropped)] == [DropReason.OVERLAP_KEPT]
            held = isinstance(policy, HoldThenDecide)
            assert (len(call.of(Hold)), len(call.of(Resume))) == ((1, 1) if held else (0, 0))
    for text in ("wait, listen", "listen to me", "yes but when?"):
        call = RefereedCall(barge_in=IgnoreBackchannels())
        call.talk()
        call.play(0.5, StartOfTurn(1, text.split()[0]), 0.25, Update(1, text))
        assert len(call.of(BargeIn)) == 1, text
        assert call.of(BargeIn)[0].why


async def test_p12_an_ignored_backchannel_is_not_glued_to_the_next_turn() -> None:
    """Words too few to interrupt stay in a buffer, and the LLM gets them as the beginning of the next turn.

    https://github.com/livekit/agents/issues/4498 - a rejected interruption is its own turn: dropped, reported, over.
    """
    voice = Voice()
    asked: list[list[str]] = []

    async def respond(reply: Reply) -> None:
        asked.append([message["content"] for message in reply.messages if message["role"] == "user"])
        await reply.say("one two three four five six seven eight")

    session = Session(respond=respond, speak=voice.speak, barge_in=MinWords(2))
    signals = listen(session)
    first, second = turn(0, "Which rooms have you got?", eager=False), turn(2, "A room for four", eager=True)
    await session.run(script(*first, 0.3, StartOfTurn(1, "uh-huh"), 0.2, EndOfTurn(1, "Uh-huh."), 2.0, *second))
    dropped = [signal.transcript for signal in signals if isinstance(signal, TurnDropped)]
    commit = [signal for signal in signals if isinstance(signal, Commit)][-1]
    assert dropped == ["Uh-huh."]
    assert (commit.transcript, commit.unanswered) == ("A room for four", ())
    assert asked[-1] == ["Which rooms have you got?", "A room for four"]
    assert "huh" not in str(session.history)


def test_p13_words_are_counted_anew_in_every_turn() -> None:
    """The words of a gate add up over all that the agent says: three scattered "yeah" interrupt it.

    https://github.com/livekit/livekit/issues/4270 - the gate is reset at each StartOfTurn.
    """
    call = RefereedCall(barge_in=MinWords(3))
    call.talk()
    for index, text in enumerate(("yeah", "ok", "mmh", "yeah ok"), start=1):
        call.play(1.0, StartOfTurn(index, text), 0.25, Update(index, text), 0.25, EndOfTurn(index, text))
    assert call.of(BargeIn) == []
    assert call.machine.floor == (0, ReplyState.AUDIBLE)
    call.play(1.0, StartOfTurn(5, "no"), 0.25, Update(5, "no wait"))
    assert call.of(BargeIn) == []
    call.play(0.25, Update(5, "no wait stop"))
    assert [barge.transcript for barge in call.of(BargeIn)] == ["no wait stop"]


def test_p14_the_least_duration_holds_however_many_words_come() -> None:
    """Set to ten seconds, the least duration of an interruption is ignored as soon as a transcript arrives.

    https://github.com/livekit/agents/issues/3515 - one gate sees all the evidence, and says why it let pass or not.
    """
    call = RefereedCall(barge_in=MinDuration(10.0), stall_timeout=60.0)
    call.talk()
    call.play(StartOfTurn(1, "hello"))
    for count in range(2, 40):
        call.play(0.25, Update(1, " ".join(["hello"] * count)))
    assert call.of(BargeIn) == []
    call.play(0.75, Update(1, "hello at last"))
    (barge_in,) = call.of(BargeIn)
    assert "10 needed" in barge_in.why

    call = RefereedCall(barge_in=all_of(MinDuration(1.0), MinWords(2)))
    call.talk()
    call.play(StartOfTurn(1, "two words"), 0.5, EndOfTurn(1, "two words"))
    assert "0.50 s, 1 needed" in call.of(TurnDropped)[-1].why
    call.play(StartOfTurn(2, "one"), 1.5, EndOfTurn(2, "one"))
    assert "1 word, 2 needed" in call.of(TurnDropped)[-1].why
    call.play(StartOfTurn(3, "one"), 1.5, Update(3, "one two"))
    assert "1.50 s, 1 needed; 2 words, 2 needed" in call.of(BargeIn)[-1].why


def test_p15_the_agent_is_not_interrupted_by_its_own_voice() -> None:
    """On a loudspeaker the bot hears itself and stops.

    https://github.com/pipecat-ai/pipecat/issues/188 - a grace after the first sound, a filter for words that the agent
    has just said, and a report of each that was suspected.
    """
    call = RefereedCall(barge_in=all_of(Grace(0.5), EchoGuard()))
    call.talk("hello")
    call.play(0.3, StartOfTurn(1, "Thanks"), PlaybackAdvanced(0, "Thanks for calling"))
    call.play(0.3, Update(1, "thanks for calling"), PlaybackAdvanced(0, "Thanks for calling, what can I book for"))
    call.play(
        0.8, Update(1, "thanks for calling what can I"), 0.5, EndOfTurn(1, "Thanks for calling. What can I book?")
    )
    assert call.of(BargeIn) == []
    (dropped,) = call.of(TurnDropped)
    assert dropped.reason is DropReason.OVERLAP_KEPT
    assert "the agent's own" in dropped.why
    call.play(0.3, StartOfTurn(2, "A table"), PlaybackAdvanced(0, "Thanks for calling, what can I book for you today"))
    assert [barge.transcript for barge in call.of(BargeIn)] == ["A table"]
    call = RefereedCall(barge_in=all_of(Grace(0.5), EchoGuard()))
    call.talk("hello")
    call.play(PlaybackAdvanced(0, "Please hold on"), 0.6, StartOfTurn(1, "hold on"))
    assert len(call.of(BargeIn)) == 1, "words that ask for the floor are no echo"


async def test_p16_a_pause_for_a_false_interruption_ends_by_the_clock_and_never_over_the_user() -> None:
    """After a false interruption the agent stays paused, for the end that would resume it never comes.

    https://github.com/livekit/agents/issues/4039 - the deadline of a hold depends on the clock only; what was said
    before and after the pause is all in the history; and once the user has the floor, nothing resumes.
    """
    voice = Voice()

    async def respond(reply: Reply) -> None:
        await reply.say("one two three four five six")

    session = Session(respond=respond, speak=voice.speak, barge_in=HoldThenDecide(MinWords(3)), hold_timeout=2.0)
    signals = listen(session)
    counts: list[int] = []
    await session.run(
        script(
            *turn(0, "count", eager=False),
            0.25,
            StartOfTurn(1, "mhmm"),
            1.9,
            lambda: counts.append(len(voice.sounds)),
            2.0,
            lambda: counts.append(len(voice.sounds)),
        )
    )
    hold, resume = (signal for signal in signals if isinstance(signal, (Hold, Resume)))
    assert counts == [3, 6], "paused after the word that was under way; then it goes on where it was"
    assert resume.at - hold.at == pytest.approx(2.0)
    assert isinstance(resume, Resume)
    assert resume.reason is ResumeReason.TIMEOUT
    assert session.history[-1] == {"role": "assistant", "content": "one two three four five six"}

    call = RefereedCall(barge_in=HoldThenDecide(MinWords(3)), hold_timeout=2.0)
    call.talk()
    call.play(StartOfTurn(1, "no"), 0.5, Update(1, "no wait stop"), 5.0)
    assert (len(call.of(Hold)), len(call.of(BargeIn)), call.of(Resume)) == (1, 1, [])
    call = RefereedCall(barge_in=HoldThenDecide(MinWords(3)), hold_timeout=2.0)
    call.talk()
    call.play(StartOfTurn(1, "no"), 2.5, Update(1, "no wait stop"))
    assert (len(call.of(Resume)), len(call.of(BargeIn))) == (1, 1), "the pause is over, but not the judgement"


async def test_p19_words_said_over_speech_that_cannot_be_interrupted_are_answered_after_it() -> None:
    """What the user says while the agent must not be interrupted vanishes, or breaks the turn.

    https://github.com/livekit/agents/issues/4316 and https://github.com/livekit/agents/issues/2368 - the turn is queued
    and answered once the agent has finished; of two, both.
    """
    voice = Voice()
    session = Session(respond=echo, speak=voice.speak)
    signals = listen(session)
    await session.run(
        script(
            lambda: session.initiate("This call is recorded for training purposes and so on", protected=True),
            0.35,
            *turn(0, "Yes I agree"),
            0.2,
            *turn(1, "and I want a refund"),
            3.0,
        )
    )
    assert voice.heard == "This call is recorded for training purposes and so on You said: and I want a refund"
    assert BargeIn not in map(type, signals)
    commit = [signal for signal in signals if isinstance(signal, Commit)][-1]
    assert (commit.turn, commit.transcript, commit.unanswered) == (1, "and I want a refund", ("Yes I agree",))
    said = [message["content"] for message in session.history if message["role"] == "user"]
    assert said == ["Yes I agree", "and I want a refund"]


def test_p20_nothing_is_added_to_the_end_of_a_turn() -> None:
    """A timer meant for late transcripts adds half a second to every turn that the recogniser itself has ended.

    https://github.com/pipecat-ai/pipecat/issues/5416 - EndOfTurn and Commit are one step, with a draft or without.
    """
    call = RefereedCall()
    (_, commit) = call.play(StartOfTurn(0, "hello"), EndOfTurn(0, "hello"))
    assert isinstance(commit, Commit)
    call.play(PlaybackFinished(0), 2.0, StartOfTurn(1, "a room"), 0.5, EagerEndOfTurn(1, "a room"), 0.7)
    (commit,) = call.play(EndOfTurn(1, "A room."))
    assert isinstance(commit, Commit)
    assert commit.speculative
    assert commit.at == call.at


def test_p21_a_turn_ends_on_its_own_words_and_never_on_those_of_the_pause_before() -> None:
    """The stop overtakes its transcript, so the turn is answered on the text of an earlier pause, one behind for ever.

    https://github.com/pipecat-ai/pipecat/issues/5056 - words and boundary come in one event and are taken in one step.
    """
    call = RefereedCall()
    call.play(
        StartOfTurn(0, "I'd like"),
        0.5,
        EagerEndOfTurn(0, "I'd like to book."),
        0.5,
        TurnResumed(0, "I'd like to book"),
        1.0,
    )
    call.play(EndOfTurn(0, "I'd like to book a flight to Rome."))
    assert call.of(Commit)[-1].transcript == "I'd like to book a flight to Rome."
    assert not call.of(Commit)[-1].speculative, "the draft was for other words"
    for index, text in enumerate(("For two.", "In May.", "Thanks."), start=1):
        call.play(PlaybackStarted(call.of(Commit)[-1].reply), PlaybackFinished(call.of(Commit)[-1].reply), 1.0)
        call.play(StartOfTurn(index, text.split()[0].strip(".")), 0.25, EndOfTurn(index, text))
        assert (call.of(Commit)[-1].transcript, call.of(Commit)[-1].unanswered) == (text, ())
