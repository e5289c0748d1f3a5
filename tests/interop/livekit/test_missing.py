"""Without LiveKit Agents, turnkit says in one line what to install, and loads nothing of it unasked."""

from __future__ import annotations

import subprocess
import sys

SOURCE = """
import sys
sys.modules["livekit"] = sys.modules["livekit.agents"] = None  # as if it were not installed
import turnkit, turnkit.interop
assert "turnkit.interop.livekit" not in sys.modules
try:
    from turnkit.interop import livekit
except ImportError as error:
    print(error)
"""


def test_it_says_which_extra_to_install() -> None:
    """In one line of turnkit's own."""
    done = subprocess.run([sys.executable, "-c", SOURCE], capture_output=True, text=True, check=True)
    assert done.stdout == "turnkit.interop.livekit needs LiveKit Agents: pip install 'turnkit[livekit]'\n"


def test_neither_turnkit_nor_interop_loads_it() -> None:
    """Where it is installed, too."""
    source = "import sys, turnkit, turnkit.interop; print('livekit' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
