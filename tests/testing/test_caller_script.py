"""The caller's script: what can be written, what Flux makes of it, and what a mistake is told."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

import turnkit.testing.caller_script
from turnkit.errors import ConfigError
from turnkit.session import Session
from turnkit.testing import Caller, Conversation, rehearse, run
from turnkit.turns.events import (
    EagerEndOfTurn,
    EndOfTurn,
    NoteKind,
    StartOfTurn,
    StreamLost,
    StreamRestored,
    TurnResumed,
    Update,
)
from turnkit.wire import Connected, TurnInfo, decode, to_event


def told(script: str, **options: Any) -> list[tuple[float, Any]]:
    """What a bot that never speaks is told, and when."""

    async def listen() -> list[tuple[float, Any]]:
        ear = Conversation(Session())
        return [(round(ear.now(), 2), item) async for item in Caller(script, **options).call(ear)]

    return run(listen)


def test_the_script_of_the_docstring_can_be_played() -> None:
    """Every line of it, and each step in brackets with the seconds it is said to take."""
    assert turnkit.testing.caller_script.__doc__ is not None
    lines = [line.strip() for line in turnkit.testing.caller_script.__doc__.splitlines()]
    sample = [line for line in lines if line[:1] in tuple("1+@")]
    assert len(sample) == 5
    assert len(Caller("\n".join(sample)).lines) == 5
    for kind, seconds in turnkit.testing.caller_script.SECONDS.items():
        if kind not in ("resumed", "restored", "hang up"):
            assert any(f"[{kind} {seconds:g}" in line for line in lines), kind


def names(script: str) -> list[str]:
    return [type(event).__name__ for _, event in told(script)]


def test_a_line_is_a_turn() -> None:
    """Words come one by one, and the end by itself, with an eager end before it."""
    assert [at for at, _ in told("1.0  A table, please.  # politely")] == [1.18, 1.53, 1.93, 2.23, 2.53]
    assert names("1.0  A table, please.") == ["StartOfTurn", "Update", "Update", "EagerEndOfTurn", "EndOfTurn"]
    assert [event.transcript for _, event in told("0 A table, please.")] == ["A", "A table,"] + 3 * ["A table, please."]


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("0 Tea [end]", [StartOfTurn, EndOfTurn]),
        ("0 Tea [eager]", [StartOfTurn, EagerEndOfTurn, EndOfTurn]),
        ("0 Tea [eager] now", [StartOfTurn, EagerEndOfTurn, TurnResumed, EagerEndOfTurn, EndOfTurn]),
        (
            "0 Tea [eager] [resumed] now [end]",
            [StartOfTurn, EagerEndOfTurn, TurnResumed, Update, EndOfTurn],
        ),
        ("0 Tea [open]", [StartOfTurn]),
        ("0 Tea [open]\n+1 now [end]", [StartOfTurn, Update, EndOfTurn]),
        ("0 Tea [lost]\n+1 [restored]", [StartOfTurn, StreamLost, StreamRestored]),
        ("0 Tea [hang up]\n+1 Now", [StartOfTurn]),
        ("0 Tea [end] And now", [StartOfTurn, EndOfTurn, StartOfTurn, Update, EagerEndOfTurn, EndOfTurn]),
    ],
)
def test_what_stands_in_brackets(script: str, expected: list[type[Any]]) -> None:
    """And what stands for itself."""
    assert [type(event) for _, event in told(script)] == expected


def test_turns_are_counted_and_from_zero_after_a_loss() -> None:
    """As on a connection, whose turns begin at 0."""
    events = [event for _, event in told("0 One [end]\n+1 Two [end]\n+1 Three [lost]\n+1 [restored]\n+1 Four [end]")]
    assert [event.turn_index for event in events if isinstance(event, StartOfTurn)] == [0, 1, 2, 0]


def test_seconds_in_brackets_pass_before_and_pauses_stand_between_words() -> None:
    """`[eager 0.7]`, `(2.0)`; a line's time counts from the start, or with + from the line before."""
    (start, _), (word, _), (eager, _), (end, event), (again, _) = told(
        "2 A (2.0) B [eager 0.7] [timeout 3]\n+0.5 A [open]"
    )
    assert (word - start, eager - word, end - eager) == pytest.approx((2.18, 0.7, 3.0), abs=0.011)
    assert again - end == pytest.approx(0.68, abs=0.011)
    assert event.trigger == "timeout"
    assert told("0 A [forced]")[-1][1].trigger == "manual"


