"""Every built-in policy, alone and combined."""

from __future__ import annotations

from typing import Any

from turnkit.turns.policy import (
    BARGE_IN_POLICIES,
    ENGLISH_BACKCHANNELS,
    SPECULATION_POLICIES,
    Budget,
    EchoGuard,
    Grace,
    HoldThenDecide,
    IgnoreBackchannels,
    MinConfidence,
    MinDuration,
    MinWords,
    Never,
    all_of,
)

BARGE_IN: list[Any] = [
    *(example for built_in in BARGE_IN_POLICIES for example in built_in.examples),
    HoldThenDecide(then=MinDuration(0.5), seconds=0.2),
    IgnoreBackchannels({"ja", "はい"}, then=MinWords(2)),
    IgnoreBackchannels(ENGLISH_BACKCHANNELS | {"ja"}),
    EchoGuard(then=Never(), match=0.5, min_words=1),
    all_of(Grace(1.0), IgnoreBackchannels(), MinWords(2)),
]
SPECULATION: list[Any] = [
    *(example for built_in in SPECULATION_POLICIES for example in built_in.examples),
    Budget(),
    Budget(2, 10.0),
    all_of(Budget(2), MinConfidence(0.5)),
]
