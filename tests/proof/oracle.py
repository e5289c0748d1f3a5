"""The rules, read literally: a second machine, plain and slow, that answers what the first one should.

It is written from the behaviour table and the rules in docs/rules.md, not from the machine, and in another shape: the
table is the data below, deadlines are a dictionary of names, nothing is remembered to save time, words are compared
by a dozen lines of their own. Compare `TURN_EVENTS` with the table there, and each method with the rule it quotes.

Where the rules leave a choice, this is the reading taken:

- An event without words asks no barge-in policy; each event with words asks once, an EndOfTurn once more (`final`).
- The Note of a missed end comes when the turn ends, that is after the policy's last word.
- Deadlines that are due at the same second are dealt with in the order hold, suspended, stall, idle.
- `close` does not deal with deadlines that have passed before it.
- Busy(False) starts the idle clock anew, also if nothing was running.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from math import inf, nextafter
from typing import Any, get_args

from turnkit.errors import LocalProtocolError
from turnkit.turns.events import (
    BargeIn,
    Cancel,
    CancelReason,
    Commit,
    DropReason,
    Event,
    Hold,
    Note,
    NoteKind,
    Resume,
    ResumeReason,
    Signal,
    Speculate,
    TurnDropped,
    TurnStalled,
    TurnStarted,
    TurnUpdated,
    Update,
    UserIdle,
)
from turnkit.turns.policy import Overlap, Pause, Verdict

# The tables -------------------------------------------------------------------------------------------------------
#
# What an event does, step by step; each step is a method of `Oracle` (dashes for spaces) with its arguments. The
# words of the event are blank, the same as the turn's, or new. The last column is for events of the turn that turnkit
# itself has ended as stalled, while none is open since.

TURN_EVENTS: dict[tuple[str, str], dict[str, str]] = {
    ("Update", "blank"): {
        "listening": "count_anew",
        "speaking": "",
        "ending": "",
        "stalled": "",
    },
    ("Update", "same"): {
        "speaking": "take, judge",
        "ending": "take, judge",
        "stalled": "",
    },
    ("Update", "new"): {
        "listening": "count_unannounced",
        "speaking": "take, judge",
        "ending": "cancel resumed, note missing_resume, move speaking, take, judge",
        "stalled": "open late_words",
    },
    ("StartOfTurn", "blank"): {
        "listening": "open",
        "speaking": "note duplicate_start",
        "ending": "cancel resumed, note duplicate_start, move speaking",
        "stalled": "note stale_turn",
    },
    ("StartOfTurn", "same"): {
        "speaking": "note duplicate_start, take, judge",
        "ending": "cancel resumed, note duplicate_start, move speaking, take, judge",
        "stalled": "note stale_turn",
    },
    ("StartOfTurn", "new"): {
        "listening": "open",
        "speaking": "note duplicate_start, take, judge",
        "ending": "cancel resumed, note duplicate_start, move speaking, take, judge",
        "stalled": "open late_words",
    },
    ("EagerEndOfTurn", "blank"): {
        "listening": "note blank_eager",
        "speaking": "note blank_eager",
        "ending": "note blank_eager",
        "stalled": "note stale_turn",
    },
    ("EagerEndOfTurn", "same"): {
        "speaking": "take, judge, move ending, speculate",
        "ending": "take, judge",
        "stalled": "note stale_turn",
    },
    ("EagerEndOfTurn", "new"): {
        "listening": "open missing_start, move ending, speculate",
        "speaking": "take, judge, move ending, speculate",
        "ending": "cancel superseded, take, judge, speculate",
        "stalled": "open late_words, move ending, speculate",
    },
    ("TurnResumed", "blank"): {
        "listening": "note stray_resume",
        "speaking": "note stray_resume",
        "ending": "cancel resumed, move speaking",
        "stalled": "note stale_turn",
    },
    ("TurnResumed", "same"): {
        "speaking": "note stray_resume, take, judge",
        "ending": "cancel resumed, move speaking, take, judge",
        "stalled": "note stale_turn",
    },
    ("TurnResumed", "new"): {
        "listening": "note stray_resume",
        "speaking": "note stray_resume, take, judge",
        "ending": "cancel resumed, move speaking, take, judge",
        "stalled": "open late_words",
    },
    ("EndOfTurn", "blank"): {
        "listening": "index_moves_on",
        "speaking": "end_empty empty",
        "ending": "end_empty empty",
        "stalled": "note stale_turn, over_for_good",
    },
    ("EndOfTurn", "same"): {
        "speaking": "final, end",
        "ending": "final, end",
        "stalled": "note stale_turn, over_for_good",
    },
    ("EndOfTurn", "new"): {
        "listening": "open missing_start, end",
        "speaking": "final, end",
        "ending": "final, end",
        "stalled": "open late_words, end",
    },
}

PLAYBACK: dict[str, dict[str, str]] = {
    "PlaybackStarted": {"draft": "note early_playback", "pending": "first_sound, judge_words"},
    "PlaybackAdvanced": {
        "draft": "note early_playback",
        "pending": "first_sound, heard, judge_words",
        "audible": "heard",
        "held": "heard",
    },
    "PlaybackFinished": {
        "draft": "note early_playback",
        "pending": "silent, reply_over",
        "audible": "reply_over",
        "held": "reply_over",
    },
}

# While the reply is pending, audible or held; at the end of the turn ("late": it began before the first sound of the
# reply, which is heard by now; "instead": that reply is still pending).
VERDICTS: dict[Verdict, dict[str, str]] = {
    Verdict.YIELD: {
        "pending": "replace",
        "audible": "yield_floor",
        "held": "yield_floor",
        "final": "yield_floor",
        "late": "yield_floor",
        "instead": "replace",
    },
    Verdict.HOLD: {
        "pending": "",
        "audible": "hold",
        "held": "",
        "final": "keep kept",
        "late": "keep deferred",
        "instead": "replace",
    },
    Verdict.WAIT: {
        "pending": "",
        "audible": "",
        "held": "",
        "final": "keep kept",
        "late": "keep deferred",
        "instead": "replace",
    },
    Verdict.KEEP: dict.fromkeys(("pending", "audible", "held", "final", "late", "instead"), "keep kept"),
    Verdict.DEFER: dict.fromkeys(("pending", "audible", "held", "final", "late", "instead"), "keep deferred"),
}

DEADLINES = ("hold", "suspended", "stall", "idle")
SPOKEN_SIGNS = "%&@#*"


@cache
def said(text: str) -> tuple[str, ...]:
    """The words of a text: no case, no punctuation but what is said or stands between two digits.

    Each letter of Chinese, Japanese, Thai, Lao, Khmer and Burmese is a word, with the marks on it.
    """
    usual = "".join(unicodedata.normalize("NFKC", sign) if is_wide(sign) else sign for sign in text)
    text = unicodedata.normalize("NFC", usual).casefold()
    kept = ""
    for before, sign, after in zip(" " + text, text, text[1:] + " ", strict=False):
        silent = unicodedata.category(sign)[0] == "P" and sign not in SPOKEN_SIGNS
        if is_word(sign):
            kept += f" {sign}"
        elif is_word(before) and unicodedata.category(sign)[0] != "M":
            kept += " " if silent else f" {sign}"
        else:
            kept += "" if silent and not (before.isdigit() and after.isdigit()) else sign
    return tuple(kept.split())


def is_wide(sign: str) -> bool:
    """Whether it is a form of another width than the usual one."""
    return unicodedata.east_asian_width(sign) in ("F", "H")


def is_word(sign: str) -> bool:
    """Whether it is a letter of a script that puts no spaces between words."""
    script = unicodedata.name(sign, "").split(" ")[0].split("-")[0]
    scripts = ("CJK", "HIRAGANA", "KATAKANA", "BOPOMOFO", "THAI", "LAO", "KHMER", "MYANMAR")
    return script in scripts and unicodedata.category(sign)[0] == "L"


# What is remembered -----------------------------------------------------------------------------------------------


@dataclass
class Turn:
    """The open turn; `overlap` is None, undecided, kept or deferred, and `why` the policy's reason for it."""

    number: int
    index: int
    text: str
    started: float
    drafts: int = 0
    stalled: bool = False
    overlap: str | None = None
    why: str = ""
    early: bool = False  # when it began, the reply that it overlaps was still pending
    silenced: bool = False  # a reply that was not heard yet has been cancelled for it


