"""The compiled tables against the stock `transitions.Machine`, and the charts that must not compile."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transitions import Machine, MachineError

from tests.support.effort import tries
from turnkit.turns import chart
from turnkit.turns.chart import (
    REPLY_CHART,
    REPLY_EDGES,
    REPLY_TABLE,
    USER_CHART,
    USER_EDGES,
    USER_TABLE,
    Edge,
    ReplyMove,
    ReplyState,
    UserMove,
    UserState,
    compile_chart,
    declare,
    diagrams,
)
from turnkit.turns.events import NoteKind

Table = Mapping[Any, Mapping[Any, tuple[StrEnum, NoteKind | None]]]
Party = tuple[Machine, Table, type[StrEnum], type[StrEnum], Iterable[Edge]]

USER: Party = (USER_CHART, USER_TABLE, UserState, UserMove, USER_EDGES)
REPLY: Party = (REPLY_CHART, REPLY_TABLE, ReplyState, ReplyMove, REPLY_EDGES)
parties = pytest.mark.parametrize("party", [USER, REPLY], ids=["user", "reply"])


class Probe:
    """All that `transitions` needs of a model: somewhere to keep the state."""

    def __init__(self, state: str) -> None:
        self.state = state


def oracle(machine: Machine, state: str, move: str) -> str | None:
    """Where the stock machine goes; None if it refuses. It executes the declaration, not our table."""
    probe = Probe(state)
    try:
        machine.events[move].trigger(probe)
    except MachineError:
        assert probe.state == state
        return None
    return probe.state


# The tables that run ----------------------------------------------------------------------------------------------


@parties
def test_table_is_the_declared_chart_cell_by_cell(party: Party) -> None:
    """For every state and move, absent edges included, the table and the stock machine agree."""
    machine, table, states, moves, _ = party
    for state in states:
        for move in moves:
            step = table[state].get(move)
            assert (None if step is None else step[0].value) == oracle(machine, state.value, move.value), (state, move)


@parties
@settings(deadline=None, max_examples=tries(50))
@given(data=st.data())
def test_walks_stay_together(party: Party, data: st.DataObject) -> None:
    """Driven by the same moves, legal or not, one long-lived model and the table are always in the same state."""
    machine, table, states, moves, _ = party
    state = states(str(machine.initial))
    probe = Probe(state.value)
    for move in data.draw(st.lists(st.sampled_from(list(moves)), max_size=40)):
        try:
            state = table[state][move][0]
        except KeyError:
            with pytest.raises(MachineError):
                machine.events[move.value].trigger(probe)
        else:
            assert machine.events[move.value].trigger(probe) is True
        assert probe.state == state.value


@parties
def test_surprises_are_carried_from_the_rows(party: Party) -> None:
    """A row's note is in the table at its place, and nowhere else; internal edges stay where they are."""
    _, table, _, _, edges = party
    listed = {(edge.source, edge.move): (edge.dest or edge.source, edge.surprise) for edge in edges}
    compiled = {(state, move): step for state, row in table.items() for move, step in row.items()}
    assert compiled == listed
    assert len(listed) == len(list(edges))


@parties
def test_table_speaks_in_enums(party: Party) -> None:
    """States and moves are members, so that a comparison by identity is safe."""
    _, table, states, moves, _ = party
    assert list(table) == list(states)
    for row in table.values():
        assert all(isinstance(move, moves) for move in row)
        assert all(isinstance(dest, states) for dest, _ in row.values())


def reached(table: Table, start: StrEnum) -> set[StrEnum]:
    """Every state that some walk from `start` ends in, `start` included."""
    found = {start}
    while fresh := {dest for state in found for dest, _ in table[state].values()} - found:
        found |= fresh
    return found


def test_every_state_can_be_reached_and_left_for_rest() -> None:
    """From listening and from drafting every state is reached; from every state, listening or closed is."""
    assert reached(USER_TABLE, UserState.LISTENING) == set(UserState)
    assert reached(REPLY_TABLE, ReplyState.DRAFTING) == set(ReplyState)
    assert all(UserState.LISTENING in reached(USER_TABLE, state) for state in UserState)
    assert all(ReplyState.CLOSED in reached(REPLY_TABLE, state) for state in ReplyState)
    assert reached(REPLY_TABLE, ReplyState.CLOSED) == {ReplyState.CLOSED}


