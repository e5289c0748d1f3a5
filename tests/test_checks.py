"""The checks of settings: what passes, and what a refusal says."""

from __future__ import annotations

import re
from math import inf, nan
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from turnkit.checks import check_seconds, check_strings, shown_path
from turnkit.errors import ConfigError


@pytest.mark.parametrize("value", [0, 0.0, 1, 2.5, 1e300])
def test_seconds_pass_as_floats(value: float) -> None:
    """What is a number of seconds comes back as a float of the same value."""
    seconds = check_seconds("patience", value)
    assert type(seconds) is float
    assert seconds == value


@pytest.mark.parametrize("value", [-1, -0.1, nan, inf, -inf, "2", None, True, False, [1.0]])
def test_what_is_no_number_of_seconds_is_refused(value: Any) -> None:
    """The message names the setting, its value and the rule."""
    with pytest.raises(ConfigError) as caught:
        check_seconds("patience", value)
    assert str(caught.value) == f"patience={value!r}: must be a number of seconds, 0 or more"


@pytest.mark.parametrize("digits", [400, 5000])
def test_a_whole_number_that_no_float_holds_is_refused_and_not_printed(digits: int) -> None:
    """Nobody reads so many digits, and Python itself refuses to print more than 4,300."""
    bits = (10**digits).bit_length()
    with pytest.raises(ConfigError, match=f"^patience=<a whole number of {bits} bits>: must be a number of seconds"):
        check_seconds("patience", 10**digits)


def test_zero_is_refused_where_it_makes_no_sense() -> None:
    """Without `zero` the rule is another one."""
    assert check_seconds("hold_timeout", 0.1, zero=False) == 0.1
    for zero in (0, 0.0, -0.0):
        with pytest.raises(ConfigError, match=re.escape(f"hold_timeout={zero!r}: must be a number of seconds, more")):
            check_seconds("hold_timeout", zero, zero=False)


def test_a_bound_is_part_of_the_rule() -> None:
    """`most` itself passes, and a refusal says how much would."""
    assert check_seconds("seconds", 60, most=60.0) == 60.0
    for value in (60.1, 61, inf, 10**400):
        with pytest.raises(ConfigError, match=r"must be a number of seconds, 0 or more, up to 60$"):
            check_seconds("seconds", value, most=60.0)


def test_strings_are_one_or_any_iterable_of_them() -> None:
    """One string is one, and a set is in the order of the alphabet, so that every run of a program is the same."""
    given: list[Any] = ["tea", ["tea"], ("tea",), {"tea": 1}, {"tea": 1}.keys(), iter(["tea"]), {"tea"}]
    assert [check_strings("terms", value) for value in given] == [("tea",)] * len(given)
    assert check_strings("terms", {"c", "a", "b"}) == ("a", "b", "c")
    assert check_strings("terms", {"c": 1, "a": 2}.keys()) == ("c", "a")
    assert check_strings("terms", "") == ("",)
    assert check_strings("terms", []) == ()


@pytest.mark.parametrize("value", [None, 7, b"tea", bytearray(b"tea"), memoryview(b"tea"), object])
def test_what_is_no_iterable_of_strings_is_refused(value: Any) -> None:
    """Bytes are iterable, and yet none."""
    with pytest.raises(ConfigError, match=re.escape(f"terms={value!r}: must be a string, or an iterable of strings")):
        check_strings("terms", value)


def test_one_that_is_no_string_is_named() -> None:
    """Not the others, of which there may be many."""
    with pytest.raises(ConfigError, match=r"^terms: must be a string, or an iterable of strings, and holds 7$"):
        check_strings("terms", ["tea", 7, "milk"])


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("s3://bucket/calls/a.jsonl", "s3://bucket/calls/a.jsonl"),
        ("s3://me:secret@bucket/a.jsonl", "s3://bucket/a.jsonl"),
        ("s3://me@bucket/a.jsonl", "s3://bucket/a.jsonl"),
        ("s3://me:sec/ret@bucket/a.jsonl", "s3://bucket/a.jsonl"),
        ("s3://me:sec?r#et@bucket/a.jsonl", "s3://bucket/a.jsonl"),
        ("s3://me@example.com:sec/r@et@bucket/a.jsonl", "s3://bucket/a.jsonl"),
        ("s3://bucket/me@example.com/a.jsonl", "s3://bucket/me@example.com/a.jsonl"),
        ("http://minio:9000/bucket/me@example.com/a.jsonl", "http://minio:9000/bucket/me@example.com/a.jsonl"),
        ("http://me:secret@[::1]:9000/a.jsonl?sig=secret#secret", "http://[::1]:9000/a.jsonl"),
        ("HTTPS://host/a.jsonl?token=secret", "HTTPS://host/a.jsonl"),
        ("simplecache::s3://me:secret@bucket/a.jsonl", "simplecache::s3://bucket/a.jsonl"),
        ("zip://a.jsonl::https://me:secret@host/calls.zip?secret", "zip://a.jsonl::https://host/calls.zip"),
        ("https://me:sec::ret@host/a.jsonl", "https://host/a.jsonl"),
        ("s3:///me:secret@bucket/a.jsonl", "s3:///bucket/a.jsonl"),
        ("s3://me:/secret@bucket/a.jsonl", "s3://bucket/a.jsonl"),
        (" s3://me:secret@bucket/a.jsonl", " s3://bucket/a.jsonl"),
        ("3s://me:secret@bucket/a.jsonl", "3s://bucket/a.jsonl"),
        ("file:///calls/me@example.com/a?b#c.jsonl", "file:///calls/me@example.com/a?b#c.jsonl"),
        ("simplecache::file:///calls/a?b#c.jsonl", "simplecache::file:///calls/a?b#c.jsonl"),
        ("calls/me@example.com/a?b#c.jsonl", "calls/me@example.com/a?b#c.jsonl"),
        (r"C:\calls\me@example.com\a.jsonl", r"C:\calls\me@example.com\a.jsonl"),
        ("C:/calls/me@example.com/a.jsonl", "C:/calls/me@example.com/a.jsonl"),
        ("-", "-"),
        ("", ""),
    ],
)
def test_a_path_is_told_without_what_is_secret(path: str, told: str) -> None:
    """Of a URL, and of each in a chain; as a path that has lost a slash, too. What names no URL is told as it is."""
    assert shown_path(path) == told
    assert shown_path(told) == told
    assert shown_path(Path(path)) in (str(Path(told)), told)


def test_a_letter_and_two_slashes_are_no_drive() -> None:
    """But the scheme of a URL, and a mistyped one, whose password is none the less one."""
    assert shown_path("s://me:secret@bucket/a.jsonl?secret") == "s://bucket/a.jsonl"
    assert shown_path("simplecache::s://me:secret@bucket/a.jsonl") == "simplecache::s://bucket/a.jsonl"


@given(st.text(max_size=12), st.text("abc/?#:", min_size=1, max_size=8), st.text("host/@.", max_size=8))
@example("", ":", "/@")
def test_no_password_is_told(user: str, password: str, rest: str) -> None:
    """Whatever is in it, and in front of it; all that stands there is a user, unless it begins as a host does."""
    secret = f"x{password}SECRET"
    told = shown_path(f"s3://{''.join(filter(str.isalnum, user))}:{secret}@{rest}")
    assert "SECRET" not in told
    assert shown_path(told) == told
