"""Replay under other settings: what they would have made of a recorded call."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.recorded_steps import TWO_TURNS, Steps, call, record
from turnkit import (
    ConfigError,
    IgnoreBackchannels,
    Immediate,
    Interrupt,
    MinWords,
    Never,
    NoSpeculation,
    Overlap,
    TraceMismatch,
    TurnMachine,
    Verdict,
)
from turnkit.trace import Trace, parse, read, replay
from turnkit.trace.counterfactual import replay_under
from turnkit.turns.events import (
    Commit,
    EagerEndOfTurn,
    EndOfTurn,
    Initiate,
    PlaybackAdvanced,
    PlaybackFinished,
    PlaybackStarted,
    Signal,
    StartOfTurn,
    StreamLost,
    TurnResumed,
)


def keeps(overlap: Overlap) -> Verdict:
    return Verdict.KEEP if overlap.final else Verdict.WAIT


def test_a_policy_of_ones_own_must_be_given() -> None:
    """A trace has its name only; given again it is the recorded setting, and another one is a change."""
    trace = call(TWO_TURNS, barge_in=keeps)
    with pytest.raises(ConfigError, match=r"barge_in=<.*keeps>: .*pass the policy itself as barge_in="):
        replay(trace)
    assert replay(trace, barge_in=keeps).verified
    assert not replay(trace, barge_in=MinWords(2)).verified


def test_settings_given_as_they_were_are_no_change() -> None:
    """Numbers too, whole or not."""
    trace = call(TWO_TURNS, barge_in=MinWords(2), hold_timeout=3)
    assert replay(trace, barge_in=MinWords(2), hold_timeout=3.0, stall_timeout=8).verified
    assert replay(trace, hold_timeout=4).changed == {"hold_timeout": ("3.0", "4.0")}


def test_settings_that_cannot_work_are_named() -> None:
    """Of the caller's and of the trace's."""
    with pytest.raises(ConfigError, match="hold_timeout=-1"):
        replay(call(TWO_TURNS), hold_timeout=-1)
    with pytest.raises(ConfigError, match="mood: no setting"):
        replay(call(TWO_TURNS), mood="fine")
    with pytest.raises(ConfigError, match="mood: no setting"):
        replay(parse(b'{"trace":1,"settings":{"mood":"fine"}}\n'))
    with pytest.raises(ConfigError, match="must be a policy"):
        replay(parse(b'{"trace":1,"settings":{"barge_in":7}}\n'))


def changes(trace: Trace, **settings: Any) -> dict[int, tuple[tuple[str, ...], bool]]:
    return {turn.turn: (turn.changes, turn.beyond) for turn in replay(trace, **settings).differing}


def test_without_drafts_every_reply_has_another_id_and_is_still_heard() -> None:
    """Replies are matched by what they are for: nothing but the drafts is different."""
    steps: Steps = [(0.5, Initiate()), (0.6, PlaybackStarted(0)), (0.9, PlaybackFinished(0))]
    steps += [(1.0, StartOfTurn(0, "tea")), (1.2, EagerEndOfTurn(0, "tea", 0.6)), (1.3, TurnResumed(0, "tea for"))]
    steps += [(1.5, EagerEndOfTurn(0, "tea for two", 0.6)), (2.0, EndOfTurn(0, "tea for two", 0.9))]
    steps += [(2.5, PlaybackStarted(2)), (3.0, StartOfTurn(1, "stop")), (3.5, EndOfTurn(1, "stop it", 0.9))]
    steps += [(4.0, PlaybackStarted(3)), (5.0, PlaybackFinished(3))]
    assert changes(call(steps), speculation=NoSpeculation()) == {
        0: (("2 drafts fewer", "answered without a draft"), False)
    }


def test_a_barge_in_that_would_not_have_been() -> None:
    """What follows is marked as beyond what a recording can tell; the reply talks on until the next that was heard."""
    trace = call([*TWO_TURNS[:5], *TWO_TURNS[8:10], (7.5, PlaybackStarted(1)), (8.5, PlaybackFinished(1))])
    replayed = replay(trace, barge_in=MinWords(9))
    (turn,) = replayed.differing
    assert turn.changes == ("dropped: overlap_kept, not answered", "no barge-in")
    assert not turn.beyond


INTERRUPTED: Steps = [
    *TWO_TURNS[:5],
    (4.0, StartOfTurn(1, "no")),
    (4.5, EndOfTurn(1, "No.", 0.9, trigger="model")),
    (5.0, PlaybackStarted(1)),
    (6.0, PlaybackFinished(1)),
    (7.0, StartOfTurn(2, "with milk")),
    (8.0, EndOfTurn(2, "With milk.", 0.9, trigger="model")),
    (8.5, PlaybackStarted(2)),
    (9.5, PlaybackFinished(2)),
]


def test_a_reply_that_talks_on_ends_before_the_next_that_was_heard() -> None:
    """Or else it would go on for ever, and every later turn would talk over it."""
    kept = replay(call(INTERRUPTED), barge_in=MinWords(2))
    assert [(turn.turn, turn.changes) for turn in kept.differing] == [
        (1, ("dropped: overlap_kept, not answered", "no barge-in"))
    ]
    assert [turn.beyond for turn in kept.turns] == [False, False, True]
    deferred = replay(call(INTERRUPTED), barge_in=Never()).turns
    assert [turn.after.committed for turn in deferred if turn.after] == [2.0, 5.0, 8.0]
    assert deferred[1].changes == ("answered 0.50 s later", "no barge-in")


def test_a_late_report_of_an_earlier_draft_is_of_no_other() -> None:
    """The reply for the same turn that is here now is not the one it was about."""
    drafts: Steps = [(1.5, EagerEndOfTurn(0, "tea", 0.6)), (1.6, TurnResumed(0, "tea for"))]
    trace = call([TWO_TURNS[0], *drafts, (1.8, EagerEndOfTurn(0, "tea for two", 0.6)), (1.9, PlaybackStarted(0))])
    assert replay_under(trace, TurnMachine()) == trace.signals()


def test_a_report_at_the_second_of_its_commit_is_about_that_reply() -> None:
    """The deadline and the report fall together: in both calls the Commit comes first."""
    trace = call([(0.0, StartOfTurn(0, "tea")), (0.0, StreamLost("gone")), (2.0, PlaybackStarted(0)), (2.0, False)])
    assert replay_under(trace, TurnMachine()) == trace.signals()


def test_what_a_noise_left_unanswered_is_no_initiative_of_the_agents() -> None:
    """Its reply is matched with the one to the same noise, and not with what the agent said unasked before."""
    steps: Steps = [
        (0.0, Initiate()),
        (0.1, PlaybackStarted(0)),
        (0.9, PlaybackFinished(0)),
        *((1.0, event) for event in (StartOfTurn(0, "hi"), EagerEndOfTurn(0, "hi"), EndOfTurn(0, "hi"))),
        *((1.5, event) for event in (StartOfTurn(1, "er"), EndOfTurn(1, ""))),
        (2.0, PlaybackStarted(2)),
        (2.5, PlaybackAdvanced(2, "hello")),
        (3.0, PlaybackFinished(2)),
        (4.0, False),
    ]
    trace = call(steps)
    assert [one.trigger for one in trace.signals() if isinstance(one, Commit)] == ["initiate", "", "unanswered"]
    assert replay_under(trace, TurnMachine()) == trace.signals()
    without = replay_under(trace, TurnMachine(speculation=NoSpeculation()))
    assert [one.trigger for one in without if isinstance(one, Commit)] == ["initiate", "", "unanswered"]


WAITING: Steps = [
    (1.0, StartOfTurn(0, "tea")),
    (1.1, Initiate(wait=True)),
    (1.2, Initiate()),  # refused
    (1.3, Initiate(wait=True)),
    (1.4, EagerEndOfTurn(0, "tea", 0.6)),
    (1.5, EndOfTurn(0, "tea")),
    (2.0, PlaybackStarted(1)),
    (3.0, PlaybackFinished(1)),  # the first initiative is next, and is cancelled by a turn before it was heard
    (3.2, StartOfTurn(1, "milk")),
    (3.5, EndOfTurn(1, "milk")),
    (4.0, PlaybackStarted(3)),
    (5.0, PlaybackFinished(3)),
    (5.5, PlaybackStarted(4)),  # the first again
    (6.0, PlaybackFinished(4)),
    (6.5, PlaybackStarted(5)),  # the second
    (7.0, PlaybackFinished(5)),
    (9.0, False),
]


def test_initiatives_that_wait_keep_their_order() -> None:
    """A reply to one is matched with the reply to the same one, in whatever order they were asked for and refused."""
    trace = call(WAITING)
    triggers = ["", "initiate", "", "initiate", "initiate"]
    assert [one.trigger for one in trace.signals() if isinstance(one, Commit)] == triggers
    assert replay_under(trace, TurnMachine()) == trace.signals()
    without = replay_under(trace, TurnMachine(speculation=NoSpeculation()))
    assert [(one.trigger, one.at) for one in without if isinstance(one, Commit)] == [
        (one.trigger, one.at) for one in trace.signals() if isinstance(one, Commit)
    ]


def initiated(signals: list[Signal]) -> list[float]:
    return [one.at for one in signals if isinstance(one, Commit) and one.trigger == "initiate"]


def test_an_initiative_that_would_not_have_been_refused_is_none_of_the_others() -> None:
    """How it would have sounded is not known, so it is over at once; the one that was heard then is heard here too."""
    steps: Steps = [*TWO_TURNS[:7], (4.5, Initiate()), TWO_TURNS[7], (5.5, Initiate()), (5.75, PlaybackStarted(2))]
    trace = call([*steps, (6.5, PlaybackFinished(2)), (7.0, False)], barge_in=MinWords(2))
    assert initiated(trace.signals()) == [5.5]  # type: ignore[arg-type]
    assert initiated(replay_under(trace, TurnMachine(barge_in=Immediate()))) == [4.5, 5.5]


def test_an_initiative_that_would_not_have_been_cancelled_is_heard_when_it_was() -> None:
    """It was offered again, before the one that waited behind it; here it has waited for its sound all the time."""
    steps: Steps = [(1.0, StartOfTurn(0, "tea")), (1.1, Initiate(wait=True)), (1.2, Initiate(wait=True))]
    steps += [(1.5, EndOfTurn(0, "tea")), (2.0, PlaybackStarted(0)), (3.0, PlaybackFinished(0))]
    steps += [(3.2, StartOfTurn(1, "mm-hm")), (3.5, EndOfTurn(1, "Mm-hm.")), (3.6, PlaybackFinished(2))]
    steps += [(4.0, PlaybackStarted(3)), (5.0, PlaybackFinished(3)), (5.5, PlaybackStarted(4)), (6.0, False)]
    trace = call(steps)
    assert initiated(trace.signals()) == [3.0, 3.6, 5.0]  # type: ignore[arg-type]
    assert initiated(replay_under(trace, TurnMachine(barge_in=IgnoreBackchannels()))) == [3.0, 5.0]


def test_a_reply_that_talks_on_ends_before_the_host_interrupts() -> None:
    """As before anything else that was recorded: the turn that waited for it is answered, and not cut short."""
    steps: Steps = [*TWO_TURNS[:5], (4.0, StartOfTurn(1, "no")), (4.5, EndOfTurn(1, "no"))]
    trace = call([*steps, (6.0, Interrupt("milk")), (7.0, False)])
    assert [one.trigger for one in trace.signals() if isinstance(one, Commit)] == ["model", "", "typed"]
    deferred = replay(trace, barge_in=Never()).turns
    assert [turn.after.outcome for turn in deferred if turn.after] == ["answered", "answered", "answered"]


def test_a_turn_that_would_not_have_cost_an_answer() -> None:
    """Over a reply that was not heard yet, another policy keeps it; how it would have sounded is not known."""
    steps: Steps = [(1.0, StartOfTurn(0, "tea")), (1.5, EndOfTurn(0, "tea"))]
    steps += [(1.8, StartOfTurn(1, "mm-hm")), (2.2, EndOfTurn(1, "Mm-hm.")), (3.0, PlaybackStarted(1))]
    steps += [(4.0, PlaybackFinished(1)), (5.0, StartOfTurn(2, "milk")), (6.0, EndOfTurn(2, "milk")), (7.0, False)]
    trace = call(steps)
    kept = replay(trace, barge_in=IgnoreBackchannels())
    assert [(turn.turn, turn.changes, turn.beyond) for turn in kept.differing] == [
        (1, ("dropped: overlap_kept, not answered",), False)
    ]
    assert [turn.after.outcome for turn in kept.turns if turn.after] == [
        "answered",
        "dropped: overlap_kept",
        "answered",
    ]


def test_what_the_host_interrupts_is_interrupted_again() -> None:
    """A key and a typed text take the floor under other settings too, and the typed turn is the same turn."""
    steps: Steps = [
        *TWO_TURNS[:5],
        (3.5, Interrupt()),
        (4.0, Interrupt("with milk")),
        (4.5, PlaybackStarted(1)),
        (5.0, StartOfTurn(1, "no")),
        (5.5, EndOfTurn(1, "no")),
        (6.0, PlaybackStarted(2)),
        (7.0, PlaybackFinished(2)),
    ]
    trace = call(steps)
    assert changes(trace, speculation=NoSpeculation()) == {0: (("1 draft fewer", "answered without a draft"), False)}
    deferred = replay(trace, barge_in=Never()).turns
    assert [turn.after.trigger for turn in deferred if turn.after] == ["model", "typed", ""]
    assert deferred[2].changes == ("answered 0.50 s later", "no barge-in")


def test_time_passes_also_with_reports_that_are_about_nothing() -> None:
    """What is due at that very moment is dealt with."""
    trace = call([(1.0, PlaybackStarted(7))], idle_timeout=1.0)
    assert [type(signal).__name__ for signal in trace.signals()] == ["UserIdle"]
    assert replay_under(trace, TurnMachine(idle_timeout=1.0)) == trace.signals()


def test_a_barge_in_that_would_have_been() -> None:
    """The agent would have stopped and answered; later turns are beyond."""
    trace = call(TWO_TURNS, barge_in=MinWords(2))
    replayed = replay(trace, barge_in=Immediate())
    assert [(turn.turn, turn.changes) for turn in replayed.differing] == [
        (1, ("answered, not dropped: overlap_kept", "a barge-in"))
    ]
    assert [turn.beyond for turn in replayed.turns] == [False, False, True]
    assert replayed.changed == {"barge_in": ("MinWords(count=2)", "Immediate()")}


def test_a_turn_that_would_have_waited() -> None:
    """Deferred, it is answered when the agent has finished, as recorded."""
    trace = call(TWO_TURNS, barge_in=MinWords(2))
    assert changes(trace, barge_in=Never())[1][0] == ("answered, not dropped: overlap_kept",)


def test_raw_frames_are_replayed_as_far_as_they_go(preamble: Path) -> None:
    """Nobody is known to have spoken for the agent: each reply is over at once, so no turn is lost."""
    trace = read(preamble)
    replayed = replay(trace)
    assert not replayed.verified
    assert replayed.differing == ()
    assert {turn.after.outcome for turn in replayed.turns if turn.after} == {"answered"}
    assert [turn.changes for turn in replay(trace, speculation=NoSpeculation()).differing] == [
        ("1 draft fewer", "answered without a draft")
    ]


def test_what_holds_words_does_not_show_them() -> None:
    """Traces, results and rows end up in logs."""
    trace = call(TWO_TURNS)
    replayed = replay(trace)
    assert "milk" not in repr(trace) + repr(replayed) + repr(replayed.turns[0].before)
    assert "milk" in json.dumps(msgspec.to_builtins(replayed.turns)).lower()


@given(st.data())
def test_damage_is_refused_or_told(data: st.DataObject) -> None:
    """Whatever bytes are changed, added or lost: ConfigError or TraceMismatch, or a trace like any other."""
    with TemporaryDirectory() as folder:
        whole = bytearray(record(Path(folder) / "a", INTERRUPTED, {}))
    for _ in range(data.draw(st.integers(1, 4))):
        place, lost = data.draw(st.integers(0, len(whole))), data.draw(st.integers(0, 30))
        added = data.draw(
            st.sampled_from([b"", b"\xff", b"NaN", b"1e999", b"null", b'"', b"\\ud800", b"9" * 400, b"[[[["])
        )
        whole[place : place + lost] = added
    try:
        trace = parse(bytes(whole))
        replay(trace, speculation=NoSpeculation())
        replay(trace)
    except (ConfigError, TraceMismatch):
        pass
