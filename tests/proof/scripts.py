"""Scripts for machine and oracle: random courses of a call, with the oracle's answers written beside each step.

`play` takes a machine through one and tells the first difference. Many scripts come from numbered seeds, and are kept:
they are also what `mutants.py` lets loose on damaged machines.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from functools import cache
from random import Random
from typing import Any, NamedTuple, TypeAlias

import msgspec

from tests.proof.oracle import Oracle, said
from turnkit.errors import LocalProtocolError
from turnkit.turns.events import (
    Busy,
    DraftDiscarded,
    EagerEndOfTurn,
    EndOfTurn,
    Initiate,
    Interrupt,
    Note,
    NoteKind,
    PlaybackAdvanced,
    PlaybackFinished,
    PlaybackStarted,
    Protect,
    Signal,
    StartOfTurn,
    StreamLost,
    StreamRestored,
    TimedWord,
    TurnResumed,
    Update,
    UserIdle,
)
from turnkit.turns.machine import TurnMachine
from turnkit.turns.policy import (
    Budget,
    Immediate,
    MinConfidence,
    MinWords,
    Never,
    NoSpeculation,
    OnEager,
    Overlap,
    Pause,
)
from turnkit.turns.policy import Verdict as V

# Policies ---------------------------------------------------------------------------------------------------------


def moody(overlap: Overlap) -> tuple[V, str]:
    """Every verdict there is, by all that an overlap tells."""
    mood = len(overlap.transcript) + int(overlap.elapsed * 8) + int(overlap.playing * 8) + len(overlap.heard)
    return list(V)[(mood + 2 * overlap.held + overlap.final + 3 * overlap.pending) % len(V)], f"mood {mood}"


def by_word(overlap: Overlap) -> V | tuple[V, str]:
    """The user says it: each verdict has its word, and may be taken back while undecided."""
    verdicts = {"stop": V.YIELD, "mm": V.KEEP, "later": V.DEFER, "uh": V.WAIT}
    for word in reversed(said(overlap.transcript)):
        if word in verdicts:
            return verdicts[word], f"heard {len(word)} letters"
    return V.HOLD


def hold_then_ask(overlap: Overlap) -> str:
    """A string is a verdict too."""
    return "hold" if not overlap.final else ["yield", "keep", "defer"][len(overlap.transcript) % 3]


def broken(situation: Overlap | Pause) -> Any:
    """Fails in each way there is."""
    if len(situation.transcript) % 3 == 0:
        raise RuntimeError(situation.transcript)
    return None if len(situation.transcript) % 3 == 1 else (True, "a", "b")


def frugal(pause: Pause) -> tuple[bool, str]:
    return pause.attempts < 2 and pause.confidence > 0.3, f"after {pause.elapsed:.2f} s"


BARGE_IN: list[Callable[[Overlap], Any]] = [
    *(Immediate(), Never(), MinWords(2), moody, by_word, by_word, by_word, hold_then_ask, broken),
    *(lambda overlap: V.WAIT, lambda overlap: V.KEEP if overlap.final else V.HOLD),
]
SPECULATION: list[Callable[[Pause], Any]] = [
    *(OnEager(), OnEager(), OnEager(), NoSpeculation(), MinConfidence(0.5), Budget(1, 2.0), frugal, broken)
]

# What was once wrong ----------------------------------------------------------------------------------------------

# The smallest script that showed each defect of the machine that was ever found here.
MENDED: dict[str, list[tuple[str, Any, float]]] = {
    "time may begin at minus infinity, which is no finite second": [("wake", None, -float("inf"))],
    "a closed machine that was woken takes blank Updates": [
        ("close", None, 0.0),
        ("wake", None, 1.0),
        ("feed", Update(0, ""), 2.0),
    ],
    "an EagerEndOfTurn with late words of a stalled turn asks the barge-in policy twice": [
        ("feed", StartOfTurn(0, "tea"), 0.0),
        ("wake", None, 8.0),
        ("wake", None, 10.0),
        ("feed", PlaybackStarted(0), 11.0),
        ("feed", EagerEndOfTurn(0, "tea for two"), 12.0),
    ],
    "words lost with the stream in an overlap do not end the counting of silences": [
        ("wake", None, 0.0),
        ("wake", None, 1.0),
        ("feed", Initiate(), 1.0),
        ("feed", PlaybackStarted(0), 1.0),
        ("feed", StartOfTurn(0, "uh"), 1.0),
        ("feed", StreamLost(), 1.0),
        ("feed", PlaybackFinished(0), 1.0),
        ("wake", None, 2.0),
    ],
}

# Scripts ----------------------------------------------------------------------------------------------------------

# Equal words in other dress are neighbours; the words of `by_word` are among them.
WORDS = [
    *("", " ", "?!", "tea", "Tea.", "tea for two", "Tea for two!", "tea  for two milk", "stop", "uh", "uh stop", "mm"),
    *(
        "mm-hm",
        "later",
        "uh later",
        "uh mm",
        "hold on",
        "3.5",
        "35",
        "हाँ",
        "はい。",
        "はい",
        "は い",
        "はいｔｅａ",
        "はい tea",
        "３．５",
        "กี่",
        "กี่ คน",
        "กี่คน",
        "straße",
        "STRASSE",
        "tea。",
    ),
]
SECRETS = ("for two", "hold on", "STRASSE", "हाँ")  # of which no Note may tell
COURSE = ["tea", "tea。", "tea for two", "Tea for two!", "uh", "uh mm", "uh later", "uh stop", "hold on", "mm"]
TIMED = [((), ()), ((TimedWord("tea", 0.5, 0.75, 0.9),), ("en",)), ((), ("en", "hi"))]
LAPSES = [0.0, 0.0, 0.25, 0.25, 0.5, 0.08, 0.3, 1.0]  # a quarter is exact: deadlines meet
CONFIDENCES = [0.0, 0.25, 0.5, 0.75, 1.0]

MACHINE_NOTES = {
    *(NoteKind.STALE_TURN, NoteKind.MISSED_END, NoteKind.MISSING_START, NoteKind.DUPLICATE_START),
    *(NoteKind.MISSING_RESUME, NoteKind.STRAY_RESUME, NoteKind.BLANK_EAGER, NoteKind.LATE_WORDS),
    *(NoteKind.EARLY_PLAYBACK, NoteKind.POLICY_FAILED),
}

Asked: TypeAlias = tuple[Overlap | Pause, ...]


class Answer(NamedTuple):
    """All that can be observed of one step."""

    signals: tuple[Signal, ...] | str  # or the name of what it raised
    asked: Asked
    deadline: float | None
    user: str
    turn: int | None
    draft: int | None
    floor: tuple[int, str] | None
    suspended: int | None
    unanswered: tuple[str, ...]
    waiting: int
    closed: bool


class Step(NamedTuple):
    """`do` is feed, wake, close or cut (a snapshot is taken, and what is restored from it goes on)."""

    do: str
    at: float
    event: Any
    answer: Answer


class Script(NamedTuple):
    """A course of a call; `settings` are the machine's."""

    settings: dict[str, Any]
    steps: list[Step]


