"""What must hold for the replies of a whole session, whatever Flux, the LLM, the voice and the host do, and whenever.

Hypothesis deals a script of events, minds and mouths that are slow or fail, and a moment at which the run may be cut
off; it all runs on virtual time, and a log of every signal, sound and effect, in order, is judged afterwards. All
times lie on a grid of 1/16 s, whose sums are exact: what can coincide does.
"""

from __future__ import annotations

import asyncio
import gc
import itertools
import logging
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from math import inf
from typing import Any

import anyio
import pytest
import structlog
import trio
from anyio.abc import TaskGroup
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from tests.support.policies import machine_settings
from turnkit.errors import LocalProtocolError
from turnkit.session import Reply, Session
from turnkit.testing import VirtualTimeLoop
from turnkit.turns.events import (
    SIGNALS,
    BargeIn,
    Cancel,
    Commit,
    EagerEndOfTurn,
    EndOfTurn,
    Hold,
    Note,
    NoteKind,
    Outcome,
    ReplyEnded,
    Resume,
    Speculate,
    StartOfTurn,
    StreamLost,
    StreamRestored,
    TurnResumed,
    TurnStarted,
    TurnUpdated,
    Update,
    UserIdle,
)

PATIENCE = 600.0  # virtual seconds; no script lasts half as long

# What is dealt ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Mind:
    """How one reply is thought of: seconds to the first chunk and between chunks, and what else happens when."""

    think: float
    pause: float
    chunks: int
    fails_after: int  # chunks; -1: never
    tool: str  # "", "committed", "worker" (a task outside of the reply) or "must_finish"
    tool_after: int
    tool_seconds: float
    cleanup: str  # when cancelled: "", "late", "raise" or, in a task of its own, "group"


@dataclass(frozen=True)
class Mouth:
    """How one reply is spoken: seconds to its first sound and a word, and after how many it goes wrong."""

    latency: float
    word: float
    fails_after: int  # words; -1: never
    returns_after: int  # chunks; -1: when there are no more


@dataclass(frozen=True)
class Plan:
    """One conversation."""

    settings: dict[str, Any]
    steps: list[tuple[Any, ...]]
    minds: list[Mind]
    mouths: list[Mouth]
    meddling: list[tuple[type[Any], str]]  # at this signal the host does that, in the very step
    cut: float  # seconds after which the run is cancelled
    drain: bool
    breaks: bool  # whether the source ends with an error
    seed: int  # of trio's scheduler


lapses = st.sampled_from([0.0, 0.0625, 0.125, 0.25, 0.5])
gaps = st.sampled_from([0.75, 1.0, 0.5, 0.25, 0.0625, 0.0, 2.0])


def seldom(happens: st.SearchStrategy[Any], otherwise: object) -> st.SearchStrategy[Any]:
    return st.integers(0, 4).flatmap(lambda count: happens if count == 4 else st.just(otherwise))


minds = st.builds(
    Mind,
    think=lapses,
    pause=lapses,
    chunks=st.sampled_from([4, 3, 2, 1, 0]),
    fails_after=seldom(st.integers(0, 4), -1),
    tool=st.sampled_from(["", "committed", "worker", "must_finish"]),
    tool_after=st.integers(0, 2),
    tool_seconds=lapses,
    cleanup=seldom(st.sampled_from(["late", "raise", "group"]), ""),
)
mouths = st.builds(
    Mouth,
    latency=lapses,
    word=st.sampled_from([0.125, 0.25, 0.0625, 0.0]),
    fails_after=seldom(st.integers(0, 5), -1),
    returns_after=seldom(st.integers(1, 3), -1),
)
host = st.sampled_from(
    ["greet", "greet", "warn", "reprompt", "context", "protect", "unprotect", "discard", "late report"]
)
turns = st.tuples(
    st.just("turn"),
    st.lists(st.sampled_from(["resumed", "superseded", "again"]), max_size=2),
    st.sampled_from(["same", "same", "same", "undrafted", "other", "blank", "missed"]),
    st.lists(lapses, min_size=4, max_size=4),
    gaps,
)
strays = st.tuples(
    st.just("stray"),
    st.sampled_from([StartOfTurn, Update, EagerEndOfTurn, TurnResumed, EndOfTurn]),
    st.integers(-1, 1),
    st.sampled_from(["", "?!", "the same", "others"]),
)
waits = st.tuples(st.just("wait"), st.sampled_from([0.0625, 0.5, 2.0, 10.0]))
others = st.one_of(waits, strays, st.tuples(st.just("host"), host), st.sampled_from([("lost",), ("back",)]))
steps = st.integers(0, 3).flatmap(lambda count: others if count == 3 else turns)
plans = st.builds(
    Plan,
    settings=machine_settings,
    steps=st.lists(steps, min_size=6, max_size=20),
    minds=st.lists(minds, min_size=1, max_size=4),
    mouths=st.lists(mouths, min_size=1, max_size=3),
    meddling=st.lists(
        st.tuples(st.sampled_from([UserIdle, Speculate, Commit, Cancel, BargeIn, TurnStarted, ReplyEnded]), host),
        max_size=2,
    ),
    cut=seldom(st.integers(0, 320).map(lambda count: count / 16), inf),
    drain=st.booleans(),
    breaks=seldom(st.just(True), False),
    seed=st.integers(0, 7),
)


