"""What goes wrong with a source comes out of the run: as it is, in no group, and as FluxError where Flux said why."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.support.sessions import TURN, script
from turnkit.errors import ConnectionFailed, FluxError, TurnkitError, sole_error
from turnkit.session import Session
from turnkit.turns.events import Commit, Note, NoteKind, StartOfTurn, StreamLost

pytestmark = pytest.mark.anyio

CONNECTED = {"type": "Connected", "request_id": "req-1", "sequence_id": 0}
ERROR = {"type": "Error", "code": "INTERNAL_SERVER_ERROR", "description": "It is broken", "sequence_id": 1}


async def test_a_fatal_error_of_flux_is_noted_and_raised_when_the_source_ends() -> None:
    """With code, description and request id; what was said before it is answered first."""
    session = Session(lost_turn_grace=0.5)
    notes: list[tuple[NoteKind, str]] = []
    commits: list[str] = []
    session.on(Note, lambda note: notes.append((note.kind, note.detail)))
    session.on(Commit, lambda commit: commits.append(commit.transcript))
    with pytest.raises(FluxError) as caught:
        await session.run(script(CONNECTED, StartOfTurn(0, "tea"), ERROR))
    assert (caught.value.code, caught.value.description) == ("INTERNAL_SERVER_ERROR", "It is broken")
    assert caught.value.request_id == "req-1"
    assert notes == [(NoteKind.FLUX_ERROR, "INTERNAL_SERVER_ERROR: It is broken")]
    assert commits == ["tea"]


async def test_the_error_that_closes_the_socket_after_it_is_its_cause() -> None:
    """A bare WebSocket raises as Flux hangs up; what Flux said is the reason."""
    gone = ConnectionResetError("1011")
    with pytest.raises(FluxError, match="INTERNAL_SERVER_ERROR") as caught:
        await Session().run(script(CONNECTED, ERROR, gone))
    assert caught.value.__cause__ is gone
    mine = FluxError("MINE")
    with pytest.raises(FluxError) as caught:
        await Session().run(script(CONNECTED, ERROR, mine))
    assert caught.value is mine


@pytest.mark.parametrize("back", [{**CONNECTED}, StartOfTurn(0, "tea")])
async def test_a_source_that_connects_again_has_got_over_it(back: Any) -> None:
    """By Connected, or by a turn; a later end, or another loss, is not that error's."""
    session = Session()
    await session.run(script(CONNECTED, ERROR, back))
    assert session.notes[NoteKind.FLUX_ERROR] == 1
    await Session().run(script(CONNECTED, ERROR, back, StreamLost("another")))


async def test_who_hangs_up_after_it_does_not_hear_of_it_again() -> None:
    """The run ended because the caller left."""
    session = Session()
    await session.run(script(CONNECTED, ERROR, 1, session.hang_up, 3600))


async def test_an_error_in_groups_of_one_comes_out_as_itself() -> None:
    """A source that has a task group inside; several errors stay a group, and each is there."""
    error = ConnectionFailed("gone", (OSError(),))

    async def source(*errors: Exception) -> AsyncIterator[object]:
        for event in TURN[:2]:
            yield event
        raise ExceptionGroup("inner", [ExceptionGroup("innermost", errors)])

    with pytest.raises(ConnectionFailed) as caught:
        await Session().run(source(error))
    assert caught.value is error
    with pytest.raises(ExceptionGroup) as several:
        await Session().run(source(error, ValueError()))
    assert sole_error(several.value).args[0] == "innermost"


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("where", ["the source", "a callback"])
async def test_what_ends_the_program_comes_out_as_itself(kind: type[BaseException], where: str) -> None:
    """In none of the run's own groups; whoever plays or pays still learns the end."""
    session = Session()
    raised = kind()

    def end(_: object) -> None:
        raise raised

    async def source() -> AsyncIterator[object]:
        for event in TURN:
            yield event
        if where == "the source":
            raise raised

    if where == "a callback":
        session.on(Commit, end)
    with pytest.raises(kind) as caught:
        await session.run(source())
    assert caught.value is raised
    assert session.floor is None


def test_one_error_is_found_in_its_groups() -> None:
    """Any depth; two are no one, and what is no group is itself."""
    leaf: Exception = TurnkitError("x")
    both: Exception = ExceptionGroup("b", [leaf, ValueError()])
    found = [
        sole_error(error)
        for error in (leaf, ExceptionGroup("a", [ExceptionGroup("b", [leaf])]), ExceptionGroup("a", [both]))
    ]
    assert found == [leaf, leaf, both]