def test_one_move_ends_an_open_turn_and_a_live_reply() -> None:
    """Whatever is open can be ended at once: a turn by its end, a stall, a lost stream, close; a reply by a signal."""
    for user in (UserState.SPEAKING, UserState.ENDING):
        for end in (UserMove.END, UserMove.MISSED_END, UserMove.STALLED, UserMove.STREAM_LOST, UserMove.CLOSE):
            assert USER_TABLE[user][end][0] is UserState.LISTENING
    for unheard in (ReplyState.DRAFTING, ReplyState.PENDING):
        assert REPLY_TABLE[unheard][ReplyMove.CANCEL][0] is ReplyState.CLOSED
    for heard in (ReplyState.AUDIBLE, ReplyState.HELD):
        assert REPLY_TABLE[heard][ReplyMove.BARGE_IN][0] is ReplyState.CLOSED


def test_draft_is_never_audible_before_its_commit() -> None:
    """The only way out of drafting is Commit or Cancel: no report of playback can make a draft audible."""
    moved = {
        move: dest for move, (dest, _) in REPLY_TABLE[ReplyState.DRAFTING].items() if dest is not ReplyState.DRAFTING
    }
    assert moved == {ReplyMove.COMMIT: ReplyState.PENDING, ReplyMove.CANCEL: ReplyState.CLOSED}


# Charts that must not compile -------------------------------------------------------------------------------------


class Lamp(StrEnum):
    OFF = "off"
    ON = "on"


class Push(StrEnum):
    PRESS = "press"
    BREAK = "break"


EDGES = (Edge(Push.PRESS, Lamp.OFF, Lamp.ON), Edge(Push.PRESS, Lamp.ON, Lamp.OFF), Edge(Push.BREAK, Lamp.ON, Lamp.OFF))


def lamp(edges: Iterable[Edge] = EDGES) -> Machine:
    return declare(Lamp, Lamp.OFF, edges)


def test_sound_chart_compiles() -> None:
    """The lamp that the broken ones below differ from is sound, internal edges and notes included."""
    edges = (*EDGES, Edge(Push.BREAK, Lamp.OFF, None, NoteKind.STRAY_RESUME))
    assert compile_chart(lamp(edges), Lamp, Push, edges) == {
        Lamp.OFF: {Push.PRESS: (Lamp.ON, None), Push.BREAK: (Lamp.OFF, NoteKind.STRAY_RESUME)},
        Lamp.ON: {Push.PRESS: (Lamp.OFF, None), Push.BREAK: (Lamp.OFF, None)},
    }


def with_edge(**options: Any) -> Callable[[Machine], None]:
    return lambda machine: machine.add_transition(**options)


def with_callback(slot: str) -> Callable[[Machine], None]:
    return lambda machine: machine.get_transitions("press", "off")[0].add_callback(slot, print)


@pytest.mark.parametrize(
    ("breakage", "message"),
    [
        (with_edge(trigger="break", source="off", dest="fo"), "break from off to fo: not a state of Lamp"),
        (with_edge(trigger="break", source="fo", dest="off"), "break from fo to off: not a state of Lamp"),
        (with_edge(trigger="press", source="off", dest="off"), "press from off to off: a second edge for this move"),
        (with_edge(trigger="press", source="on", dest=None), "press from on to on: a second edge for this move"),
        (
            with_edge(trigger="toggle", source="on", dest="off"),
            "edges without a move: toggle",
        ),
        (with_callback("before"), "press from off to on: an edge must not carry callbacks"),
        (with_callback("after"), "press from off to on: an edge must not carry callbacks"),
        (with_callback("prepare"), "press from off to on: an edge must not carry callbacks"),
    ],
)
def test_broken_chart_is_refused_by_its_row(breakage: Callable[[Machine], None], message: str) -> None:
    """What `transitions` lets pass is refused at import, and the message names the row."""
    machine = lamp()
    breakage(machine)
    with pytest.raises(ValueError) as caught:
        compile_chart(machine, Lamp, Push, EDGES)
    assert message in str(caught.value)


