"""The lines of those pages of docs that need a framework, where it is installed, run as they stand there.

They are phone.md, production.md, pipecat.md, livekit.md, deepgram-sdk.md and browser.md, each in the environment
that `.ci/interop` makes for what it shows.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.doc_blocks import ROOT, blocks, python_of

HERE = "tests/interop/test_docs_pages.py"
NEEDS = {
    "phone.md": "soxr",
    "production.md": "starlette",
    "pipecat.md": "pipecat",
    "livekit.md": "livekit.agents",
    "deepgram-sdk.md": "deepgram",
}


@pytest.mark.parametrize("page", NEEDS)
def test_the_lines_of_a_page(page: str, tmp_path: Path) -> None:
    """From top to bottom, in a fresh interpreter."""
    pytest.importorskip(NEEDS[page], reason=f"{page} is tried in an environment of its own: .ci/interop")
    if page == "production.md":
        pytest.importorskip("soxr", reason="the voice of production.md needs soxr; .ci/interop has it")
    assert [block for block in python_of(f"docs/{page}", HERE) if block.language == "python"]
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from tests.support.doc_blocks import run_page; "
    done = subprocess.run(
        [sys.executable, "-c", f"{code}run_page('docs/{page}', {HERE!r})"],
        cwd=tmp_path,
        timeout=120,
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


def test_the_lines_for_a_page_are_those_of_the_script() -> None:
    """What browser.md has a page import, call and listen to, the script has."""
    (block,) = [block for block in blocks("docs/browser.md") if block.language == "html"]
    script = (ROOT / "turnkit/interop/browser/turnkit.js").read_text("utf-8")
    assert "export class TurnkitCall" in script
    for method in re.findall(r"call\.(\w+)\(", block.code):
        assert re.search(rf"^  (async )?{method}\(", script, re.MULTILINE), method
    told = re.findall(r'call\.on\("(\w+)", \(\{ (\w+) \}\)', block.code)
    assert told
    for event, field in told:
        assert re.search(rf'"{event}"', script), event
        assert re.search(rf"\b{field}\b", script), field
