"""What a running session tells operators: a log line a turn, and metrics and spans for OpenTelemetry.

Nothing that was said is in any of it, unless `instrument` is asked for it. OpenTelemetry is optional,
`pip install 'turnkit[otel]'`; with only its API installed, or no SDK configured, `instrument` does nothing.

Names are those of OpenTelemetry's semantic conventions where there are any, and `turnkit.` ones where not. Of the
conventions for generative AI (https://github.com/open-telemetry/semantic-conventions-genai, in development) these fit:
`gen_ai.conversation.id`, and `invoke_agent` as the operation that a reply is.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from . import __version__
from .errors import ConfigError
from .logs import logger
from .metrics import DURATIONS, CallMetrics, Metrics, Samples, TurnMetrics, Watch
from .turns.events import (
    BargeIn,
    Cancel,
    Commit,
    Event,
    Hold,
    Interrupt,
    Note,
    Outcome,
    PlaybackAdvanced,
    PlaybackStarted,
    ReplyEnded,
    Resume,
    Signal,
    Speculate,
    StreamLost,
    StreamRestored,
    TurnDropped,
    TurnStalled,
    TurnStarted,
    UserIdle,
)

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.metrics import Meter
    from opentelemetry.trace import Span, Tracer

    from .session import Observable

Attributes = Mapping[str, str | bool | int | float]

BUCKETS = (0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0)
"""Bounds, in seconds, that histograms are advised to use: the SDK's own are made for milliseconds."""

_DIGITS = 4  # of a second, in log lines


# Log lines --------------------------------------------------------------------------------------------------------


def log_turns(session: Observable, on_turn: Callable[[TurnMetrics], object] | None = None) -> Metrics:
    """Log a line for each turn that is over, `turn_over`, and one for the call, `call_over`.

    At level info, through structlog as the application configured it (without that, nothing is printed), with what is
    known of the turn, see `TurnMetrics`, durations in seconds. No line has anything that was said in it.

    Args:
        session: the session to watch, before its `run`.
        on_turn: is called with each turn as a value; None, the default, for nobody.

    Returns:
        The figures so far, which go on with the call.
    """
    log = logger(session=session.id)

    def turn_over(turn: TurnMetrics) -> None:
        log.info("turn_over", **_known(turn))
        if on_turn is not None:
            on_turn(turn)

    watch = Watch(turn_over, lambda call: log.info("call_over", **_flat(call)))
    session.observe(watch)
    return watch.metrics


def _known(turn: TurnMetrics) -> dict[str, Any]:
    """The fields that have a value; those of the clock, which mean nothing to a reader of logs, left out."""
    fields = msgspec.structs.asdict(turn)
    del fields["started_at"], fields["ended_at"]
    return {name: _plain(value) for name, value in fields.items() if value is not None and value is not False}


def _flat(call: CallMetrics) -> dict[str, Any]:
    """One level of keys, as logs like it: counts, rates, and of each duration its median and 95th percentile."""
    flat: dict[str, Any] = {}
    for name in call.__struct_fields__:
        value = getattr(call, name)
        if isinstance(value, Samples):
            if value.count:
                flat |= {f"{name}_median": _plain(value.median), f"{name}_p95": _plain(value.p95)}
        else:
            flat[name] = value.total() if isinstance(value, Counter) else value
    for name in ("hit_rate", "false_barge_in_rate"):
        if getattr(call, name) is not None:
            flat[name] = _plain(getattr(call, name))
    return flat


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, _DIGITS)
    return str(value)[:40] if isinstance(value, str) else value


# OpenTelemetry ----------------------------------------------------------------------------------------------------


