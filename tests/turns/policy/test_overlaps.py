"""The policies at work: what a machine makes of their verdicts while the agent talks."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from turnkit.tools.proof import Referee
from turnkit.turns.events import (
    BargeIn,
    Commit,
    DropReason,
    EagerEndOfTurn,
    EndOfTurn,
    Event,
    Hold,
    Note,
    PlaybackAdvanced,
    PlaybackFinished,
    PlaybackStarted,
    Resume,
    ResumeReason,
    Signal,
    Speculate,
    StartOfTurn,
    TurnDropped,
    Update,
)
from turnkit.turns.machine import TurnMachine
from turnkit.turns.policy import (
    Budget,
    EchoGuard,
    Grace,
    HoldThenDecide,
    IgnoreBackchannels,
    MinDuration,
    MinWords,
    Overlap,
    Pause,
    Verdict,
    all_of,
)

ANSWER = "Sure, I can book a table for two at seven. Would you like the terrace, or a quiet corner inside?"


class Call:
    """A machine whose agent is heard from second 0 on, with a referee; it collects all signals after that."""

    def __init__(self, **settings: Any) -> None:
        self.machine = TurnMachine(**settings)
        self.referee = Referee(self.machine)
        self.at = 0.0
        self.signals: list[Signal] = []
        for event in (StartOfTurn(0, "a table"), EndOfTurn(0, "a table"), PlaybackStarted(0)):
            self.feed(event)
        self.signals.clear()

    def feed(self, event: Event, lapse: float = 0.0) -> tuple[Signal, ...]:
        """Let `lapse` seconds pass, waking the machine at each of its deadlines, then the event."""
        end = self.at + lapse
        while self.machine.deadline is not None and self.machine.deadline <= end:
            self.at = self.machine.deadline
            self.note(None, self.machine.wake(self.at))
        self.at = end
        return self.note(event, self.machine.feed(event, self.at))

    def note(self, event: Event | None, signals: tuple[Signal, ...]) -> tuple[Signal, ...]:
        self.referee.check(event, signals, self.at)
        self.signals.extend(signals)
        return signals

    def says(self, *growth: str) -> None:
        """Turn 1, a quarter of a second between one step and the next; the last one is its end."""
        self.feed(StartOfTurn(1, growth[0]), 0.24)
        for text in growth[1:]:
            self.feed(Update(1, text), 0.24)
        self.feed(EndOfTurn(1, growth[-1]), 0.24)

    def overlap(self) -> list[Signal]:
        """What came of the overlap, the reports of the turn's words aside."""
        return [signal for signal in self.signals if type(signal) in (Hold, Resume, BargeIn, TurnDropped, Commit, Note)]


# Backchannels -----------------------------------------------------------------------------------------------------


def test_backchannel_leaves_the_agent_talking_and_the_next_turn_alone() -> None:
    """It gets no answer, is reported with its reason, and is not glued to what the user says next."""
    call = Call(barge_in=IgnoreBackchannels())
    call.says("Yeah", "Yeah, I", "Yeah, I see.")
    (dropped,) = call.overlap()
    assert dropped == TurnDropped(1, "Yeah, I see.", DropReason.OVERLAP_KEPT, "3 words, all backchannel", at=call.at)
    call.feed(PlaybackFinished(0), 1.0)
    call.feed(StartOfTurn(2, "For two"))
    (commit,) = call.feed(EndOfTurn(2, "For two"))
    assert isinstance(commit, Commit)
    assert (commit.transcript, commit.unanswered) == ("For two", ())


def test_the_first_word_that_is_no_backchannel_stops_the_agent() -> None:
    """And the turn, backchannel and all, is answered."""
    call = Call(barge_in=IgnoreBackchannels())
    call.says("Yeah", "Yeah, but", "Yeah, but at eight.")
    barge_in, commit = call.overlap()
    assert isinstance(barge_in, BargeIn)
    assert (barge_in.transcript, barge_in.why) == ("Yeah, but", "the user speaks")
    assert isinstance(commit, Commit)
    assert commit.transcript == "Yeah, but at eight."


def test_yes_just_before_the_last_sound_is_an_answer() -> None:
    """A backchannel that outlasts the reply is no longer one: the turn is ordinary."""
    call = Call(barge_in=IgnoreBackchannels())
    call.feed(StartOfTurn(1, "Yes"))
    call.feed(PlaybackFinished(0), 0.1)
    call.feed(EndOfTurn(1, "Yes"), 0.2)
    (commit,) = call.overlap()
    assert isinstance(commit, Commit)
    assert commit.transcript == "Yes"