class Asking:
    """A policy that writes down what it was asked."""

    def __init__(self, policy: Callable[[Any], Any], asked: list[Any]) -> None:
        self.policy, self.asked = policy, asked

    def __call__(self, situation: Any) -> Any:
        self.asked.append(situation)
        return self.policy(situation)


def asking(settings: dict[str, Any], asked: list[Any]) -> dict[str, Any]:
    both = {name: Asking(settings[name], asked) for name in ("barge_in", "speculation")}
    return {**settings, **both}


class Author:
    """Writes one script; `random` decides everything, the oracle answers."""

    def __init__(self, random: Random) -> None:
        self.random = random
        choose = random.choice
        self.settings: dict[str, Any] = {
            "barge_in": choose(BARGE_IN),
            "speculation": choose(SPECULATION),
            "hold_timeout": choose([0.5, 2.0]),
            "lost_turn_grace": choose([0.0, 0.5, 2.0]),
            "stall_timeout": choose([0.5, 1.0, 8.0]),
            "stall_grace": choose([0.0, 0.5, 2.0]),
            "idle_timeout": choose([None, 0.5, 0.75, 3.0]),
        }
        self.asked: list[Overlap | Pause] = []
        self.oracle = Oracle(**asking(self.settings, self.asked))
        self.at: float = choose([0.0, 0.0, 1000.0, -3.0, 123456.7])
        self.audio = 0.0
        self.noisy = choose([True, False])  # Flux's audio times are float32
        self.index = 0
        self.flux_speaks = False
        self.hostile = choose([0.05, 0.2, 1.0])
        self.steps: list[Step] = []

    def write(self, length: int) -> Script:
        for _ in range(length):
            self.step()
        if self.random.random() < 0.5:
            self.do("close", None)
            for do, event in (("feed", Update(99, "")), ("feed", self.any_event()), ("wake", None), ("close", None)):
                self.do(do, event)
        return Script(self.settings, self.steps)

    def step(self) -> None:
        chance = self.random.random()
        oracle = self.oracle
        lapse = self.random.choice(LAPSES)
        if chance < 0.12 and oracle.deadline is not None:
            self.at = oracle.deadline + self.random.choice([0.0, 0.0, 0.0, 0.1, -0.05, 1.0])
            self.at = max(self.at, oracle.at)
            self.do(*(("wake", None) if self.random.random() < 0.6 else ("feed", self.next_event())))
        elif chance < 0.15:
            self.do("cut", None)
        elif chance < 0.165:
            steps = [("wake", None), ("close", None), ("feed", self.any_event()), ("feed", Update(self.index, ""))]
            self.do(*self.random.choice(steps), self.bad_time())
        elif chance < 0.17:
            self.do("feed", self.random.choice([None, "StartOfTurn", StartOfTurn, UserIdle(1, at=self.at)]))
        elif chance < 0.2:
            self.at += self.random.choice([0.5, 2.0, 20.0])
            self.do("wake", None)
        else:
            self.at += lapse
            self.audio = array("f", [self.audio + lapse])[0] if self.noisy else self.audio + lapse
            self.do("feed", self.next_event())

    def bad_time(self) -> float:
        times = [float("nan"), float("inf")]
        now = self.oracle.now
        return self.random.choice(times if now is None else [*times, -float("inf"), now - 0.25, now - 1e-9])

    def do(self, do: str, event: Any, at: float | None = None) -> None:
        at = self.at if at is None else at
        answer = observe(self.oracle, do, event, at, self.asked)
        self.steps.append(Step(do, at, event, answer))

    # What happens -------------------------------------------------------------------------------------------------

    def next_event(self) -> Any:
        chance = self.random.random()
        if self.random.random() < self.hostile:
            return self.any_event()
        if chance < 0.04:
            return self.lost() if chance < 0.02 else Busy(chance < 0.03)
        if chance < 0.4 and (self.oracle.floor or self.oracle.draft):
            return self.host_event()
        if chance < 0.15 and self.oracle.quiet():
            return Initiate(chance < 0.1, chance < 0.06)
        if chance > 0.98:
            return self.random.choice(
                [Initiate(chance > 0.99, True), Interrupt(), Interrupt(self.random.choice(COURSE))]
            )
        return self.flux_event()

    def lost(self) -> StreamLost:
        self.index, self.flux_speaks = 0, False
        return StreamLost("gone")

    def flux_event(self) -> Any:
        """What Flux says next in the usual course of a turn."""
        choose = self.random.choice
        fields = (choose(COURSE), choose(CONFIDENCES), self.audio)
        turn = self.oracle.turn
        if not self.flux_speaks:
            self.flux_speaks = True
            return choose([StartOfTurn, StartOfTurn, Update])(self.index, *fields)
        if turn is not None and choose([True, False]):
            dressed = turn.text.title() + "?"
            fields = (choose([turn.text, turn.text, dressed, dressed, ""]), *fields[1:])
        if self.random.random() < 0.3:
            self.flux_speaks = False
            self.index += 1
            return EndOfTurn(self.index - 1, *fields, choose(["model", "manual", "timeout", ""]), *choose(TIMED))
        if choose([True, False]):
            return EagerEndOfTurn(self.index, *fields, *choose(TIMED))
        if self.oracle.user == "ending":
            return choose([TurnResumed, Update])(self.index, *fields)
        return choose([Update, Update, Update, TurnResumed])(self.index, *fields)

    def host_event(self) -> Any:
        choose = self.random.choice
        on = choose([True, True, False])
        if self.oracle.draft is not None:
            draft = self.oracle.draft.reply
            return choose([Protect(draft, on), DraftDiscarded(draft, choose(["failed", "context_changed", "?"]))])
        assert self.oracle.floor is not None
        reply = self.oracle.floor.reply
        if self.oracle.floor.state == "pending":
            # Not often at once: turns begin over replies that are not heard yet.
            if choose([True, False]):
                return self.flux_event()
            silent = [PlaybackFinished(reply), PlaybackFinished(reply, failed=True)]
            return choose([PlaybackStarted(reply)] * 3 + [PlaybackAdvanced(reply, "Good"), Protect(reply, on), *silent])
        return choose(
            [PlaybackAdvanced(reply, choose(["Good", "Good day"]))] * 2 + [PlaybackFinished(reply), Protect(reply, on)]
        )

    def any_words(self) -> str:
        known = self.oracle.turn.text if self.oracle.turn else self.oracle.stalled_text
        return self.random.choice([known or "", known or "", "", self.random.choice(WORDS), self.random.choice(WORDS)])

    def any_event(self) -> Any:
        """Anything at all, sensible or not."""
        choose = self.random.choice
        oracle = self.oracle
        index = choose([self.index, self.index, self.index, self.index - 1, self.index + 1, oracle.ended, -2, 7])
        replies = [oracle.replies - 1, oracle.replies, 0, -1]
        replies += [oracle.floor.reply] * 3 if oracle.floor else []
        replies += [oracle.draft.reply] * 3 if oracle.draft else []
        kind = choose(["turn", "turn", "turn", "reply", "host", "stream"])
        if kind == "turn":
            kinds = [StartOfTurn, Update, Update, EagerEndOfTurn, TurnResumed, EndOfTurn]
            return choose(kinds)(index, self.any_words(), choose(CONFIDENCES), self.audio)
        on, reply = choose([True, False]), choose(replies)
        if kind == "reply":
            reports = [PlaybackStarted(reply), PlaybackAdvanced(reply, choose(["", "Good"]))]
            reports.append(PlaybackFinished(reply, failed=on))
            return choose([*reports, Protect(reply, on), DraftDiscarded(reply, choose(["failed", "context_changed"]))])
        if kind == "host":
            typed = Interrupt(self.any_words())
            return choose([Initiate(on), Initiate(False, True), Initiate(on, True), typed, Interrupt(), Busy(on)])
        return self.lost() if on else StreamRestored("back")


