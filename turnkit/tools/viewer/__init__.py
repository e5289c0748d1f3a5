"""Viewer of a call: one HTML file with every event, decision and sound in its lane, and the same for Perfetto."""

from .page import page
from .scene import Scene, scene

__all__ = ["Scene", "page", "scene"]
