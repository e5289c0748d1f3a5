"""What is remembered of a turn, and of a reply, while it is open."""

from __future__ import annotations

from typing import Any

from ..turns.events import EndOfTurn, TurnEvent
from ..turns.words import has_words, same_words
from .figures import TurnMetrics


class Heard:
    """The last message about a turn: when it came, how far into the audio it reaches, and where its words end there.

    Audio time that is 0 is none: no audio has been covered, or whoever made the event does not know.
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
    def after(cls, before: Heard | None, event: TurnEvent, at: float, last_word: float | None) -> Heard:
        """What is known after `event`, given what was known of its turn before."""
        heard = cls(event.turn_index)
        heard.at = at
        heard.audio_end = event.audio_end if event.audio_end > 0 else None
        heard.end_at = at if isinstance(event, EndOfTurn) else None
        text = "" if before is None else before.text
        # Asked in the order of cost: most messages repeat the words.
        if event.transcript != text and has_words(event.transcript) and not same_words(event.transcript, text):
            heard.text = event.transcript
            heard.news_audio = heard.audio_end
            heard.last_word = last_word
        elif before is not None:
            heard.text = text
            heard.news_audio = before.news_audio
            # What came with these very words still holds, but Flux's times settle as it hears more.
            heard.last_word = before.last_word if last_word is None else last_word
        return heard

    def since_last_word(self, now: float) -> float | None:
        """Audio time from the end of the last word to the end of this message, and engine time since it came."""
        return None if self.last_word is None else self._since(self.last_word, now)

    def since_news(self, now: float) -> float | None:
        """The same from the message that brought the last new words, if it was another than this."""
        news = self.news_audio
        return None if news is None or news == self.audio_end else self._since(news, now)

    def since_end(self, now: float) -> float | None:
        """Engine time since EndOfTurn, if this is it."""
        return None if self.end_at is None else now - self.end_at

    def _since(self, audio: float, now: float) -> float | None:
        return None if self.audio_end is None else max(0.0, self.audio_end - audio) + now - self.at


class OpenTurn:
    """A turn that is not settled: open, or committed and its reply not over."""

    __slots__ = (
        "drafts",
        "ended_at",
        "heard",
        "known",
        "number",
        "over",
        "reply",
        "started_at",
        "tokens",
        "wasted",
        "wasted_tokens",
    )

    def __init__(self, number: int) -> None:
        self.number = number
        self.started_at: float | None = None
        self.ended_at: float | None = None
        self.heard: Heard | None = None
        self.over = ""  # what had been heard of the reply that it cut off
        self.drafts = self.wasted = self.wasted_tokens = 0
        self.tokens: int | None = None
        self.reply: OpenReply | None = None
        self.known: dict[str, Any] = {}  # further fields of its TurnMetrics

    @property
    def index(self) -> int | None:
        """Flux's count of it."""
        return None if self.heard is None else self.heard.index

    def figures(self) -> TurnMetrics:
        """All that is known of it."""
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
        self.over = self.wasted = self.released = self.silent = False

    @property
    def is_draft(self) -> bool:
        """Whether it has neither been committed nor cancelled."""
        return self.committed_at is None and not self.over
