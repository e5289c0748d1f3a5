"""The inputs: frames as Flux's live wire has them, key for key in its order, made here from invented words.

What a turn looks like is measured: an Update each 0.24 s of audio, one in five without a change, and now and then a
revised last word. https://developers.deepgram.com/docs/flux/state
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import msgspec

_SAID = (
    "So, can you move my visit to Friday at ten, and tell me if the last bill was paid, "
    "because nobody has answered the letter that we sent to your office in March?"
)
WORDS = _SAID.split()
REQUEST_ID = "019f8a31-5c2e-7b40-9d11-6e2f0a4c7d58"
CONNECTED = msgspec.json.encode({"type": "Connected", "request_id": REQUEST_ID, "sequence_id": 0})
_STEP = 0.24  # seconds of audio from one Update to the next


class Said(NamedTuple):
    """What one frame reports."""

    event: str
    turn_index: int
    words: Sequence[str] = ()
    trigger: str = ""


def encoded(said: Said, sequence_id: int) -> bytes:
    """The TurnInfo that reports it, its audio window ending `sequence_id` steps into the stream."""
    end = round(sequence_id * _STEP, 2)
    starts = [round(max(0.0, end - 0.3 * back), 1) for back in range(len(said.words), 0, -1)]
    words = [
        {"word": word, "confidence": 0.98, "start": start, "end": round(start + 0.3, 1)}
        for word, start in zip(said.words, starts, strict=True)
    ]
    fields = {
        "type": "TurnInfo",
        "request_id": REQUEST_ID,
        "event": said.event,
        "turn_index": said.turn_index,
        "audio_window_start": 0.0,
        "audio_window_end": end,
        "transcript": " ".join(said.words),
        "words": words,
        "end_of_turn_confidence": 0.0717,
        "sequence_id": sequence_id,
    }
    return msgspec.json.encode(fields | ({"trigger": said.trigger} if said.trigger else {}))


def typical() -> bytes:
    """One Update in the middle of a turn: twelve words with their times, about 930 bytes."""
    return encoded(Said("Update", 3, WORDS[:12]), 37)


def turn(index: int, updates: int, idle: int = 0, *, resumed: bool = False) -> Iterator[Said]:
    """A turn of so many Updates, and the idle ones after it; `resumed`: with a false end in the middle."""
    words = list(WORDS[:2])
    yield Said("StartOfTurn", index, tuple(words))
    for update in range(1, updates + 1):
        if update % 5:
            words.append(WORDS[len(words) % len(WORDS)])
        if update % 8 == 0:
            words[-1] = "well,"
        yield Said("Update", index, tuple(words))
        if resumed and update == updates // 2:
            yield Said("EagerEndOfTurn", index, tuple(words))
            yield Said("TurnResumed", index, tuple(words))
    yield Said("EagerEndOfTurn", index, tuple(words))
    yield Said("EndOfTurn", index, tuple(words), "model")
    for _ in range(idle):
        yield Said("Update", index + 1)


def conversation(turns: int, updates: int, idle: int) -> list[Said]:
    """So many turns of so many Updates each, every third with a false end."""
    return [said for index in range(turns) for said in turn(index, updates, idle, resumed=index % 3 == 2)]
