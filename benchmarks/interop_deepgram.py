"""What turnkit adds to a message that Deepgram's SDK has read, and what the SDK itself takes for it.

Needs `turnkit[deepgram]`:   python -m benchmarks.interop_deepgram
"""

from __future__ import annotations

import json
from collections.abc import Callable
from statistics import median
from time import perf_counter_ns
from typing import Any

from deepgram.core.unchecked_base_model import construct_type
from deepgram.listen.v2.socket_client import V2SocketClientResponse

from turnkit import BargeIn, Commit, PlaybackStarted, TurnMachine
from turnkit.wire import decode, to_event

COUNT = 3000
RESPONSE: Any = V2SocketClientResponse  # a union, where the SDK asks for a type
SAID = ["sorry", "I", "meant", "a", "table", "for", "three"]


def frame(event: str, turn: int) -> str:
    """A frame of Flux's."""
    words = [{"word": word, "confidence": 0.9, "start": i * 0.3, "end": i * 0.3 + 0.2} for i, word in enumerate(SAID)]
    return json.dumps(
        {
            "type": "TurnInfo",
            "request_id": "6ad1b1f8-0a5c-4f1c-9a2f-1d2f3c4b5a69",
            "sequence_id": 3,
            "event": event,
            "turn_index": turn,
            "audio_window_start": 0.0,
            "audio_window_end": 2.4,
            "transcript": " ".join(SAID),
            "words": words,
            "end_of_turn_confidence": 0.1,
        }
    )


def machine_that_speaks() -> TurnMachine:
    """A machine in the midst of a reply, which the next turn interrupts."""
    machine = TurnMachine()
    machine.feed(to_event(decode(frame("StartOfTurn", 0))), at=0.0)  # type: ignore[arg-type]
    signals = machine.feed(to_event(decode(frame("EndOfTurn", 0))), at=1.0)  # type: ignore[arg-type]
    (commit,) = (signal for signal in signals if isinstance(signal, Commit))
    machine.feed(PlaybackStarted(commit.reply), at=1.1)
    return machine


def microseconds(prepare: Callable[[], Any], work: Callable[[Any], object]) -> float:
    """How long the work takes, in the middle of many times; what prepares it is not counted."""
    times = []
    for _ in range(COUNT):
        prepared = prepare()
        began = perf_counter_ns()
        work(prepared)
        times.append(perf_counter_ns() - began)
    return median(times) / 1000


def sdk_reads(text: str) -> Any:
    """The SDK's own reading, as its `recv` does it."""
    return construct_type(type_=RESPONSE, object_=json.loads(text))


def interrupts(prepared: tuple[Any, TurnMachine]) -> None:
    """From what the SDK gives to BargeIn."""
    message, machine = prepared
    signals = machine.feed(to_event(decode(message)), at=2.0)  # type: ignore[arg-type]
    assert any(isinstance(signal, BargeIn) for signal in signals)


def main() -> None:
    """Print the figures."""
    text = frame("StartOfTurn", 1)
    print(f"{microseconds(lambda: text, sdk_reads):7.1f} µs  the SDK makes its object of a frame")
    added = microseconds(lambda: (sdk_reads(text), machine_that_speaks()), interrupts)
    print(f"{added:7.1f} µs  turnkit, from that object to BargeIn")
    own = microseconds(lambda: (text, machine_that_speaks()), interrupts)
    print(f"{own:7.1f} µs  turnkit, from the frame itself to BargeIn")


if __name__ == "__main__":
    main()
