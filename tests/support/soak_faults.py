"""Faults for a soak that end each connection of a call in its own way."""

from __future__ import annotations

# In the middle of a turn; the last strikes every connection, but only its messages.
BREAKS = ("stall@turn2.mid/1", "close:1011@turn1.mid/2", "drop@turn1.mid/3", "duplicate@end*")
