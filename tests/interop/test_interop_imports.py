"""What importing the ways into other worlds loads, and what is said where a package is missing."""

from __future__ import annotations

import subprocess
import sys

FOREIGN = {"aiohttp", "fastapi", "numpy", "soxr", "starlette", "uvicorn", "pipecat", "livekit", "deepgram"}


def python(code: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    ).stdout.strip()


def test_no_foreign_package_is_loaded() -> None:
    """By the room, nor by the phone: any server's websocket is known by its methods."""
    loaded = f"import sys; print(*sorted({FOREIGN!r} & sys.modules.keys()))"
    assert python(f"import turnkit, turnkit.interop; {loaded}") == ""
    assert python(f"from turnkit.interop import twilio, telnyx, plivo, network_sink; {loaded}") == ""


def test_a_package_that_is_missing() -> None:
    """One line, and the extra to install."""
    code = """
import sys
sys.modules["soxr"] = None
try:
    import turnkit.interop.pcm_voice
except ImportError as error:
    print(error)
"""
    assert python(code) == "turnkit.interop.pcm_voice needs numpy and soxr: pip install 'turnkit[phone]'"