def observe(player: Any, do: str, event: Any, at: float, asked: list[Any]) -> Answer:
    """Let a machine or the oracle take one step, and look at all it shows."""
    asked.clear()
    answered: Sequence[Signal] = ()
    refusal = ""
    try:
        if do == "feed":
            answered = player.feed(event, at)
        elif do == "wake":
            answered = player.wake(at)
        elif do == "close":
            answered = player.close(at)
    except LocalProtocolError as error:
        refusal = type(error).__name__
    signals = refusal or tuple([Note(s.kind, "", at=s.at) if type(s) is Note else s for s in answered])
    if type(player) is not Oracle:
        shown = (player.user, player.turn, player.draft, player.floor, player.suspended)
        return Answer(signals, tuple(asked), player.deadline, *shown, player.unanswered, player.waiting, player.closed)
    turn, draft, floor, suspended = player.turn, player.draft, player.floor, player.suspended
    return Answer(
        signals,
        tuple(asked),
        player.deadline,
        player.user,
        None if turn is None else turn.number,
        None if draft is None else draft.reply,
        None if floor is None else (floor.reply, floor.state),
        None if suspended is None else suspended.turn,
        player.unanswered,
        len(player.waiting),
        player.closed,
    )


def restored(machine: Any, settings: dict[str, Any]) -> Any:
    """What goes on from a snapshot; bytes that are none are refused."""
    data = machine.snapshot()
    other = msgspec.msgpack.decode(data)
    other["version"] += 1
    for junk in (b"", data[:-1], b"\x80", msgspec.msgpack.encode(other)):
        try:
            type(machine).restore(junk, **settings)
        except LocalProtocolError:
            continue
        raise AssertionError("junk was taken for a snapshot")
    copy = type(machine).restore(data, **settings)
    assert copy.snapshot() == data, "nothing is lost in a snapshot"
    return copy


