"""`on_error` tells the exception itself, of every function of the host's, and never goes round."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from traceback import extract_tb
from typing import Any

import anyio
import pytest
import structlog

from tests.support.sessions import outcomes, script, turn
from tests.support.voices import Voice, echo
from turnkit.errors import ConfigError
from turnkit.session import HostFailure, Reply, Session
from turnkit.turns.events import Commit, Note, NoteKind, ReplyEnded, Speculate, StartOfTurn, TurnStalled, TurnStarted
from turnkit.turns.policy import Immediate, Overlap, Pause, Verdict, all_of

pytestmark = pytest.mark.anyio


class Oops(Exception):
    """What all of them raise."""


def told(session: Session) -> list[HostFailure]:
    failures: list[HostFailure] = []
    session.on_error(failures.append)
    return failures


async def raises(*_: object) -> None:
    raise Oops("secret words")


def raises_at_once(*_: object) -> Verdict:
    raise Oops("secret words")


class Watcher:
    """An observer that fails at all that it is told."""

    def __getattr__(self, name: str) -> Callable[..., object]:
        return raises_at_once


def voiced(**settings: Any) -> Session:
    return Session(**{"respond": echo, "speak": Voice().speak, **settings})


async def spoken_over(session: Session) -> None:
    await session.run(script(*turn(0, "one"), 0.45, *turn(1, "two"), 3.0))


@pytest.mark.parametrize(
    ("make", "name", "at", "reply"),
    [
        (lambda: voiced(respond=raises), "raises", "reply 0", 0),
        (lambda: voiced(speak=raises), "raises", "reply 0", 0),
        (lambda: voiced(barge_in=raises_at_once), "raises_at_once", "a policy's question", None),
        (lambda: voiced(barge_in=all_of(Immediate(), raises_at_once)), "AllOf", "a policy's question", None),
        (lambda: voiced(speculation=raises_at_once), "raises_at_once", "a policy's question", None),
    ],
)
async def test_what_a_function_of_the_session_raises_is_told(
    make: Callable[[], Session], name: str, at: str, reply: int | None
) -> None:
    """With the stack of its own, where it was called for what, and the reply if there is one."""
    session = make()
    failures = told(session)
    await spoken_over(session)
    first = failures[0]
    assert (first.function, first.at, first.reply) == (name, at, reply)
    assert type(first.error) is Oops
    assert first.errors == (first.error,)
    assert extract_tb(first.error.__traceback__)[-1].name.startswith("raises")
    assert "secret" not in repr(first)


@pytest.mark.parametrize("callback", [raises, raises_at_once])
@pytest.mark.parametrize("kind", [TurnStarted, Speculate, Commit, ReplyEnded, Note])
async def test_what_a_callback_raises_is_told(callback: Any, kind: Any) -> None:
    """Sync or async, on any signal; also on a Note, which is not noted."""
    session = voiced(barge_in=lambda overlap: "nonsense")
    session.on(kind, callback)
    failures = told(session)
    await spoken_over(session)
    assert failures
    assert {failure.at for failure in failures} == {kind.__name__}
    assert {type(failure.error) for failure in failures} == {Oops}
    assert all((failure.reply is not None) == hasattr(kind, "reply") for failure in failures)


async def test_what_an_observer_raises_is_told() -> None:
    """At each that it is told, and after the end too; what the observers have to be told comes first."""
    session = voiced()
    session.observe(Watcher())
    failures = told(session)
    await spoken_over(session)
    assert {"fed", "woken", "closed", "told", "fact", "end"} >= {failure.at for failure in failures} >= {"fed", "end"}
    assert session.notes[NoteKind.CALLBACK_FAILED] == len(failures)


async def test_a_failed_observer_is_told_of_without_a_signal() -> None:
    """Soon after it, though the machine has nothing to say; and the order of what the machine decides is kept."""
    session = voiced()
    session.observe(Watcher())
    moments: list[float] = []
    session.on_error(lambda failure: moments.append(anyio.current_time()) if failure.at == "fact" else None)
    began = anyio.current_time()
    await session.run(script(1.0, lambda: session.record("Paid"), 5.0))
    assert moments == [pytest.approx(began + 1.0)]


async def test_what_the_source_raises_for_a_stall_is_told() -> None:
    """ForceEndTurn is asked for by the session; the exception reaches the host too."""

    class Source:
        send_force_end_turn = raises

        async def __aiter__(self) -> AsyncIterator[object]:
            yield StartOfTurn(0, "one")
            await anyio.sleep(12)

    session = voiced()
    failures = told(session)
    await session.run(Source())
    assert [failure.at for failure in failures] == [TurnStalled.__name__]


async def test_a_group_is_told_with_its_leaves() -> None:
    """In the log are the types and the lines of the leaves, and no words of anybody."""

    async def respond(reply: Reply) -> None:
        await reply.committed()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(raises)
            tasks.start_soon(raises)

    session = voiced(respond=respond)
    failures = told(session)
    ends: list[ReplyEnded] = []
    session.on(ReplyEnded, ends.append)
    with structlog.testing.capture_logs() as logs:
        await session.run(script(*turn(0, "one"), 1.0))
    assert isinstance(failures[0].error, ExceptionGroup)
    assert {type(error) for error in failures[0].errors} == {Oops}
    assert ends[0].error is failures[0].error
    (entry,) = logs
    assert set(entry["error"].split(", ")) == {"Oops"}
    assert "in raises" in entry["where"]
    assert "secret" not in str({key: value for key, value in entry.items() if not key.startswith("personal_")})


@pytest.mark.parametrize("wanted", ["Note", "nothing"])
async def test_it_never_goes_round(wanted: str) -> None:
    """A callback of on_error that fails itself, and makes an observer fail: it is counted, and told to nobody."""
    session = voiced(respond=raises)
    calls: list[HostFailure] = []

    def bad(failure: HostFailure) -> None:
        calls.append(failure)
        assert len(calls) < 50
        session.record("Failed")
        raise Oops

    session.observe(Watcher())
    session.on_error(bad)
    if wanted == "Note":
        session.on(Note, raises_at_once)
    with anyio.fail_after(60):
        await spoken_over(session)
    assert session.notes[NoteKind.CALLBACK_FAILED] > len(calls) > 0
    assert all(failure.at != "HostFailure" for failure in calls)


async def test_what_is_done_about_it_comes_in_order() -> None:
    """The callback is called where the failure is told: what it initiates follows, and the Note comes behind."""
    voice = Voice()

    async def respond(reply: Reply) -> None:
        await reply.committed()
        raise Oops

    session = Session(respond=respond, speak=voice.speak)
    session.on(ReplyEnded, lambda end: session.initiate("Sorry, once more?") if end.error is not None else None)
    session.on_error(lambda failure: session.record("Failed"))
    ends = outcomes(session)
    await session.run(script(*turn(0, "one"), 3.0))
    assert ends == [(0, "failed", ""), (1, "finished", "Sorry, once more?")]


async def test_a_policy_that_raises_over_a_reply_does_not_let_anybody_in_between() -> None:
    """The host is told after the machine has decided, so that it may call the session."""
    session = voiced(barge_in=raises_at_once)
    order: list[str] = []
    session.on_error(lambda failure: order.append(f"told, floor {session.floor}"))
    session.on(TurnStarted, lambda started: order.append("started"))
    await spoken_over(session)
    assert order[:3] == ["started", "told, floor None", "started"]


async def test_what_cannot_be_called_so_is_refused() -> None:
    """An async function, one with other arguments, and what is no function."""

    async def later(failure: HostFailure) -> None: ...

    session = Session()
    for wrong, why in ((later, "plain function"), (lambda: None, "must take"), ("x", "callable")):
        with pytest.raises(ConfigError, match=why):
            session.on_error(wrong)  # type: ignore[arg-type]
    assert session.on_error(print) is print


@pytest.mark.parametrize(("policy", "name"), [(raises_at_once, "raises_at_once"), (all_of(raises_at_once), "AllOf")])
async def test_a_note_names_the_policy_that_was_given(policy: Any, name: str) -> None:
    """And nothing of turnkit's that stands around it."""
    session = voiced(barge_in=policy)
    notes: list[Note] = []
    session.on(Note, notes.append)
    await spoken_over(session)
    assert [note.detail for note in notes] == [f"barge-in policy {name}: Oops"]


def test_the_policy_given_is_the_one_that_is_shown() -> None:
    """Wherever the machine's policy is printed."""

    def mine(overlap: Overlap) -> bool:
        return True

    def yours(pause: Pause) -> bool:
        return True

    session = Session(barge_in=mine, speculation=yours)  # type: ignore[arg-type]
    assert [repr(session._machine._barge_in), repr(session._machine._speculation)] == [repr(mine), repr(yours)]
