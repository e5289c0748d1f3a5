"""Queries and commands that Flux would take, refuse, or cannot read."""

from __future__ import annotations

import json
from typing import Any

import pytest

from turnkit.simulator import Settings
from turnkit.simulator.parameters import Refused, Unacceptable, Unparsable, configured, read_query, read_type


@pytest.mark.parametrize(
    "query",
    [
        "model=flux-general-en",
        "model=flux-general-en&encoding=linear16&sample_rate=48000&eot_threshold=1.0&eager_eot_threshold=.9",
        "model=flux-general-en&eot_threshold=0.5&eager_eot_threshold=0.5&eot_timeout_ms=500",
        "model=flux-general-en&eot_timeout_ms=60000&keyterm=one&keyterm=two%20three&tag=a&tag=b&mip_opt_out=true",
        "model=flux-general-multi&language_hint=en&language_hint=pt-BR&profanity_filter=true&numerals=false",
        "model=flux-general-en&encoding=opus&sample_rate=48000",
        "model=flux-general-en&encoding=ogg-opus&sample_rate=16000",
        "model=flux-general-en&redact=numbers",
    ],
)
def test_what_flux_takes_is_taken(query: str) -> None:
    """The boundaries of every range are inside it."""
    read_query(query)


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("", 400, "INVALID_QUERY_PARAMETER"),
        ("model=flux", 403, "INSUFFICIENT_PERMISSIONS"),
        ("model=nova-3", 403, "INSUFFICIENT_PERMISSIONS"),
        ("model=flux-general-en&language=en", 400, "INVALID_QUERY_PARAMETER"),
        ("model=flux-general-en&eot_treshold=0.7", 400, "INVALID_QUERY_PARAMETER"),
        ("model=flux-general-en&model=flux-general-en", 400, "INVALID_QUERY_PARAMETER"),
        ("model=flux-general-en&eot_threshold=0.49", 400, "INVALID_QUERY_PARAMETER"),
        ("model=flux-general-en&eot_threshold=1.01", 400, "INVALID_QUERY_PARAMETER"),
        ("model=flux-general-en&eot_threshold=nan", 400, "INVALID_QUERY_PARAMETER"),
        ("model=flux-general-en&eot_threshold=", 400, "INVALID_QUERY_PARAMETER"),
        ("model=flux-general-en&eager_eot_threshold=0.29", 400, "INVALID_QUERY_PARAMETER"),
        ("model=flux-general-en&eager_eot_threshold=0.75", 400, "INVALID_QUERY_PARAMETER"),
        ("model=flux-general-en&eot_threshold=0.6&eager_eot_threshold=0.65", 400, "INVALID_QUERY_PARAMETER"),
        ("model=flux-general-en&eot_timeout_ms=499", 400, "INVALID_QUERY_PARAMETER"),
        ("model=flux-general-en&eot_timeout_ms=60001", 400, "INVALID_QUERY_PARAMETER"),
        ("model=flux-general-en&eot_timeout_ms=5000.5", 400, "INVALID_QUERY_PARAMETER"),
        ("model=flux-general-en&encoding=linear16", 400, "INVALID_QUERY_PARAMETER"),
        ("model=flux-general-en&sample_rate=16000", 400, "INVALID_QUERY_PARAMETER"),
        ("model=flux-general-en&encoding=linear16&sample_rate=22050", 400, "INVALID_QUERY_PARAMETER"),
        ("model=flux-general-en&encoding=flac&sample_rate=16000", 400, "INVALID_QUERY_PARAMETER"),
        ("model=flux-general-en&encoding=opus", 400, "INVALID_QUERY_PARAMETER"),
        ("model=flux-general-en&redact=pci", 400, "INVALID_QUERY_PARAMETER"),
        ("model=flux-general-en&numerals=yes", 400, "INVALID_QUERY_PARAMETER"),
        ("model=flux-general-en&keyterm=", 400, "INVALID_QUERY_PARAMETER"),
        ("model=flux-general-en" + "&keyterm=a" * 101, 400, "INVALID_QUERY_PARAMETER"),
        ("model=flux-general-en&language_hint=en", 400, "INVALID_PARAMETER"),
        ("model=flux-general-multi&language_hint=xx", 400, "INVALID_PARAMETER"),
        ("model=flux-general-multi&language_hint=", 400, "INVALID_PARAMETER"),
    ],
)
def test_what_flux_refuses_is_refused(query: str, status: int, code: str) -> None:
    """Each with Flux's own status and code."""
    with pytest.raises(Refused) as refused:
        read_query(query)
    assert (refused.value.status, refused.value.code) == (status, code)
    assert refused.value.reason


