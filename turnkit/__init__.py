"""turnkit decides when a voice bot may think, may speak and must stop.

- `turns`: the engine, pure: what can happen, what is legal, what the policies say, and what follows from it.
- `wire`: what Flux says and is told, as messages; `errors`: all that turnkit raises; `checks`: of settings.
- `trace`: a call as a file, and that call replayed; `metrics`: a call in figures.
- `evidence`: many calls in one unit that adds up; `tables`: the same as rows, for Parquet.
- `timers`, `logs`: how everything live waits, and how it logs.
- `flux`: the connection to Flux; `session`: your bot in a call; `speaking`: its voice.
- `interop`: turnkit inside Pipecat, LiveKit and the Deepgram SDK, on the phone and in a page; imported by name.
- `telemetry`: log lines, metrics and spans of every call, for your dashboards.
- `simulator`: a Flux on your own machine, with every fault on demand.
- `testing`: tests of your bot, against scripted callers and in virtual time.
- `tools`: the workshop; `proof` checks the rules in every state, `tuner` finds thresholds, `viewer` draws a call,
  `soak` holds many at once, `demo` holds one to watch, `play` one in the browser, with whoever types or speaks.
- `cli`: the command line, `turnkit --help`.

The plan in `tests/house/test_layers.py` says which of them may import which. Importing turnkit loads the engine and the
wire; all else is loaded on first use.
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
from .lazy import on_first_use
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
    Interrupt,
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
    TimedWord,
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
from .turns.policy import Overlap, Pause, Verdict, all_of
from .turns.policy import barge_in as _barge_in
from .turns.policy import speculation as _speculation
from .turns.policy.barge_in import *
from .turns.policy.speculation import *
from .wire import FluxOptions, decode, encode, to_event

if TYPE_CHECKING:
    from .flux import FluxStream, connect
    from .session import HostFailure, Reply, Session
    from .session.feed import Feed
    from .session.signal_stream import SignalStream
    from .speaking import AudioSink, ClockSink, Playback, Sound, Timeline, speakable, speaker

__version__ = "0.1.0"

_ON_FIRST_USE = {
    "AudioSink": "speaking",
    "ClockSink": "speaking",
    "Feed": "session.feed",
    "FluxStream": "flux",
    "HostFailure": "session",
    "Playback": "speaking",
    "Reply": "session",
    "Session": "session",
    "SignalStream": "session.signal_stream",
    "Sound": "speaking",
    "Timeline": "speaking",
    "connect": "flux",
    "speakable": "speaking",
    "speaker": "speaking",
}

__all__ = [
    "AudioSink",
    "BargeIn",
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
    "EndOfTurn",
    "Event",
    "Feed",
    "FluxError",
    "FluxOptions",
    "FluxStream",
    "Hold",
    "HostFailure",
    "Initiate",
    "Interrupt",
    "LocalProtocolError",
    "Note",
    "NoteKind",
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
    "SignalStream",
    "Sound",
    "Speculate",
    "StartOfTurn",
    "StreamLost",
    "StreamRestored",
    "TimedWord",
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
    "speakable",
    "speaker",
    "to_event",
]
__all__ += _barge_in.__all__
__all__ += _speculation.__all__

__getattr__, __dir__ = on_first_use(__name__, _ON_FIRST_USE)
