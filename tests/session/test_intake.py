"""What a session makes of the items of its source, item by item: without a loop, a clock or a machine."""

from __future__ import annotations

import json
from typing import Any

import pytest

from turnkit.session.intake import Intake, Step, Surprise
from turnkit.turns.events import (
    EndOfTurn,
    Initiate,
    NoteKind,
    PlaybackStarted,
    StartOfTurn,
    StreamLost,
    StreamRestored,
    Update,
)
from turnkit.wire import Connected, TurnInfo, decode


def turn(event: str = "Update", *, number: int = -1, index: int = 0) -> str:
    """A TurnInfo as Flux sends it."""
    return json.dumps({"type": "TurnInfo", "event": event, "turn_index": index, "sequence_id": number})


def connected(number: int = 0) -> dict[str, Any]:
    """The first message of a connection."""
    return {"type": "Connected", "request_id": "r", "sequence_id": number}


def steps(intake: Intake, *items: object) -> list[Step]:
    """What follows from all of these, in order."""
    return [step for item in items for step in intake.take(item)[1]]


def gap(number: int, last: int) -> Surprise:
    """The surprise at a number that is not the next one."""
    return Surprise(NoteKind.SEQUENCE_GAP, f"sequence_id {number} after {last}")


def test_a_message_of_a_turn_is_its_event() -> None:
    """As text, as bytes, as a mapping or decoded already: the event, and the message that it came with."""
    text = turn("StartOfTurn")
    for item in (text, text.encode(), json.loads(text), decode(text)):
        message, found = Intake().take(item)
        assert isinstance(message, TurnInfo)
        assert found == (StartOfTurn(0, ""),)


def test_events_pass_as_they_are() -> None:
    """Those of turns and those of the host alike, without a message."""
    for event in (EndOfTurn(0, "tea", 0.8), PlaybackStarted(0), Initiate(False)):
        message, (found,) = Intake().take(event)
        assert message is None
        assert found is event


@pytest.mark.parametrize("item", ["no json", b"\xff", 17, "[1]"])
def test_what_cannot_be_read_is_a_surprise(item: object) -> None:
    """And no message: there is nothing to record of it."""
    message, found = Intake().take(item)
    assert message is None
    assert [step.kind for step in found if isinstance(step, Surprise)] == [NoteKind.MALFORMED_MESSAGE]


def test_a_type_that_nobody_knows_is_a_surprise() -> None:
    """Named, but only so much of it as fits a line; the message is there to be recorded."""
    message, found = Intake().take({"type": "Weather" * 10})
    assert message is not None
    (surprise,) = found
    assert surprise == Surprise(
        NoteKind.UNKNOWN_MESSAGE, f"{('Weather' * 10)[:40]!r}: a type that turnkit does not know"
    )


def test_a_known_type_with_fields_that_do_not_fit_is_malformed() -> None:
    """It says what does not fit."""
    (surprise,) = steps(Intake(), {"type": "TurnInfo", "event": "Update", "turn_index": "first"})
    assert isinstance(surprise, Surprise)
    assert surprise.kind is NoteKind.MALFORMED_MESSAGE
    assert surprise.detail.startswith("'TurnInfo': ")


def test_a_turn_event_that_nobody_knows_is_a_surprise() -> None:
    """It has its number in the count all the same."""
    found = steps(Intake(), turn(number=0), turn("Pondering", number=1), turn(number=2))
    assert found[1] == Surprise(NoteKind.UNKNOWN_MESSAGE, "TurnInfo with event 'Pondering'")
    assert len(found) == 3


def test_numbers_count_without_a_gap() -> None:
    """A number left out, or one that comes again, is noted before the event; the event is not lost."""
    assert steps(Intake(), connected(), *(turn(number=n) for n in (1, 2, 3))) == [Update(0, "")] * 3
    assert steps(Intake(), turn(number=4), turn(number=6)) == [Update(0, ""), gap(6, 4), Update(0, "")]
    assert steps(Intake(), turn(number=4), turn(number=4)) == [Update(0, ""), gap(4, 4), Update(0, "")]


def test_the_message_that_is_due_is_its_event_alone() -> None:
    """The short way of most messages; any other is not taken, and goes the long way as if nothing had been asked."""
    intake = Intake()
    assert steps(intake, connected(), StreamLost("gone")) == [StreamLost("gone")]
    due, odd, late = (decode(text) for text in (turn(number=0), turn("Pondering", number=1), turn(number=9)))
    assert isinstance(due, TurnInfo)
    assert isinstance(odd, TurnInfo)
    assert isinstance(late, TurnInfo)
    assert intake.take_due(due) == Update(0, "")
    assert intake.take_due(late) is intake.take_due(odd) is intake.take_due(due) is None
    assert steps(intake, odd, late) == [
        Surprise(NoteKind.UNKNOWN_MESSAGE, "TurnInfo with event 'Pondering'"),
        gap(9, 1),
        Update(0, ""),
    ]
    assert steps(intake, StreamLost("again")) == [StreamLost("again")], "by what was due the stream was back"


