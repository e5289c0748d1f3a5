"""Policies judge and observers watch: what they call is refused, as the decision they are told of is under way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.support.sessions import TURN, listen, outcomes, script, turn
from tests.support.voices import Voice, echo
from turnkit.errors import LocalProtocolError
from turnkit.session import HostFailure, Session
from turnkit.turns.events import Commit, NoteKind, Speculate
from turnkit.turns.policy import Verdict

pytestmark = pytest.mark.anyio

CALLS: dict[str, Callable[[Session], object]] = {
    "hang_up": lambda session: session.hang_up(),
    "interrupt": lambda session: session.interrupt("typed"),
    "initiate": lambda session: session.initiate("hello", wait=True),
    "protect": lambda session: session.protect(0),
    "context_changed": lambda session: session.context_changed(),
    "playback_finished": lambda session: session.playback_finished(0),
}


class Meddler:
    """An observer that calls the session as soon as the machine decides on this."""

    def __init__(self, kind: type, call: Callable[[], object]) -> None:
        self._kind = kind
        self._call = call

    def fed(self, at: float, event: Any, signals: Any, message: Any = None) -> None:
        if any(isinstance(signal, self._kind) for signal in signals):
            self._call()

    def _nothing(self, *_: Any, **__: Any) -> None:
        pass

    woken = closed = told = fact = end = _nothing


async def converse(session: Session, name: str) -> None:
    """A barge-in and an answer to it; whatever it was told, the call is as it would have been."""
    signals, ends, failures = listen(session), outcomes(session), list[HostFailure]()
    session.on_error(failures.append)
    await session.run(script(*TURN, 0.5, *turn(1, "stop"), 2.0))
    assert [(reply, outcome) for reply, outcome, _ in ends] == [(0, "interrupted"), (1, "finished")]
    assert {signal.reply for signal in signals if isinstance(signal, (Speculate, Commit))} == {0, 1}
    assert failures
    for failed in failures:
        assert isinstance(failed.error, LocalProtocolError)
        assert str(failed.error).startswith(f"{name}(): called from a policy or an observer")
    assert session.floor is None


@pytest.mark.parametrize("name", CALLS)
async def test_a_policy_cannot_change_what_is_being_decided(name: str) -> None:
    """It has failed; the machine, which is half-way through, goes by its default."""
    voice = Voice()

    def policy(overlap: object) -> Verdict:
        CALLS[name](session)
        return Verdict.KEEP

    session = Session(respond=echo, speak=voice.speak, barge_in=policy)
    await converse(session, name)
    assert session.notes[NoteKind.POLICY_FAILED] == 1


@pytest.mark.parametrize("kind", [Speculate, Commit])
@pytest.mark.parametrize("name", CALLS)
async def test_an_observer_cannot_overtake_what_it_is_told(name: str, kind: type) -> None:
    """What came of its call would be carried out before what it is told of: a reply that is over would begin."""
    voice = Voice()
    session = Session(respond=echo, speak=voice.speak)
    session.observe(Meddler(kind, lambda: CALLS[name](session)))
    await converse(session, name)


async def test_both_may_record() -> None:
    """That changes nothing."""
    voice = Voice()

    def policy(overlap: object) -> Verdict:
        session.record("Asked")
        return Verdict.YIELD

    session = Session(respond=echo, speak=voice.speak, barge_in=policy)
    failures: list[HostFailure] = []
    session.on_error(failures.append)
    session.observe(Meddler(Commit, lambda: session.record("Committed")))
    await session.run(script(*TURN, 0.5, *turn(1, "stop"), 2.0))
    assert not failures
