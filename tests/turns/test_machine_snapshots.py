"""The machine's snapshots: what is kept to the bit, what is refused, and what no encoding can hold."""

from __future__ import annotations

import msgspec
import pytest

from tests.support.stepped_machine import SteppedMachine
from turnkit.errors import LocalProtocolError
from turnkit.turns.events import EndOfTurn, StartOfTurn, Update
from turnkit.turns.machine import TurnMachine


def test_half_a_character_is_replaced_wherever_it_stands() -> None:
    """In the open turn, in what is unanswered, in words that nobody announced: the rest of the text is kept."""
    stepped = SteppedMachine()
    stepped.feed(StartOfTurn(0, "a\ud800"), EndOfTurn(0, "a\ud800"), StartOfTurn(1, "b\ud800"))
    copy = TurnMachine.restore(stepped.machine.snapshot())
    assert copy.unanswered == ("a?",)
    assert copy.state.turn is not None
    assert copy.state.turn.text == "b?"
    other = SteppedMachine()
    other.feed(Update(0, "c\ud800"))
    words = TurnMachine.restore(other.machine.snapshot()).state.unannounced
    assert words is not None
    assert words.text == "c?"


def test_whole_seconds_of_audio_are_seconds() -> None:
    """Words that nobody announced leave the same snapshot, whatever kind of number says when they came."""
    whole, real = TurnMachine(), TurnMachine()
    whole.feed(Update(0, "hi", 0, 3), 1.0)
    real.feed(Update(0, "hi", 0.0, 3.0), 1.0)
    assert whole.snapshot() == real.snapshot() == TurnMachine.restore(whole.snapshot()).snapshot()


def test_a_snapshot_of_an_earlier_version_is_refused() -> None:
    """It says which version it has and which one can be read, though nothing else in it makes sense here."""
    flat = {"version": 1, "now": 1.0, "turn": 0, "index": 0, "text": "tea", "reply": -1, "suspended": -1}
    with pytest.raises(LocalProtocolError, match="the snapshot has version 1, this turnkit reads 3"):
        TurnMachine.restore(msgspec.msgpack.encode(flat))
