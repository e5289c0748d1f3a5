"""What a test may ask of a rehearsed conversation, in the words of the domain."""

from __future__ import annotations

from traceback import format_exception
from typing import Any

import anyio

from ..errors import ConfigError
from ..turns.events import (
    BargeIn,
    Cancel,
    CancelReason,
    Commit,
    DropReason,
    Outcome,
    ReplyEnded,
    Speculate,
    TurnDropped,
    TurnStarted,
)
from ..turns.words import has_words, same_words
from .conversation_record import ConversationRecord
from .conversation_rules import broken_rules, out_of_time
from .failure import RehearsalFailed
from .matching import contains_words


class Conversation(ConversationRecord):
    """One rehearsed conversation, as `rehearse` gives it: its record, and the assertions on it.

    `print(conversation)` shows it. An assertion that does not hold raises RehearsalFailed, an AssertionError, with all
    of that.

    Attributes:
        session: The session of the bot.
        moments: All that happened, in order, in seconds since the call began.
        signals: What turnkit decided, in order; ReplyEnded is among it.
        effects: The calls of ScriptedTools, in order.
        heard_of: What was heard of each reply, by its id.
        errors: What the bot raised, other than failures that were scripted.
    """

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
        """Make the error that says why, and shows the conversation and each stack of what the bot raised.

        It is for assertions of your own, too.
        """
        stacks = "".join(f"\nThe bot raised:\n{''.join(format_exception(error))}" for error in self.errors)
        return RehearsalFailed(f"{why}\n\n{self}\n{stacks}")

    def assert_heard(self, *texts: str) -> None:
        """Assert that each of these was heard, in one reply; case and punctuation aside.

        Raises:
            ConfigError: There is no text, or one without words.
        """
        __tracebackhide__ = True
        _check_texts("assert_heard", texts)
        for text in texts:
            if not self._was_heard(text):
                raise self.failed(f"“{text}” was never heard")

    def assert_never_heard(self, *texts: str) -> None:
        """Assert that none of these was heard, not even as a part of a reply.

        Raises:
            ConfigError: There is no text, or one without words.
        """
        __tracebackhide__ = True
        _check_texts("assert_never_heard", texts)
        for text in texts:
            if self._was_heard(text):
                raise self.failed(f"“{text}” was heard, and should never have been")

    def assert_answered_once(self, *said: str) -> None:
        """Assert that each turn got one answer, and no other.

        A reply whose bot wanted no sound, such as a tool's, is an answer too; but a bot that never said anything to
        anybody has answered nobody.

        Args:
            said: The words of the turns; without any, every turn that became final.
        """
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
                if self._is_answer(commit.reply) and any(same_words(words, text) for text in _asked(commit))
            ]
            if len(heard) != max(len(turns), 1):
                times = {0: "got no answer"}.get(len(heard), f"was answered {len(heard)} times")
                raise self.failed(f"“{words}” {times}")

    def assert_effect_once(self, tool: str, *, key: str | None = None) -> None:
        """Assert that a tool took effect exactly once: under one key, in time, and it finished.

        Calls under the same key are one effect; those without a key count each.

        Args:
            tool: The name of the ScriptedTool.
            key: Only calls under this key are looked at. Default None, all calls.
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
        """Assert that no tool, or not this one, was ever called."""
        __tracebackhide__ = True
        for effect in self.effects:
            if tool in (None, effect.tool):
                raise self.failed(f"{out_of_time(effect)}; it should never have been called")

    def assert_interrupted_within(self, seconds: float) -> None:
        """Assert that the agent was interrupted, and each time silent within so many seconds of the StartOfTurn."""
        __tracebackhide__ = True
        stops = [signal for signal in self.signals if isinstance(signal, BargeIn)]
        if not stops:
            raise self.failed("the agent was never interrupted")
        began: dict[int | None, float] = {
            signal.turn: signal.at for signal in self.signals if isinstance(signal, TurnStarted)
        }
        for stop in stops:
            sounds = [at for at, reply in self.sounds if reply == stop.reply]
            # Without a turn it was the host that interrupted, in the moment in which it was told.
            took = max([stop.at - self.began, *sounds]) - (began.get(stop.turn, stop.at) - self.began)
            if took > seconds + 1e-6:
                raise self.failed(f"reply {stop.reply} went on for {took:.2f} s over the caller, not {seconds:g}")

    def assert_not_interrupted(self) -> None:
        """Assert that the agent was never interrupted."""
        __tracebackhide__ = True
        if any(isinstance(signal, BargeIn) for signal in self.signals):
            raise self.failed("the agent was interrupted, and should not have been")

    def assert_at_rest(self) -> None:
        """Assert that the end of the call cut nothing off: no turn, no draft, no reply, no call of a tool."""
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
        """Assert what must hold for every conversation whatever.

        Nothing is heard before its turn is final or after the caller took the floor; no tool is called for a draft, or
        for a reply that is over; every reply ends once; every turn has at most one reply; the bot raises nothing but
        what a stand-in did, and no reply fails, as by being late, in which no stand-in was told to fail or hang.
        """
        __tracebackhide__ = True
        for rule in broken_rules(self):
            raise self.failed(rule) from next(iter(self.errors), None)

    def _was_heard(self, text: str) -> bool:
        return any(contains_words(heard, text) for heard in self.heard_of.values())

    def _is_heard(self, reply: int) -> bool:
        return has_words(self.heard_of.get(reply, ""))

    def _is_answer(self, reply: int) -> bool:
        """Whether it was heard, or silent on purpose in a call in which others were heard."""
        silent = any(
            end.reply == reply and end.outcome is Outcome.FINISHED and not has_words(end.heard) for end in self.replies
        )
        return self._is_heard(reply) or (silent and any(map(self._is_heard, self.heard_of)))

    # How it ended -------------------------------------------------------------------------------------------------

    def end(self, *, in_time: bool, limit: float) -> None:
        """Judge whether the call came to its end.

        Args:
            in_time: Whether it did within the limit.
            limit: The limit, in seconds, for the message.

        Raises:
            RehearsalFailed: It did not, or the caller gave up.
        """
        if self.given_up:
            raise self.failed(self.given_up)
        if not in_time:
            raise self.failed(f"the call is not over after {limit:g} s: {self._under_way()}")

    def _under_way(self) -> str:
        begun = {signal.reply for signal in self.signals if isinstance(signal, (Speculate, Commit))}
        ended = {end.reply for end in self.replies if end.at < anyio.current_time() - 1e-3}
        replies = ", ".join(f"reply {reply}" for reply in sorted(begun - ended))
        return f"{replies} never came to an end" if replies else "its source never came to an end"


def _asked(commit: Commit) -> tuple[str, ...]:
    return (*commit.unanswered, commit.transcript)


def _check_texts(assertion: str, texts: tuple[object, ...]) -> None:
    if not texts:
        raise ConfigError(f"{assertion}(): must have a text; without one it could not fail")
    for text in texts:
        if not isinstance(text, str):
            raise ConfigError(f"{assertion}({text!r}): must be text")
        if not has_words(text):
            raise ConfigError(f"{assertion}({text!r}): must have words, or nobody could hear it")
