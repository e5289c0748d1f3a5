"""The options of a connection: the query they become, and the values that are refused."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs

import pytest

from tests.support.flux_messages import CONFIGURED
from turnkit.errors import ConfigError
from turnkit.wire import Configure, ConfigureSuccess, FluxOptions, decode

TERM = "must have 1 to 100 characters"

MULTI = {"model": "flux-general-multi"}
GIVEN: dict[str, Any] = {
    **MULTI,
    "encoding": "mulaw",
    "sample_rate": 8000,
    "eot_threshold": 0.9,
    "eager_eot_threshold": 0.4,
    "eot_timeout_ms": 7000,
    "keyterm": ("Deep gram", "a,b;c:2", "größer & <50 %>"),
    "language_hint": ("en-GB", "ja"),
    "profanity_filter": True,
    "numerals": False,
    "redact": "aggressive_numbers",
    "mip_opt_out": True,
    "tag": ("one", "two"),
}


def query(**fields: Any) -> dict[str, list[str]]:
    return parse_qs(FluxOptions(**fields).to_query(), keep_blank_values=True, strict_parsing=True)


def test_every_parameter_reaches_the_query() -> None:
    """Each option is sent under Flux's name; lists repeat the parameter, booleans are lower case."""
    assert set(GIVEN) == set(FluxOptions.__struct_fields__)
    sent = query(**GIVEN)
    for name, value in GIVEN.items():
        parts = value if isinstance(value, tuple) else (value,)
        assert sent.pop(name) == [str(part).lower() if isinstance(part, bool) else str(part) for part in parts]
    assert not sent


def test_default_query_leaves_flux_its_defaults() -> None:
    """Only what is needed for raw audio is sent; a container needs neither encoding nor rate."""
    assert query() == {"model": ["flux-general-en"], "encoding": ["linear16"], "sample_rate": ["16000"]}
    assert query(encoding=None, sample_rate=None) == {"model": ["flux-general-en"]}


HINTS = ("en", "es", "fr", "de", "hi", "ru", "pt", "ja", "it", "nl", "en-GB", "pt-BR", "hi-Latn")
IN_RANGE: list[dict[str, Any]] = [
    *({"encoding": value} for value in ("linear16", "linear32", "mulaw", "alaw", "opus", "ogg-opus")),
    *({"sample_rate": value} for value in (8000, 16000, 24000, 44100, 48000)),
    *({"eot_threshold": value} for value in (0.5, 0.7, 1.0, 1)),
    *({"eager_eot_threshold": value} for value in (0.3, 0.5, 0.7)),
    {"eager_eot_threshold": 0.9, "eot_threshold": 0.9},
    *({"eot_timeout_ms": value} for value in (500, 5000, 60000)),
    *({"redact": value} for value in ("numbers", "aggressive_numbers")),
    *({"language_hint": (code,), **MULTI} for code in HINTS),
    {"language_hint": ("en",), "model": "flux-general-some-day"},
    {"model": "flux-general-some-day"},
    {"keyterm": ("a" * 100,)},
    {"keyterm": tuple(f"term {number}" for number in range(100))},
    {"tag": ("a" * 128, "b")},
    *({name: flag} for name in ("profanity_filter", "numerals", "mip_opt_out") for flag in (True, False)),
]


@pytest.mark.parametrize("fields", IN_RANGE, ids=str)
def test_value_in_range_is_sent(fields: dict[str, Any]) -> None:
    """Everything that Flux takes is taken, up to the boundaries, and sent as it stands."""
    name, value = next(iter(fields.items()))
    parts = value if isinstance(value, tuple) else (value,)
    assert query(**fields)[name] == [str(part).lower() if isinstance(part, bool) else str(part) for part in parts]