# Echo -------------------------------------------------------------------------------------------------------------


def test_the_agent_does_not_interrupt_itself() -> None:
    """What comes back of its words is dropped as an overlap, however long it goes on."""
    call = Call(barge_in=EchoGuard())
    words = ANSWER.split()
    for count in range(1, len(words) + 1):
        call.feed(PlaybackAdvanced(0, " ".join(words[:count])), 0.3)
        echo = " ".join(words[:count]).lower()
        call.feed(StartOfTurn(1, echo) if count == 1 else Update(1, echo), 0.1)
    call.feed(EndOfTurn(1, ANSWER), 0.1)
    (dropped,) = call.overlap()
    assert isinstance(dropped, TurnDropped)
    assert dropped.reason is DropReason.OVERLAP_KEPT
    assert dropped.why == "20 of 20 words the agent's own"


def test_a_user_heard_over_the_echo_stops_the_agent() -> None:
    """One word that asks for it is enough."""
    call = Call(barge_in=EchoGuard())
    call.feed(PlaybackAdvanced(0, ANSWER))
    call.says("I can book", "I can book a table for", "I can book a table for no")
    assert [type(signal) for signal in call.overlap()] == [BargeIn, Commit]


def test_short_answer_in_the_agents_words_is_taken_at_its_end() -> None:
    """Two words that the agent has said too are not enough for an echo: they interrupt, if a little late."""
    call = Call(barge_in=EchoGuard())
    call.feed(PlaybackAdvanced(0, ANSWER))
    call.says("The", "The terrace.")
    barge_in, commit = call.overlap()
    assert isinstance(barge_in, BargeIn)
    assert isinstance(commit, Commit)
    assert barge_in.at == commit.at


# Holding ----------------------------------------------------------------------------------------------------------


def test_pause_at_once_then_stop() -> None:
    """The agent pauses at the first word and stops at the second, each with its reason."""
    call = Call(barge_in=HoldThenDecide())
    call.says("Well", "Well, actually")
    hold, barge_in, commit = call.overlap()
    assert isinstance(hold, Hold)
    assert hold == Hold(1, 0, "undecided at 0.00 s: 1 word, 2 needed", at=0.24)
    assert isinstance(barge_in, BargeIn)
    assert (barge_in.at, barge_in.why) == (0.48, "2 words, 2 needed")
    assert isinstance(commit, Commit)


def test_pause_at_once_then_go_on() -> None:
    """A turn that ends undecided was a backchannel: the agent goes on where it was."""
    call = Call(barge_in=HoldThenDecide())
    call.says("Mm-hm.")
    hold, resume, dropped = call.overlap()
    assert isinstance(hold, Hold)
    assert isinstance(resume, Resume)
    assert resume.reason is ResumeReason.BACKCHANNEL
    assert isinstance(dropped, TurnDropped)


def test_no_second_pause_after_the_first_has_run_out() -> None:
    """The agent goes on after `hold_timeout`, and the user who keeps muttering does not stop it again."""
    call = Call(barge_in=HoldThenDecide(MinWords(9)), hold_timeout=1.5)
    call.says("so", *(f"so {word}" for word in "abcdefghijkl"))
    hold, resume, dropped = call.overlap()
    assert isinstance(hold, Hold)
    assert isinstance(resume, Resume)
    assert (resume.reason, resume.at) == (ResumeReason.TIMEOUT, hold.at + 1.5)
    assert isinstance(dropped, TurnDropped)


words = st.sampled_from(["mm-hm", "yeah", "I", "see", "stop", "well", "uh", "the terrace", "book a table"])
steps = st.lists(
    st.tuples(st.sampled_from(["grow", "grow", "grow", "rewrite", "eager"]), words, st.floats(0, 2.5)), max_size=12
)
thens = st.sampled_from(
    [
        MinWords(1),
        MinWords(3),
        MinDuration(1.0),
        Grace(2.0),
        IgnoreBackchannels(),
        EchoGuard(),
        all_of(Grace(1.0), EchoGuard(), IgnoreBackchannels(then=MinWords(2))),
        lambda overlap: Verdict.HOLD,
        lambda overlap: Verdict.DEFER if overlap.elapsed > 1 else Verdict.WAIT,
    ]
)


