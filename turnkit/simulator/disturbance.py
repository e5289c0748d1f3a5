"""The faults of one connection, which change what would be said into what is sent. No socket, no clock but audio."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from heapq import heappop, heappush
from math import inf
from random import Random
from typing import Any, TypeAlias

import msgspec

from .edits import EDITS, OLD_HOSTS, Fields, Outgoing
from .fault_moments import ConnectionProgress, Moment
from .faults import Fault, RandomFaults

_EPSILON = 1e-3  # seconds: recorded windows carry float32 noise
_UPDATE_SECONDS = 0.24
_ENDINGS = ("deaf", "drop", "close", "error_then_close")
# These leave the message that their moment names as it is, and strike after it; all others begin with it.
_FOLLOWING = ("stall", "chatty_stall", "false_start", *_ENDINGS)
_REASONS = {
    1001: "going away",
    1008: "DATA-0000: The payload cannot be decoded as audio.",
    1011: "NET-0000: Deepgram did not provide a response message within the timeout window.",
}
"""Source: https://developers.deepgram.com/docs/stt-troubleshooting-websocket-data-and-net-errors."""


class OutgoingFrame(msgspec.Struct, frozen=True):
    """A frame to send.

    Attributes:
        data: the frame, or its fragments.
        covers: the second of audio up to which a client that can read it takes its audio for heard. Default 0.
        tells: the second up to which its words tell of it. Default None: it has none.
    """

    data: str | bytes | list[str]
    covers: float = 0.0
    tells: float | None = None


class Wait(msgspec.Struct, frozen=True):
    """A wait by the clock, where there is no audio to tell the time by.

    Attributes:
        seconds: how long.
    """

    seconds: float


class Cut(msgspec.Struct, frozen=True):
    """The end of the TCP connection, without a word.

    Attributes:
        deaf: seconds in which nothing is read before it. Default 0.
    """

    deaf: float = 0.0


Delivery: TypeAlias = "str | OutgoingFrame | Wait | Cut"
Report: TypeAlias = Callable[[Fault, float, int], None]


class _ArmedFault:
    """A fault of the connection, and whether its moment has come and it waits for a message that it can act on."""

    def __init__(self, fault: Fault, *, waiting: bool = False) -> None:
        self.fault = fault
        self.moment = fault.moment
        self.scope = fault.kind.scope
        self.early = self.moment.early or fault.name not in _FOLLOWING
        self.waiting = waiting
        self.spent = False  # of moments by the audio, which come but once


