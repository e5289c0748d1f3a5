"""Everybody around a session (Flux, the host, the LLM, the voice), as a plan has it, and a log of what they saw."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from math import inf
from typing import Any

import anyio
import sniffio
from anyio.abc import TaskGroup

from tests.support.session_plans import Mind, Plan
from turnkit.errors import LocalProtocolError
from turnkit.session import Reply, Session
from turnkit.turns.events import (
    SIGNALS,
    EagerEndOfTurn,
    EndOfTurn,
    Outcome,
    ReplyEnded,
    Speculate,
    StartOfTurn,
    StreamLost,
    StreamRestored,
    TurnResumed,
)

BOUNDS: dict[str, Any] = {"reply_timeout": 5.0, "silence_timeout": 3.0}  # seconds; nobody is so slow who does not hang
PATIENCE = 600.0  # virtual seconds; no script lasts half as long


class Foreign(asyncio.CancelledError):
    """A cancellation that nobody has asked for."""


@dataclass(frozen=True)
class Seen:
    """One entry of the log beside the signals: `what` of `reply`, at its place in the order of things."""

    what: (
        str  # begun, said, given, sound, all heard, effect, must begin, must end, works on, has worked, gave up, failed
    )
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
    queued: int = 0
    hung_up_at: float = inf
    ended_at: float = inf

    def __post_init__(self) -> None:
        self.session = Session(respond=self.respond, speak=self.speak, id="call", **BOUNDS, **self.plan.settings)
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
        left = anyio.get_running_tasks()
        assert len(left) == tasks, f"no task is left, but {[task.name for task in left]}"

    async def call(self) -> None:
        try:
            await self.session.run(self.source(), drain=self.plan.drain)
        except ConnectionAbortedError:
            assert self.plan.breaks
        finally:
            self.ended_at = anyio.current_time()

    # Flux ---------------------------------------------------------------------------------------------------------

    async def source(self) -> AsyncIterator[object]:
        for kind, *details in self.plan.steps:
            if kind == "turn":
                # Closed with this one, also by who hangs up in the middle of it.
                async with aclosing(self.turn(*details)) as events:
                    async for event in events:
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

    async def turn(
        self, withdrawn: list[str], end: str, gaps: list[float], after: float
    ) -> AsyncGenerator[object, None]:
        index, self.index = self.index, self.index + 1
        self.count += 1
        text = f"turn-{self.count} please"
        gap = iter(gaps)
        if end == "noise":
            yield StartOfTurn(index, "")
            await anyio.sleep(next(gap))
            yield EndOfTurn(index, "", 0.8, trigger="model")
            await anyio.sleep(after)
            return
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
        if action in ("greet", "warn", "reprompt", "queue"):
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
        elif action == "press":
            session.interrupt()
        elif action == "type":
            self.count += 1
            session.interrupt(f"turn-{self.count} typed")
        elif action == "hang up":
            self.hang_up()
        elif action == "late report":
            for ended in [entry for entry in self.log if isinstance(entry, ReplyEnded)][-1:]:
                session.playback_started(ended.reply)
                session.playback_advanced(ended.reply, "never said")
                session.playback_finished(ended.reply)

    def hang_up(self) -> None:
        if self.session._dispatcher.running:
            self.session.hang_up()
            self.hung_up_at = anyio.current_time()
            self.see("hung up", -1)

    def initiate(self, action: str) -> None:
        if action == "queue":
            self.queued += 1
            queued = f"queued {self.queued} "
            self.session.initiate(lambda reply: self.think(reply, queued), wait=True)
            return
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

    async def go_wrong(self, reply: Reply, how: str) -> None:
        if how == "hang":
            self.see("hung", reply.id)
            await anyio.sleep_forever()
        # On trio a cancellation reaches nobody but those whom it is for.
        if how == "foreign" and sniffio.current_async_library() == "asyncio":
            raise Foreign
        self.fail(reply)

    async def respond(self, reply: Reply) -> None:
        await self.think(reply, "")

    async def think(self, reply: Reply, prefix: str) -> None:
        mind = self.plan.minds[reply.id % len(self.plan.minds)]
        self.replies[reply.id] = reply
        if prefix.startswith("queued"):
            self.asked[reply.id] = "queue", prefix
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
                    # A cancellation is answered by the clean-up, which would fail once more.
                    await self.go_wrong(reply, "raise" if mind.cleanup == "raise" else mind.how)
                if count == mind.tool_after:
                    await self.use_tool(reply, mind)
                if count < mind.chunks:
                    chunk = f"{prefix}reply {reply.id}.{count} "
                    if await reply.say(chunk):
                        self.see("said", reply.id, chunk)
                    await anyio.sleep(mind.pause)
            if mind.works >= 0:
                await self.work_on(reply, mind)
        except anyio.get_cancelled_exc_class() as cancelled:
            foreign = isinstance(cancelled, Foreign)
            await self.clean_up(reply, mind, foreign)
            if foreign:  # the session meets it only now, however long the clean-up took
                self.see("foreign", reply.id)
            raise

    async def slip(self, reply: Reply, mind: Mind) -> None:
        """Goes wrong only if it is cancelled, as a network client may."""
        try:
            await anyio.sleep(mind.think)
        except anyio.get_cancelled_exc_class():
            self.fail(reply)

    async def work_on(self, reply: Reply, mind: Mind) -> None:
        reply.end_speech()
        self.see("works on", reply.id)
        assert not await reply.say("more ")
        await anyio.sleep(mind.works)
        self.see("has worked", reply.id)

    async def clean_up(self, reply: Reply, mind: Mind, foreign: bool) -> None:
        if mind.cleanup == "late":
            with anyio.CancelScope(shield=True):
                await anyio.sleep(mind.pause)
                if await reply.say("too late "):
                    self.see("said", reply.id, "too late ")
                try:
                    await reply.committed()
                    assert foreign or reply.outcome is Outcome.FINISHED, (
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
        elif mind.tool == "flush":
            reply.flush()
        elif mind.tool == "heard":
            await reply.heard_so_far()
            self.see("all heard", reply.id)
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
                    try:
                        await self.go_wrong(reply, mouth.how)
                    except Foreign:
                        self.see("foreign", reply.id)
                        raise
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
