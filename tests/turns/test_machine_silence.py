"""The machine, row by row: what the agent begins by itself, and how long silences are counted."""

from __future__ import annotations

from tests.support.kinds import kinds
from tests.support.stepped_machine import SteppedMachine
from turnkit.turns.events import (
    Busy,
    Cancel,
    CancelReason,
    Commit,
    EndOfTurn,
    Initiate,
    PlaybackFinished,
    PlaybackStarted,
    StartOfTurn,
    StreamLost,
    UserIdle,
)
from turnkit.turns.machine import TurnMachine


def test_the_agent_may_begin_when_nobody_has_the_floor() -> None:
    """Initiate commits a reply to no turn; while a turn is open or a reply has the floor it is refused."""
    stepped = SteppedMachine()
    assert stepped.feed(Initiate()) == [Commit(None, 0, "", False, "initiate", (), at=0.1)]
    assert stepped.feed(Initiate()) == [Cancel(None, 1, CancelReason.FLOOR_TAKEN, at=0.2)]
    stepped.feed(PlaybackStarted(0), PlaybackFinished(0), StartOfTurn(0, "hi"))
    assert stepped.feed(Initiate()) == [Cancel(None, 2, CancelReason.FLOOR_TAKEN, at=0.6)]


def test_a_protected_greeting_is_not_interrupted() -> None:
    """Initiate(protected): what is said over it is answered after it, also what is said before its first sound."""
    for heard in ((PlaybackStarted(0),), ()):
        stepped = SteppedMachine()
        stepped.feed(Initiate(protected=True), *heard)
        assert kinds(stepped.feed(StartOfTurn(0, "hello?"))) == ["TurnStarted"]
        assert stepped.feed(EndOfTurn(0, "hello?")) == []
        assert kinds(stepped.feed(PlaybackStarted(0), PlaybackFinished(0))) == ["Commit"]


def test_a_suspended_turn_counts_as_open() -> None:
    """Neither Initiate nor the idle clock gets in before a suspended turn."""
    stepped = SteppedMachine(idle_timeout=1.0)
    stepped.feed(StartOfTurn(0, "hi"), StreamLost())
    assert kinds(stepped.feed(Initiate())) == ["Cancel"]
    assert kinds(stepped.wait(1.5)) == []


def test_idle_comes_again_and_again_until_someone_speaks() -> None:
    """UserIdle counts the silence from the first moment, and anew after somebody spoke."""
    stepped = SteppedMachine(idle_timeout=5.0)
    stepped.machine.wake(0.0)
    assert stepped.wait(12.0) == [UserIdle(1, at=5.0), UserIdle(2, at=10.0)]
    stepped.committed().feed(PlaybackStarted(0))
    assert stepped.wait(60.0) == [], "not while a reply has the floor"
    stepped.feed(PlaybackFinished(0))
    since = stepped.at
    assert stepped.wait(5.0) == [UserIdle(1, at=since + 5.0)]


def test_a_reprompt_does_not_make_the_user_less_silent() -> None:
    """The agent's own words start the idle clock anew, but the count goes on until the user speaks."""
    stepped = SteppedMachine(idle_timeout=5.0)
    stepped.machine.wake(0.0)
    assert kinds(stepped.wait(5.0)) == ["UserIdle"]
    stepped.feed(Initiate(), PlaybackStarted(0), PlaybackFinished(0))
    since = stepped.at
    assert stepped.wait(6.0) == [UserIdle(2, at=since + 5.0)]
    stepped.feed(StartOfTurn(0, "yes"), EndOfTurn(0, "yes"), PlaybackFinished(1))
    since = stepped.at
    assert stepped.wait(6.0) == [UserIdle(1, at=since + 5.0)]


def test_line_noise_does_not_put_off_idle() -> None:
    """A turn that ends empty does not move the idle deadline; one passed meanwhile is due at once."""
    stepped = SteppedMachine(idle_timeout=1.0)
    stepped.machine.wake(0.0)
    stepped.feed(StartOfTurn(0, ""), EndOfTurn(0, ""))
    assert stepped.machine.deadline == 1.0
    stepped.feed(StartOfTurn(1, ""))
    assert stepped.wait(3.0) == []
    assert [signal for signal in stepped.feed(EndOfTurn(1, "")) if isinstance(signal, UserIdle)] == [
        UserIdle(1, at=stepped.at)
    ]


def test_the_idle_clock_stands_still_while_a_tool_runs() -> None:
    """Busy stops it, and it starts anew when the tool is done; a turn or a reply in between changes nothing in that."""
    stepped = SteppedMachine(idle_timeout=5.0)
    stepped.machine.wake(0.0)
    stepped.feed(Busy(True))
    assert stepped.wait(60.0) == []
    stepped.feed(StartOfTurn(0, ""), EndOfTurn(0, ""))
    assert stepped.wait(60.0) == []
    stepped.feed(Busy(False))
    since = stepped.at
    assert stepped.wait(6.0) == [UserIdle(1, at=since + 5.0)]
    stepped.feed(StartOfTurn(1, "hi"), Busy(False))
    assert kinds(stepped.wait(6.0)) == []


def test_one_late_wake_is_one_idle() -> None:
    """A wake that comes many timeouts late reports the silence once, and the next one a timeout later."""
    machine = TurnMachine(idle_timeout=1.0)
    machine.wake(0.0)
    assert machine.wake(7.5) == (UserIdle(1, at=7.5),)
    assert machine.deadline == 8.5