# What is witnessed ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Seen:
    """One entry of the log beside the signals: `what` of `reply`, at its place in the order of things."""

    what: str  # begun, said, given, sound, effect, must begin, must end, gave up, failed
    reply: int
    detail: str = ""


@dataclass
class World:
    """Everybody around the session, as planned, and the log of what they saw."""

    plan: Plan
    log: list[Any] = field(default_factory=list)
    replies: dict[int, Reply] = field(default_factory=dict)
    asked: dict[int, tuple[str, str]] = field(default_factory=dict)  # initiated reply, to how and what it was to say
    workers: TaskGroup | None = None  # of the host's, and as long-lived as it is
    index: int = 0
    count: int = 0

    def __post_init__(self) -> None:
        self.session = Session(respond=self.respond, speak=self.speak, id="call", **self.plan.settings)
        for kind in (*SIGNALS, ReplyEnded):
            self.session.on(kind, self.log.append)
        for kind, action in self.plan.meddling:
            self.session.on(kind, self.once(action))

    def once(self, action: str) -> Callable[[object], None]:
        left = [action] * 3  # what answers its own doing must come to an end

        def meddle(signal: object) -> None:
            if left:
                self.act(left.pop())

        return meddle

    async def run(self) -> None:
        """The whole conversation."""
        tasks = len(anyio.get_running_tasks())
        with anyio.fail_after(PATIENCE):
            async with anyio.create_task_group() as self.workers:
                with anyio.move_on_after(self.plan.cut):
                    await self.call()
        assert len(anyio.get_running_tasks()) == tasks, "no task is left"

    async def call(self) -> None:
        try:
            await self.session.run(self.source(), drain=self.plan.drain)
        except ConnectionAbortedError:
            assert self.plan.breaks

    # Flux ---------------------------------------------------------------------------------------------------------

    async def source(self) -> AsyncIterator[object]:
        for kind, *details in self.plan.steps:
            if kind == "turn":
                async for event in self.turn(*details):
                    yield event
            elif kind == "stray":
                yield self.stray(*details)
            elif kind == "wait":
                await anyio.sleep(details[0])
            elif kind == "host":
                self.act(details[0])
            else:
                self.index = 0
                yield StreamLost("gone") if kind == "lost" else StreamRestored("back")
        if self.plan.breaks:
            raise ConnectionAbortedError("the source broke")

    async def turn(self, withdrawn: list[str], end: str, gaps: list[float], after: float) -> AsyncIterator[object]:
        index, self.index = self.index, self.index + 1
        self.count += 1
        text = f"turn-{self.count} please"
        gap = iter(gaps)
        yield StartOfTurn(index, text.split()[0])
        await anyio.sleep(next(gap))
        for how in withdrawn:
            yield EagerEndOfTurn(index, text, 0.6)
            await anyio.sleep(next(gap))
            if how != "again":
                text += " and more"
            if how == "resumed":
                yield TurnResumed(index, text)
        if end in ("same", "other", "blank"):
            yield EagerEndOfTurn(index, text, 0.6)
            await anyio.sleep(next(gap))
        if end != "missed":
            yield EndOfTurn(index, {"other": f"{text} or not", "blank": ""}.get(end, text), 0.8, trigger="model")
        await anyio.sleep(after)

    def stray(self, kind: type[Any], ahead: int, text: str) -> object:
        index = max(0, self.index + ahead)
        if text == "others":
            self.count += 1
        texts = {"the same": f"turn-{self.count} please", "others": f"turn-{self.count} astray"}
        return kind(index, texts.get(text, text))

    # The host -----------------------------------------------------------------------------------------------------

    def act(self, action: str) -> None:
        """Never an error, whenever it comes; but nobody can initiate once the session is over."""
        session = self.session
        draft = [entry.reply for entry in self.log if isinstance(entry, Speculate)][-1:]
        if action in ("greet", "warn", "reprompt"):
            try:
                self.initiate(action)
            except LocalProtocolError:
                assert session._machine.closed
        elif action == "context":
            session.context_changed()
        elif action in ("protect", "unprotect") and session.floor is not None:
            session.protect(session.floor[0], action == "protect")
        elif action == "discard" and draft:
            session.discard_draft(draft[0])
        elif action == "late report":
            for ended in [entry for entry in self.log if isinstance(entry, ReplyEnded)][-1:]:
                session.playback_started(ended.reply)
                session.playback_advanced(ended.reply, "never said")
                session.playback_finished(ended.reply)

    def initiate(self, action: str) -> None:
        what = f"{action} {len(self.asked)} "
        if action == "greet":
            reply = self.session.initiate(what)
        elif action == "warn":
            reply = self.session.initiate(lambda reply: self.think(reply, what), protected=True)
        else:
            reply, what = self.session.initiate(), ""
        if reply is not None:
            assert reply not in self.asked
            self.asked[reply] = action, what

    # The LLM ------------------------------------------------------------------------------------------------------

    def see(self, what: str, reply: int, detail: str = "") -> None:
        self.log.append(Seen(what, reply, detail))

    def fail(self, reply: Reply) -> None:
        self.see("failed", reply.id)
        raise ConnectionError("it hung up")

    async def respond(self, reply: Reply) -> None:
        await self.think(reply, "")

    async def think(self, reply: Reply, prefix: str) -> None:
        mind = self.plan.minds[reply.id % len(self.plan.minds)]
        self.replies[reply.id] = reply
        self.see("begun", reply.id, prefix)
        try:
            if mind.cleanup == "group":
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(self.slip, reply, mind)
                    await anyio.sleep(mind.think)
            else:
                await anyio.sleep(mind.think)
            for count in range(mind.chunks + 1):
                if count == mind.fails_after:
                    self.fail(reply)
                if count == mind.tool_after:
                    await self.use_tool(reply, mind)
                if count < mind.chunks:
                    chunk = f"{prefix}reply {reply.id}.{count} "
                    if await reply.say(chunk):
                        self.see("said", reply.id, chunk)
                    await anyio.sleep(mind.pause)
        except anyio.get_cancelled_exc_class():
            await self.clean_up(reply, mind)
            raise

    async def slip(self, reply: Reply, mind: Mind) -> None:
        """Goes wrong only if it is cancelled, as a network client may."""
        try:
            await anyio.sleep(mind.think)
        except anyio.get_cancelled_exc_class():
            self.fail(reply)

    async def clean_up(self, reply: Reply, mind: Mind) -> None:
        if mind.cleanup == "late":
            with anyio.CancelScope(shield=True):
                await anyio.sleep(mind.pause)
                if await reply.say("too late "):
                    self.see("said", reply.id, "too late ")
                try:
                    await reply.committed()
                    assert reply.outcome is Outcome.FINISHED, (
                        "heard to its end, and cut off with the call while it worked on"
                    )
                except LocalProtocolError:
                    pass
        elif mind.cleanup == "raise":
            self.fail(reply)

    async def use_tool(self, reply: Reply, mind: Mind) -> None:
        if mind.tool == "committed":
            await reply.committed()
            self.see("effect", reply.id)
        elif mind.tool == "worker":
            assert self.workers is not None
            self.workers.start_soon(self.work, reply)
        elif mind.tool == "must_finish":
            async with reply.must_finish():
                self.see("must begin", reply.id)
                await anyio.sleep(mind.tool_seconds)
                self.see("must end", reply.id)

    async def work(self, reply: Reply) -> None:
        try:
            await reply.committed()
            self.see("effect", reply.id)
        except LocalProtocolError:
            assert reply.outcome not in (None, Outcome.FINISHED)

    # The voice ----------------------------------------------------------------------------------------------------

    async def speak(self, reply: Reply, chunks: AsyncIterator[Any], playback: Any) -> None:
        mouth = self.plan.mouths[reply.id % len(self.plan.mouths)]
        heard = ""
        given = spoken = 0
        async for chunk in chunks:
            self.see("given", reply.id, chunk)
            if not given:
                await anyio.sleep(mouth.latency)
            given += 1
            for word in chunk.split():
                if spoken == mouth.fails_after:
                    self.fail(reply)
                await playback.wait_resumed()
                self.see("sound", reply.id, f"{word} ")
                if not spoken:
                    playback.started()
                spoken += 1
                heard += f"{word} "
                await anyio.sleep(mouth.word)
                playback.advance(heard)
            if given == mouth.returns_after:
                self.see("gave up", reply.id)
                return


