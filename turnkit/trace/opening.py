"""Opening of what a recording is read from: a file of this machine, or a URL of any store that fsspec knows."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

from ..checks import check_regular_file, is_url, shown_path
from ..errors import ConfigError


def store_of(url: str) -> tuple[Any, str]:
    """The file system of fsspec that a URL lies in, and its path there; raises ConfigError if there is none."""
    try:
        import fsspec
    except ImportError:
        raise ConfigError(f"{shown_path(url)}: to read from there, pip install 'turnkit[remote]'") from None
    try:
        store, path = fsspec.core.url_to_fs(url)
    except ImportError as error:  # fsspec names the package
        raise ConfigError(f"{shown_path(url)}: {error}") from None
    except Exception as error:  # of whatever library stands behind the scheme
        raise ConfigError(f"{shown_path(url)}: cannot be reached: {store_problem(error)}") from None
    return store, path


@contextmanager
def opened(name: str) -> Iterator[BinaryIO]:
    """Open a recording for reading: a file, `-` for standard input, or a URL.

    Raises:
        OSError: a file of this machine cannot be opened or read.
        ConfigError: it is no regular file, or lies in a store and cannot be read there.
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


def store_problem(error: BaseException) -> str:
    """What is wrong with something in a store, in plain words of our own: those of libraries may hold keys.

    Args:
        error: What a library raised, each its own.

    Returns:
        The end of a sentence that begins with the name of the thing.
    """
    kind = type(error).__name__
    if isinstance(error, FileNotFoundError):
        return "is not there: the store knows no bucket, or no object, of that name"
    if isinstance(error, PermissionError) or str(error).startswith("Forbidden"):
        return f"the store refuses access ({kind}) to whoever the credentials name, or to somebody without any"
    if kind in _NO_CREDENTIALS:
        return f"no credentials were found ({kind}): the store's environment variables, or its file, can name them"
    if isinstance(error, (TimeoutError, ConnectionError)) or any(word in kind for word in ("Connect", "Timeout")):
        return f"the store does not answer ({kind})"
    return kind


_NO_CREDENTIALS = {
    "NoCredentialsError",
    "PartialCredentialsError",
    "CredentialRetrievalError",
    "DefaultCredentialsError",
    "CredentialUnavailableError",
    "ClientAuthenticationError",
}
"""What the libraries of S3, Google and Azure raise when they know of none."""


@contextmanager
def _told(url: str) -> Iterator[None]:
    """Tell what a store raises, each its own, as what turnkit raises."""
    try:
        yield
    except ConfigError:
        raise
    except Exception as error:
        # From None: in a traceback, what the library said would stand above it.
        raise ConfigError(f"trace {shown_path(url)!r}: cannot be read: {store_problem(error)}") from None