def test_flux_may_change_its_mind() -> None:
    """`[as ...]` is told with what comes next; with nothing in it, the turn ends without words."""
    assert [event.transcript for _, event in told("0 Four [eager] [as For two] [end]")] == ["Four", "Four", "For two"]
    assert told("0 Hm [as] [end]")[-1][1].transcript == ""


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("", "caller: nothing is said in it"),
        ("# only this", "nothing is said in it"),
        ("1.0 Hello.\nHello again", "caller, line 2: 'Hello again': must begin with when it is said"),
        ("@talking Hello", "line 1: '@talking Hello': must begin with when"),
        ("1.0", "line 1: '1.0': must begin"),
        ("-1 Hello", "must begin with when"),
        ("1 Hello [eagre]", r"line 1: \[eagre\]: must be one of \[eager\], \[resumed\], \[end\]"),
        ("1 Hello [eager soon]", r"\[eager soon\]: must be one of"),
        ("1 Hello [eager -1]", r"\[eager -1\]: must be one of"),
        ("1 Hello [eager", "brackets must come in pairs"),
        ("1 Hello eager]", "brackets must come in pairs"),
        ("1 Hello [[end]]", "brackets must come in pairs"),
        ("1 Hello (soon) you", r"pause '\(soon\)': must be seconds"),
        ("1 (1.0) Hello", "must stand between two words"),
        ("1 Hello [open] [end]", r"\[open\]: must be the last"),
        ("1 Hello [hang up] [end]", r"\[end\]: nothing can come after \[hang up\]"),
        ("1 ?!", r"word '\?!'"),
    ],
)
def test_a_mistake_is_told_with_its_line_value_and_rule(script: str, message: str) -> None:
    """Before anything is played."""
    with pytest.raises(ConfigError, match=message):
        Caller(script)


def test_patience_must_be_a_time() -> None:
    """Named, with its value."""
    with pytest.raises(ConfigError, match="patience=0: must be a positive number"):
        Caller("1 Hello", patience=0)


def test_its_repr_can_be_pasted_into_a_test() -> None:
    """What Hypothesis shows of a failing caller is the caller."""
    caller = Caller("1.0  Hello.\n+2  [hang up]", wire=True)
    pasted = eval(repr(caller), {"Caller": Caller})
    assert (pasted.lines[0].steps, pasted.wire) == (caller.lines[0].steps, True)


def test_on_the_wire_it_is_flux() -> None:
    """Frames that `decode` reads as the events, with sequence ids from 0 on each connection."""
    script = "0 A table [eager] [resumed] for two. [end]\n+1 Hello [lost]\n+1 [restored]\n+1 Hello [end]"
    frames = [decode(frame) for _, frame in told(script, wire=True)]
    events = [event for _, event in told(script) if not isinstance(event, (StreamLost, StreamRestored))]
    turns = [to_event(frame) for frame in frames if isinstance(frame, TurnInfo)]
    # Only Flux gives the words one by one.
    ends = (EagerEndOfTurn, EndOfTurn)
    assert [msgspec.structs.replace(turn, words=()) if isinstance(turn, ends) else turn for turn in turns] == events
    restored = max(place for place, frame in enumerate(frames) if isinstance(frame, Connected))
    assert [frame.sequence_id for frame in frames[:restored]] == list(range(restored))  # type: ignore[union-attr]
    assert [frame.sequence_id for frame in frames[restored:]] == [0, 1, 2]  # type: ignore[union-attr]


def test_a_session_takes_the_frames_without_a_surprise() -> None:
    """The decode path, the lost stream and its return included; the loss is told by an Error, which is noted."""
    session = Session()
    rehearse(session, Caller("0 Hello [lost]\n+0.5 [restored]\n+4 There? [end]", wire=True))
    assert session.notes == {NoteKind.FLUX_ERROR: 1}