@settings(deadline=None)
@given(
    then=thens,
    seconds=st.floats(0, 2),
    beyond=st.floats(0.01, 1),
    first=words,
    growth=steps,
    end=st.sampled_from(["end", "finished", "silence"]),
    lapse=st.floats(0, 2.5),
)
@example(lambda overlap: Verdict.HOLD, 2.0, 0.01, "well", [("grow", "uh", 2.005)] * 6, "end", 0.0)
def test_a_turn_pauses_the_agent_at_most_once(
    then: Any,
    seconds: float,
    beyond: float,
    first: str,
    growth: list[tuple[str, str, float]],
    end: str,
    lapse: float,
) -> None:
    """However the words grow and whenever: one Hold, with the turn's first word; then at most one Resume; then at most
    one BargeIn, after which there is nothing to hold. The referee sees to it that a hold outlives no turn."""
    call = Call(barge_in=HoldThenDecide(then, seconds=seconds), hold_timeout=seconds + beyond)
    call.feed(PlaybackAdvanced(0, ANSWER), 0.5)
    began = call.at
    call.feed(StartOfTurn(1, first))
    text = first
    for step, word, wait in growth:
        text = word if step == "rewrite" else f"{text} {word}"
        call.feed(EagerEndOfTurn(1, text, 0.5) if step == "eager" else Update(1, text), wait)
    if end != "silence":
        call.feed(EndOfTurn(1, text) if end == "end" else PlaybackFinished(0), lapse)
    else:
        call.feed(Update(2, ""), 20.0)
    happened = [signal for signal in call.signals if isinstance(signal, (Hold, Resume, BargeIn))]
    kinds = [type(signal).__name__ for signal in happened]
    assert kinds in ([], ["BargeIn"], ["Hold"], ["Hold", "BargeIn"], ["Hold", "Resume"], ["Hold", "Resume", "BargeIn"])
    if "Hold" in kinds:
        assert happened[0].at == began, "the agent pauses at the first word or not at all"
        assert len(kinds) > 1 or end == "finished", "and does not stay paused"


# Composition ------------------------------------------------------------------------------------------------------


def test_policies_in_a_row_each_have_a_say() -> None:
    """A pause at once; no stop within the grace, for an echo or for a backchannel; a stop for the rest."""
    chain = HoldThenDecide(all_of(Grace(0.5), EchoGuard(), IgnoreBackchannels()))
    for growth, outcome in (
        (("Okay.",), [Hold, Resume, TurnDropped]),
        (("Would", "Would you", "Would you like the"), [Hold, Resume, TurnDropped]),
        (("At", "At eight"), [Hold, BargeIn, Commit]),
    ):
        call = Call(barge_in=chain)
        call.feed(PlaybackAdvanced(0, ANSWER))
        call.says(*growth)
        assert [type(signal) for signal in call.overlap()] == outcome, growth


@pytest.mark.parametrize("wrap", [HoldThenDecide, lambda then: IgnoreBackchannels(then=then), EchoGuard, all_of])
def test_a_broken_part_gives_the_user_the_floor(wrap: Any) -> None:
    """The machine notes it, without a word of what was said, and the agent stops."""

    def broken(overlap: Overlap) -> Verdict:
        raise RuntimeError(overlap.transcript)

    call = Call(barge_in=wrap(broken))
    call.says("Listen")
    note, barge_in, _ = call.overlap()
    assert isinstance(note, Note)
    assert "RuntimeError" in note.detail
    assert "Listen" not in note.detail
    assert isinstance(barge_in, BargeIn)


def test_speculation_by_several_policies() -> None:
    """A draft is started only if all say so, with all their reasons."""

    def long_enough(pause: Pause) -> tuple[bool, str]:
        return len(pause.transcript.split()) > 1, "more than a word needed"

    machine = TurnMachine(speculation=all_of(Budget(per_turn=1), long_enough))
    machine.feed(StartOfTurn(0, "a"), at=0.0)
    assert machine.feed(EagerEndOfTurn(0, "a", 0.6), at=0.1) == ()
    *_, speculate = machine.feed(EagerEndOfTurn(0, "a table", 0.6), at=0.2)
    assert isinstance(speculate, Speculate)
    assert speculate.why == "draft 1 of 1; more than a word needed"
    assert not any(isinstance(s, Speculate) for s in machine.feed(EagerEndOfTurn(0, "a table for", 0.6), at=0.3))
