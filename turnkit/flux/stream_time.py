"""The times of a later connection, in the time of the whole stream."""

from __future__ import annotations

import msgspec

from ..wire import TurnInfo, Word


def shifted(message: TurnInfo, offset: float) -> TurnInfo:
    """The message with all its times `offset` seconds later; words that cannot be read stay as they are."""
    words = message.words
    return msgspec.structs.replace(
        message,
        audio_window_start=message.audio_window_start + offset,
        audio_window_end=message.audio_window_end + offset,
        raw_words=msgspec.Raw(msgspec.json.encode([_later(word, offset) for word in words]))
        if words
        else message.raw_words,
    )


def _later(word: Word, offset: float) -> Word:
    return Word(
        word.word,
        word.confidence,
        None if word.start is None else word.start + offset,
        None if word.end is None else word.end + offset,
    )
