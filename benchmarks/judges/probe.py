"""`python -m benchmarks.judges.probe`: turnkit's bot called by voice-evals' probe, unmodified, through the gateway.

It wants `pip install -e '.[web,ear]' voice-evals`, and ends as the probe does: with 0 if all of its limits hold.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from .bots import ROOT, Bot, running, turnkit_bot
from .conversation import MAX_STOP_MS
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


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.judges.probe", description=__doc__)
    parser.add_argument("--rounds", type=int, default=10, help="of a question and an interruption")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="where the probe's recording and report stay")
    rounds, keep = (parsed := parser.parse_args()).rounds, parsed.keep
    with TemporaryDirectory() as temporary:
        room = keep or Path(temporary)
        room.mkdir(parents=True, exist_ok=True)
        wanted = room / "script.json"
        wanted.write_text(json.dumps(script(rounds)), encoding="utf-8")
        clips = caller(room)
        with running(turnkit_bot("quick"), room / "bot.log") as port:
            command = ["-m", "benchmarks.judges.gateway", "{port}", f"ws://127.0.0.1:{port}/call"]
            with running(Bot("gateway", sys.executable, command, ("", "")), room / "gateway.log") as gateway:
                probe = [str(Path(sys.executable).with_name("voice-eval")), "probe", str(wanted)]
                probe += ["--transport", f"ws://127.0.0.1:{gateway}", "--caller", "fixture"]
                probe += ["--fixture-manifest", str(clips), "--output-dir", str(room / "sessions")]
                probe += ["--max-barge-in-stop-ms", str(MAX_STOP_MS), "--call-timeout-ms", str(60_000 * rounds)]
                code = subprocess.run(probe, cwd=ROOT, check=False).returncode
        told = json.loads((room / "sessions" / "result.json").read_text("utf-8"))["probe"]["interruptions"]
        print(f"stopped within {told['median_stop_ms']:.0f} ms in the median, {told['max_stop_ms']:.0f} at most")
    return code


if __name__ == "__main__":
    raise SystemExit(main())
