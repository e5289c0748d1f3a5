"""turnkit decides when a voice bot may think, may speak and must stop.

Nouns: `events` (facts in, signals out), `errors`, `words`.   Flux's contract: `wire`.   What is legal: `chart`.
Judgement: `policy`.   The engine, pure, one event in, signals out: `machine`.
Live, on asyncio or trio: `flux` (the connection), `session` (your callbacks), `simulator` (a Flux on loopback).
The command line: `cli`, or `turnkit --help`.
Imports go down only; all that waits, logs or opens a socket is in the last two lines, and loaded on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .errors import (
    ConfigError,
    ConnectionFailed,
    FluxError,
    LocalProtocolError,
    ProtocolError,
    RemoteProtocolError,
    TraceMismatch,
    TurnkitError,
)
from .events import (
    BargeIn,
    Busy,
    Cancel,
    CancelReason,
    Commit,
    DraftDiscarded,
    DropReason,
    EagerEndOfTurn,
    EndOfTurn,
    Event,
    Hold,
    Initiate,
    Note,
    NoteKind,
    Outcome,
    PlaybackAdvanced,
    PlaybackFinished,
    PlaybackStarted,
    Protect,
    ReplyEnded,
    Resume,
    ResumeReason,
    Signal,
    Speculate,
    StartOfTurn,
    StreamLost,
    StreamRestored,
    TurnDropped,
    TurnEvent,
    TurnResumed,
    TurnStalled,
    TurnStarted,
    TurnUpdated,
    Update,
    UserIdle,
)
from .machine import TurnMachine
from .policy import (
    ENGLISH_BACKCHANNELS,
    NEVER_BACKCHANNELS,
    Budget,
    EchoGuard,
    Grace,
    HoldThenDecide,
    IgnoreBackchannels,
    Immediate,
    MinConfidence,
    MinDuration,
    MinWords,
    Never,
    NoSpeculation,
    OnEager,
    Overlap,
    Pause,
    Verdict,
    all_of,
)
from .wire import FluxOptions, decode, encode, to_event

if TYPE_CHECKING:
    from .flux import FluxStream, connect
    from .session import Session

__version__ = "0.1.0"

_ON_FIRST_USE = {"FluxStream": "flux", "connect": "flux", "Session": "session"}

__all__ = [
    "ENGLISH_BACKCHANNELS",
    "NEVER_BACKCHANNELS",
    "BargeIn",
    "Budget",
    "Busy",
    "Cancel",
    "CancelReason",
    "Commit",
    "ConfigError",
    "ConnectionFailed",
    "DraftDiscarded",
    "DropReason",
    "EagerEndOfTurn",
    "EchoGuard",
    "EndOfTurn",
    "Event",
    "FluxError",
    "FluxOptions",
    "FluxStream",
    "Grace",
    "Hold",
    "HoldThenDecide",
    "IgnoreBackchannels",
    "Immediate",
    "Initiate",
    "LocalProtocolError",
    "MinConfidence",
    "MinDuration",
    "MinWords",
    "Never",
    "NoSpeculation",
    "Note",
    "NoteKind",
    "OnEager",
    "Outcome",
    "Overlap",
    "Pause",
    "PlaybackAdvanced",
    "PlaybackFinished",
    "PlaybackStarted",
    "Protect",
    "ProtocolError",
    "RemoteProtocolError",
    "ReplyEnded",
    "Resume",
    "ResumeReason",
    "Session",
    "Signal",
    "Speculate",
    "StartOfTurn",
    "StreamLost",
    "StreamRestored",
    "TraceMismatch",
    "TurnDropped",
    "TurnEvent",
    "TurnMachine",
    "TurnResumed",
    "TurnStalled",
    "TurnStarted",
    "TurnUpdated",
    "TurnkitError",
    "Update",
    "UserIdle",
    "Verdict",
    "all_of",
    "connect",
    "decode",
    "encode",
    "to_event",
]


def __getattr__(name: str) -> object:
    module = _ON_FIRST_USE.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f".{module}", __name__), name)