def instrument(
    session: Observable,
    *,
    meter: Meter | None = None,
    tracer: Tracer | None = None,
    attributes: Attributes | None = None,
    transcripts: bool = False,
    on_turn: Callable[[TurnMetrics], object] | None = None,
) -> Telemetry:
    """Report the session to OpenTelemetry; call it before `run`.

    Metrics: histograms `turnkit.turn.<duration>` (s), for each duration of `TurnMetrics`; counters `turnkit.turns`,
    `turnkit.drafts`, `turnkit.barge_ins`, `turnkit.interrupts`, `turnkit.replies`, `turnkit.tokens`, `turnkit.stalls`,
    `turnkit.stream_losses`, `turnkit.idles`, `turnkit.notes`. None has the session's id as an attribute.

    Spans: `turnkit.conversation`, a child of whatever is current now; in it a `turnkit.turn` from the beginning of
    each turn until its reply is over; in that an `invoke_agent` for each reply and draft, with events
    `turnkit.speculate`, `turnkit.first_chunk`, `turnkit.commit`, `turnkit.first_sound`, `turnkit.cancel` and
    `turnkit.barge_in`. Times are the engine's, laid onto the wall clock once, at the first thing that happens.
    Tokens that are reported when the span has ended are in the metrics only.

    Args:
        session: the session to report.
        meter: what makes the metrics; by default the global one.
        tracer: what makes the spans; by default the global one.
        attributes: are put on all of it: `gen_ai.agent.name` and `gen_ai.provider.name` belong there, because turnkit
            does not know them; keep them few, for metrics are kept apart by them. None by default.
        transcripts: whether what was said is put on the spans, as `turnkit.turn.transcript` and `turnkit.reply.heard`;
            False by default.
        on_turn: is called with each turn as a value; None, the default, for nobody.

    Returns:
        The observer that reports, which knows the context of each reply's span.

    Raises:
        ConfigError: if OpenTelemetry is not installed.
    """
    try:
        from opentelemetry import context, metrics, trace
    except ImportError:
        raise ConfigError(
            "instrument(): OpenTelemetry is not installed; install turnkit[otel], or at least opentelemetry-api"
        ) from None
    telemetry = Telemetry(
        _Instruments(meter or metrics.get_meter("turnkit", __version__), dict(attributes or {})),
        _Spans(
            tracer or trace.get_tracer("turnkit", __version__),
            context.get_current(),
            {**(attributes or {}), "gen_ai.conversation.id": session.id},
            transcripts,
        ),
        on_turn,
    )
    session.observe(telemetry)
    return telemetry


class Telemetry(Watch):
    """An observer of one session that reports it to OpenTelemetry. Made by `instrument`.

    Attributes:
        metrics: the figures so far.
    """

    def __init__(
        self, instruments: _Instruments, spans: _Spans, on_turn: Callable[[TurnMetrics], object] | None = None
    ) -> None:
        super().__init__(on_turn)
        self._instruments = instruments
        self._spans = spans

    def context(self, reply: int) -> Context:
        """The context of a reply's span, for spans of your own, such as those of its LLM and its tools.

        Args:
            reply: the reply's id.

        Returns:
            The context of its span; of the conversation's, if the reply is not under way.
        """
        return self._spans.context(reply)

    def fact(self, at: float, name: str, /, **fields: Any) -> None:
        """Something that the machine is not told: see `Observer.fact`."""
        self._spans.fact(at, name, fields)
        super().fact(at, name, **fields)

    def end(self) -> None:
        """Nothing more will be told: every span ends."""
        try:
            super().end()
        finally:
            self._spans.end()

    def _take(self, item: Event | Signal | ReplyEnded, at: float) -> None:
        self._spans.take(item, at)
        self._instruments.take(item)
        super()._take(item, at)

    def _pass_time(self, at: float) -> None:
        self._spans.pass_time(at)
        super()._pass_time(at)

    def _over(self, turn: TurnMetrics) -> None:
        self._instruments.turn_over(turn)
        self._spans.turn_over(turn)
        super()._over(turn)


class _Instruments:
    """The metrics of OpenTelemetry that a session moves."""

    def __init__(self, meter: Meter, attributes: dict[str, Any]) -> None:
        self._common = attributes
        self._durations = {
            name: meter.create_histogram(
                f"turnkit.turn.{name}",
                unit="s",
                description=description,
                explicit_bucket_boundaries_advisory=BUCKETS,
            )
            for name, description in _DESCRIPTIONS.items()
        }
        self._counters = {
            name: meter.create_counter(f"turnkit.{name}", unit=unit, description=description)
            for name, (unit, description) in _COUNTERS.items()
        }

    def take(self, item: object) -> None:
        """Count what is no part of a turn."""
        match item:
            case ReplyEnded(outcome=outcome):
                self._count("replies", 1, {"turnkit.reply.outcome": str(outcome)})
            case TurnStalled():
                self._count("stalls", 1)
            case StreamLost():
                self._count("stream_losses", 1)
            case UserIdle():
                self._count("idles", 1)
            case Interrupt():
                self._count("interrupts", 1)
            case Note(kind=kind):
                self._count("notes", 1, {"turnkit.note.kind": str(kind)})
            case _:
                pass

    def turn_over(self, turn: TurnMetrics) -> None:
        """Record all that a turn came to."""
        for name, histogram in self._durations.items():
            seconds = getattr(turn, name)
            if seconds is not None:
                histogram.record(seconds, self._common)
        end = "committed" if turn.reply is not None else str(turn.dropped or "open")
        self._count("turns", 1, {"turnkit.turn.end": end})
        for fate, drafts in (("kept", int(turn.lead is not None)), ("wasted", turn.wasted)):
            self._count("drafts", drafts, {"turnkit.draft.fate": fate})
        if turn.barged_in is not None:
            verdict = str(turn.false_barge_in or "right") if turn.judged else "unknown"
            self._count("barge_ins", 1, {"turnkit.barge_in.verdict": verdict})
        if turn.tokens is not None and turn.wasted_tokens is not None:
            self._count("tokens", turn.tokens - turn.wasted_tokens, {"turnkit.tokens.wasted": False})
            self._count("tokens", turn.wasted_tokens, {"turnkit.tokens.wasted": True})

    def _count(self, name: str, number: int, attributes: Mapping[str, Any] | None = None) -> None:
        if number:
            self._counters[name].add(number, {**self._common, **(attributes or {})})


