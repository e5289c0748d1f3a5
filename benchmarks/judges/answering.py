"""What all bots of these benchmarks answer, and with whose voice: an LLM of a fixed delay, espeak-ng at one speed."""

from __future__ import annotations

from functools import cache

from .sounds import ANSWER, pcm, spoken

LLM_SECONDS = 0.2
"""Seconds to the first word of the LLM; it says `ANSWER` to everything."""


@cache
def answer_sound() -> bytes:
    """The answer, as 16-bit samples at 16 kHz; spoken once, as no bot is to be measured by its voice."""
    return pcm(spoken(ANSWER, "en-gb+f4", 150))
