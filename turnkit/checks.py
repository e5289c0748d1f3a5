"""The checks of settings: each raises ConfigError naming the setting, its value and the rule."""

from __future__ import annotations

import errno
import re
import sys
from collections.abc import Iterable, KeysView, Set
from math import inf
from stat import S_ISDIR, S_ISREG
from typing import TYPE_CHECKING, TypeGuard

from .errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

LATEST = sys.float_info.max
"""The largest finite number: some whole numbers are larger than any float, and reckoned with they raise."""


def is_number(value: object) -> TypeGuard[float]:
    """Whether it is a number that can be reckoned with: no boolean, not infinite, no NaN, and no larger than floats."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and -LATEST <= value <= LATEST


def shown(value: object) -> str:
    """The value in a message: as its repr, but for whole numbers that Python does not print, or only at length."""
    if isinstance(value, int) and not -LATEST <= value <= LATEST:
        return f"<a whole number of {value.bit_length()} bits>"
    return repr(value)


# Texts, and compiled when they are needed: whoever imports the engine shows no path.
_SCHEME = r"(?:\w[\w+.-]+:/|\w://)"  # mistyped ones too; pathlib takes one of two slashes away, and C:/ is a drive
_STORE = rf"(?s)(\s*{_SCHEME}/*)(.*)"
_LINKS = rf"::(?={_SCHEME})"  # of a chain, such as simplecache::s3://bucket
_HOST = r"([^:]*|\[[^]]*\])(:[0-9]{1,5})?"
_FILE = r"(?si)(file|local):.*"  # of this machine: all of it is a path, and nothing a password


def is_url(name: str) -> bool:
    """Whether it names something in a store, such as `s3://bucket/calls`, and no file of this machine."""
    schemes, colon, _ = name.partition("://")  # several in a chain, such as simplecache::s3://bucket
    return bool(colon) and all(scheme.replace("+", "").isalnum() for scheme in schemes.split("::"))


def shown_path(path: str | Path) -> str:
    """A path or a URL as it may be told: without the user, the password and the signature that a URL may carry.

    A password may hold what ends one elsewhere, such as a slash: where what stands before that is no host, all up to
    the `@` is left out. Of other names nothing is.
    """
    return "::".join(map(_shown_link, re.split(_LINKS, str(path))))


def _shown_link(name: str) -> str:
    found = re.fullmatch(_STORE, name)
    if found is None or re.fullmatch(_FILE, name):
        return name
    scheme, rest = found.groups()
    while "@" in rest:
        authority = re.split("[/?#]", rest, maxsplit=1)[0]
        if "@" not in authority and re.fullmatch(_HOST, authority):
            break  # it is further on, in the name of an object
        rest = rest.partition("@")[2]
    told = scheme + re.split("[?#]", rest, maxsplit=1)[0]
    return told if told == name else _shown_link(told)  # what is left may be read as a user again


def check_seconds(setting: str, value: object, *, zero: bool = True, most: float = inf) -> float:
    """Check a number of seconds; infinity, NaN and booleans are none.

    Args:
        setting: its name, as the caller of the setting knows it.
        value: what was given.
        zero: whether 0 seconds make sense. Default True.
        most: the largest number that makes sense, in seconds. Default `inf`: any that is finite.

    Returns:
        The value, as a float.

    Raises:
        ConfigError: it is not such a number.
    """
    if is_number(value) and 0 <= value <= most and (zero or value != 0):
        return float(value)
    rule = "0 or more" if zero else "more than 0"
    bound = "" if most == inf else f", up to {most:g}"
    raise ConfigError(f"{setting}={shown(value)}: must be a number of seconds, {rule}{bound}")


def check_strings(setting: str, value: object) -> tuple[str, ...]:
    """Check one string, or any iterable of them.

    Args:
        setting: its name, as the caller of the setting knows it.
        value: what was given.

    Returns:
        The strings; of a set, in the order of the alphabet.

    Raises:
        ConfigError: it is something else.
    """
    if isinstance(value, str):
        return (str.__str__(value),)
    if not isinstance(value, Iterable) or isinstance(value, (bytes, bytearray, memoryview)):
        raise ConfigError(f"{setting}={value!r}: must be a string, or an iterable of strings")
    strings = []
    for string in value:
        if not isinstance(string, str):
            raise ConfigError(f"{setting}: must be a string, or an iterable of strings, and holds {string!r}")
        strings.append(str.__str__(string))
    return tuple(sorted(strings) if isinstance(value, Set) and not isinstance(value, KeysView) else strings)


def check_host(host: object) -> None:
    """Check the host on which to listen; an empty one would be every network. Raises ConfigError if it is none."""
    if not isinstance(host, str) or not host.strip():
        rule = "must be an address; 127.0.0.1 is for this machine alone, 0.0.0.0 for all that reach it"
        raise ConfigError(f"host={host!r}: {rule}")


def cannot_listen(host: str, port: int, error: Exception) -> ConfigError:
    """The error for a place where nothing can listen, with the way out.

    Args:
        host: the host, as it was given.
        port: the port, likewise.
        error: what the system raised.
    """
    code = error.errno if isinstance(error, OSError) else None
    if type(error).__name__ == "gaierror":  # by its name, as the engine needs no socket
        why = "no machine of that name is known here; 127.0.0.1 is this one"
    elif code == errno.EADDRINUSE:
        why = "somebody else does already; end that, or take another port: 0 is any that is free"
    elif code in (errno.EACCES, errno.EPERM):
        why = "this user may not; take a port from 1024 on, or 0, any that is free"
    elif code == errno.EADDRNOTAVAIL:
        why = "this machine has no such address; 127.0.0.1 is for itself alone, 0.0.0.0 for all that reach it"
    elif code is None:
        why = "a port is a number from 0 to 65535"
    else:
        why = os_problem(error)
    return ConfigError(f"host={host!r}, port={shown(port)}: cannot listen there: {why}")


def os_problem(error: Exception) -> str:
    """What the system says is wrong, without the number and the names that Python puts beside it."""
    return getattr(error, "strerror", None) or type(error).__name__


def check_regular_file(setting: str, path: str | Path) -> None:
    """Check that a file that is to be read has an end: a pipe or a device may have none, and opening one may hang.

    A file that is not there, or is a directory, passes: whoever opens it is told so.

    Args:
        setting: what it is, as the caller knows it.
        path: where it is.

    Raises:
        ConfigError: it is a pipe, a device or a socket.
    """
    from pathlib import Path  # here, as the engine checks no file, and it takes a tenth of the engine's own import

    try:
        mode = Path(path).stat().st_mode
    except (OSError, ValueError):
        return
    if not S_ISREG(mode) and not S_ISDIR(mode):
        raise ConfigError(
            f"{setting} {shown_path(path)!r}: must be a regular file, and is a pipe, a device or a socket"
        )