NAN = math.nan
BOTH = "give both for raw audio, neither for a container"
ONE_OF = "must be one of"
STRINGS = "must be a string, or an iterable of strings"
OUT_OF_RANGE: list[tuple[dict[str, Any], str]] = [
    *(({"eot_threshold": v}, "must be a number from 0.5 to 1.0") for v in (0.49, 1.01, 0, -1, NAN, True, "0.8")),
    *(({"eager_eot_threshold": v}, "a number from 0.3 to 0.9") for v in (0.29, 0.91, NAN, math.inf, False, "0.4")),
    *(({"eot_timeout_ms": v}, "whole number from 500 to 60000") for v in (499, 60001, 5000.0, NAN, True, "5000")),
    ({"eager_eot_threshold": 0.71}, "at most eot_threshold, which is 0.7 unless given"),
    ({"eager_eot_threshold": 0.61, "eot_threshold": 0.6}, "at most eot_threshold, which is 0.6"),
    ({"encoding": "linear16", "sample_rate": None}, BOTH),
    ({"encoding": None, "sample_rate": 8000}, BOTH),
    *(({"encoding": v}, ONE_OF) for v in ("LINEAR16", "mp3", "", 16)),
    *(({"sample_rate": v}, ONE_OF) for v in (16001, 0, "16000", True, NAN)),
    *(({"redact": v}, "must be one of numbers, aggressive_numbers") for v in ("pii", "", True, ["numbers"])),
    *(({"keyterm": v}, STRINGS) for v in (b"Deepgram", bytearray(b"a"), None, 5)),
    *(({"tag": v}, STRINGS) for v in (b"one", None, memoryview(b"a"))),
    *(({"language_hint": v, **MULTI}, STRINGS) for v in (b"en", 1)),
    ({"language_hint": ("en",)}, "only flux-general-multi takes hints, not 'flux-general-en'"),
    *(({"model": v}, "must be the name of a Flux model") for v in ("", "  ", None, 2)),
    *(({name: 1}, "must be True or False") for name in ("profanity_filter", "numerals", "mip_opt_out")),
    *(({name: "true"}, "must be True or False") for name in ("profanity_filter", "numerals", "mip_opt_out")),
]


# The same names in every run: what has no text of its own would be told by its address.
@pytest.mark.parametrize(("fields", "rule"), OUT_OF_RANGE, ids=lambda value: str(value).split(" at 0x")[0])
def test_value_out_of_range_is_refused_by_name(fields: dict[str, Any], rule: str) -> None:
    """A value that Flux would refuse never reaches it; the error names the field, the value and the rule."""
    name, value = next(iter(fields.items()))
    with pytest.raises(ConfigError) as caught:
        FluxOptions(**fields)
    assert f"{name}={value!r}" in str(caught.value)
    assert rule in str(caught.value)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"keyterm": ("a", "")}, f"keyterm='': a term {TERM}"),
        ({"keyterm": ("\t",)}, f"keyterm='\\t': a term {TERM}"),
        ({"keyterm": ("a" * 101,)}, f"'{'a' * 101}': a term {TERM}"),
        ({"keyterm": ("a",) * 101}, "keyterm: must be at most 100 terms, got 101"),
        ({"tag": ("",)}, "tag='': must have 1 to 128 characters, has 0"),
        ({"tag": ("a" * 129,)}, "must have 1 to 128 characters, has 129"),
        ({"language_hint": ("en", "sv"), **MULTI}, "language_hint='sv': must be one of en, es, fr, de, hi"),
        ({"language_hint": ("",), **MULTI}, "language_hint='': must be one of"),
        ({"language_hint": ("en_GB",), **MULTI}, "optionally with a region such as en-GB"),
    ],
)
def test_refused_item_of_a_list_is_named(fields: dict[str, Any], message: str) -> None:
    """In a list of values the error names the one that is wrong."""
    with pytest.raises(ConfigError) as caught:
        FluxOptions(**fields)
    assert message in str(caught.value)


def test_options_cannot_change_under_a_connection() -> None:
    """Options are frozen, named and without unknown parameters: `language` belongs to another API."""
    with pytest.raises(AttributeError):
        FluxOptions().model = "flux-general-multi"  # type: ignore[misc]
    with pytest.raises(TypeError):
        FluxOptions(language="en")  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        FluxOptions("flux-general-multi")  # type: ignore[call-arg]