class _Spans:
    """The spans of one conversation, and those of them that are open."""

    def __init__(self, tracer: Tracer, parent: Context, attributes: dict[str, Any], transcripts: bool) -> None:
        self._tracer = tracer
        self._parent = parent
        self._common = attributes
        self._transcripts = transcripts
        self._conversation: Span | None = None
        self._turns: dict[int, Span] = {}
        self._replies: dict[int, Span] = {}
        self._waiting: dict[int, Span] = {}  # turns that are over but for the end of their reply's span
        self._heard: set[int] = set()
        self._tokens: Counter[int] = Counter()
        self._epoch = 0  # wall clock, in nanoseconds, at the engine's second 0
        self._last = 0.0

    def pass_time(self, at: float) -> Span:
        """Go on to the engine's second `at`, in the conversation, which begins with the first of them."""
        self._last = max(self._last, at)
        if self._conversation is None:
            self._last = at
            self._epoch = time.time_ns() - round(at * 1e9)
            self._conversation = self._start("turnkit.conversation", None, {})
        return self._conversation

    def take(self, item: object, at: float) -> None:
        """Begin, mark or end the spans that are concerned."""
        conversation = self.pass_time(at)
        match item:
            case TurnStarted():
                self._turns[item.turn] = self._start("turnkit.turn", conversation, {"turnkit.turn.id": item.turn})
            case Speculate():
                self._reply(item.turn, item.reply, speculative=True)
                self._mark(self._replies, item.reply, "turnkit.speculate")
            case Commit():
                if item.reply not in self._replies:
                    self._reply(item.turn, item.reply, speculative=False)
                self._mark(self._replies, item.reply, "turnkit.commit", {"turnkit.turn.trigger": item.trigger})
                self._say(self._turns.get(-1 if item.turn is None else item.turn), "turn.transcript", item.transcript)
            case Cancel():
                self._mark(self._replies, item.reply, "turnkit.cancel", {"turnkit.cancel.reason": str(item.reason)})
            case BargeIn():
                about = {} if item.turn is None else {"turnkit.turn.id": item.turn}
                for spans, key in ((self._turns, item.turn), (self._replies, item.reply)):
                    self._mark(spans, key, "turnkit.barge_in", about)
            case Interrupt():
                conversation.add_event("turnkit.interrupt", timestamp=self._now())
            case Hold() | Resume():
                name = "turnkit.hold" if isinstance(item, Hold) else "turnkit.resume"
                self._mark(self._turns, item.turn, name, {"turnkit.reply.id": item.reply})
            case TurnDropped():
                self._say(self._turns.get(item.turn), "turn.transcript", item.transcript)
            case TurnStalled():
                self._mark(self._turns, item.turn, "turnkit.stalled")
            case PlaybackStarted() | PlaybackAdvanced():
                if item.reply not in self._heard and item.reply in self._replies:
                    self._heard.add(item.reply)
                    self._mark(self._replies, item.reply, "turnkit.first_sound")
            case StreamLost() | StreamRestored():
                name = "turnkit.stream_lost" if isinstance(item, StreamLost) else "turnkit.stream_restored"
                conversation.add_event(name, timestamp=self._now())
            case ReplyEnded():
                self._reply_over(item)
            case _:
                pass

    def fact(self, at: float, name: str, fields: Mapping[str, Any]) -> None:
        """Mark when a reply had something to say, and what it cost."""
        self.pass_time(at)
        reply, tokens = fields.get("reply"), fields.get("tokens")
        if not isinstance(reply, int) or reply not in self._replies:
            return
        if name == "FirstChunk":
            self._mark(self._replies, reply, "turnkit.first_chunk")
        elif name == "TokensUsed" and type(tokens) is int:
            self._tokens[reply] += tokens
            self._replies[reply].set_attribute("turnkit.reply.tokens", self._tokens[reply])

    def turn_over(self, turn: TurnMetrics) -> None:
        """A turn is over: its span takes its figures, and ends with the span of its reply, if that is still open."""
        span = self._turns.pop(turn.turn, None)
        if span is None:
            return
        fields = {name: _plain(getattr(turn, name)) for name in ("trigger", "dropped", "outcome", *DURATIONS)}
        fields |= {"drafts": turn.drafts, "wasted": turn.wasted, "barged_in": turn.barged_in}
        fields["false_barge_in"] = None if turn.false_barge_in is None else str(turn.false_barge_in)
        span.set_attributes({f"turnkit.turn.{name}": value for name, value in fields.items() if value is not None})
        if turn.reply in self._replies:
            self._waiting[turn.reply] = span
        else:
            span.end(self._now())

    def end(self) -> None:
        """Nothing more will happen: what is open ends."""
        for spans in (self._replies, self._waiting, self._turns):
            for span in spans.values():
                span.end(self._now())
            spans.clear()
        if self._conversation is not None:
            self._conversation.end(self._now())

    def context(self, reply: int) -> Context:
        """What spans of the reply are to be children of."""
        return self._inside(self._replies.get(reply) or self._conversation)

    def _now(self) -> int:
        return self._epoch + round(self._last * 1e9)

    def _inside(self, span: Span | None) -> Context:
        from opentelemetry.trace import set_span_in_context

        return self._parent if span is None else set_span_in_context(span, self._parent)

    def _start(self, name: str, parent: Span | None, attributes: dict[str, Any]) -> Span:
        return self._tracer.start_span(
            name, self._inside(parent), attributes={**self._common, **attributes}, start_time=self._now()
        )

    def _reply(self, turn: int | None, reply: int, *, speculative: bool) -> None:
        agent = self._common.get("gen_ai.agent.name")
        attributes: dict[str, Any] = {
            "gen_ai.operation.name": "invoke_agent",
            "turnkit.reply.id": reply,
            "turnkit.reply.speculative": speculative,
        }
        if turn is not None:
            attributes["turnkit.turn.id"] = turn
        parent = self._conversation if turn is None else self._turns.get(turn, self._conversation)
        self._replies[reply] = self._start(f"invoke_agent {agent}" if agent else "invoke_agent", parent, attributes)

    def _reply_over(self, ended: ReplyEnded) -> None:
        span = self._replies.pop(ended.reply, None)
        self._heard.discard(ended.reply)
        self._tokens.pop(ended.reply, None)
        if span is not None:
            span.set_attribute("turnkit.reply.outcome", str(ended.outcome))
            span.set_attribute("turnkit.reply.reported", ended.reported)
            self._say(span, "reply.heard", ended.heard)
            if ended.outcome is Outcome.FAILED:
                from opentelemetry.trace import Status, StatusCode

                # Its name only: what it says may quote what was said.
                span.set_attribute("error.type", "_OTHER" if ended.error is None else _kind(ended.error))
                span.set_status(Status(StatusCode.ERROR))
            span.end(self._now())
        waiting = self._waiting.pop(ended.reply, None)
        if waiting is not None:
            waiting.end(self._now())

    def _mark(
        self, spans: dict[int, Span], key: int | None, name: str, attributes: dict[str, Any] | None = None
    ) -> None:
        if key is not None and key in spans:
            spans[key].add_event(name, attributes, self._now())

    def _say(self, span: Span | None, name: str, text: str) -> None:
        if self._transcripts and span is not None and text:
            span.set_attribute(f"turnkit.{name}", text)


