"""What Pipecat is told of a call: signals in, steps out, without the framework."""

from __future__ import annotations

from turnkit import (
    EagerEndOfTurn,
    EndOfTurn,
    Initiate,
    Interrupt,
    PlaybackStarted,
    StartOfTurn,
    StreamLost,
    TurnMachine,
    TurnResumed,
    Update,
)
from turnkit.interop import pipecat_steps as told
from turnkit.interop.pipecat_steps import Steps
from turnkit.turns.events import Event, PlaybackFinished
from turnkit.turns.policy import IgnoreBackchannels, Never


class Call:
    """A machine whose signals become steps; time goes on by a tenth of a second an event."""

    def __init__(self, machine: TurnMachine | None = None) -> None:
        self.machine = machine or TurnMachine()
        self.steps = Steps()
        self.at = 0.0

    def feed(self, *events: Event) -> None:
        for event in events:
            self.at += 0.1
            for signal in self.machine.feed(event, self.at):
                self.steps.put(signal)

    def wait(self, seconds: float) -> None:
        self.at += seconds
        for signal in self.machine.wake(self.at):
            self.steps.put(signal)

    def taken(self) -> list[str]:
        """What there is to tell, and with what text."""
        lines = []
        while self.steps:
            step = self.steps.next()
            name, text = type(step).__name__, getattr(step, "text", None)
            if isinstance(step, told.Open):
                text = "interrupts" if step.interrupts else "lets the bot be"
            lines.append(name if text is None else f"{name}: {text}")
        return lines


def test_a_turn_is_opened_drafted_and_answered() -> None:
    """One step after the other, as they come."""
    call = Call()
    call.feed(StartOfTurn(0, "A"))
    assert call.taken() == ["Open: interrupts"]
    call.feed(Update(0, "A table"))
    assert call.taken() == ["Interim: A table"]
    call.feed(EagerEndOfTurn(0, "A table"))
    assert call.taken() == ["Draft: A table"]
    assert call.steps.draft == 0
    call.feed(EndOfTurn(0, "A table"))
    assert call.taken() == ["Answer: A table"]
    assert call.steps.draft is None


def test_a_draft_withdrawn_before_it_was_told_of_was_never_there() -> None:
    """A burst: the LLM is not asked for what nobody wants."""
    call = Call()
    call.feed(StartOfTurn(0, "A"), EagerEndOfTurn(0, "A table"), TurnResumed(0, "A table"), Update(0, "A table for"))
    assert call.taken() == ["Open: interrupts", "Interim: A table for"]
    assert call.steps.draft is None


def test_a_draft_withdrawn_after_it_was_told_of_is_withdrawn() -> None:
    """Once."""
    call = Call()
    call.feed(StartOfTurn(0, "A"), EagerEndOfTurn(0, "A table"))
    assert call.taken() == ["Open: interrupts", "Draft: A table"]
    call.feed(TurnResumed(0, "A table"))
    assert call.taken() == ["Withdraw"]
    call.feed(EndOfTurn(0, "A table for two"))
    assert call.taken() == ["Answer: A table for two"]


def test_a_draft_that_is_final_at_once_is_only_answered() -> None:
    """The whole turn in one burst."""
    call = Call()
    call.feed(StartOfTurn(0, "A"), EagerEndOfTurn(0, "A table"), EndOfTurn(0, "A table"))
    assert call.taken() == ["Open: interrupts", "Answer: A table"]


def test_words_that_changed_again_are_told_once() -> None:
    """Only the last."""
    call = Call()
    call.feed(StartOfTurn(0, "A"), Update(0, "A table"), Update(0, "A table for"))
    assert call.taken() == ["Open: interrupts", "Interim: A table for"]


def _spoken(machine: TurnMachine | None = None) -> Call:
    """A call in which the bot answers the first turn, and is heard."""
    call = Call(machine)
    call.feed(StartOfTurn(0, "Hello"), EndOfTurn(0, "Hello"), PlaybackStarted(0))
    call.taken()
    return call


def test_words_over_the_bot_that_it_keeps_talking_to_are_a_backchannel() -> None:
    """Pipecat's turn is not opened."""
    call = _spoken(TurnMachine(barge_in=IgnoreBackchannels()))
    call.feed(StartOfTurn(1, "Mm-hm"), EndOfTurn(1, "Mm-hm"))
    assert call.taken() == ["Backchannel: Mm-hm"]
    assert not call.steps.is_open


