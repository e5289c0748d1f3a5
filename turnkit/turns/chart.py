"""The charts of user and reply: their states and edges as data, from which the table that runs is compiled.

Rule 1: which moves are legal is decided here and nowhere else; the machine only asks.
Rule 2: nothing here knows words, times, thresholds or policies; whatever cannot be drawn does not belong here.

The user is moved by Flux, a reply by the host and by the signals taken. Most moves bear the name of the event or
signal that makes them. The others name a condition that the machine detects: `MissingStart` words of a turn that
nobody announced, `LateWords` new words of a turn that had been ended as stalled, `MissingResume` other words after
an eager end, `BlankEager` an eager end without words, `MissedEnd` an event of a later turn, `Stalled` a turn without
progress. An edge without destination is internal: handled, and nothing moves. An edge that is a surprise says which.

The charts are declared with `transitions`, whose stock `Machine` draws the diagrams and is the oracle of the tests.
It is not executed live: a compiled table takes a thirtieth of the time and holds nothing per session.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import NamedTuple, TypeVar

from transitions import Machine

from .events import NoteKind


class UserState(StrEnum):
    """What the user is doing, as far as Flux tells."""

    LISTENING = "listening"  # no turn is open
    SPEAKING = "speaking"  # a turn is open
    ENDING = "ending"  # a turn is open and has probably ended


class ReplyState(StrEnum):
    """What has become of a reply."""

    DRAFTING = "drafting"  # made on speculation; may come to nothing
    PENDING = "pending"  # will be heard; nothing of it has been yet
    AUDIBLE = "audible"  # being heard
    HELD = "held"  # paused while an overlap is judged
    CLOSED = "closed"  # over, whatever became of it


class UserMove(StrEnum):
    """What can move the user."""

    UPDATE = "Update"
    START = "StartOfTurn"
    MISSING_START = "MissingStart"
    LATE_WORDS = "LateWords"
    EAGER = "EagerEndOfTurn"
    BLANK_EAGER = "BlankEager"
    RESUMED = "TurnResumed"
    MISSING_RESUME = "MissingResume"
    END = "EndOfTurn"
    MISSED_END = "MissedEnd"
    STALLED = "Stalled"
    STREAM_LOST = "StreamLost"
    INTERRUPT = "Interrupt"
    CLOSE = "Close"


class ReplyMove(StrEnum):
    """What can move a reply."""

    COMMIT = "Commit"
    CANCEL = "Cancel"
    STARTED = "PlaybackStarted"
    ADVANCED = "PlaybackAdvanced"
    FINISHED = "PlaybackFinished"
    HOLD = "Hold"
    RESUME = "Resume"
    BARGE_IN = "BargeIn"


class Edge(NamedTuple):
    """One row of a chart.

    Attributes:
        move: what takes the edge.
        source: the state it leaves.
        dest: the state it leads to; None for an internal edge: the move is handled, and nothing moves.
        surprise: the kind of Note that is given when it is taken. Default None: it is no surprise.
    """

    move: StrEnum
    source: StrEnum
    dest: StrEnum | None
    surprise: NoteKind | None = None


USER_EDGES = (
    Edge(UserMove.UPDATE, UserState.LISTENING, None),
    Edge(UserMove.UPDATE, UserState.SPEAKING, None),
    Edge(UserMove.UPDATE, UserState.ENDING, None),
    Edge(UserMove.START, UserState.LISTENING, UserState.SPEAKING),
    Edge(UserMove.START, UserState.SPEAKING, None, NoteKind.DUPLICATE_START),
    Edge(UserMove.START, UserState.ENDING, UserState.SPEAKING, NoteKind.DUPLICATE_START),
    Edge(UserMove.MISSING_START, UserState.LISTENING, UserState.SPEAKING, NoteKind.MISSING_START),
    Edge(UserMove.LATE_WORDS, UserState.LISTENING, UserState.SPEAKING, NoteKind.LATE_WORDS),
    Edge(UserMove.EAGER, UserState.SPEAKING, UserState.ENDING),
    Edge(UserMove.EAGER, UserState.ENDING, None),
    Edge(UserMove.BLANK_EAGER, UserState.LISTENING, None, NoteKind.BLANK_EAGER),
    Edge(UserMove.BLANK_EAGER, UserState.SPEAKING, None, NoteKind.BLANK_EAGER),
    Edge(UserMove.BLANK_EAGER, UserState.ENDING, None, NoteKind.BLANK_EAGER),
    Edge(UserMove.RESUMED, UserState.LISTENING, None, NoteKind.STRAY_RESUME),
    Edge(UserMove.RESUMED, UserState.SPEAKING, None, NoteKind.STRAY_RESUME),
    Edge(UserMove.RESUMED, UserState.ENDING, UserState.SPEAKING),
    Edge(UserMove.MISSING_RESUME, UserState.ENDING, UserState.SPEAKING, NoteKind.MISSING_RESUME),
    Edge(UserMove.END, UserState.LISTENING, None),
    Edge(UserMove.END, UserState.SPEAKING, UserState.LISTENING),
    Edge(UserMove.END, UserState.ENDING, UserState.LISTENING),
    Edge(UserMove.MISSED_END, UserState.SPEAKING, UserState.LISTENING, NoteKind.MISSED_END),
    Edge(UserMove.MISSED_END, UserState.ENDING, UserState.LISTENING, NoteKind.MISSED_END),
    Edge(UserMove.STALLED, UserState.SPEAKING, UserState.LISTENING),
    Edge(UserMove.STALLED, UserState.ENDING, UserState.LISTENING),
    Edge(UserMove.STREAM_LOST, UserState.SPEAKING, UserState.LISTENING),
    Edge(UserMove.STREAM_LOST, UserState.ENDING, UserState.LISTENING),
    Edge(UserMove.INTERRUPT, UserState.SPEAKING, UserState.LISTENING),
    Edge(UserMove.INTERRUPT, UserState.ENDING, UserState.LISTENING),
    Edge(UserMove.CLOSE, UserState.SPEAKING, UserState.LISTENING),
    Edge(UserMove.CLOSE, UserState.ENDING, UserState.LISTENING),
)

REPLY_EDGES = (
    # A reply that was not speculated on is drafted and committed in one step.
    Edge(ReplyMove.COMMIT, ReplyState.DRAFTING, ReplyState.PENDING),
    Edge(ReplyMove.CANCEL, ReplyState.DRAFTING, ReplyState.CLOSED),
    Edge(ReplyMove.CANCEL, ReplyState.PENDING, ReplyState.CLOSED),
    Edge(ReplyMove.STARTED, ReplyState.DRAFTING, None, NoteKind.EARLY_PLAYBACK),
    Edge(ReplyMove.STARTED, ReplyState.PENDING, ReplyState.AUDIBLE),
    Edge(ReplyMove.STARTED, ReplyState.AUDIBLE, None),
    Edge(ReplyMove.STARTED, ReplyState.HELD, None),
    Edge(ReplyMove.STARTED, ReplyState.CLOSED, None),
    Edge(ReplyMove.ADVANCED, ReplyState.DRAFTING, None, NoteKind.EARLY_PLAYBACK),
    # What has been heard up to here has been heard: the report of the first sound went missing.
    Edge(ReplyMove.ADVANCED, ReplyState.PENDING, ReplyState.AUDIBLE),
    Edge(ReplyMove.ADVANCED, ReplyState.AUDIBLE, None),
    Edge(ReplyMove.ADVANCED, ReplyState.HELD, None),
    Edge(ReplyMove.ADVANCED, ReplyState.CLOSED, None),
    Edge(ReplyMove.FINISHED, ReplyState.DRAFTING, None, NoteKind.EARLY_PLAYBACK),
    Edge(ReplyMove.FINISHED, ReplyState.PENDING, ReplyState.CLOSED),
    Edge(ReplyMove.FINISHED, ReplyState.AUDIBLE, ReplyState.CLOSED),
    Edge(ReplyMove.FINISHED, ReplyState.HELD, ReplyState.CLOSED),
    Edge(ReplyMove.FINISHED, ReplyState.CLOSED, None),
    Edge(ReplyMove.HOLD, ReplyState.AUDIBLE, ReplyState.HELD),
    Edge(ReplyMove.RESUME, ReplyState.HELD, ReplyState.AUDIBLE),
    Edge(ReplyMove.BARGE_IN, ReplyState.AUDIBLE, ReplyState.CLOSED),
    Edge(ReplyMove.BARGE_IN, ReplyState.HELD, ReplyState.CLOSED),
)


def _transitions(edges: Iterable[Edge]) -> list[dict[str, str | None]]:
    """The rows in the words of `transitions`."""
    return [
        {"trigger": edge.move.value, "source": edge.source.value, "dest": edge.dest and edge.dest.value}
        for edge in edges
    ]


def declare(states: type[StrEnum], initial: StrEnum, edges: Iterable[Edge]) -> Machine:
    """Declare a chart as a `transitions` machine without model: a description to be drawn, asked and executed.

    Args:
        states: the states.
        initial: the one in which it begins.
        edges: the rows.
    """
    return Machine(
        model=None,
        states=[state.value for state in states],
        initial=initial.value,
        transitions=_transitions(edges),
        auto_transitions=False,
    )


USER_CHART = declare(UserState, UserState.LISTENING, USER_EDGES)
REPLY_CHART = declare(ReplyState, ReplyState.DRAFTING, REPLY_EDGES)

State = TypeVar("State", bound=StrEnum)
Move = TypeVar("Move", bound=StrEnum)


def compile_chart(
    chart: Machine, states: type[State], moves: type[Move], edges: Iterable[Edge]
) -> dict[State, dict[Move, tuple[State, NoteKind | None]]]:
    """Compile the table that runs out of a declared chart, and check what `transitions` does not check.

    Args:
        chart: the chart, as declared.
        states: its states.
        moves: its moves.
        edges: its rows, for their surprises.

    Returns:
        From state and move to the state after it, and the surprise that it is.

    Raises:
        ValueError: the edge or state it names is wrong: a misspelt state or move, two edges for one move out of one
            state, a callback (the chart must be drawable), a move without an edge or an edge without a move, a state
            that cannot be reached from the initial one.
    """
    on_state = [state for state in chart.states.values() if state.on_enter or state.on_exit]
    if on_state or chart.prepare_event or chart.before_state_change or chart.after_state_change or chart.finalize_event:
        raise ValueError(f"neither the chart nor a state may carry callbacks: {', '.join(s.name for s in on_state)}")
    surprises = {(edge.move.value, edge.source.value): edge.surprise for edge in edges}
    table: dict[State, dict[Move, tuple[State, NoteKind | None]]] = {state: {} for state in states}
    names = {state.value for state in states}
    unknown = set(chart.events) ^ {move.value for move in moves}
    if unknown:
        raise ValueError(f"moves without an edge, or edges without a move: {', '.join(sorted(unknown))}")
    for move in moves:
        for edge in chart.get_transitions(move.value):
            source, dest = edge.source, edge.source if edge.dest is None else edge.dest
            row = f"{move} from {source} to {dest}"
            if not {source, dest} <= names:
                raise ValueError(f"{row}: not a state of {states.__name__}")
            if move in table[states(source)]:
                raise ValueError(f"{row}: a second edge for this move out of this state")
            if any((edge.conditions, edge.prepare, edge.before, edge.after)):
                raise ValueError(f"{row}: an edge must not carry callbacks")
            if (move.value, source) not in surprises:
                raise ValueError(f"{row}: not among the edges")
            table[states(source)][move] = (states(dest), surprises[move.value, source])
    _check_reachable(table, states(str(chart.initial)))
    return table


def _check_reachable(table: Mapping[State, Mapping[Move, tuple[State, object]]], initial: State) -> None:
    reached, fresh = {initial}, [initial]
    while fresh:
        dests = {dest for dest, _ in table[fresh.pop()].values()} - reached
        reached |= dests
        fresh.extend(dests)
    if lost := set(table) - reached:
        raise ValueError(f"states that cannot be reached from {initial}: {', '.join(sorted(lost))}")


USER_TABLE = compile_chart(USER_CHART, UserState, UserMove, USER_EDGES)
REPLY_TABLE = compile_chart(REPLY_CHART, ReplyState, ReplyMove, REPLY_EDGES)


def mermaid(title: str, states: type[StrEnum], initial: StrEnum, edges: Iterable[Edge]) -> str:
    """Draw a chart as Mermaid text.

    Args:
        title: the diagram's.
        states: the chart's states.
        initial: the one in which it begins.
        edges: the chart's rows; those that move nothing are not drawn.
    """
    # Imported here, so that only whoever draws pays for the drawing half of transitions.
    from transitions.extensions import GraphMachine

    machine = GraphMachine(
        states=[state.value for state in states],
        initial=initial.value,
        transitions=_transitions(edge for edge in edges if edge.dest is not None),
        auto_transitions=False,
        graph_engine="mermaid",
        title=title,
    )
    drawn = str(machine.get_graph().draw(None)).splitlines()
    # The generator gives each state a class and each class its colours, and a reader is to choose their own.
    lines = [line for line in drawn if line.strip() and not re.match(" *(classDef|Class) ", line)]
    return "\n".join(f"title: {title}" if line == title else line for line in lines)


def diagrams() -> dict[str, str]:
    """Draw both charts as Mermaid text, by name; internal edges are left out."""
    return {
        "user": mermaid("The user, moved by Flux", UserState, UserState.LISTENING, USER_EDGES),
        "reply": mermaid("A reply, moved by signals and playback", ReplyState, ReplyState.DRAFTING, REPLY_EDGES),
    }


if __name__ == "__main__":
    print("\n\n".join(diagrams().values()))