def test_a_configure_changes_what_it_names_and_nothing_else() -> None:
    """Members left out or null keep their value, lists replace the whole list, [] clears, quoted thresholds pass."""
    old = Settings(model="flux-general-multi", eager_eot_threshold=0.4, keyterms=("a", "b"), language_hints=("en",))
    assert configured(old, '{"type":"Configure"}') == old
    assert configured(old, '{"type":"Configure","language_hints":null,"thresholds":{}}') == old
    new = configured(old, '{"type":"Configure","thresholds":{"eot_threshold":"0.8"},"keyterms":["c"],"numerals":true}')
    assert (new.eot_threshold, new.eager_eot_threshold, new.keyterms, new.numerals) == (0.8, 0.4, ("c",), True)
    assert configured(old, '{"type":"Configure","keyterms":[],"language_hints":[]}').language_hints == ()
    # Eager is held against eot only where both are given.
    assert configured(old, '{"type":"Configure","thresholds":{"eager_eot_threshold":0.9}}').eager_eot_threshold == 0.9


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ({"thresholds": {"eot_threshold": 0.49}}, "INVALID_THRESHOLD"),
        ({"thresholds": {"eager_eot_threshold": 0.91}}, "INVALID_THRESHOLD"),
        ({"thresholds": {"eot_timeout_ms": 100}}, "INVALID_THRESHOLD"),
        ({"thresholds": {"eot_threshold": 0.6, "eager_eot_threshold": 0.7}}, "INVALID_THRESHOLD"),
        ({"keyterms": ["a"] * 101}, "INVALID_PARAMETER"),
        ({"keyterms": ["fine", " "]}, "INVALID_PARAMETER"),
        ({"language_hints": ["en"]}, "INVALID_PARAMETER"),
    ],
)
def test_a_configure_out_of_range_is_refused(command: dict[str, Any], code: str) -> None:
    """Flux reads it and says no."""
    with pytest.raises(Unacceptable) as refused:
        configured(Settings(), json.dumps({"type": "Configure", "numerals": True, **command}))
    assert refused.value.code == code


@pytest.mark.parametrize(
    "fields",
    [
        {"numerals": "true"},
        {"features": {"numerals": True}},
        {"language_hint": ["en"]},
        {"thresholds": {"eot": 0.7}},
        {"thresholds": {"eot_threshold": "high"}},
        {"thresholds": 0.7},
        {"keyterms": 7},
    ],
)
def test_a_configure_that_flux_cannot_read_is_unparsable(fields: dict[str, Any]) -> None:
    """Unknown fields and wrong types are fatal."""
    with pytest.raises(Unparsable, match="Could not deserialize last text message: "):
        configured(Settings(), json.dumps({"type": "Configure", **fields}))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"type":"KeepAlive"}', "unknown variant `KeepAlive`, expected one of `CloseStream`, `Configure`"),
        ('{"type":"Finalize"}', "unknown variant `Finalize`"),
        ("{}", "missing field `type`"),
        ('{"type":7}', "invalid type"),
        ("hello", "expected a JSON object"),
        ("[]", "expected a JSON object"),
        ("", "expected a JSON object"),
    ],
)
def test_text_that_is_none_of_three_commands_is_unparsable(text: str, reason: str) -> None:
    """KeepAlive and Finalize included: they belong to another API."""
    with pytest.raises(Unparsable, match=reason):
        read_type(text)
