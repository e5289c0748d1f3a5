"""Arithmetic of Configure: merging several, what one leaves in force, and what takes it back."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from ..wire import DEFAULT_EOT_THRESHOLD, DEFAULT_EOT_TIMEOUT_MS, Configure, FluxOptions, Thresholds


def merged(commands: Iterable[Configure]) -> Configure:
    """One Configure for several: the later value wins, field by field, and threshold by threshold."""
    fields: dict[str, Any] = {}
    thresholds: dict[str, Any] = {}
    for command in commands:
        fields |= given(command)
        thresholds |= given(fields.pop("thresholds", None))
    return Configure(thresholds=Thresholds(**thresholds) if thresholds else None, **fields)


def given(struct: Configure | Thresholds | None) -> dict[str, Any]:
    """The fields that have a value."""
    values = {} if struct is None else msgspec.structs.asdict(struct)
    return {name: value for name, value in values.items() if value is not None}


def applied(options: FluxOptions, command: Configure) -> FluxOptions:
    """The options once Flux has taken `command`; raises ConfigError for what it would refuse."""
    fields = given(command)
    changes = given(fields.pop("thresholds", None))
    names = {"keyterms": "keyterm", "language_hints": "language_hint"}
    return msgspec.structs.replace(options, **changes, **{names.get(name, name): fields[name] for name in fields})


def undo(command: Configure, before: FluxOptions) -> Configure:
    """The Configure that takes `command` back, to the options `before` it."""
    changed = command.thresholds or Thresholds()
    eot = DEFAULT_EOT_THRESHOLD if before.eot_threshold is None else before.eot_threshold
    timeout = DEFAULT_EOT_TIMEOUT_MS if before.eot_timeout_ms is None else before.eot_timeout_ms
    moved = changed.eot_threshold is not None or changed.eager_eot_threshold is not None
    return Configure(
        thresholds=Thresholds(
            eot_threshold=None if changed.eot_threshold is None else eot,
            eager_eot_threshold=before.eager_eot_threshold if moved else None,
            eot_timeout_ms=None if changed.eot_timeout_ms is None else timeout,
        ),
        keyterms=None if command.keyterms is None else before.keyterm,
        language_hints=None if command.language_hints is None else before.language_hint,
        numerals=None if command.numerals is None else bool(before.numerals),
    )
