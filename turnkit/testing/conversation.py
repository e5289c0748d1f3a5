"""What came of a rehearsal, and what a test may ask of it, in the words of the domain."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import Any

import anyio

from ..errors import ConfigError
from ..session import Reply, Session
from ..turns.chart import UserState
from ..turns.events import (
    BargeIn,
    Cancel,
    CancelReason,
    Commit,
    DropReason,
    Outcome,
    ReplyEnded,
    Signal,
    Speculate,
    TurnDropped,
    TurnStarted,
)
from ..turns.words import has_words, same_words
from .caller import Told
from .caller_script import When
from .conversation_rules import broken_rules, out_of_time
from .happenings import Happening, render
from .requirements import RehearsalFailed
from .scripted import ScriptedFailure, StandInCall, says


@dataclass(frozen=True)
class Effect:
    """A call of a tool: the second of the conversation, its name and key, and whether it may take effect.

    `too_early`: the turn was not final, and the reply only a draft; `too_late`: the reply was over, and not to its end.
    """

    at: float
    tool: str
    key: str | None
    call: StandInCall
    too_early: bool
    too_late: bool


class Conversation:
    """One rehearsed conversation: who said what when, and what turnkit decided.

    Attributes: `session`; `moments`, all that happened, in order, in seconds since the call began; `signals`, those of
    turnkit and ReplyEnded among them; `effects`, the calls of ScriptedTools; `heard_of`, what was heard of each reply;
    `errors`, what the bot raised, other than failures that were scripted.
    `print(conversation)` shows it. An assertion that does not hold raises RehearsalFailed, an AssertionError, with all
    of that.
    """

    def __init__(self, session: Session) -> None:
        self.session = session
        self.moments: list[Happening] = []
        self.signals: list[Signal | ReplyEnded] = []
        self.effects: list[Effect] = []
        self.heard_of: dict[int, str] = {}
        self.errors: list[Exception] = []
        self.sounds: list[tuple[float, int]] = []  # when something of which reply was heard
        self._began = anyio.current_time()
        self._replies: dict[int, Reply] = {}
        self._ended: dict[int, float] = {}
        self._changed: anyio.Event | None = None
        self._given_up = ""

    def __str__(self) -> str:
        return render(self.moments)

    # What was said ------------------------------------------------------------------------------------------------

    @property
    def heard(self) -> str:
        """What was heard of the agent, a line a reply."""
        return "\n".join(text.strip() for _, text in sorted(self.heard_of.items()) if text.strip())

    @property
    def replies(self) -> list[ReplyEnded]:
        """How each reply ended, in order."""
        return [signal for signal in self.signals if isinstance(signal, ReplyEnded)]

    @property
    def history(self) -> list[dict[str, Any]]:
        """The conversation as chat messages, as the bot has it."""
        return self.session.history

    # What must hold -----------------------------------------------------------------------------------------------

    def failed(self, why: str) -> RehearsalFailed:
        """The error that says so and shows the conversation; for assertions of your own."""
        return RehearsalFailed(f"{why}\n\n{self}\n")

    def assert_heard(self, *texts: str) -> None:
        """Each of these was heard, in one reply; case and punctuation aside."""
        __tracebackhide__ = True
        for text in texts:
            if not self._was_heard(text):
                raise self.failed(f"“{text}” was never heard")

    def assert_never_heard(self, *texts: str) -> None:
        """None of these was heard, not even as a part of a reply."""
        __tracebackhide__ = True
        for text in texts:
            if self._was_heard(text):
                raise self.failed(f"“{text}” was heard, and should never have been")

    def assert_answered_once(self, *said: str) -> None:
        """Each turn with these words, or every turn that became final, got one answer that was heard, and no other."""
        __tracebackhide__ = True
        commits = [signal for signal in self.signals if isinstance(signal, Commit) and signal.turn is not None]
        for words in said:
            if not any(same_words(words, text) for commit in commits for text in _asked(commit)):
                raise self.failed(f"“{words}” never became final, so it was not answered")
        wanted = said or tuple(dict.fromkeys(commit.transcript for commit in commits))
        if not wanted:
            raise self.failed("no turn became final, so none was answered")
        for words in wanted:
            turns = {commit.turn for commit in commits if same_words(words, commit.transcript)}
            heard = [
                commit
                for commit in commits
                if self._is_heard(commit.reply) and any(same_words(words, text) for text in _asked(commit))
            ]
            if len(heard) != max(len(turns), 1):
                times = {0: "got no answer that was heard"}.get(len(heard), f"was answered {len(heard)} times")
                raise self.failed(f"“{words}” {times}")

    def assert_effect_once(self, tool: str, *, key: str | None = None) -> None:
        """The tool took effect, for this key if given, exactly once: under one key, in time, and it finished.

        Calls under the same key are one effect; those without a key count each.
        """
        __tracebackhide__ = True
        effects = [effect for effect in self.effects if effect.tool == tool and key in (None, effect.key)]
        of = tool if key is None else f"{tool} (key {key})"
        for effect in effects:
            if effect.too_early or effect.too_late:
                raise self.failed(out_of_time(effect))
        done = [effect for effect in effects if effect.call.outcome == "finished"]
        if not done:
            went = ", ".join(effect.call.outcome for effect in effects)
            raise self.failed(f"{of} never took effect: {f'it was {went}' if went else 'it was never called'}")
        keys = {effect.key or id(effect) for effect in done}
        if len(keys) > 1:
            raise self.failed(f"{of} took effect {len(keys)} times, under {len(keys)} keys; it should have once")

    def assert_no_effect(self, tool: str | None = None) -> None:
        """No tool, or not this one, was ever called."""
        __tracebackhide__ = True
        for effect in self.effects:
            if tool in (None, effect.tool):
                raise self.failed(f"{out_of_time(effect)}; it should never have been called")

    def assert_interrupted_within(self, seconds: float) -> None:
        """The agent was interrupted, and each time silent within these seconds of Flux's start of the turn."""
        __tracebackhide__ = True
        stops = [signal for signal in self.signals if isinstance(signal, BargeIn)]
        if not stops:
            raise self.failed("the agent was never interrupted")
        began = {signal.turn: signal.at for signal in self.signals if isinstance(signal, TurnStarted)}
        for stop in stops:
            sounds = [at for at, reply in self.sounds if reply == stop.reply]
            took = max([stop.at - self._began, *sounds]) - (began[stop.turn] - self._began)
            if took > seconds + 1e-6:
                raise self.failed(f"reply {stop.reply} went on for {took:.2f} s over the caller, not {seconds:g}")

    def assert_not_interrupted(self) -> None:
        """The agent was never interrupted."""
        __tracebackhide__ = True
        if any(isinstance(signal, BargeIn) for signal in self.signals):
            raise self.failed("the agent was interrupted, and should not have been")

    def assert_at_rest(self) -> None:
        """The end of the call cut nothing off: no turn, no draft, no reply, no call of a stand-in."""
        __tracebackhide__ = True
        for signal in self.signals:
            if isinstance(signal, Cancel) and signal.reason is CancelReason.CLOSED:
                raise self.failed(f"reply {signal.reply} was under way when the call ended")
            if isinstance(signal, TurnDropped) and signal.reason is DropReason.CLOSED:
                raise self.failed(f"turn {signal.turn} was not over when the call ended")
        stopped = {signal.reply for signal in self.signals if isinstance(signal, BargeIn)}
        for end in self.replies:
            if end.outcome is Outcome.INTERRUPTED and end.reply not in stopped:
                raise self.failed(f"reply {end.reply} was cut off by the end of the call")
        for effect in self.effects:
            if effect.call.outcome == "under way":
                raise self.failed(f"{effect.tool} is still under way after the call")

    def assert_keeps_the_rules(self) -> None:
        """What must hold for every conversation whatever.

        Nothing is heard before its turn is final or after the caller took the floor; no tool is called for a draft, or
        for a reply that is over; every reply ends once; every turn has at most one reply; the bot raises nothing but
        what a stand-in did.
        """
        __tracebackhide__ = True
        for rule in broken_rules(self):
            raise self.failed(rule) from next(iter(self.errors), None)

    def _was_heard(self, text: str) -> bool:
        if not has_words(text):
            raise ConfigError(f"{text!r}: must have words, or nobody could hear it")
        return any(says(heard, text) for heard in self.heard_of.values())

    def _is_heard(self, reply: int) -> bool:
        return has_words(self.heard_of.get(reply, ""))

    # What is witnessed --------------------------------------------------------------------------------------------

    def now(self) -> float:
        """Seconds since the call began."""
        return round(anyio.current_time() - self._began, 9)

    def told(self, event: Told) -> None:
        """The caller's: Flux says this to the bot, now."""
        self.moments.append(Happening(self.now(), "caller", event))

    def signalled(self, signal: Signal | ReplyEnded) -> None:
        """Turnkit's, and told by the session."""
        self.moments.append(Happening(self.now(), "turnkit", signal))
        self.signals.append(signal)
        if isinstance(signal, ReplyEnded):
            self._ended[signal.reply] = self.now()
        self._stir()

    def happened(self, who: str, what: str, *, tool: str = "", call: StandInCall | None = None) -> None:
        """A stand-in's: `who` did `what`, now."""
        self.moments.append(Happening(self.now(), who, what))
        if call is not None:
            self.effects.append(self._effect(tool, call))

    def _effect(self, tool: str, call: StandInCall) -> Effect:
        replies = [reply for reply in self._replies.values() if reply.key == call.key]
        at_work = [call.reply] if call.reply is not None else replies
        final = [reply for reply in at_work if reply.is_committed]
        alive = [reply for reply in final if reply.outcome in (None, Outcome.FINISHED)]
        early = bool(at_work) and not final
        return Effect(self.now(), tool, call.key, call, early, bool(final) and not alive)

    def met(self, reply: Reply) -> None:
        """There is a new reply."""
        self._replies[reply.id] = reply

    def raised(self, error: BaseException) -> None:
        """The bot's `respond` or `speak` raised this."""
        if isinstance(error, BaseExceptionGroup):
            for inner in error.exceptions:
                self.raised(inner)
        elif isinstance(error, Exception) and not isinstance(error, ScriptedFailure):
            self.errors.append(error)

    def hears(self, reply: int, text: str | None) -> None:
        """Of `reply`, `text` has been heard so far; None: its first sound."""
        if reply not in self.heard_of:
            self.heard_of[reply] = ""
            self.moments.append(Happening(self.now(), "agent", f"is heard: reply {reply}"))
        self.heard_of[reply] = text or self.heard_of[reply]
        self.sounds.append((self.now(), reply))
        self._stir()

    def _stir(self) -> None:
        if self._changed is not None:
            self._changed.set()
            self._changed = None

    async def changed(self) -> None:
        """Wait until the agent has done something."""
        self._changed = self._changed or anyio.Event()
        await self._changed.wait()

    def reached(self, when: When, since: float, last: float) -> float | None:
        """The second in which the agent did what the caller waits for, if it has."""
        floor = self.session.floor
        if when.after == "speaking":
            return next((at for at, reply in self.sounds if floor is not None and reply == floor[0]), None)
        if when.after == "done":
            ends = [at for reply, at in self._ended.items() if at >= last and reply in self.heard_of]
            rests = floor is None and self.session.user is UserState.LISTENING
            return max(ends) if ends and rests else None
        recent = (text for reply, text in self.heard_of.items() if self._ended.get(reply, inf) >= since)
        return self.now() if any(says(text, when.words) for text in recent) else None

    def gave_up(self, why: str) -> None:
        """The caller's: what they waited for did not come."""
        self._given_up = self._given_up or why

    def end(self, *, in_time: bool, limit: float) -> None:
        """The call is over: raises RehearsalFailed if it was not `in_time`, or if the caller gave up."""
        if self._given_up:
            raise self.failed(self._given_up)
        if not in_time:
            raise self.failed(f"the call is not over after {limit:g} s: {self._under_way()}")

    def _under_way(self) -> str:
        begun = {signal.reply for signal in self.signals if isinstance(signal, (Speculate, Commit))}
        ended = {end.reply for end in self.replies if end.at < anyio.current_time() - 1e-3}
        replies = ", ".join(f"reply {reply}" for reply in sorted(begun - ended))
        return f"{replies} never came to an end" if replies else "its source never came to an end"


def _asked(commit: Commit) -> tuple[str, ...]:
    return (*commit.unanswered, commit.transcript)
