"""The conversation that voicebench plays: a question, an interruption of the answer, and noise over the next answer."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

from .sounds import RATE, Sounds

MAX_STOP_MS = 1000
"""From the first sound of an interruption: what voicebench calls success; and of a cough, a false stop."""


def scenario(sounds: Sounds, rounds: int, seed: int) -> dict[str, Any]:
    """A call of so many rounds: a question, an interruption of the answer, and over the next answer a cough or a hum.

    No turn depends on how the bot took the one before: each waits until the bot speaks, or has spoken.
    """
    chance = Random(seed)
    turns: list[dict[str, Any]] = []
    for number in range(rounds):
        asks = (
            {"after": "agent_speech_end", "delay_ms": 700} if number else {"after": "session_start", "delay_ms": 1000}
        )
        over = {"after": "agent_speech_start", "delay_ms": chance.randint(700, 1500)}
        noise, sound = ("cough", sounds.coughs) if number % 2 else ("hum", sounds.hums)
        turns += [
            _turn(f"ask-{number}", chance, sounds.questions, asks, "respond"),
            _turn(f"interrupt-{number}", chance, sounds.interruptions, over, "stop"),
            _turn(f"{noise}-{number}", chance, sound, {**over, "delay_ms": chance.randint(700, 1500)}, "ignore"),
        ]
    return {
        "name": f"conversation-{seed}",
        "sample_rate": RATE,
        "frame_ms": 20,
        "tail_ms": 4000,
        "max_duration_ms": 40_000 * rounds,
        "turns": turns,
    }


def _turn(name: str, chance: Random, sounds: Sequence[Path], start: dict[str, Any], expect: str) -> dict[str, Any]:
    turn = {"id": name, "audio": {"file": str(chance.choice(sounds))}, "start": start, "expect": expect}
    return turn if expect == "respond" else {**turn, "max_stop_ms": MAX_STOP_MS}


def written(scenario: dict[str, Any], path: Path) -> Path:
    """As a file that voicebench reads: its YAML has all of JSON in it."""
    path.write_text(json.dumps(scenario, indent=1), encoding="utf-8")
    return path
