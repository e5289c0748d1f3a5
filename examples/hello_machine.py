"""The engine alone: events in, signals out, no network, no clock.

Run: python examples/hello_machine.py
"""

from turnkit import (
    EagerEndOfTurn,
    EndOfTurn,
    Event,
    MinWords,
    PlaybackFinished,
    PlaybackStarted,
    StartOfTurn,
    TurnMachine,
    TurnResumed,
    Update,
)

CONVERSATION: list[tuple[float, Event]] = [
    # The user pauses, goes on, and is done: the first draft is withdrawn, the second one kept.
    (0.0, StartOfTurn(0, "Tomorrow")),
    (0.8, EagerEndOfTurn(0, "Tomorrow", 0.45)),
    (1.6, TurnResumed(0, "Tomorrow at", 0.02)),
    (2.4, EagerEndOfTurn(0, "Tomorrow at eight.", 0.6)),
    (2.6, EndOfTurn(0, "Tomorrow at eight.", 0.8, trigger="model")),
    (3.0, PlaybackStarted(1)),
    # One word over the agent is a backchannel, two take the floor.
    (4.0, StartOfTurn(1, "Mm-hm.")),
    (4.4, EndOfTurn(1, "Mm-hm.", 0.7, trigger="model")),
    (5.0, StartOfTurn(2, "Sorry")),
    (5.2, Update(2, "Sorry, at nine", 0.1)),
    (5.9, EndOfTurn(2, "Sorry, at nine.", 0.8, trigger="model")),
    (6.3, PlaybackStarted(2)),
    (8.0, PlaybackFinished(2)),
]


def main() -> None:
    machine = TurnMachine(barge_in=MinWords(2), idle_timeout=5.0)
    for at, event in CONVERSATION:
        for signal in machine.feed(event, at):
            print(signal)
    while machine.deadline is not None and machine.deadline < 20.0:
        for signal in machine.wake(machine.deadline):
            print(signal)
    print(machine.close(20.0))


if __name__ == "__main__":
    main()
