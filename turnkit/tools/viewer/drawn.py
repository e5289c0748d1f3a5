"""What is drawn of a call, as values: words, turns, replies, marks, figures, and all of them in a scene."""

from __future__ import annotations

import msgspec


class DrawnWord(msgspec.Struct, array_like=True):
    """A word of the user's, or a piece of a reply.

    Attributes:
        start: Second at which it begins.
        end: Second at which it ends.
        text: What was said.
        measured: Whether the times are known, or only that it came in between.
    """

    start: float
    end: float
    text: str
    measured: bool


class DrawnTurn(msgspec.Struct):
    """A turn of the user's as it is drawn; times are seconds, None where nothing is known.

    Attributes:
        turn: Id of the turn.
        start: Second at which it began.
        end: Second at which it ended.
        text: Its last words.
        fate: `answered`, `failed` (its reply did), `unheard` (its reply was cancelled before a sound), `dropped` or
            `open`.
        trigger: Trigger of its Commit.
        reason: Why it was dropped.
        reply: Id of the reply to it.
        last_word: Second at which the user's last word ended.
        sound: Second of the first sound of the reply.
        gap: Seconds from the Commit to the first sound.
        wait: Seconds from the user's last word to the first sound.
        lead: Seconds from the draft to the Commit.
        saved: Seconds of the lead that the reply would have needed.
        words: The words with their times.
        typed: Whether it was typed, and not spoken.
        cut_off: Id of the reply that it stopped.
        stalled: Whether it made no progress for too long.
    """

    turn: int
    start: float
    end: float
    text: str = ""
    fate: str = "open"
    trigger: str = ""
    reason: str = ""
    reply: int | None = None
    last_word: float | None = None
    sound: float | None = None
    gap: float | None = None
    wait: float | None = None
    lead: float | None = None
    saved: float | None = None
    words: list[DrawnWord] = []
    typed: bool = False
    cut_off: int | None = None
    stalled: bool = False


class ReplyPhase(msgspec.Struct, array_like=True):
    """A phase of a reply, from second to second: `draft`, `withdrawn`, `pending`, `audible` or `held`."""

    start: float
    end: float
    kind: str


class DrawnReply(msgspec.Struct):
    """A reply of the agent's as it is drawn.

    Attributes:
        reply: Id of the reply.
        turn: Id of the turn that it answers; None for the agent's own initiative.
        phases: What it was from second to second.
        outcome: How it ended.
        heard: All that was heard of it.
        pieces: What was heard of it, in pieces with their times.
        drafted: Second at which the draft was begun; None if it was none.
        said: All that the bot said for it, heard or not; empty where that was not recorded.
        failed: Whether it came to nothing, or broke off, through a fault of the bot's.
    """

    reply: int
    turn: int | None
    phases: list[ReplyPhase] = []
    outcome: str = ""
    heard: str = ""
    pieces: list[DrawnWord] = []
    drafted: float | None = None
    said: str = ""
    failed: bool = False


class Mark(msgspec.Struct, array_like=True):
    """An event or signal at a second: its name as `kind`, a short label, and the details to show."""

    at: float
    kind: str
    label: str
    details: dict[str, str]


class Figures(msgspec.Struct, frozen=True):
    """A call in figures; seconds, and None where there is nothing to count.

    Attributes:
        turns: Number of turns of the user's.
        answered: Number of them that got an answer.
        failed: Number of them whose reply failed.
        unheard: Number of them whose reply was cancelled before a sound; their words came again with a later turn.
        dropped: Number of them that were to get none.
        failures: Number of replies that failed, drafts among them.
        drafts: Number of drafts begun.
        kept: Number of drafts kept.
        barge_ins: Number of times that the user stopped the agent by talking.
        interrupts: Number of times that the host stopped it for the user.
        outages: Number of times without a stream.
        wait: Median of the seconds that the user waited: from the last word, where its time is known, else from the
            Commit, to the first sound.
        longest: The longest such wait.
        from_commit: Median of the seconds from the Commit to the first sound.
        saved: Median of the seconds that a kept draft saved.
    """

    turns: int = 0
    answered: int = 0
    failed: int = 0
    unheard: int = 0
    dropped: int = 0
    failures: int = 0
    drafts: int = 0
    kept: int = 0
    barge_ins: int = 0
    interrupts: int = 0
    outages: int = 0
    wait: float | None = None
    longest: float | None = None
    from_commit: float | None = None
    saved: float | None = None


class Sound(msgspec.Struct):
    """The audio of a call, to be played in step with what is drawn.

    Attributes:
        source: Address of the file, relative to the page.
        peaks: How loud it is, from 0 to 255 in steps of equal length, in base64.
        seconds: Seconds that it lasts.
    """

    source: str
    peaks: str
    seconds: float


class Scene(msgspec.Struct):
    """All that the page draws; times are seconds from the beginning of the call.

    Attributes:
        title: Id of the session, or the name of the trace.
        began: Wall clock at the beginning, in ISO 8601.
        seconds: Seconds that the call lasted.
        notices: What to know about the recording, in sentences.
        settings: Settings of the machine, as texts.
        thresholds: Thresholds of Flux by the names of its options, where known.
        offset: Second at which the audio's second 0 lies.
        pace: Seconds that a second of audio took: 1, unless a demo or a test hurried.
        turns: Turns of the user.
        replies: Replies of the agent.
        flux: Events of Flux.
        signals: Signals of the machine and the session, and each time that the host took the floor for the user.
        confidence: Second and confidence of each turn event.
        lost: Times without a stream.
        figures: The call in figures.
        sound: The call's audio; None where there is none.
        up: Address of the index of calls, relative to the page; empty where there is none.
    """

    title: str
    began: str
    seconds: float
    notices: list[str]
    settings: dict[str, str]
    thresholds: dict[str, float]
    offset: float = 0.0
    pace: float = 1.0
    turns: list[DrawnTurn] = []
    replies: list[DrawnReply] = []
    flux: list[Mark] = []
    signals: list[Mark] = []
    confidence: list[tuple[float, float]] = []
    lost: list[ReplyPhase] = []
    figures: Figures = Figures()
    sound: Sound | None = None
    up: str = ""
