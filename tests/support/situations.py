"""Situations to put before a policy: an overlap and a pause, and strategies for any."""

from __future__ import annotations

from hypothesis import strategies as st

from turnkit.turns.policy import Overlap, Pause

OVERLAP = Overlap(transcript="well actually", elapsed=0.6, playing=3.0, heard="The capital is", held=False, final=False)
PAUSE = Pause(transcript="what about tomorrow", confidence=0.6, attempts=0, elapsed=4.0)

seconds = st.floats(0, 1e6)
overlaps = st.builds(
    Overlap,
    transcript=st.text(),
    elapsed=seconds,
    playing=seconds,
    heard=st.text(),
    held=st.booleans(),
    final=st.booleans(),
)
pauses = st.builds(
    Pause, transcript=st.text(), confidence=st.floats(0, 1), attempts=st.integers(0, 50), elapsed=seconds
)