def test_a_barge_in_opens_the_turn_when_it_is_one() -> None:
    """Not at its first word, which decided nothing."""
    call = _spoken(TurnMachine(barge_in=IgnoreBackchannels()))
    call.feed(StartOfTurn(1, "Yeah"))
    assert call.taken() == []
    call.feed(Update(1, "Yeah but stop"))
    # Told before its words, as it is what has to be quick.
    assert call.taken() == ["Open: interrupts", "Interim: Yeah but stop"]
    call.feed(EndOfTurn(1, "Yeah but stop"))
    assert call.taken() == ["Answer: Yeah but stop"]


def test_a_turn_that_waits_for_the_bot_lets_it_be() -> None:
    """What is said over a protected greeting is answered after it."""
    call = Call()
    call.feed(Initiate(protected=True), PlaybackStarted(0), StartOfTurn(0, "A table"), EndOfTurn(0, "A table"))
    assert call.taken() == []
    call.feed(PlaybackFinished(0))
    assert call.taken() == ["Open: lets the bot be", "Answer: A table"]


def test_words_before_the_first_sound_stop_an_answer() -> None:
    """Which is no barge-in, as nothing was heard; the words of the first turn are known, and not told again."""
    call = Call()
    call.feed(StartOfTurn(0, "A table"), EndOfTurn(0, "A table"), StartOfTurn(1, "For two"), EndOfTurn(1, "For two"))
    assert call.taken() == ["Open: interrupts", "Answer: A table", "Open: interrupts", "Answer: For two"]


def test_a_turn_lost_with_its_stream_goes_on() -> None:
    """The words from before are told with the rest, as nobody has told Pipecat of them; the turn is one."""
    call = Call()
    call.feed(StartOfTurn(0, "A table"), StreamLost())
    call.feed(StartOfTurn(0, "for two"), EagerEndOfTurn(0, "for two"))
    assert call.taken() == ["Open: interrupts", "Draft: A table for two"]
    call.feed(EndOfTurn(0, "for two"))
    assert call.taken() == ["Answer: A table for two"]
    call.feed(StartOfTurn(1, "On Friday"), EndOfTurn(1, "On Friday"))
    assert call.taken() == ["Open: interrupts", "Answer: On Friday"]


def test_a_turn_lost_with_its_stream_that_nobody_continues_is_answered() -> None:
    """After its grace."""
    call = Call()
    call.feed(StartOfTurn(0, "A table"), StreamLost())
    call.taken()
    call.wait(2.5)
    assert call.taken() == ["Answer: A table"]


def test_a_noise_closes_its_turn() -> None:
    """Without an answer."""
    call = Call()
    call.feed(StartOfTurn(0, "uh"), EndOfTurn(0, ""))
    assert call.taken() == ["Open: interrupts", "Close"]


def test_words_taken_back_have_their_question_asked_again() -> None:
    """Pipecat has cancelled its answer, and knows no way to run the LLM again for the same."""
    call = Call()
    call.feed(StartOfTurn(0, "A table"), EndOfTurn(0, "A table"), StartOfTurn(1, "uh"), EndOfTurn(1, ""))
    assert call.taken() == ["Open: interrupts", "Answer: A table", "Open: interrupts", "Answer: A table"]


def test_a_key_interrupts_without_a_turn_and_text_with_one() -> None:
    """As the host says."""
    call = _spoken()
    call.feed(Interrupt())
    assert call.taken() == ["Interrupt"]
    call.feed(Interrupt("Cancel it"))
    assert call.taken() == ["Open: interrupts", "Answer: Cancel it"]


def test_an_answer_that_nobody_may_stop_is_not() -> None:
    """What is said over it is answered afterwards."""
    call = _spoken(TurnMachine(barge_in=Never()))
    call.feed(StartOfTurn(1, "And two"), EndOfTurn(1, "And two"))
    assert call.taken() == []
    call.feed(PlaybackFinished(0))
    assert call.taken() == ["Open: lets the bot be", "Answer: And two"]


def test_the_agents_own_initiative_asks_for_nothing() -> None:
    """Pipecat is speaking already."""
    call = Call()
    call.feed(Initiate())
    assert call.taken() == []
