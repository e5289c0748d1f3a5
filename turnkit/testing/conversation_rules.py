"""What must hold for every conversation with a bot, whatever the caller says and whatever fails."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from ..session import HostFailure
from ..session.failures import AT_POLICY
from ..turns.events import BargeIn, Cancel, Commit, EndOfTurn, Note, NoteKind, Outcome, ReplyEnded, Speculate
from ..turns.words import has_words
from .conversation_record import ConversationRecord, Effect, unscripted

_TOLERANCE = 1e-6  # seconds: what is heard in the very moment of a signal may have been on its way


def broken_rules(record: ConversationRecord) -> Iterator[str]:
    """Each rule that the conversation broke, in a sentence, the first first."""
    yield from _failures(record)
    yield from _heard_out_of_time(record)
    yield from _effects_out_of_time(record)
    yield from _ends(record)
    yield from _answers(record)


def _failures(record: ConversationRecord) -> Iterator[str]:
    for failure in record.failures:
        for error in unscripted(failure):
            yield f"{_failed_at(failure)} {type(error).__name__}: {error}"
    for signal in record.signals:
        # What respond and speak raise, at a reply, is known better: by itself. So is an exception; but not all raise.
        if isinstance(signal, Note) and signal.kind is NoteKind.POLICY_FAILED:
            yield f"a policy failed: {signal.detail}"
        if isinstance(signal, Note) and signal.kind is NoteKind.CALLBACK_FAILED and " at reply " not in signal.detail:
            yield f"a callback failed: {signal.detail}"

    if None not in record.gone_wrong:
        yield from _failed_unscripted(record)


def _failed_at(failure: HostFailure) -> str:
    if failure.at.startswith("reply "):
        return "the bot raised"
    if failure.at == AT_POLICY:
        return f"a policy failed: {failure.function} raised"
    return f"a callback failed: {failure.function} at {failure.at} raised"


def _failed_unscripted(record: ConversationRecord) -> Iterator[str]:
    """Replies that failed, by being late for one, though no stand-in was told to."""
    details = [signal.detail for signal in record.signals if isinstance(signal, Note)]
    for ended in record.signals:
        if isinstance(ended, ReplyEnded) and ended.outcome is Outcome.FAILED and ended.reply not in record.gone_wrong:
            why = next((detail for detail in details if f" at reply {ended.reply}:" in f"{detail}:"), "")
            yield f"reply {ended.reply} failed, and nothing scripted did{why and ': '}{why}"


def wants_answers(record: ConversationRecord) -> bool:
    """Whether the caller said something, and no stand-in was in the way of an answer."""
    said = any(isinstance(moment.what, EndOfTurn) and has_words(moment.what.transcript) for moment in record.moments)
    return said and not record.gone_wrong


def has_answers(record: ConversationRecord) -> bool:
    """Whether an answer to any turn was heard."""
    answers = {signal.reply for signal in record.signals if isinstance(signal, Commit) and signal.turn is not None}
    return any(reply in answers and has_words(text) for reply, text in record.heard_of.items())


def _times(record: ConversationRecord, *kinds: type[Any]) -> dict[int, float]:
    """When, since the call began, each reply had its first signal of these kinds."""
    times: dict[int, float] = {}
    for moment in record.moments:
        if isinstance(moment.what, kinds):
            times.setdefault(moment.what.reply, moment.at)
    return times


def _heard_out_of_time(record: ConversationRecord) -> Iterator[str]:
    commits = _times(record, Commit)
    over = _times(record, BargeIn, Cancel)
    for at, reply in record.sounds:
        if at < commits.get(reply, at + 1):
            yield f"reply {reply} was heard at {at:.2f} s, before the caller's turn was final"
        if at > over.get(reply, at) + _TOLERANCE:
            yield f"reply {reply} was heard at {at:.2f} s, though the caller had the floor since {over[reply]:.2f} s"


def _effects_out_of_time(record: ConversationRecord) -> Iterator[str]:
    for effect in record.effects:
        if effect.too_early or effect.too_late:
            yield out_of_time(effect)


def out_of_time(effect: Effect) -> str:
    """When the effect was, and what is wrong with that, if anything is."""
    called = f"{effect.tool} was called at {effect.at:.2f} s"
    if effect.too_early:
        return f"{called}, before the caller's turn was final"
    return f"{called}, for a reply that was over" if effect.too_late else called


def _ends(record: ConversationRecord) -> Iterator[str]:
    begun = {signal.reply for signal in record.signals if isinstance(signal, (Speculate, Commit))}
    ends = Counter(signal.reply for signal in record.signals if isinstance(signal, ReplyEnded))
    for reply in sorted(begun):
        if ends[reply] != 1:
            yield f"reply {reply} ended {ends[reply]} times, not once"


def _answers(record: ConversationRecord) -> Iterator[str]:
    commits = (signal for signal in record.signals if isinstance(signal, Commit))
    turns = Counter(commit.turn for commit in commits if commit.turn is not None)
    for turn, count in turns.items():
        if count > 1:
            yield f"turn {turn} got {count} replies"