class Disturbance:
    """The faults of one connection.

    Attributes:
        closing: code and reason, once a fault closes the connection.
    """

    def __init__(self, faults: Iterable[Fault], chances: Iterable[tuple[RandomFaults, Random]], report: Report) -> None:
        """Take the faults in order, and the random ones with their random numbers.

        Args:
            faults: what strikes at its moment.
            chances: what may strike at each message.
            report: is told each fault when it strikes, the second of audio, and how many messages were sent before.
        """
        self.closing: tuple[int | None, str] | None = None
        self._armed = [_ArmedFault(fault) for fault in faults]
        self._chances = list(chances)
        self._report = report
        self._progress = ConnectionProgress()
        # A host that does not know ForceEndTurn does not know the word trigger either.
        older = any(armed.fault.name == "force_end_fatal" for armed in self._armed)
        self._host_edits = [OLD_HOSTS["no_trigger"]] if older else []
        self._out: list[Delivery] = []
        self._now = 0.0
        self._opened = False
        self._silent = False  # says nothing any more
        self._over = False  # a fault has ended it
        self._messages = 0
        self._sequence = -1
        self._index_shift = 0
        self._last: Fields = {}  # the latest TurnInfo, faults apart
        self._lateness = 0.0
        self._hold_until = 0.0
        self._held: list[tuple[float, int, Outgoing]] = []
        self._order = 0
        self._swapped: list[Outgoing] = []
        self._unanswered: list[Fault | None] = []  # what is to become of the next answers to Configure
        self._chatty: Fields = {}
        self._chatty_at = inf
        self._wanted_starts: list[Fault] = []
        self._false_turn: Fields = {}
        self._false_until = inf
        self._window_floor = 0.0

    @property
    def muted(self) -> bool:
        """Whether a fault has silenced the connection or ended it: nothing will be sent any more."""
        return self._silent or self._over

    # What the connection tells it ---------------------------------------------------------------------------------

    def pass_on(self, texts: list[str], seconds: float, *, last: bool) -> list[Delivery]:
        """Turn these messages, and those held back, into what is sent.

        Args:
            texts: the messages that would be sent.
            seconds: of audio received so far.
            last: whether the connection closes after them, so that nothing is held back any longer.

        Returns:
            What is sent, in order.
        """
        for text in texts:
            fields = msgspec.json.decode(text, type=dict[str, Any])
            window = fields.get("audio_window_end")
            due = float(window) if isinstance(window, (int, float)) else seconds
            self._process(text, fields, min(max(self._now, due), max(self._now, seconds)))
        self._opened = True
        self._advance(max(self._now, seconds))
        if last:
            self._send_or_hold(self._swapped)
            self._swapped = []
            self._release(inf)
        out, self._out = self._out, []
        return out

    def received(self, kind: str) -> Fault | None:
        """Note that a command arrived; returns the fault that decides its answer, None if it is answered as ever."""
        named = self._progress.command(kind)
        decides: Fault | None = None
        for armed in list(self._armed):
            come = armed.moment.is_one_of(named)
            if armed.scope == "command":
                fits = kind == ("Configure" if armed.fault.name.startswith("configure_") else "ForceEndTurn")
                if fits and (come or armed.waiting) and decides is None and not self.muted:
                    armed.waiting = False
                    decides = armed.fault
                    self._record(decides)
            elif come:
                self._moment_came(armed)
        if kind == "Configure":
            self._unanswered.append(decides)
        return decides

    def force_false_turn(self) -> bool:
        """End the false turn, if there is one, as the answer to a ForceEndTurn; returns whether there was."""
        if not self._false_turn or self.muted:
            return False
        self._end_false_turn("manual")
        return True

    # A message on its way -----------------------------------------------------------------------------------------

    def _process(self, text: str, fields: Fields, now: float) -> None:
        self._advance(now)
        named = self._progress.message(fields)
        if self._false_turn and fields.get("event", "Update") != "Update":
            self._end_false_turn("model")
        for armed in list(self._armed):
            if armed.moment.is_one_of(named) and armed.early:
                self._moment_came(armed)
        self._draw_random_faults()
        swapped, self._swapped = self._swapped, []
        items = self._after_faults(text, fields)
        self._send_or_hold(items)
        self._send_or_hold(swapped)
        self._progress.passed(fields)
        for armed in list(self._armed):
            if armed.moment.is_one_of(named) and not armed.early:
                self._moment_came(armed)
        self._begin_false_turn()

    def _after_faults(self, text: str, fields: Fields) -> list[Outgoing]:
        """What a message has become; empty where nothing is said any more."""
        shifted = self._shifted(fields)
        if fields.get("type") == "TurnInfo":
            self._last = shifted
        # A stuck turn is neither ended by ForceEndTurn nor told to be none.
        if self.muted or (self._chatty and fields.get("type") in ("TurnInfo", "Warning")):
            return []
        answered = self._answer(shifted)
        if answered is None:
            return []
        for host in self._host_edits:
            answered = host(answered)
        items = [Outgoing(answered, text if answered is fields else "")]
        for armed in self._armed:
            if armed.waiting and armed.scope == "message":
                items = self._edited(items, armed)
        return items

    def _shifted(self, fields: Fields) -> Fields:
        """With the turn_index and window that earlier faults have left behind."""
        if fields.get("type") != "TurnInfo":
            return fields
        changes: Fields = {}
        if self._index_shift and isinstance(fields.get("turn_index"), int):
            changes["turn_index"] = fields["turn_index"] + self._index_shift
        if isinstance(fields.get("audio_window_start"), float) and fields["audio_window_start"] < self._window_floor:
            changes["audio_window_start"] = self._window_floor
        return {**fields, **changes} if changes else fields

    def _answer(self, fields: Fields) -> Fields | None:
        """The same, unless it answers a Configure that is to be refused or ignored."""
        if fields.get("type") not in ("ConfigureSuccess", "ConfigureFailure") or not self._unanswered:
            return fields
        fault = self._unanswered.pop(0)
        if fault is not None and fault.name == "configure_unanswered":
            return None
        if fault is not None and fault.name == "configure_refused":
            kept: Fields = {name: fields[name] for name in ("request_id", "sequence_id") if name in fields}
            description = "Refused on purpose; the configuration is as before."
            return {"type": "ConfigureFailure", **kept, "code": str(fault.amount), "description": description}
        return fields

    def _edited(self, items: list[Outgoing], armed: _ArmedFault) -> list[Outgoing]:
        """Let one fault act on the first of these that it can; if there is none, it goes on waiting."""
        fault = armed.fault
        if fault.name == "other_words" and self._progress.eager_text is None:
            return items
        for at, item in enumerate(items):
            edited = [] if fault.name == "swap" else EDITS[fault.name](item, fault)
            if edited is None:
                continue
            if fault.name == "swap":
                self._swapped.append(item)
            armed.waiting = False
            self._record(fault)
            return [*items[:at], *edited, *items[at + 1 :]]
        return items

    def _send_or_hold(self, items: list[Outgoing]) -> None:
        for item in items:
            late = self._lateness + item.late
            if not self._opened and late:
                self._out.append(Wait(late))
                self._send(item)
                continue
            due = max(self._now + late, self._hold_until)
            if due <= self._now:
                self._send(item)
            else:
                self._order += 1
                heappush(self._held, (due, self._order, item))

    def _send(self, item: Outgoing) -> None:
        if self.muted:
            return
        if "sequence_id" in item.fields:
            self._sequence += 1
            if item.fields["sequence_id"] != self._sequence:
                item = msgspec.structs.replace(item, fields={**item.fields, "sequence_id": self._sequence}, text="")
        self._messages += 1
        self._out.append(OutgoingFrame(item.write(), item.covers, item.tells))

    # Time, by the audio -------------------------------------------------------------------------------------------

    def _advance(self, now: float) -> None:
        """Let everything happen that is due by `now`, in its order."""
        while True:
            moments = [
                armed.moment.seconds for armed in self._armed if armed.moment.kind == "audio" and not armed.spent
            ]
            due = min([*moments, self._chatty_at, self._false_until, self._held[0][0] if self._held else inf])
            if due > now + _EPSILON:
                break
            self._now = max(self._now, due)
            self._do_what_is_due(self._now + _EPSILON)
        self._now = now

    def _do_what_is_due(self, now: float) -> None:
        self._release(now)
        if self._false_until <= now:
            self._end_false_turn("model")
        if self._chatty_at <= now:
            window = round(self._chatty_at, 2)
            self._chatty_at += _UPDATE_SECONDS
            self._send_or_hold([Outgoing({**self._chatty, "audio_window_end": window})])
        for armed in list(self._armed):
            if armed.moment.kind == "audio" and not armed.spent and armed.moment.seconds <= now:
                armed.spent = True
                self._moment_came(armed)
        self._begin_false_turn()

    def _release(self, now: float) -> None:
        while self._held and self._held[0][0] <= now:
            self._send(heappop(self._held)[2])

    # Faults -------------------------------------------------------------------------------------------------------

    def _draw_random_faults(self) -> None:
        for chances, random in [] if self.muted else self._chances:
            fault = chances.choose(random, upgrade=False)
            if fault is None:
                continue
            if fault.kind.scope == "stream":
                self._strike(fault)
            else:
                self._armed.append(_DrawnFault(fault))

    def _moment_came(self, armed: _ArmedFault) -> None:
        """The moment of a fault has come."""
        if armed.scope == "stream":
            self._strike(armed.fault)
        else:
            armed.waiting = True

    def _record(self, fault: Fault) -> None:
        self._report(fault, round(self._now, 2), self._messages)

    def _strike(self, fault: Fault) -> None:
        """Apply a fault of the stream. Where nothing is said any more, only an ending makes a difference."""
        if self._over or (self._silent and fault.name not in _ENDINGS):
            return
        if fault.name == "false_start":
            self._wanted_starts.append(fault)
            return
        self._record(fault)
        amount = fault.amount
        if fault.name in _ENDINGS:
            self._end_connection(fault)
        elif fault.name in OLD_HOSTS:
            self._host_edits.append(OLD_HOSTS[fault.name])
        elif fault.name == "chatty_stall":
            self._chatty = {**self._blank_turn(), "event": "Update", "end_of_turn_confidence": 0.1}
            self._chatty_at = self._now + _UPDATE_SECONDS
        elif isinstance(amount, (int, float)):
            self._change_stream(fault.name, amount)
        else:  # stall, no_connected
            self._silent = True

    def _change_stream(self, name: str, amount: float) -> None:
        if name == "slow":
            self._lateness = amount
        elif name == "burst":
            self._hold_until = self._now + amount
        elif name == "skip_index":
            self._index_shift += int(amount)
        elif name == "sequence_gap":
            self._sequence += int(amount)

    def _end_connection(self, fault: Fault) -> None:
        """The connection ends; what was held back is lost with it."""
        if fault.name in ("drop", "deaf"):
            self._out.append(Cut(float(fault.amount or 0)))
        elif fault.name == "close":
            code = fault.amount if isinstance(fault.amount, int) else None
            self.closing = (code, _REASONS.get(code or 0, ""))
        else:
            description = "The stream was ended on purpose."
            error = {"type": "Error", "code": fault.amount, "description": description, "sequence_id": 0}
            self._silent = False
            self._send(Outgoing(error))
            self.closing = (None, "")
        self._over = True

    # Turns that nobody spoke --------------------------------------------------------------------------------------

    def _blank_turn(self) -> Fields:
        """A TurnInfo without words at this second, of the turn that is open or would be next."""
        last = self._last or {"type": "TurnInfo", "request_id": "", "event": "Update", "turn_index": 0}
        start, index = last.get("audio_window_start", 0.0), last.get("turn_index", 0)
        if last.get("event") == "EndOfTurn":
            start, index = last.get("audio_window_end", start), index + 1
        fields = {name: value for name, value in last.items() if name not in ("trigger", "languages")}
        if "languages" in last:
            fields["languages"] = []
        window = {"audio_window_start": start, "audio_window_end": round(self._now, 2)}
        return {
            **fields,
            "turn_index": index,
            **window,
            "transcript": "",
            "words": [],
            "end_of_turn_confidence": 0.1,
            "sequence_id": 0,
        }

    def _begin_false_turn(self) -> None:
        if not self._wanted_starts or self._false_turn or self._progress.in_turn or self.muted or self._chatty:
            return
        fault = self._wanted_starts.pop(0)
        self._record(fault)
        self._false_turn = self._blank_turn()
        self._false_until = self._now + float(fault.amount or 0)
        end = round(self._now, 2)
        word = {"word": "Hey", "confidence": 0.51, "start": max(0.0, round(end - 0.24, 2)), "end": end}
        self._send_or_hold(
            [Outgoing({**self._false_turn, "event": "StartOfTurn", "transcript": "Hey", "words": [word]})]
        )

    def _end_false_turn(self, trigger: str) -> None:
        end = round(self._now, 2)
        ended = {**self._false_turn, "event": "EndOfTurn", "audio_window_end": end, "trigger": trigger}
        for host in self._host_edits:
            ended = host(ended)
        self._false_turn, self._false_until = {}, inf
        if not self._chatty:
            self._send_or_hold([Outgoing(ended)])
        self._index_shift += 1
        self._window_floor = end


class _DrawnFault(_ArmedFault):
    """A fault that was drawn at random for this message: it waits from here on, and has no moment of its own."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault, waiting=True)
        self.moment = Moment("chance")
