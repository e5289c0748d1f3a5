"""Callers and detectors that know nothing of each other, of the simulator, or of the tuner held against them."""

from .models import MODELS, UNSEEN
from .world import Truth, Variant, World

__all__ = ["MODELS", "UNSEEN", "Truth", "Variant", "World"]
