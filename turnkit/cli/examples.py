"""An example of every command, or two, as its help shows them: they run one after the other, on what came before."""

from __future__ import annotations

EXAMPLES: dict[str, tuple[str, ...]] = {
    "chart": ("turnkit chart reply",),
    "check": ("turnkit check --quick",),
    "demo": ("turnkit demo --speed 10 --record calls/",),
    "simulate": ("turnkit simulate --port 8765 --fault stall@turn2.mid",),
    "run": ("turnkit run call.wav --url ws://127.0.0.1:8765 --record calls/",),
    "play": ("turnkit play --port 8100",),
    "serve": ("turnkit serve mybot:session --port 8000 --simulate",),
    "replay": ("turnkit replay calls/", "turnkit replay calls/ --barge-in min-words:3"),
    "view": ("turnkit view calls/ --out index.html",),
    "tune": ("turnkit tune calls/ --html tuning.html",),
    "metrics": ("turnkit metrics calls/", "turnkit metrics calls/ --json"),
    "export": ("turnkit export calls/ -o tables/",),
    "soak": ("turnkit soak --sessions 100 --seconds 1200 --faults 0.001",),
}


def shown_examples(command: str) -> str:
    """The examples as a block of code of the help."""
    lines = "\n".join(f"    {line}" for line in EXAMPLES[command])
    return f"For example:\n\n{lines}"
