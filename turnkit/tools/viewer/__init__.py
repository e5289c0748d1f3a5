"""Viewer of a call: one HTML file with every event, decision and sound in its lane, and the same for Perfetto."""

from .drawn import Scene
from .page import page
from .scene import scene

__all__ = ["Scene", "page", "scene"]
