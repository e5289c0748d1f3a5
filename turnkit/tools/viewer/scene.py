"""Scene of a call, read from its trace: turns, replies, marks and spans, in seconds from the beginning of the call."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from ...errors import ConfigError
from ...trace import Fact, Fed, Trace, replay
from ...turns.events import (
    BargeIn,
    Cancel,
    CancelReason,
    Commit,
    EagerEndOfTurn,
    EndOfTurn,
    Event,
    Hold,
    Interrupt,
    Outcome,
    PlaybackAdvanced,
    PlaybackFinished,
    PlaybackStarted,
    ReplyEnded,
    Resume,
    Signal,
    Speculate,
    StartOfTurn,
    StreamLost,
    StreamRestored,
    TimedWord,
    TurnDropped,
    TurnEvent,
    TurnResumed,
    TurnStalled,
    TurnStarted,
    TurnUpdated,
    Update,
)
from .drawn import DrawnReply, DrawnTurn, DrawnWord, Figures, Mark, ReplyPhase, Scene

_DECIMALS = 4  # of a second: finer than any screen
_ENOUGH_AUDIO = 2.0  # seconds of audio that tell how fast it ran
_DRIFT = 0.2  # what clocks and a stalled network may account for


def scene(trace: Trace) -> Scene:
    """Draw the scene of a trace; of raw frames of Flux, with what turnkit would have decided with its defaults.

    Raises ConfigError for a trace with nothing in it.
    """
    if not trace.records:
        raise ConfigError(f"trace {trace.name!r}: nothing was recorded, so there is nothing to see")
    notices = []
    if (speed := trace.header.speed) != 1.0:
        notices.append(f"The call ran {speed:g} times as fast as people talk; times are the call's own.")
        trace = trace.in_call_time()
    if trace.raw:
        notices.append("Only Flux's frames were recorded: the signals are what turnkit decides with its defaults.")
    elif not trace.ended:
        notices.append("The recording was cut off; it is shown up to there.")
    elif trace.ended == "full":
        notices.append("The recording reached its bound; the call went on.")
    if trace.header.redacted:
        notices.append("Words were replaced before they were written.")
    return _Drawing(trace, notices).finished()


class _Drawing:
    """Draws a scene, going through a trace once."""

    def __init__(self, trace: Trace, notices: list[str]) -> None:
        self._zero = trace.began_at
        options = trace.header.options or {}
        names = ("eot_threshold", "eager_eot_threshold", "eot_timeout_ms")
        self.scene = Scene(
            title=trace.header.session or trace.name,
            began=trace.header.began,
            seconds=max(trace.seconds, 0.001),
            notices=notices,
            settings={name: str(value) for name, value in trace.header.settings.items() if value is not None},
            thresholds={name: float(options[name]) for name in names if isinstance(options.get(name), (int, float))},
        )
        self._turns: dict[int, DrawnTurn] = {}
        self._replies: dict[int, DrawnReply] = {}
        self._phases: dict[int, tuple[str, float]] = {}  # what each living reply is, and since when
        self._open: DrawnTurn | None = None
        self._first_chunks: dict[object, float] = {}  # when each reply began to say something, held back or not
        self._timed_words: dict[int, tuple[TimedWord, ...]] = {}
        self._lost_at: float | None = None
        self._lost_why = ""
        self._interrupting = False  # whether the last event is an Interrupt: the signals answer to it
        self._barge_ins = 0  # without those of the host
        self._pace, self.scene.offset = self._audio_clock(trace.records)
        self.scene.pace = self._pace
        if self._pace != 1.0:
            notices.append(f"The audio ran {1 / self._pace:.1f} times as fast as people talk; times are the machine's.")
        for record in _records_to_draw(trace):
            if isinstance(record, Fed):
                self._draw_event(record.event, round(record.at - self._zero, _DECIMALS))
            elif isinstance(record, Fact):
                self._draw_fact(record)
            else:
                self._draw_signal(record, round(record.at - self._zero, _DECIMALS))

    def _draw_fact(self, fact: Fact) -> None:
        reply = fact.fields["reply"]
        if fact.name == "FirstChunk":
            self._first_chunks.setdefault(reply, fact.at - self._zero)
        elif reply in self._replies:
            self._replies[reply].said = str(fact.fields.get("text", ""))

    def _audio_clock(self, records: Iterable[object]) -> tuple[float, float]:
        """How many seconds a second of audio took (1, unless a demo or a test hurried), and when its second 0 was.

        An event comes after the audio it covers, so the promptest event tells best.
        """
        events = [(r.at, r.event) for r in records if isinstance(r, Fed) and isinstance(r.event, TurnEvent)]
        heard = [(at, event.audio_end) for at, event in events if event.audio_end > 0]
        if not heard:
            return 1.0, 0.0
        span = heard[-1][1] - heard[0][1]
        pace = (heard[-1][0] - heard[0][0]) / span if span > _ENOUGH_AUDIO else 1.0
        pace = pace if abs(pace - 1.0) > _DRIFT and pace > 0 else 1.0
        return pace, min(at - end * pace for at, end in heard) - self._zero

    # Events -------------------------------------------------------------------------------------------------------

    def _draw_event(self, event: Event, at: float) -> None:
        self._interrupting = isinstance(event, Interrupt)
        if isinstance(event, Interrupt):
            details = {"words": event.transcript} if event.transcript else {}
            self.scene.signals.append(Mark(at, "Interrupt", "interrupt", details))
        elif isinstance(event, TurnEvent):
            self._draw_turn_event(event, at)
        elif isinstance(event, (PlaybackStarted, PlaybackAdvanced)):
            self._draw_playback(event, at)
        elif isinstance(event, PlaybackFinished):
            self._end_reply(event.reply, at)
            if event.failed and event.reply in self._replies:
                self._replies[event.reply].outcome = self._replies[event.reply].outcome or "failed"
                self._replies[event.reply].failed = True
        elif isinstance(event, StreamLost):
            self._lost_at, self._lost_why = at, event.reason
        if isinstance(event, StreamRestored):
            self._end_outage(at)

    def _draw_turn_event(self, event: TurnEvent, at: float) -> None:
        self._end_outage(at)
        self.scene.confidence.append((at, round(event.confidence, _DECIMALS)))
        if isinstance(event, (EagerEndOfTurn, EndOfTurn)) and event.words and self._open is not None:
            self._timed_words[self._open.turn] = event.words
        if not isinstance(event, Update) or event.transcript:
            details = {"turn_index": str(event.turn_index), "confidence": f"{event.confidence:.3f}"}
            details["audio"] = f"{event.audio_end:.2f} s"
            if isinstance(event, EndOfTurn) and event.trigger:
                details["trigger"] = event.trigger
            if event.transcript and not isinstance(event, Update):  # those say again what the turn says
                details["words"] = event.transcript
            self.scene.flux.append(Mark(at, type(event).__name__, _FLUX_LABELS.get(type(event), ""), details))

    def _end_outage(self, at: float) -> None:
        if self._lost_at is not None:
            self.scene.lost.append(ReplyPhase(self._lost_at, at, self._lost_why or "lost"))
            self._lost_at = None

    def _draw_playback(self, event: PlaybackStarted | PlaybackAdvanced, at: float) -> None:
        reply = self._replies.get(event.reply)
        if reply is None or event.reply not in self._phases:
            return
        if self._phases[event.reply][0] == "pending":
            self._begin_phase(event.reply, "audible", at)
            self._first_sound(reply, at)
        if isinstance(event, PlaybackAdvanced) and event.heard != reply.heard:
            fresh = event.heard[len(reply.heard) :] if event.heard.startswith(reply.heard) else event.heard
            since = reply.pieces[-1].end if reply.pieces else self._phases[event.reply][1]
            reply.pieces.append(DrawnWord(min(since, at), at, fresh.strip(), True))
            reply.heard = event.heard

    def _first_sound(self, reply: DrawnReply, at: float) -> None:
        turn = None if reply.turn is None else self._turns.get(reply.turn)
        if turn is None or turn.reply != reply.reply:
            return
        turn.sound, turn.gap = at, round(at - turn.end, _DECIMALS)
        chunk = self._first_chunks.get(reply.reply)
        if turn.lead is not None and reply.drafted is not None and chunk is not None:
            # What was ready before the Commit waited for it: only the time it took is saved.
            turn.saved = round(min(turn.lead, chunk - reply.drafted), _DECIMALS)

    # Signals ------------------------------------------------------------------------------------------------------

    def _draw_signal(self, signal: Signal | ReplyEnded, at: float) -> None:
        match signal:
            case TurnStarted(turn=turn, transcript=text):
                drawn = self._turns[turn] = DrawnTurn(turn, at, self.scene.seconds, text, words=[])
                drawn.typed = self._interrupting
                if not drawn.typed:
                    self._open = drawn
                    self._add_words(text, at)
            case TurnUpdated(transcript=text):
                self._add_words(text, at)
            case Speculate(turn=turn, reply=reply):
                self._replies[reply] = DrawnReply(reply, turn, [], pieces=[], drafted=at)
                self._phases[reply] = ("draft", at)
            case Cancel(reply=reply):
                self._cancelled(signal, at)
            case Commit():
                self._committed(signal, at)
            case BargeIn(reply=reply):
                self._barge_ins += not self._interrupting
                self._end_reply(reply, at)
                self._replies[reply].outcome = "interrupted"
                if self._open is not None and not self._interrupting:
                    self._open.cut_off = reply
            case Hold(reply=reply):
                self._begin_phase(reply, "held", at)
            case Resume(reply=reply):
                self._begin_phase(reply, "audible", at)
            case TurnDropped(turn=turn, transcript=text, reason=reason):
                self._end_turn(turn, at, text, "dropped")
                self._turns[turn].reason = reason
            case TurnStalled(turn=turn):
                if turn in self._turns:
                    self._turns[turn].stalled = True
            case ReplyEnded(reply=reply):
                self._reply_ended(signal, at)
        if not isinstance(signal, TurnUpdated):
            fields = msgspec.to_builtins(signal)
            hidden = _HIDDEN | ({"why"} if fields.get("why") else set())
            details = {name: _shown(value) for name, value in fields.items() if name not in hidden}
            if fields.get("why"):
                details["why"] = fields["why"]
            name = type(signal).__name__
            self.scene.signals.append(Mark(at, name, _SIGNAL_LABELS.get(name, name), details))

    def _reply_ended(self, ended: ReplyEnded, at: float) -> None:
        self._end_reply(ended.reply, at)
        reply = self._replies.get(ended.reply)
        if reply is None:
            return
        reply.outcome = ended.outcome if ended.reported else f"{ended.outcome}; nobody reported what was heard"
        reply.heard = ended.heard or reply.heard
        reply.failed = reply.failed or ended.outcome is Outcome.FAILED
        turn = None if reply.turn is None else self._turns.get(reply.turn)
        if turn is not None and turn.reply == ended.reply and not ended.reported:
            turn.sound = turn.gap = turn.saved = None  # nobody knows

    def _add_words(self, text: str, at: float) -> None:
        """Add the words that are new; when they came in between is not known, unless Flux tells at the end."""
        turn = self._open
        if turn is None:
            return
        fresh = text.split()[len(turn.text.split()) if turn.words else 0 :]
        since = turn.words[-1].end if turn.words else max(0.0, at - 0.25)
        step = (at - since) / max(len(fresh), 1)
        turn.words += [DrawnWord(since + i * step, since + (i + 1) * step, word, False) for i, word in enumerate(fresh)]
        turn.text = text

    def _committed(self, signal: Commit, at: float) -> None:
        reply = self._replies.setdefault(signal.reply, DrawnReply(signal.reply, signal.turn, [], pieces=[]))
        if signal.turn is not None:
            self._end_turn(signal.turn, at, signal.transcript, "answered")
            turn = self._turns[signal.turn]
            turn.trigger, turn.reply = signal.trigger, signal.reply
            turn.typed = turn.typed or signal.trigger == "typed"
            if signal.speculative and reply.drafted is not None:
                turn.lead = round(at - reply.drafted, _DECIMALS)
        self._begin_phase(signal.reply, "pending", at)

    def _cancelled(self, signal: Cancel, at: float) -> None:
        reply = self._replies.setdefault(signal.reply, DrawnReply(signal.reply, signal.turn, [], pieces=[]))
        kind, since = self._phases.pop(signal.reply, ("withdrawn", at))
        reply.phases.append(ReplyPhase(since, at, "withdrawn" if kind == "draft" else kind))
        reply.outcome = f"cancelled: {signal.reason.value}"
        reply.failed = signal.reason is CancelReason.FAILED

    def _end_turn(self, turn: int, at: float, text: str, fate: str) -> None:
        ended = self._turns.setdefault(turn, DrawnTurn(turn, at, at, words=[]))
        if ended is self._open:
            self._add_words(text, at)
            self._open = None
        ended.end, ended.text, ended.fate = at, text or ended.text, fate

    def _begin_phase(self, reply: int, kind: str, at: float) -> None:
        before = self._phases.get(reply)
        if before is not None:
            self._replies[reply].phases.append(ReplyPhase(before[1], at, before[0]))
        self._phases[reply] = (kind, at)

    def _end_reply(self, reply: int, at: float) -> None:
        if reply in self._phases and self._phases[reply][0] != "draft":
            kind, since = self._phases.pop(reply)
            self._replies[reply].phases.append(ReplyPhase(since, at, kind))

    # The end ------------------------------------------------------------------------------------------------------

    def finished(self) -> Scene:
        """The scene; what is open is drawn up to the end."""
        self._end_outage(self.scene.seconds)
        for reply, (kind, since) in self._phases.items():
            self._replies[reply].phases.append(ReplyPhase(since, self.scene.seconds, kind))
        for number, words in self._timed_words.items():
            self._place_words(self._turns[number], words)
        for turn in self._turns.values():
            answer = None if turn.reply is None else self._replies.get(turn.reply)
            if turn.fate == "answered" and answer is not None:
                unheard = answer.outcome.startswith("cancelled")
                turn.fate = "failed" if answer.failed else "unheard" if unheard else "answered"
            turn.words = [DrawnWord(round(w.start, 3), round(w.end, 3), w.text, w.measured) for w in turn.words]
        self.scene.turns = list(self._turns.values())
        self.scene.replies = list(self._replies.values())
        self.scene.figures = self._figures()
        return self.scene

    def _figures(self) -> Figures:
        turns, drafts = self.scene.turns, [reply for reply in self.scene.replies if reply.drafted is not None]
        fates = [turn.fate for turn in turns]
        waits = [wait for turn in turns if (wait := turn.wait if turn.wait is not None else turn.gap) is not None]
        return Figures(
            turns=len(turns),
            answered=fates.count("answered"),
            failed=fates.count("failed"),
            unheard=fates.count("unheard"),
            dropped=fates.count("dropped"),
            failures=sum(reply.failed for reply in self.scene.replies),
            drafts=len(drafts),
            kept=sum(turn.lead is not None for turn in turns),
            barge_ins=self._barge_ins,
            interrupts=sum(mark.kind == "Interrupt" for mark in self.scene.signals),
            outages=len(self.scene.lost),
            wait=_median(waits),
            longest=max(waits, default=None),
            from_commit=_median([turn.gap for turn in turns if turn.gap is not None]),
            saved=_median([turn.saved for turn in turns if turn.saved is not None]),
        )

    def _place_words(self, turn: DrawnTurn, words: tuple[TimedWord, ...]) -> None:
        """Place each word at the time that Flux gives, shifted from the audio's clock to the call's."""
        timed = [(w.word, w.start, w.end) for w in words if w.start is not None and w.end is not None]
        if len(timed) < len(words):
            return
        offset, pace = self.scene.offset, self._pace
        turn.words = [DrawnWord(start * pace + offset, end * pace + offset, word, True) for word, start, end in timed]
        turn.last_word = round(turn.words[-1].end, _DECIMALS)
        if turn.sound is not None:
            turn.wait = round(turn.sound - turn.last_word, _DECIMALS)


def _records_to_draw(trace: Trace) -> list[Fed | Signal | ReplyEnded | Fact]:
    """Events, signals and facts in order; for raw frames, the signals that a machine with the defaults gives."""
    if not trace.raw:
        return [
            record
            for record in trace.records
            if isinstance(record, Fed | Signal | ReplyEnded)
            or (isinstance(record, Fact) and record.name in ("FirstChunk", "Said") and "reply" in record.fields)
        ]
    fed = [record for record in trace.records if isinstance(record, Fed)]
    # At one time the event comes first: the signals answer to it.
    return sorted([*fed, *replay(trace).signals], key=lambda record: record.at)


def _median(values: list[float]) -> float | None:
    return sorted(values)[len(values) // 2] if values else None


def _shown(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return " · ".join(map(str, value)) or "–"
    return "–" if value is None or value == "" else str(value)


_FLUX_LABELS: dict[type, str] = {StartOfTurn: "start", TurnResumed: "resumed", EndOfTurn: "end"}
_HIDDEN = {"signal", "at", "words", "error"}  # of a signal's fields: shown elsewhere, or not recorded
_SIGNAL_LABELS = {"TurnStarted": "turn", "TurnDropped": "dropped", "ReplyEnded": "over", "TurnStalled": "stalled"}
