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
- `cli`: the command line, `turnkit --help`; `interrupts`: Ctrl-C while that is being loaded.

The plan in `tests/house/test_layers.py` says which of them may import which. Importing turnkit loads none of
them: the engine, the errors and the wire (`engine`) come with the first name of theirs that is asked for, all else with
its own.
"""

from __future__ import annotations

from .lazy import on_first_use

TYPE_CHECKING = False  # type checkers know the name; to import typing takes longer than all that is imported here

if TYPE_CHECKING:  # what comes by a star or an `as` is passed on; `__all__` comes with the engine, as it is long
    __all__: list[str]
    from .engine import *
    from .flux import FluxStream as FluxStream
    from .flux import connect as connect
    from .session import HostFailure as HostFailure
    from .session import Reply as Reply
    from .session import Session as Session
    from .session.feed import Feed as Feed
    from .session.signal_stream import SignalStream as SignalStream
    from .speaking import AudioSink as AudioSink
    from .speaking import ClockSink as ClockSink
    from .speaking import Playback as Playback
    from .speaking import Sound as Sound
    from .speaking import Timeline as Timeline
    from .speaking import speakable as speakable
    from .speaking import speaker as speaker
    from .turns.policy.barge_in import *
    from .turns.policy.speculation import *

__version__ = "0.1.0"

_ON_FIRST_USE = {
    # What stands under the engine goes by its name, as if it had been imported with turnkit.
    "checks": "checks",
    "errors": "errors",
    "turns": "turns",
    "wire": "wire",
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

__getattr__, __dir__ = on_first_use(__name__, _ON_FIRST_USE, rest="engine")
