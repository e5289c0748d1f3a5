"""The checks of settings: what passes, and what a refusal says."""

from __future__ import annotations

import re
from math import inf, nan
from typing import Any

import pytest

from turnkit.checks import check_seconds
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
