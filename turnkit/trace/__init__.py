"""Traces: calls as files, recorded while they are held, read and replayed afterwards on any machine.

A trace is JSON lines in UTF-8. Every `at` is a second of the monotonic clock that the machine was told, written so
that it is read back bit for bit. The first line is the header:

    {"trace": 2, "turnkit": "0.1.0", "session": "4f1c", "began": "2026-11-20T18:04:05.250+00:00", "began_at": 812.5,
     "settings": {"barge_in": "MinWords(count=2)", "hold_timeout": 2.0, ...}, "options": {"eot_threshold": 0.7, ...},
     "redacted": false, "speed": 1.0}

`trace` is the version of the format, `began` the wall clock and `began_at` the monotonic one at the same moment,
`settings` those of the machine (policies as the Python that builds them; one that is not turnkit's own as
`<module.name>`), `options` the FluxOptions of the connection at the start or null (there are no secrets in them),
`redacted` whether words were replaced, `speed` how many seconds of the
call passed in a second of the clock (1, and missing in older files, unless a demo or a test hurried;
`Trace.in_call_time` puts it right). Then, in the order in which things happened, one of these a line:

    {"at": 1.25, "event": "Update", "turn_index": 0, ...}        fed to the machine: an event and its fields
    {"at": 3.25, "wake": true}                                   time passed: the first wake, and each with signals
    {"at": 99.5, "close": true}                                  the machine was closed
    {"signal": "Commit", "at": 9.5, "turn": 0, ...}              what the machine answered to the line above
    {"signal": "ReplyEnded", "at": 12.75, ...}                   the session's own report; its own Notes likewise
    {"at": 9.75, "fact": "FirstChunk", "fields": {"reply": 3}}   what the machine is not told
    {"at": 1.25, "frame": {"type": "TurnInfo", ...}}             a frame of Flux whole, only if asked for
    {"at": 99.5, "end": "closed"}                                the last line; "full" if the file reached its bound

Words with their times are lists: word, start and end in seconds of stream audio (null if not given), confidence. The
error of a ReplyEnded is not written. Facts of the session are `Connected` (`request_id`), `Configured` (`thresholds`,
`keyterms`, `language_hints`, ... now in force), `FirstChunk` (`reply` has begun to say something, held back or not),
`RespondEnded` (`reply`'s `respond` is done) and `Said` (`reply` is over, and had said `text`, heard or not); a host
adds its own with `Session.record`, such as `TokensUsed` (`reply`, `tokens`). Readers skip kinds and fields they do not
know. A file without its last line was cut off, by a crash for instance, and reads up to there. With
`Recorder(path, audio=True)` a WAV file stands beside it, called the same: what was sent to Flux, second for second of
the stream's time. In version 1 the fields of a fact stood beside its name, and signals said less: `words`, `languages`
and `overlaps` among what is missing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..lazy import on_first_use

if TYPE_CHECKING:
    from .comparison import Comparison, compare
    from .policy_text import policy_from_text, policy_to_text
    from .reader import parse, read
    from .recorder import MAX_BYTES, Recorder
    from .records import Closed, Fact, Fed, Frame, Header, Input, Record, Trace, Woken
    from .replayer import Replayed, recorded_settings, replay
    from .turn_history import TurnHistory, turn_histories

__all__ = [
    "MAX_BYTES",
    "Closed",
    "Comparison",
    "Fact",
    "Fed",
    "Frame",
    "Header",
    "Input",
    "Record",
    "Recorder",
    "Replayed",
    "Trace",
    "TurnHistory",
    "Woken",
    "compare",
    "parse",
    "policy_from_text",
    "policy_to_text",
    "read",
    "recorded_settings",
    "replay",
    "turn_histories",
]

__getattr__, __dir__ = on_first_use(
    __name__,
    {
        "MAX_BYTES": "recorder",
        "Closed": "records",
        "Comparison": "comparison",
        "Fact": "records",
        "Fed": "records",
        "Frame": "records",
        "Header": "records",
        "Input": "records",
        "Record": "records",
        "Recorder": "recorder",
        "Replayed": "replayer",
        "Trace": "records",
        "TurnHistory": "turn_history",
        "Woken": "records",
        "compare": "comparison",
        "parse": "reader",
        "policy_from_text": "policy_text",
        "policy_to_text": "policy_text",
        "read": "reader",
        "recorded_settings": "replayer",
        "replay": "replayer",
        "turn_histories": "turn_history",
    },
)