@dataclass
class Draft:
    """A reply made on speculation."""

    reply: int
    text: str
    protected: bool = False


@dataclass
class Floor:
    """The reply that has the floor; `state` is pending, audible or held."""

    reply: int
    turn: int | None
    text: str
    protected: bool
    before: tuple[str, ...]  # the unanswered words that its Commit has brought
    waits: bool = False  # an initiative that is offered again if a turn cancels it
    state: str = "pending"
    audible_at: float = 0.0
    heard: str = ""


@dataclass
class Suspended:
    """A turn that waits for its Commit; `reason` is why it is dropped if another begins first."""

    turn: int
    text: str
    trigger: str
    reason: str
    words: tuple[Any, ...] = ()
    languages: tuple[str, ...] = ()


@dataclass
class Unannounced:
    """Words that no StartOfTurn has announced."""

    index: int
    text: str
    since: float


@dataclass
class Oracle:
    """The same questions and answers as `TurnMachine`; a Note's detail is left empty."""

    barge_in: Callable[[Overlap], Any]
    speculation: Callable[[Pause], Any]
    hold_timeout: float = 2.0
    lost_turn_grace: float = 2.0
    stall_timeout: float = 8.0
    stall_grace: float = 2.0
    idle_timeout: float | None = None

    now: float | None = None
    closed: bool = False
    user: str = "listening"
    turn: Turn | None = None
    draft: Draft | None = None
    floor: Floor | None = None
    suspended: Suspended | None = None
    unannounced: Unannounced | None = None
    after: tuple[str, ...] = ()  # the unanswered words that have come after the Commit of the reply on the floor
    waiting: tuple[bool, ...] = ()  # initiatives, each protected or not
    ended: int = -1  # Flux's index of the last turn that ended on this connection
    stalled_text: str | None = None  # the words with which turnkit itself ended that turn
    turns: int = 0
    replies: int = 0
    idles: int = 0
    busy: bool = False
    deadlines: dict[str, float] = field(default_factory=dict)
    event: Any = None  # the one being taken
    out: list[Signal] = field(default_factory=list)

    # The questions ------------------------------------------------------------------------------------------------

    def feed(self, event: Any, at: float) -> tuple[Signal, ...]:
        """Deadlines that have passed first, then the event, then what it has made due."""
        if self.closed or not isinstance(event, get_args(Event)):
            raise LocalProtocolError("no event, or an event after close()")
        self.pass_time(at)
        self.event = event
        name = type(event).__name__
        if hasattr(event, "turn_index"):
            self.turn_event(event, name)
        elif name in PLAYBACK:
            self.playback(event, name)
        else:
            getattr(self, name)(event)
        self.expire()
        return tuple(self.out)

    def wake(self, at: float) -> tuple[Signal, ...]:
        """Time passes."""
        self.pass_time(at)
        return tuple(self.out)

    def close(self, at: float) -> tuple[Signal, ...]:
        """Close. A draft or pending reply: Cancel `closed`; an open or suspended turn: TurnDropped `closed`."""
        self.check_time(at)
        self.now, self.out = at, []
        if self.closed:
            return ()
        self.cancel("closed")
        if self.floor is not None and self.floor.state == "pending":
            self.cancel_pending("closed")
        for _ in self.waiting:
            self.tell(Cancel(None, self.new_reply(), CancelReason.CLOSED, at=self.at))
        self.waiting = ()
        if self.turn is not None:
            self.drop(self.turn, "closed")
        if self.suspended is not None:
            self.drop_suspended("closed")
        if self.unannounced is not None:
            self.drop(self.open_unannounced(), "closed")
        self.closed = True
        return tuple(self.out)

    @property
    def unanswered(self) -> tuple[str, ...]:
        """All of them, oldest first: those that the reply on the floor is to answer too, unless it is heard."""
        return self.after if self.floor is None else self.floor.before + self.after

    @property
    def deadline(self) -> float | None:
        """The soonest deadline; the idle clock counts only while nobody has the floor."""
        due = [when for _, when in self.due()]
        return min(due) if due else None

    # Time ---------------------------------------------------------------------------------------------------------

    def check_time(self, at: float) -> None:
        if not (-inf if self.now is None else self.now) <= at < inf or at == -inf:
            raise LocalProtocolError("time goes on, in finite seconds")

    def pass_time(self, at: float) -> None:
        self.check_time(at)
        begun = self.now is not None
        self.now, self.out = at, []
        if not begun:
            self.silence_begins()
        self.expire()

    @property
    def at(self) -> float:
        assert self.now is not None
        return self.now

    def quiet(self) -> bool:
        return self.turn is None and self.floor is None and self.suspended is None

    def due(self) -> list[tuple[str, float]]:
        if self.closed:
            return []
        return [
            (name, self.deadlines[name])
            for name in DEADLINES
            if name in self.deadlines and (name != "idle" or self.quiet())
        ]

    def expire(self) -> None:
        """Whatever is due, the oldest first."""
        while self.deadline is not None and self.deadline <= self.at:
            name, when = min(self.due(), key=lambda item: item[1])
            del self.deadlines[name]
            getattr(self, f"{name}_is_due")(when)

    def hold_is_due(self, when: float) -> None:
        """A Hold that nothing decides within `hold_timeout`: Resume `timeout`, still undecided."""
        self.resume("timeout")

    def suspended_is_due(self, when: float) -> None:
        """If none other starts within `lost_turn_grace`, the lost turn is committed after all."""
        self.commit_suspended()

    def stall_is_due(self, when: float) -> None:
        """TurnStalled; with still no progress `stall_grace` later the turn ends with the text it had, or is dropped."""
        assert self.turn is not None
        if not self.turn.stalled:
            self.turn.stalled = True
            self.deadlines["stall"] = self.at + self.stall_grace
            self.tell(TurnStalled(self.turn.number, self.turn.text, at=self.at))
            return
        words = self.turn.text
        if words:
            self.end(trigger="stalled")
        else:
            self.end_empty("stalled")
        self.stalled_text = words

    def idle_is_due(self, when: float) -> None:
        """UserIdle, again each timeout; a late wake reports once, and the next comes after now."""
        assert self.idle_timeout is not None
        self.idles += 1
        self.tell(UserIdle(self.idles, at=self.at))
        again = when + self.idle_timeout
        self.deadlines["idle"] = again if again > self.at else max(self.at + self.idle_timeout, nextafter(self.at, inf))

    def silence_begins(self) -> None:
        """The idle clock starts when nobody has the floor; the deadline is absolute: one that stands is not moved."""
        if self.idle_timeout is not None and self.quiet() and not self.busy:
            self.deadlines.setdefault("idle", self.at + self.idle_timeout)

    # Flux ---------------------------------------------------------------------------------------------------------

    def turn_event(self, event: Any, name: str) -> None:
        """Indexes: stale, of a later turn, of a turn that turnkit has ended; then the table."""
        if self.turn is not None and event.turn_index > self.turn.index:
            if self.turn.text:
                self.end(trigger="missed", note="missed_end")
            else:
                self.end_empty("empty", note="missed_end")
        if self.turn is None and self.unannounced is not None and event.turn_index > self.unannounced.index:
            turn = self.open_unannounced()
            if turn.overlap is not None:
                self.ask(final=False)
            self.end(trigger="missed", note="missed_end")
        column, known = self.user, None
        if self.turn is not None:
            known = self.turn.text
            if event.turn_index < self.turn.index:
                return self.note("stale_turn")
        elif event.turn_index <= self.ended:
            column, known = "stalled", self.stalled_text
            if event.turn_index < self.ended or known is None:
                return self.note("stale_turn")
        words = "blank" if not said(event.transcript) else "new"
        if words == "new" and known is not None and said(event.transcript) == said(known):
            words = "same"
        self.run(TURN_EVENTS[name, words][column])

    def run(self, steps: str) -> None:
        for step in filter(None, steps.split(", ")):
            verb, *arguments = step.split()
            getattr(self, verb)(*arguments)

    def count_anew(self) -> None:
        self.unannounced = None

    def count_unannounced(self) -> None:
        """Updates with words of one index that span 0.6 s of audio (a float32 number) are a turn without a start."""
        if self.unannounced is None or self.unannounced.index != self.event.turn_index:
            self.unannounced = Unannounced(self.event.turn_index, "", self.event.audio_end)
        self.unannounced.text = self.event.transcript
        if self.event.audio_end - self.unannounced.since >= 0.6 - 1e-6:
            self.open("missing_start")

    def open_unannounced(self) -> Turn:
        """Words that no StartOfTurn announced are a turn after all; nobody is asked about it here."""
        words = self.unannounced
        assert words is not None
        event, self.event = self.event, Update(words.index, words.text)
        self.open("missing_start", ask=False)
        self.event = event
        assert self.turn is not None
        return self.turn

    def index_moves_on(self) -> None:
        self.ended = self.event.turn_index
        self.unannounced = self.stalled_text = None

    def over_for_good(self) -> None:
        """Flux itself has now ended the turn that turnkit had ended as stalled."""
        self.stalled_text = None

    def open(self, note: str | None = None, ask: bool = True) -> None:
        """A turn begins. A suspended one is dropped and its text becomes unanswered; then *taking the floor*."""
        self.supersede_suspended()
        if note is not None:
            self.note(note)
        text = self.event.transcript if said(self.event.transcript) else ""
        if not text and self.unannounced is not None and self.unannounced.index == self.event.turn_index:
            text = self.unannounced.text
        self.turn = Turn(self.turns, self.event.turn_index, text, self.at)
        self.turns += 1
        self.unannounced = self.stalled_text = None
        self.move("speaking")
        self.tell(TurnStarted(self.turn.number, text, self.on_floor(), at=self.at))
        if self.floor is not None:
            self.turn.overlap, self.turn.early = "undecided", self.floor.state == "pending"
            if ask and (text or not self.turn.early):
                self.ask(final=False)

    def supersede_suspended(self) -> None:
        if self.suspended is not None:
            self.after += (self.suspended.text,)
            self.drop_suspended(self.suspended.reason)

    def on_floor(self) -> int | None:
        return None if self.floor is None else self.floor.reply

    def move(self, state: str) -> None:
        """A new state of the user is progress."""
        if state != self.user:
            self.progress()
        self.user = state

    def progress(self) -> None:
        assert self.turn is not None
        self.turn.stalled = False
        self.deadlines["stall"] = self.at + self.stall_timeout

    def take(self) -> None:
        """The latest text that is not blank is the turn's; new words are progress and TurnUpdated."""
        assert self.turn is not None
        news = said(self.event.transcript) != said(self.turn.text)
        self.turn.text = self.event.transcript
        if news:
            self.progress()
            self.tell(TurnUpdated(self.turn.number, self.turn.text, self.event.confidence, at=self.at))

    def final(self) -> None:
        """An EndOfTurn's text is final; it is told by what ends the turn."""
        assert self.turn is not None
        self.turn.text = self.event.transcript

    def speculate(self) -> None:
        """Speculate if the policy says so and there is no overlap, decided or not."""
        turn = self.turn
        assert turn is not None
        if turn.overlap is not None:
            return
        try:
            answer = self.speculation(Pause(turn.text, self.event.confidence, turn.drafts, self.at - turn.started))
            start, why = answer if isinstance(answer, tuple) else (answer, "")
            if not isinstance(start, bool):
                raise TypeError
        except Exception:
            return self.note("policy_failed")
        if start:
            turn.drafts += 1
            self.draft = Draft(self.new_reply(), turn.text)
            news = (turn.text, self.event.confidence, str(why), self.unanswered)
            timed = (self.event.words, self.event.languages)
            self.tell(Speculate(turn.number, self.draft.reply, *news, *timed, at=self.at))

    # The end of a turn --------------------------------------------------------------------------------------------

    def end(self, trigger: str | None = None, note: str | None = None) -> None:
        """Ending the turn: kept is dropped, deferred waits for the floor, all else is committed."""
        turn = self.turn
        assert turn is not None
        timed = (self.event.words, self.event.languages) if trigger is None else ((), ())
        trigger = self.event.trigger if trigger is None else trigger
        self.idles = 0
        if turn.overlap == "undecided":
            self.ask(final=True)
        if note is not None:
            self.note(note)
        if turn.overlap == "kept":
            return self.drop(turn, "overlap_kept", turn.why)
        if turn.overlap == "deferred":
            self.suspended = Suspended(turn.number, turn.text, trigger, "superseded", *timed)
        else:
            if self.draft is not None and said(self.draft.text) != said(turn.text):
                self.cancel("transcript_changed")
            self.commit(turn.number, turn.text, trigger, timed)
        self.turn_over()

    def end_empty(self, reason: str, note: str | None = None) -> None:
        """Cancel the draft `empty_turn`; Resume a held reply `empty_turn`; TurnDropped."""
        assert self.turn is not None
        self.cancel("empty_turn")
        self.resume("empty_turn")
        if note is not None:
            self.note(note)
        self.drop(self.turn, reason)

    def StreamLost(self, event: Any) -> None:
        """Words and no overlap: suspended, to be committed after the grace. Else dropped at once. Indexes restart."""
        if self.unannounced is not None and (self.suspended is None or "suspended" in self.deadlines):
            self.open_unannounced()
        self.unannounced = None
        turn = self.turn
        if turn is not None:
            self.cancel("stream_lost")
            early = turn.early and turn.overlap == "undecided" and turn.text != ""
            if early and self.floor is not None and self.floor.state == "pending" and not self.floor.protected:
                self.replace()
            if turn.text and turn.overlap is None:
                self.idles = 0
                self.suspended = Suspended(turn.number, turn.text, "stream_lost", "stream_lost")
                self.deadlines["suspended"] = self.at + self.lost_turn_grace
                self.deadlines.pop("idle", None)
                self.turn_over()
            else:
                self.resume("turn_lost")
                if turn.text:
                    self.idles = 0
                if turn.text and (turn.overlap == "deferred" or early):
                    self.after += (turn.text,)
                self.drop(turn, "stream_lost")
        self.ended, self.stalled_text = -1, None

    def StreamRestored(self, event: Any) -> None:
        """Any turn event implies it."""

    def drop(self, turn: Turn, reason: str, why: str = "") -> None:
        self.tell(TurnDropped(turn.number, turn.text, DropReason(reason), why, at=self.at))
        self.turn_over()
        if reason == "closed":
            return
        if turn.silenced and self.unanswered:
            self.commit(None, "", "unanswered")
        self.next_in_line()

    def turn_over(self) -> None:
        assert self.turn is not None
        self.ended, self.stalled_text = self.turn.index, None
        self.turn, self.user = None, "listening"
        self.deadlines.pop("stall", None)

    def next_in_line(self) -> None:
        """Nobody has the floor: it goes to the turn that waits for it, or to the agent's initiative, or is silent."""
        if self.turn is None and self.floor is None and self.suspended is not None:
            if "suspended" not in self.deadlines:
                self.commit_suspended()
        elif self.quiet() and self.waiting:
            protected, self.waiting = self.waiting[0], self.waiting[1:]
            self.commit(None, "", "initiate", protected=protected, waits=True)
        else:
            self.silence_begins()

    def commit_suspended(self) -> None:
        waiting = self.suspended
        assert waiting is not None
        self.forget_suspended()
        self.commit(waiting.turn, waiting.text, waiting.trigger, (waiting.words, waiting.languages))

    def drop_suspended(self, reason: str) -> None:
        assert self.suspended is not None
        self.tell(TurnDropped(self.suspended.turn, self.suspended.text, DropReason(reason), at=self.at))
        self.forget_suspended()

    def forget_suspended(self) -> None:
        self.suspended = None
        self.deadlines.pop("suspended", None)

    # The overlap --------------------------------------------------------------------------------------------------

    def judge(self) -> None:
        """At every later event of the turn, while undecided, the policy is asked again."""
        if self.turn is not None and self.turn.overlap == "undecided":
            self.ask(final=False)

    def judge_words(self) -> None:
        """So it is at the first sound, if there are words that it is over."""
        if self.turn is not None and self.turn.text:
            self.judge()

    def ask(self, final: bool) -> None:
        """A protected reply is always DEFER; a policy that fails gives the user the floor.

        A turn that began before the reply was heard is no backchannel for being undecided at its end.
        """
        turn, floor = self.turn, self.floor
        assert turn is not None
        assert floor is not None
        if floor.protected:
            verdict, turn.why = Verdict.DEFER, "the reply is protected"
        else:
            elapsed, held, pending = self.at - turn.started, floor.state == "held", floor.state == "pending"
            playing = 0.0 if pending else self.at - floor.audible_at
            try:
                answer = self.barge_in(Overlap(turn.text, elapsed, playing, floor.heard, held, final, pending))
                verdict, turn.why = answer if isinstance(answer, tuple) else (answer, "")
                verdict = Verdict(verdict)
            except Exception:
                self.note("policy_failed")
                verdict, turn.why = Verdict.YIELD, "the policy failed"
        now = "instead" if floor.state == "pending" else "late" if turn.early else "final"
        self.run(VERDICTS[verdict][now if final else floor.state])

    def yield_floor(self) -> None:
        assert self.turn is not None
        self.barge(self.turn.number, self.turn.text, self.turn.why)

    def barge(self, turn: int | None, text: str, why: str) -> None:
        assert self.floor is not None
        self.tell(BargeIn(turn, self.floor.reply, text, why, self.floor.heard, at=self.at))
        self.free_floor()

    def replace(self) -> None:
        """A pending reply gets Cancel `new_turn`, and what it was to answer becomes unanswered."""
        assert self.floor is not None
        if self.turn is not None:
            self.turn.silenced = True
        if self.floor.waits:
            self.waiting = (self.floor.protected, *self.waiting)
        self.unheard()
        self.cancel_pending("new_turn")

    def hold(self) -> None:
        assert self.turn is not None
        assert self.floor is not None
        self.floor.state = "held"
        self.deadlines["hold"] = self.at + self.hold_timeout
        self.tell(Hold(self.turn.number, self.floor.reply, self.turn.why, at=self.at))

    def keep(self, how: str) -> None:
        assert self.turn is not None
        self.turn.overlap = how
        self.resume("backchannel")

    def resume(self, reason: str) -> None:
        if self.floor is not None and self.floor.state == "held":
            assert self.turn is not None
            self.floor.state = "audible"
            self.deadlines.pop("hold", None)
            self.tell(Resume(self.turn.number, self.floor.reply, ResumeReason(reason), at=self.at))

    # Replies ------------------------------------------------------------------------------------------------------

    def new_reply(self) -> int:
        self.replies += 1
        return self.replies - 1

    def cancel(self, reason: str) -> None:
        """The draft, if there is one."""
        if self.draft is not None:
            assert self.turn is not None
            self.tell(Cancel(self.turn.number, self.draft.reply, CancelReason(reason), at=self.at))
            self.draft = None

    def cancel_pending(self, reason: str) -> None:
        assert self.floor is not None
        self.tell(Cancel(self.floor.turn, self.floor.reply, CancelReason(reason), at=self.at))
        self.free_floor()

    def commit(
        self,
        turn: int | None,
        text: str,
        trigger: str,
        timed: tuple[Any, Any] = ((), ()),
        protected: bool = False,
        waits: bool = False,
    ) -> None:
        """The draft gets the floor, or else a new reply; `unanswered` stays until something is heard."""
        draft, self.draft = self.draft, None
        reply = self.new_reply() if draft is None else draft.reply
        protected = protected if draft is None else draft.protected
        self.floor, self.after = Floor(reply, turn, text, protected, self.after, waits), ()
        self.deadlines.pop("idle", None)
        self.tell(Commit(turn, reply, text, draft is not None, trigger, self.unanswered, *timed, at=self.at))

    def free_floor(self) -> None:
        """If the reply is over, so is the overlap, decided or not: the turn is an ordinary one."""
        assert self.floor is not None
        self.after = self.floor.before + self.after
        self.floor = None
        self.deadlines.pop("hold", None)
        if self.turn is not None:
            self.turn.overlap = None

    def playback(self, event: Any, name: str) -> None:
        """Reports about a closed reply change nothing."""
        if self.draft is not None and event.reply == self.draft.reply:
            self.run(PLAYBACK[name]["draft"])
        elif self.floor is not None and event.reply == self.floor.reply:
            self.run(PLAYBACK[name].get(self.floor.state, ""))

    def first_sound(self) -> None:
        assert self.floor is not None
        self.floor.state, self.floor.audible_at = "audible", self.at
        self.floor.before = ()

    def heard(self) -> None:
        assert self.floor is not None
        self.floor.heard = self.event.heard

    def silent(self) -> None:
        """Over without a sound: unless it failed, that was its author's answer."""
        assert self.floor is not None
        if self.event.failed:
            self.unheard()
        else:
            self.floor.before = ()

    def unheard(self) -> None:
        assert self.floor is not None
        if self.floor.turn is not None:
            self.floor.before += (self.floor.text,)

    def reply_over(self) -> None:
        self.free_floor()
        self.next_in_line()

    # The host -----------------------------------------------------------------------------------------------------

    def Initiate(self, event: Any) -> None:
        """Refused while the user has a turn open, one is suspended, or a reply has the floor; or it waits till then."""
        if self.quiet():
            self.commit(None, "", "initiate", protected=event.protected, waits=event.wait)
        elif event.wait:
            self.waiting += (event.protected,)
        else:
            self.tell(Cancel(None, self.new_reply(), CancelReason.FLOOR_TAKEN, at=self.at))

    def Interrupt(self, event: Any) -> None:
        """The user takes the floor otherwise than by speech; what was typed is a turn, over as it begins."""
        self.idles = 0
        self.deadlines.pop("idle", None)
        floor = self.floor
        may_stop = floor is not None and not floor.protected
        if said(event.transcript):
            return self.typed(event.transcript, may_stop)
        if floor is not None and may_stop:
            if floor.state == "pending":
                self.unheard()
                self.cancel_pending("interrupted")
            else:
                number, words = (None, "") if self.turn is None else (self.turn.number, self.turn.text)
                self.barge(number, words, "the host interrupted")
        self.next_in_line()

    def typed(self, text: str, may_stop: bool) -> None:
        """An open turn ends with the words it has, which become unanswered; new words of it are a fresh turn."""
        if self.turn is not None:
            self.cut_short(self.turn)
        self.supersede_suspended()
        number, self.turns = self.turns, self.turns + 1
        self.tell(TurnStarted(number, text, self.on_floor(), at=self.at))
        if self.floor is not None and not may_stop:
            self.suspended = Suspended(number, text, "typed", "superseded")
            return
        if self.floor is not None and self.floor.state == "pending":
            self.replace()
        elif self.floor is not None:
            self.barge(number, text, "the host interrupted")
        self.commit(number, text, "typed")

    def cut_short(self, turn: Turn) -> None:
        self.cancel("interrupted")
        if not turn.text:
            reason, why = DropReason.EMPTY, ""
        elif turn.overlap == "kept":
            reason, why = DropReason.OVERLAP_KEPT, turn.why
        else:
            reason, why = DropReason.SUPERSEDED, ""
            self.after += (turn.text,)
        self.tell(TurnDropped(turn.number, turn.text, reason, why, at=self.at))
        self.turn_over()
        self.stalled_text = turn.text

    def Protect(self, event: Any) -> None:
        """Also of a draft, for later; words are not lost because the agent could not stop."""
        if self.draft is not None and event.reply == self.draft.reply:
            self.draft.protected = event.on
        elif self.floor is not None and event.reply == self.floor.reply:
            self.floor.protected = event.on
            if event.on:
                self.judge()

    def DraftDiscarded(self, event: Any) -> None:
        """Cancel with that reason; the end of the turn then commits a fresh reply."""
        if self.draft is not None and event.reply == self.draft.reply:
            self.cancel("context_changed" if event.reason == "context_changed" else "failed")

    def Busy(self, event: Any) -> None:
        """The idle clock stands still while something runs, and starts anew after it."""
        self.busy = event.on
        self.deadlines.pop("idle", None)
        self.silence_begins()

    # Answers ------------------------------------------------------------------------------------------------------

    def tell(self, signal: Signal) -> None:
        self.out.append(signal)

    def note(self, kind: str) -> None:
        self.tell(Note(NoteKind(kind), "", at=self.at))
