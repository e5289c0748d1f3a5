"""Export of a call for https://ui.perfetto.dev, in Chrome's trace event format."""

from __future__ import annotations

from typing import Any

import msgspec

from .drawn import Scene

_LANES = ("user · turns", "user · words", "Flux", "agent · drafts", "agent · playback", "signals", "stream lost")
_PROCESS = 1


def perfetto(scene: Scene) -> bytes:
    """The call as JSON in the trace event format: a thread a lane, a counter for the confidence, times in µs."""
    events: list[dict[str, Any]] = [_named("process_name", 0, scene.title)]
    events += [_named("thread_name", lane, name) for lane, name in enumerate(_LANES)]
    for turn in scene.turns:
        details: dict[str, Any] = {
            "fate": turn.fate,
            "trigger": turn.trigger,
            "reason": turn.reason,
            "reply": turn.reply,
        }
        details |= {"typed": turn.typed or None}
        details |= {"gap_s": turn.gap, "wait_s": turn.wait, "lead_s": turn.lead, "saved_s": turn.saved}
        known = {name: value for name, value in details.items() if value not in (None, "")}
        events.append(_slice(0, turn.start, turn.end, turn.text or "(no words)", known))
        events += [_slice(1, word.start, word.end, word.text, {"measured": word.measured}) for word in turn.words]
    for reply in scene.replies:
        about = {"turn": reply.turn, "outcome": reply.outcome, "heard": reply.heard}
        for phase in reply.phases:
            lane = 3 if phase.kind in ("draft", "withdrawn") else 4
            events.append(_slice(lane, phase.start, phase.end, f"{phase.kind} {reply.reply}", about))
    events += [_instant(2, mark.at, mark.kind, mark.details) for mark in scene.flux]
    events += [_instant(5, mark.at, mark.kind, mark.details) for mark in scene.signals]
    events += [_slice(6, phase.start, phase.end, phase.kind, {}) for phase in scene.lost]
    for at, value in scene.confidence:
        events.append({"ph": "C", "pid": _PROCESS, "name": "confidence", "ts": _us(at), "args": {"value": value}})
    return msgspec.json.encode({"displayTimeUnit": "ms", "traceEvents": events})


def _us(seconds: float) -> int:
    return round(seconds * 1e6)


def _named(kind: str, lane: int, name: str) -> dict[str, Any]:
    return {"ph": "M", "pid": _PROCESS, "tid": lane, "name": kind, "args": {"name": name}}


def _slice(lane: int, start: float, end: float, name: str, about: dict[str, Any]) -> dict[str, Any]:
    times = {"ts": _us(start), "dur": max(_us(end) - _us(start), 1)}
    return {"ph": "X", "pid": _PROCESS, "tid": lane, "name": name, **times, "args": about}


def _instant(lane: int, at: float, name: str, about: dict[str, str]) -> dict[str, Any]:
    return {"ph": "i", "s": "t", "pid": _PROCESS, "tid": lane, "name": name, "ts": _us(at), "args": about}