class Difference(NamedTuple):
    """Where a machine answers other than the oracle: at which step, and what."""

    step: int
    expected: Answer | str
    answered: Answer | str

    def __str__(self) -> str:
        if isinstance(self.expected, str) or isinstance(self.answered, str):
            return f"step {self.step}: {self.expected!r}, but {self.answered!r}"
        fields = zip(Answer._fields, self.expected, self.answered, strict=True)
        return f"step {self.step}: " + "; ".join(
            f"{name}: oracle {one!r}, machine {other!r}" for name, one, other in fields if one != other
        )


def play(script: Script, machine_class: Callable[..., Any] = TurnMachine) -> Difference | None:
    """Take a machine through a script; the first difference from the oracle's answers, if there is one."""
    asked: list[Any] = []
    settings = asking(script.settings, asked)
    number = -1
    try:
        machine = machine_class(**settings)
        for number, step in enumerate(script.steps):
            if step.do == "cut":
                machine = restored(machine, settings)
            refused = isinstance(step.answer.signals, str)
            before = machine.snapshot() if refused else b""
            answer = observe(machine, step.do, step.event, step.at, asked)
            if answer != step.answer:
                return Difference(number, step.answer, answer)
            if refused and machine.snapshot() != before:
                return Difference(number, "nothing changes", "the snapshot did")
    except Exception as error:
        return Difference(number, "no exception", f"{type(error).__name__}: {error}")
    return None


@cache
def scripts(first: int, last: int, length: int = 40) -> Sequence[Script]:
    """The scripts of the seeds from `first` up to `last`."""
    return [Author(Random(seed)).write(length) for seed in range(first, last)]


def note_details(script: Script, machine_class: Callable[..., Any] = TurnMachine) -> list[str]:
    """What the Notes of a script say."""
    machine = machine_class(**script.settings)
    details = []
    for step in script.steps:
        if isinstance(step.answer.signals, tuple) and step.do != "cut":
            signals = {"feed": machine.feed, "wake": lambda _, at: machine.wake(at)}.get(
                step.do, lambda _, at: machine.close(at)
            )(step.event, step.at)
            details += [signal.detail for signal in signals if isinstance(signal, Note)]
    return details


def by_hand(course: list[tuple[str, Any, float]], **more: Any) -> Script:
    """A script of given steps, with the oracle's answers."""
    asked: list[Any] = []
    settings: dict[str, Any] = {"barge_in": BARGE_IN[-1], "speculation": OnEager(), "idle_timeout": 1.0, **more}
    oracle = Oracle(**asking(settings, asked))
    return Script(settings, [Step(do, at, event, observe(oracle, do, event, at, asked)) for do, event, at in course])