def test_configure_success_is_folded_into_the_options() -> None:
    """What Flux says is in force replaces what was asked; what it does not mention stays, and so does the original."""
    options = FluxOptions(**GIVEN)
    told = decode({**CONFIGURED, "keyterms": ["x", "y"], "language_hints": [], "numerals": True})
    assert isinstance(told, ConfigureSuccess)
    now = options.updated(told)
    assert (now.eot_threshold, now.eager_eot_threshold, now.eot_timeout_ms) == (0.8, 0.5, 5000)
    assert (now.keyterm, now.language_hint, now.numerals) == (("x", "y"), (), True)
    same = ("model", "encoding", "sample_rate", "profanity_filter", "redact", "mip_opt_out", "tag")
    assert [getattr(now, name) for name in same] == [GIVEN[name] for name in same]
    assert options == FluxOptions(**GIVEN)


def test_configure_success_may_say_little() -> None:
    """Keyterms may come as a single string, an eager threshold that is off as null, hints and flags not at all."""
    told = decode({"type": "ConfigureSuccess", "thresholds": {"eager_eot_threshold": None}, "keyterms": "Deepgram"})
    assert isinstance(told, ConfigureSuccess)
    options = FluxOptions(**GIVEN)
    assert options.updated(told) == FluxOptions(**{**GIVEN, "keyterm": ("Deepgram",)})


class Term(str):
    """A string of somebody's own."""


# Made anew each time, for some can be read only once.
FORMS: list[tuple[Callable[[], Any], tuple[str, ...]]] = [
    (lambda: "de", ("de",)),
    (lambda: Term("de"), ("de",)),
    (lambda: ["de", Term("en")], ("de", "en")),
    (lambda: (), ()),
    (lambda: {"nl", "de", "en"}, ("de", "en", "nl")),
    (lambda: frozenset({"nl", "de"}), ("de", "nl")),
    (lambda: {"nl": 1, "de": 2}.keys(), ("nl", "de")),
    (lambda: {"nl": 1, "de": 2}, ("nl", "de")),
    (lambda: (code for code in ("nl", "de")), ("nl", "de")),
]
FIELDS: list[tuple[str, Callable[[Any], Any]]] = [
    ("keyterm", lambda value: FluxOptions(keyterm=value)),
    ("tag", lambda value: FluxOptions(tag=value)),
    ("language_hint", lambda value: FluxOptions(model="flux-general-multi", language_hint=value)),
    ("keyterms", lambda value: Configure(keyterms=value)),
    ("language_hints", lambda value: Configure(language_hints=value)),
]


@pytest.mark.parametrize(("given", "kept"), FORMS)
@pytest.mark.parametrize(("name", "make"), FIELDS)
def test_strings_are_given_in_any_form(
    name: str, make: Callable[[Any], Any], given: Callable[[], Any], kept: tuple[str, ...]
) -> None:
    """One string is one, not its letters; any iterable is read once and kept as a tuple of plain strings."""
    built = make(given())
    assert getattr(built, name) == kept
    assert all(type(string) is str for string in getattr(built, name))
    assert make(kept) == built
    assert hash(make(kept)) == hash(built)


@pytest.mark.parametrize(("name", "make"), FIELDS)
def test_what_is_no_string_is_refused_by_name(name: str, make: Callable[[Any], Any]) -> None:
    """The error names the field and what stands in it."""
    for wrong in ([5], (None,), {b"de"}, [["de"]], ("de", 1.5)):
        with pytest.raises(ConfigError, match=f"^{name}: must be a string, or an iterable of strings, and holds "):
            make(wrong)


def test_what_flux_says_is_in_force_comes_in_either_form() -> None:
    """Hosts confirm one term as a string, several as a list."""
    options = FluxOptions(model="flux-general-multi")
    for answer in ({"keyterms": "tea", "language_hints": "de"}, {"keyterms": ["tea"], "language_hints": ["de"]}):
        confirmed = decode({"type": "ConfigureSuccess", **answer})
        assert isinstance(confirmed, ConfigureSuccess)
        updated = options.updated(confirmed)
        assert (updated.keyterm, updated.language_hint) == (("tea",), ("de",))
