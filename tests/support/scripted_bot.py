"""A bot of the test kit's stand-ins, with one answer to everything."""

from __future__ import annotations

from typing import Any

from turnkit import Session
from turnkit.testing import ScriptedLLM, ScriptedVoice

OPEN = "We are open from nine to five."


def bot(answer: str = OPEN, **settings: Any) -> Session:
    """A session of these stand-ins; `settings` of it."""
    return Session(respond=ScriptedLLM(answer).respond, speak=ScriptedVoice(), **settings)
