"""What voice-evals' probe is given: a script of questions and interruptions, and the sounds of its caller."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from .sounds import INTERRUPTIONS, QUESTIONS, RATE, VOICES, save, spoken


def script(rounds: int) -> dict[str, Any]:
    """So many questions, each answer interrupted a second after it began, and the answer to that heard to its end."""
    steps: list[dict[str, Any]] = []
    for number in range(rounds):
        ask, stop = f"ask{number}", f"stop{number}"
        before = f"stop{number - 1}"
        cue = (
            {"mode": "wait_agent_end", "response_to": before, "timeout_ms": 30000} if number else {"mode": "speak_now"}
        )
        cut = {"mode": "interrupt", "response_to": ask, "after_ms": 1000, "timeout_ms": 15000, "if_missed": "fail"}
        for name, how, text in (
            (ask, cue, QUESTIONS[number % len(QUESTIONS)]),
            (stop, cut, INTERRUPTIONS[number % len(INTERRUPTIONS)]),
        ):
            steps.append({"id": name, "intent": name, "cue": how, "utterance": {"text": text}})
    return {
        "schema_version": 2,
        "name": "questions-interrupted",
        "expected_outcome": "answered",
        "required_facts": [],
        "forbidden_facts": [],
        "seed": 1,
        "facts": {},
        "steps": steps,
        "outcome_rule": {
            "source": "final_agent_text",
            "after_step": f"stop{rounds - 1}",
            "all_of": ["Thank you"],
            "value": "answered",
        },
    }


def caller(room: Path) -> Path:
    """The manifest of the caller's sounds, for `--caller fixture`."""
    clips = []
    for number, text in enumerate((*QUESTIONS, *INTERRUPTIONS)):
        path = save(spoken(text, VOICES[number % len(VOICES)]), room / f"clip{number}.wav")
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        clips.append({"text": text, "file": path.name, "sha256": digest, "provenance": {"engine": "espeak-ng"}})
    manifest = room / "clips.json"
    form = {"sample_rate": RATE, "channels": 1, "sample_width": 2, "encoding": "pcm_s16le"}
    manifest.write_text(json.dumps({"format": form, "note": "spoken by espeak-ng", "clips": clips}))
    return manifest
