"""Turns and replies while their figures are still open."""

from __future__ import annotations

from typing import Any

from ..turns.events import EagerEndOfTurn, EndOfTurn, TurnEvent
from ..turns.words import has_words, same_words
from .figures import TurnMetrics


class LastMessage:
    """The last message about a turn: when it came, how far into the audio it reaches, and where its words end there.

    An audio time of 0 counts as unknown: no audio has been covered, or whoever made the event does not know.
    """

    __slots__ = ("at", "audio_end", "end_at", "index", "last_word", "news_audio", "text")

    def __init__(self, index: int) -> None:
        self.index = index
        self.at = 0.0
        self.audio_end: float | None = None
        self.text = ""
        self.news_audio: float | None = None  # `audio_end` of the message that brought its last new words
        self.last_word: float | None = None
        self.end_at: float | None = None

    @classmethod
    def after(cls, before: LastMessage | None, event: TurnEvent, at: float) -> LastMessage:
        """The last message once `event` has come, given the one `before` it of the same turn."""
        message = cls(event.turn_index)
        message.at = at
        message.audio_end = event.audio_end if event.audio_end > 0 else None
        message.end_at = at if isinstance(event, EndOfTurn) else None
        last_word = _end_of_words(event) if isinstance(event, (EagerEndOfTurn, EndOfTurn)) else None
        text = "" if before is None else before.text
        # Asked in the order of cost: most messages repeat the words.
        if event.transcript != text and has_words(event.transcript) and not same_words(event.transcript, text):
            message.text = event.transcript
            message.news_audio = message.audio_end
            message.last_word = last_word
        elif before is not None:
            message.text = text
            message.news_audio = before.news_audio
            # What came with these very words still holds, but Flux's times settle as it hears more.
            message.last_word = before.last_word if last_word is None else last_word
        return message

    def since_last_word(self, now: float) -> float | None:
        """Seconds since the end of the last word: audio time to the end of this message, engine time since it came."""
        return None if self.last_word is None else self._since(self.last_word, now)

    def since_news(self, now: float) -> float | None:
        """Seconds since the message that brought the last new words, counted likewise; None if it is this one."""
        news = self.news_audio
        return None if news is None or news == self.audio_end else self._since(news, now)

    def since_end(self, now: float) -> float | None:
        """Seconds of engine time since EndOfTurn; None if this message is another."""
        return None if self.end_at is None else now - self.end_at

    def _since(self, audio: float, now: float) -> float | None:
        return None if self.audio_end is None else max(0.0, self.audio_end - audio) + now - self.at


def _end_of_words(event: EagerEndOfTurn | EndOfTurn) -> float | None:
    """The second of stream audio at which the last word ends, None if that is not known.

    Flux's times of neighbours may overlap, so it is the latest of all ends, provided that the last word has one.
    """
    if not event.words or event.words[-1].end is None:
        return None
    return max(word.end for word in event.words if word.end is not None)


class OpenTurn:
    """A turn that is open, or committed with its reply not over yet."""

    __slots__ = (
        "drafts",
        "ended_at",
        "known",
        "last_message",
        "number",
        "reply",
        "started_at",
        "talked_over",
        "tokens",
        "wasted",
        "wasted_tokens",
    )

    def __init__(self, number: int) -> None:
        self.number = number
        self.started_at: float | None = None
        self.ended_at: float | None = None
        self.last_message: LastMessage | None = None
        self.talked_over = ""  # what had been heard of the reply that it cut off
        self.drafts = self.wasted = self.wasted_tokens = 0
        self.tokens: int | None = None
        self.reply: OpenReply | None = None
        self.known: dict[str, Any] = {}  # further fields of its TurnMetrics

    @property
    def index(self) -> int | None:
        """The number that Flux gave it; None before its first message."""
        return None if self.last_message is None else self.last_message.index

    def figures(self) -> TurnMetrics:
        """The figures of the turn, as far as they are known."""
        return TurnMetrics(
            turn=self.number,
            started_at=self.started_at,
            ended_at=self.ended_at,
            drafts=self.drafts,
            wasted=self.wasted,
            tokens=self.tokens,
            wasted_tokens=None if self.tokens is None else self.wasted_tokens,
            **self.known,
        )


class OpenReply:
    """A reply: a draft, committed, or over and remembered for what may still be reported of it."""

    __slots__ = (
        "committed_at",
        "cut_at",
        "cut_by",
        "drafted_at",
        "first_chunk",
        "heard",
        "heard_at",
        "over",
        "released",
        "reported",
        "silent",
        "tokens",
        "turn",
        "wasted",
    )

    def __init__(self, turn: OpenTurn | None, drafted_at: float | None = None) -> None:
        self.turn = turn
        self.drafted_at = drafted_at
        self.committed_at: float | None = None
        self.heard_at: float | None = None
        self.first_chunk: float | None = None
        self.cut_at: float | None = None
        self.cut_by: OpenTurn | None = None
        self.heard = ""
        self.tokens = 0
        self.reported = True  # whether anybody reports its playback, as far as is known
        self.over = self.wasted = self.released = self.silent = False

    @property
    def is_draft(self) -> bool:
        """Whether it has neither been committed nor cancelled."""
        return self.committed_at is None and not self.over