def _kind(error: BaseException) -> str:
    kind = type(error)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


_DESCRIPTIONS = {
    "words_to_commit": "From the end of the user's last word to the commit of the turn.",
    "news_to_commit": "From the message that brought the user's last new words to the commit: a lower bound.",
    "end_to_commit": "From Flux's end of turn to the commit: what the turn had to wait for the floor.",
    "lead": "From the start of a draft to the commit that kept it.",
    "first_chunk": "From the start of a reply to its first chunk.",
    "saved": "How much earlier the first sound came because the reply was drafted.",
    "response_gap": "From the commit to the first sound of the reply.",
    "words_to_sound": "From the end of the user's last word to the first sound of the reply.",
    "reaction": "From the start of the user's turn to the barge-in.",
    "released": "From the barge-in until the callbacks for it were done.",
    "silence": "From the barge-in until the player reported silence.",
    "held": "How long playback was held for an overlap.",
}

_COUNTERS = {
    "turns": ("{turn}", "Turns of the user that are over."),
    "drafts": ("{draft}", "Replies begun on speculation."),
    "barge_ins": ("{barge_in}", "Turns that took the floor from the agent."),
    "interrupts": ("{interrupt}", "Times that the host took the floor for the user."),
    "replies": ("{reply}", "Replies and drafts that are over."),
    "tokens": ("{token}", "Tokens that the bot reported for replies to turns that are over."),
    "stalls": ("{stall}", "Turns that made no progress."),
    "stream_losses": ("{loss}", "Times that the stream was lost."),
    "idles": ("{time}", "Times that the user was idle."),
    "notes": ("{note}", "Surprises that were tolerated."),
}