def test_what_has_no_number_is_not_missed() -> None:
    """Older hosts send none; and after an unknown message, which may have had one, the count begins anew."""
    assert steps(Intake(), turn(), turn(number=5), turn(), turn(number=9)) == [Update(0, "")] * 4
    found = steps(Intake(), turn(number=4), {"type": "Weather", "sequence_id": 5}, turn(number=6))
    assert [type(step) for step in found] == [Update, Surprise, Update]


def test_the_first_connected_is_nothing_to_the_machine() -> None:
    """It only begins the count."""
    message, found = Intake().take(connected())
    assert isinstance(message, Connected)
    assert found == ()


def test_connected_anew_is_a_loss_and_a_restoring() -> None:
    """Where whoever reconnected did not say so; and the count begins anew."""
    found = steps(Intake(), connected(), turn(number=1), connected(), turn(number=1))
    assert found == [Update(0, ""), StreamLost("connected anew"), StreamRestored("connected"), Update(0, "")]


def test_connected_restores_a_stream_that_was_said_to_be_lost() -> None:
    """Once: a StreamRestored that was said before it is the one."""
    assert steps(Intake(), connected(), StreamLost("gone"), connected()) == [
        StreamLost("gone"),
        StreamRestored("connected"),
    ]
    restored = StreamRestored("again")
    assert steps(Intake(), connected(), StreamLost("gone"), restored, connected()) == [StreamLost("gone"), restored]


def test_a_stream_is_lost_once_until_it_speaks_again() -> None:
    """By an event, an error or the end of the source; a turn shows that it is back."""
    intake = Intake()
    error = {"type": "Error", "code": "C"}
    assert steps(intake, StreamLost("a"), StreamLost("b"), error) == [
        StreamLost("a"),
        Surprise(NoteKind.FLUX_ERROR, "C"),
    ]
    assert intake.lose("c") == ()
    assert steps(intake, Update(0, "x"), StreamLost("d")) == [Update(0, "x"), StreamLost("d")]
    assert steps(intake, turn(), StreamLost("e")) == [Update(0, ""), StreamLost("e")]
    assert steps(intake, PlaybackStarted(0), StreamLost("f")) == [PlaybackStarted(0)], "that is the host, not Flux"


def test_after_a_loss_the_count_begins_anew() -> None:
    """Whatever number comes next."""
    assert steps(Intake(), turn(number=7), StreamLost("gone"), turn(number=3)) == [
        Update(0, ""),
        StreamLost("gone"),
        Update(0, ""),
    ]


@pytest.mark.parametrize(
    ("message", "step"),
    [
        ({"type": "Warning", "code": "SLOW"}, Surprise(NoteKind.FLUX_WARNING, "SLOW")),
        ({"type": "Warning"}, Surprise(NoteKind.FLUX_WARNING, "without a code")),
        ({"type": "ConfigureFailure", "code": "BAD"}, Surprise(NoteKind.CONFIGURE_FAILED, "BAD")),
        ({"type": "ConfigureFailure", "error_code": "OLD"}, Surprise(NoteKind.CONFIGURE_FAILED, "OLD")),
        ({"type": "ConfigureFailure"}, Surprise(NoteKind.CONFIGURE_FAILED, "without a code")),
    ],
)
def test_what_flux_says_beside_the_turns(message: dict[str, Any], step: Step) -> None:
    """By its code, which quotes nobody; a gap before it is noted first."""
    assert steps(Intake(), message) == [step]
    assert steps(Intake(), turn(number=1), message | {"sequence_id": 3}) == [Update(0, ""), gap(3, 1), step]


@pytest.mark.parametrize(
    ("message", "said", "reason"),
    [
        ({"type": "Error", "code": "INTERNAL", "description": "x"}, "INTERNAL: x", "INTERNAL"),
        ({"type": "Error"}, "without a code", "Flux sent an Error"),
    ],
)
def test_an_error_of_flux_is_noted_and_loses_the_stream(message: dict[str, Any], said: str, reason: str) -> None:
    """By its code and its own sentence; it is fatal until there is a stream again."""
    intake = Intake()
    assert steps(intake, connected(), message | {"sequence_id": 1}) == [
        Surprise(NoteKind.FLUX_ERROR, said),
        StreamLost(reason),
    ]
    fatal = intake.fatal
    assert fatal is not None
    assert (fatal.code, fatal.request_id) == (message.get("code", ""), "r")
    steps(intake, connected())
    got_over = intake.fatal
    intake.lose("another")
    assert got_over is intake.fatal is None, "that is no Error of Flux"


def test_new_settings_are_nothing_to_the_machine() -> None:
    """They are counted, and recorded by who has the message."""
    intake = Intake()
    message, found = intake.take({"type": "ConfigureSuccess", "sequence_id": 0})
    assert type(message).__name__ == "ConfigureSuccess"
    assert found == ()
    assert steps(intake, turn(number=2)) == [gap(2, 0), Update(0, "")]
