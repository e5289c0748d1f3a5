"""Policies that always answer the same, or must not be asked."""

from __future__ import annotations

from typing import Any


def says(answer: Any) -> Any:
    """A plain function as a policy, with this answer: a bare one, or one with its why."""
    return lambda situation: answer


def unasked(situation: Any) -> Any:
    """A policy that must not be asked."""
    raise AssertionError("this policy was not to be asked")