@pytest.mark.parametrize("guard", ["conditions", "unless"])
def test_guarded_edge_is_refused(guard: str) -> None:
    """A guard is a policy, and a policy cannot be drawn."""
    machine = lamp(EDGES[:2])
    machine.add_transition("break", "on", "off", **{guard: lambda: True})
    with pytest.raises(ValueError, match="break from on to off: an edge must not carry callbacks"):
        compile_chart(machine, Lamp, Push, EDGES)


def test_move_that_moves_nothing_is_refused() -> None:
    """A move without any edge was forgotten in the rows."""
    with pytest.raises(ValueError, match=r"without an edge.*: break"):
        compile_chart(lamp(EDGES[:2]), Lamp, Push, EDGES[:2])


def test_unreachable_state_is_refused() -> None:
    """A state that no walk reaches is named."""
    edges = (Edge(Push.PRESS, Lamp.OFF, None), Edge(Push.BREAK, Lamp.ON, Lamp.OFF))
    with pytest.raises(ValueError, match="cannot be reached from off: on"):
        compile_chart(lamp(edges), Lamp, Push, edges)


# Diagrams ---------------------------------------------------------------------------------------------------------


@parties
def test_diagram_shows_every_state_and_external_edge(party: Party) -> None:
    """Whatever moves is drawn, whatever does not is not."""
    _, _, states, _, edges = party
    text = diagrams()["user" if states is UserState else "reply"]
    drawn = set()
    for line in text.splitlines():
        arrow, _, labels = line.strip().partition(": ")
        source, found, dest = arrow.partition(" --> ")
        if found and source != "[*]":
            drawn |= {(label, source, dest) for label in labels.split(" | ")}
    assert drawn == {(edge.move.value, edge.source.value, edge.dest.value) for edge in edges if edge.dest is not None}
    assert all(f'state "{state}"' in text for state in states)
    head, title, rule, kind, *lines = text.splitlines()
    assert (head, title[:7], rule, kind) == ("---", "title: ", "---", "stateDiagram-v2")
    # And nothing else: no colours, which a page has of its own, and no blank lines.
    said = r'  (direction LR|state "(\w+)" as \2|(\[\*\]|\w+) --> \w+(: \w+( \| \w+)*)?)'
    assert [line for line in lines if not re.fullmatch(said, line)] == []


def test_module_prints_its_diagrams() -> None:
    """`python -m turnkit.turns.chart` prints both diagrams and nothing else."""
    run = subprocess.run([sys.executable, "-m", chart.__name__], capture_output=True, text=True, check=True, timeout=60)
    assert run.stdout.strip() == "\n\n".join(diagrams().values())


@pytest.mark.parametrize("slot", ["prepare_event", "before_state_change", "after_state_change", "finalize_event"])
def test_callbacks_of_chart_and_states(slot: str) -> None:
    """A callback hides in more places than edges."""
    machine = chart.declare(chart.UserState, chart.UserState.LISTENING, chart.USER_EDGES)
    setattr(machine, slot, print)
    with pytest.raises(ValueError, match="callback"):
        chart.compile_chart(machine, chart.UserState, chart.UserMove, chart.USER_EDGES)
    machine = chart.declare(chart.UserState, chart.UserState.LISTENING, chart.USER_EDGES)
    machine.get_state("speaking").add_callback("enter", print)
    with pytest.raises(ValueError, match="speaking"):
        chart.compile_chart(machine, chart.UserState, chart.UserMove, chart.USER_EDGES)


def test_edge_that_is_not_listed() -> None:
    """An edge of the machine that is not among the rows is named."""
    machine = chart.declare(chart.UserState, chart.UserState.LISTENING, chart.USER_EDGES)
    machine.add_transition("Close", "listening", "speaking")
    with pytest.raises(ValueError, match="Close from listening to speaking"):
        chart.compile_chart(machine, chart.UserState, chart.UserMove, chart.USER_EDGES)