# What must hold ---------------------------------------------------------------------------------------------------


class Judge:
    """Reads the log of a conversation that is over."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.log = world.log
        self.commits = self.places(Commit)
        self.cancels = self.places(Cancel)
        self.barge_ins = self.places(BargeIn)
        self.drafts = self.places(Speculate)
        self.ends = self.places(ReplyEnded)
        self.lost = {**self.cancels, **self.barge_ins}  # what takes a reply the right to be heard and to do anything

    def places(self, kind: type[Any]) -> dict[int, int]:
        """Where in the log each reply has its signal of this kind."""
        return {entry.reply: place for place, entry in enumerate(self.log) if isinstance(entry, kind)}

    def seen(self, *whats: str) -> list[tuple[int, Seen]]:
        return [
            (place, entry) for place, entry in enumerate(self.log) if isinstance(entry, Seen) and entry.what in whats
        ]

    def text(self, what: str, reply: int, before: float = inf) -> str:
        return "".join(seen.detail for place, seen in self.seen(what) if seen.reply == reply and place < before)

    def judge(self) -> None:
        self.nothing_is_heard_or_done_out_of_its_time()
        self.nothing_is_heard_while_held()
        self.every_reply_ends_once()
        self.every_outcome_fits()
        self.every_turn_has_one_reply()
        self.what_must_finish_does()
        self.keys_are_of_what_is_owed()
        self.history_is_what_was_heard()
        self.who_failed_is_told_and_nobody_else()

    def who_failed_is_told_and_nobody_else(self) -> None:
        assert self.world.session.notes[NoteKind.CALLBACK_FAILED] == len(self.seen("failed"))

    def nothing_is_heard_or_done_out_of_its_time(self) -> None:
        for place, seen in self.seen("given", "sound", "effect", "must begin"):
            assert self.commits.get(seen.reply, inf) < place, f"{seen} before its commit"
            assert place < self.lost.get(seen.reply, inf), f"{seen} after {self.log[self.lost[seen.reply]]}"
        for place, seen in self.seen("begun", "given", "sound"):
            assert place < self.ends[seen.reply], f"{seen} after {self.log[self.ends[seen.reply]]}"

    def nothing_is_heard_while_held(self) -> None:
        held: set[int] = set()
        for entry in self.log:
            if isinstance(entry, Hold):
                held.add(entry.reply)
            elif isinstance(entry, Resume):
                held.discard(entry.reply)
            elif isinstance(entry, Seen) and entry.what == "sound":
                assert entry.reply not in held, f"{entry} while held"

    def every_reply_ends_once(self) -> None:
        ended = Counter(entry.reply for entry in self.log if isinstance(entry, ReplyEnded))
        assert ended == dict.fromkeys({*self.drafts, *self.commits}, 1)

    def every_outcome_fits(self) -> None:
        for reply, place in self.ends.items():
            self.the_outcome_fits(reply, place, self.log[place])

    def the_outcome_fits(self, reply: int, place: int, ended: ReplyEnded) -> None:
        sounds = self.text("sound", reply, place)
        failed = any(isinstance(entry, Note) and f"at reply {reply}:" in entry.detail for entry in self.log[:place])
        assert sounds.startswith(ended.heard), "what was not heard is not said to be"
        if reply in self.cancels:
            assert ended.outcome is (Outcome.FAILED if failed else Outcome.CANCELLED)
            assert not sounds
        elif reply in self.barge_ins:
            assert ended.outcome is Outcome.INTERRUPTED
        elif ended.outcome is Outcome.FINISHED:
            assert not failed
            assert ended.heard == sounds == self.text("given", reply)
            if not any(seen.reply == reply for _, seen in self.seen("gave up")):
                action, what = self.world.asked.get(reply, ("", ""))
                assert sounds == (what if action == "greet" else self.text("said", reply)), "what was said is heard"
        elif ended.outcome is Outcome.INTERRUPTED:
            after = self.log[place:]
            assert not any(isinstance(entry, (TurnStarted, Speculate, Commit)) for entry in after), "cut off at the end"
        else:
            assert ended.outcome is Outcome.FAILED
            assert failed

    def every_turn_has_one_reply(self) -> None:
        turns = [entry.turn for entry in self.log if isinstance(entry, Commit) and entry.turn is not None]
        assert len(turns) == len(set(turns))
        begun = Counter(seen.reply for _, seen in self.seen("begun"))
        assert all(count == 1 for count in begun.values())
        assert set(begun) <= {*self.drafts, *self.commits}
        for reply in self.commits:
            action, what = self.world.asked.get(reply, ("", ""))
            if action == "greet":
                assert reply not in begun, "a text is said, and nobody asked for another"
            elif reply in begun:
                assert self.text("begun", reply) == what
            else:
                ended = self.log[self.ends[reply]]
                assert reply in self.lost or ended.outcome is Outcome.INTERRUPTED, "only who is over does not begin"

    def what_must_finish_does(self) -> None:
        """Also if the user takes the floor meanwhile, and also if the whole call is cut off."""
        begun, ended = ([seen.reply for _, seen in self.seen(what)] for what in ("must begin", "must end"))
        assert sorted(begun) == sorted(ended)

    def keys_are_of_what_is_owed(self) -> None:
        """The same key for the same owed words, so that they take effect once; other keys for others, or never."""
        committed = [self.world.replies[reply] for reply in self.commits if reply in self.world.replies]
        replies = [reply for reply in committed if reply.turn is not None]
        repeated = self.repeated()
        for one, other in itertools.combinations(replies, 2):
            if one.transcript not in repeated:
                owed = one.transcript in other.unanswered
                assert (one.key == other.key) == owed, f"{one.key} for {one!r}, {other.key} for {other!r}"

    def history_is_what_was_heard(self) -> None:
        history = self.world.session.history
        agent = [message["content"] for message in history if message["role"] == "assistant"]
        heard = [self.log[place].heard for place in sorted(self.ends.values())]
        assert agent == [text for text in heard if text]
        user = [message["content"] for message in history if message["role"] == "user"]
        commits = [self.log[place] for place in sorted(self.commits.values())]
        said: list[str] = []
        for commit in commits:
            said += [text for text in (*commit.unanswered, commit.transcript) if text and text not in said]
        # Words that were said in several turns stand several times, once a turn; which is which, nobody can tell.
        repeated = self.repeated()
        assert [text for text in user if text not in repeated] == [text for text in said if text not in repeated]
        assert set(user) == set(said)

    def repeated(self) -> set[str]:
        """The words that more than one turn had."""
        turns: dict[str, set[int]] = {}
        for entry in self.log:
            if isinstance(entry, (TurnStarted, TurnUpdated, Commit)) and entry.turn is not None:
                turns.setdefault(entry.transcript, set()).add(entry.turn)
        return {text for text, having in turns.items() if len(having) > 1}


def play(backend: str, plan: Plan) -> World:
    """Run it on virtual time; trio's scheduler, which is random on purpose, is made to depend on the plan."""
    world = World(plan)
    if backend == "asyncio":
        # Not by anyio.run, so that nobody has told anyio what runs: as in most applications.
        with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
            unseen: list[dict[str, Any]] = []
            runner.get_loop().set_exception_handler(lambda loop, context: unseen.append(context))
            runner.run(world.run())
            assert unseen == [], "nothing goes wrong where nobody looks"
    else:
        trio._core._run._r.seed(plan.seed)
        anyio.run(world.run, backend="trio", backend_options={"clock": MockClock(autojump_threshold=0)})
    return world


@pytest.fixture
def reproducible(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trio's order of tasks follows from the seed alone, and the failures that are planned do not fill the log."""
    monkeypatch.setattr("trio._core._run._ALLOW_DETERMINISTIC_SCHEDULING", True)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@pytest.mark.usefixtures("reproducible")
def test_replies_keep_the_rules_whatever_happens(backend: str) -> None:
    """Any conversation: silent before the commit and after the end, one outcome, one answer, effects once, no leaks."""

    @settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(plan=plans)
    def any_conversation(plan: Plan) -> None:
        Judge(play(backend, plan)).judge()

    any_conversation()
    gc.collect()  # an unclosed stream tells now, and a warning is an error
