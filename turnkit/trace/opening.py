"""Opening of what a recording is read from: a file of this machine, or a URL of any store that fsspec knows."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO
from urllib.parse import urlsplit

from ..checks import check_regular_file
from ..errors import ConfigError


def is_url(name: str) -> bool:
    """Whether it names something in a store, such as `s3://bucket/calls`, and no file of this machine."""
    scheme, colon, _ = name.partition("://")
    return bool(colon) and scheme.replace("+", "").isalnum()


def shown_url(name: str) -> str:
    """A name that may be told: a URL without the user, the password and the signature that it may carry."""
    if not is_url(name):
        return name
    parts = urlsplit(name)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()


def store_of(url: str) -> tuple[Any, str]:
    """The file system of fsspec that a URL lies in, and its path there; raises ConfigError if there is none."""
    try:
        import fsspec
    except ImportError:
        raise ConfigError(f"{shown_url(url)}: to read from there, pip install 'turnkit[remote]'") from None
    try:
        store, path = fsspec.core.url_to_fs(url)
    except ImportError as error:  # fsspec names the package
        raise ConfigError(f"{shown_url(url)}: {error}") from None
    except Exception as error:  # of whatever library stands behind the scheme
        raise ConfigError(f"{shown_url(url)}: cannot be reached: {type(error).__name__}") from None
    return store, path


@contextmanager
def opened(name: str) -> Iterator[BinaryIO]:
    """Open a recording for reading: a file, `-` for standard input, or a URL.

    Raises:
        OSError: it cannot be opened or read.
        ConfigError: it is no regular file, or the store cannot be used.
    """
    if name == "-":
        yield sys.stdin.buffer
    elif is_url(name):
        store, path = store_of(name)
        with _told(name), store.open(path, "rb") as file:
            yield file
    else:
        check_regular_file("trace", name)
        with open(name, "rb") as file:
            yield file


@contextmanager
def _told(url: str) -> Iterator[None]:
    """Tell what a store raises, each its own, as what turnkit raises."""
    try:
        yield
    except (ConfigError, OSError):
        raise
    except Exception as error:
        raise ConfigError(f"trace {shown_url(url)!r}: cannot be read: {type(error).__name__}") from error
