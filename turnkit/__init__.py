"""turnkit decides when a voice bot may think, may speak and must stop.

Nouns: `events` (facts in, signals out), `errors`, `words`.   Flux's contract: `wire`.   What is legal: `chart`.
Judgement: `policy`.   What was heard: `playback`.   The engine, pure, one event in, signals out: `machine`.
What a call came to, in figures: `metrics`.   Whether the rules were kept: `referee`; in every state there is: `check`.
A call as a file, and that call again: `trace`.   To look at: `viewer`.   Which thresholds to run: `tuner`.
Live, on asyncio or trio: `flux` (the connection), `session` (your bot), `speaking` (its voice), `simulator` (a Flux).
For the tests of your bot: `testing`.   To your dashboards: `telemetry`.   Many calls at once: `soak`.
The command line: `cli`, or `turnkit --help`.
Imports go down only; what waits, logs or opens a socket is in the last three lines, and all but the core is loaded on
first use.
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
from .turns.events import (
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
from .turns.machine import TurnMachine
from .turns.policy import (
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
    from .session import Reply, Session
    from .speaking import AudioSink, ClockSink, Playback, Sound, Timeline, speaker

__version__ = "0.1.0"

_ON_FIRST_USE = {
    "AudioSink": "speaking",
    "ClockSink": "speaking",
    "FluxStream": "flux",
    "Playback": "speaking",
    "Reply": "session",
    "Session": "session",
    "Sound": "speaking",
    "Timeline": "speaking",
    "connect": "flux",
    "speaker": "speaking",
}

__all__ = [
    "ENGLISH_BACKCHANNELS",
    "NEVER_BACKCHANNELS",
    "AudioSink",
    "BargeIn",
    "Budget",
    "Busy",
    "Cancel",
    "CancelReason",
    "ClockSink",
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
    "Playback",
    "PlaybackAdvanced",
    "PlaybackFinished",
    "PlaybackStarted",
    "Protect",
    "ProtocolError",
    "RemoteProtocolError",
    "Reply",
    "ReplyEnded",
    "Resume",
    "ResumeReason",
    "Session",
    "Signal",
    "Sound",
    "Speculate",
    "StartOfTurn",
    "StreamLost",
    "StreamRestored",
    "Timeline",
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
    "speaker",
    "to_event",
]


def __getattr__(name: str) -> object:
    module = _ON_FIRST_USE.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f".{module}", __name__), name)
