"""Commands to Flux, against its published wire format."""

from __future__ import annotations

from typing import Any

import pytest

from turnkit import wire
from turnkit.errors import ConfigError
from turnkit.wire import CloseStream, Configure, ForceEndTurn, Thresholds, encode

TERM = "must have 1 to 100 characters"


@pytest.mark.parametrize(
    ("command", "text"),
    [
        (CloseStream(), '{"type":"CloseStream"}'),
        (ForceEndTurn(), '{"type":"ForceEndTurn"}'),
        (Configure(), '{"type":"Configure"}'),
        (
            Configure(Thresholds(0.8, 0.5, 6000), ("Deepgram", "customer service"), ("en", "es"), True),
            '{"type":"Configure","thresholds":{"eot_threshold":0.8,"eager_eot_threshold":0.5,"eot_timeout_ms":6000},'
            '"keyterms":["Deepgram","customer service"],"language_hints":["en","es"],"numerals":true}',
        ),
        (Configure(Thresholds(eot_timeout_ms=500)), '{"type":"Configure","thresholds":{"eot_timeout_ms":500}}'),
        (Configure(Thresholds(0.9)), '{"type":"Configure","thresholds":{"eot_threshold":0.9}}'),
        (
            Configure(keyterms=(), language_hints=(), numerals=False),
            '{"type":"Configure","keyterms":[],"language_hints":[],"numerals":false}',
        ),
    ],
)
def test_command_says_only_what_was_given(command: wire.Command, text: str) -> None:
    """What is not given is not sent, so Flux keeps it; an empty list is sent, so Flux clears it."""
    assert encode(command) == text


LOW, HIGH = Thresholds(eot_threshold=0.49), Thresholds(eot_threshold=1.01)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"thresholds": LOW}, "eot_threshold=0.49: must be a number from 0.5 to 1.0"),
        ({"thresholds": HIGH}, "eot_threshold=1.01: must be a number from 0.5 to 1.0"),
        ({"thresholds": Thresholds(0.5, 0.6)}, "eager_eot_threshold=0.6: must be at most eot_threshold, which is 0.5"),
        ({"keyterms": b"Deepgram"}, "keyterms=b'Deepgram': must be a string, or an iterable of strings"),
        ({"keyterms": ("a", " ")}, f"keyterms=' ': a term {TERM}"),
        ({"keyterms": ("a",) * 101}, "keyterms: must be at most 100 terms, got 101"),
        ({"language_hints": ("xx",)}, "language_hints='xx': must be one of en, es"),
        ({"numerals": "true"}, "numerals='true': must be True or False"),
        ({"numerals": 1}, "numerals=1: must be True or False"),
    ],
)
def test_configure_refuses_what_flux_would(fields: dict[str, Any], message: str) -> None:
    """A Configure that Flux would refuse is never built; the error names field, value and rule."""
    with pytest.raises(ConfigError) as caught:
        Configure(**fields)
    assert message in str(caught.value)


def test_configure_does_not_guess_what_is_in_force() -> None:
    """Without its own eot_threshold, an eager threshold is not compared: only Flux knows what it is set against."""
    assert Configure(Thresholds(eager_eot_threshold=0.9)).thresholds == Thresholds(None, 0.9, None)
