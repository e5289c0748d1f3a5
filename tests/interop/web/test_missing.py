"""`turnkit serve` where something is missing: a line that says what, and never the key."""

from __future__ import annotations

import subprocess
import sys

from typer.testing import CliRunner

from turnkit.cli import app

LINE = "turnkit.interop.web needs Starlette and uvicorn: pip install 'turnkit[web]'"


def python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)


def test_without_the_extra() -> None:
    """One line, in the package and in the command."""
    missing = "import sys\nsys.modules['uvicorn'] = sys.modules['starlette'] = None\n"
    said = python(f"{missing}try:\n    import turnkit.interop.web\nexcept ImportError as error:\n    print(error)")
    assert said.stdout.strip() == LINE
    said = python(f"{missing}from turnkit.cli import main\nsys.argv = ['turnkit', 'serve', 'mybot:session']\nmain()")
    assert (said.returncode, said.stdout, said.stderr.strip()) == (1, "", f"error: {LINE}")


def test_it_has_a_help() -> None:
    """Which is there without the extra too."""
    said = CliRunner().invoke(app, ["serve", "--help"])
    assert said.exit_code == 0
    assert "DEEPGRAM_API_KEY" in said.output
