"""`Address`: where Flux is, checked before the network is touched."""

from __future__ import annotations

import re
from ipaddress import IPv6Address, ip_address
from typing import NamedTuple
from urllib.parse import urlsplit

from ..errors import ConfigError

_NAME = re.compile(r"[a-z0-9._-]+")


class Address(NamedTuple):
    """Where Flux is.

    Attributes:
        scheme: `ws` or `wss`.
        netloc: the host, with its port if one was given.
        host: the host alone.
        loopback: whether it is this machine.
    """

    scheme: str
    netloc: str
    host: str
    loopback: bool


def needs_key(host: str) -> bool:
    """Whether who listens there is Deepgram, which lets nobody in without one."""
    return host == "deepgram.com" or host.endswith(".deepgram.com")


def checked_address(url: object, *, allow_unencrypted: bool) -> Address:
    """The address that a url names; raises ConfigError for what is none, and for one that needs a permission.

    No message quotes more than scheme and host: callers have put keys into the rest.
    """
    try:
        if not isinstance(url, str) or any(character.isspace() or not character.isprintable() for character in url):
            raise ValueError
        parts = urlsplit(url)
        host = (parts.hostname or "").encode("idna").decode()
        if not host or parts.port == 0 or not _spelt_out(parts.netloc.rpartition("@")[2], host):
            raise ValueError
    except ValueError:
        raise ConfigError("url: must be a scheme and a host, such as wss://api.eu.deepgram.com") from None
    if parts.scheme not in ("ws", "wss"):
        raise ConfigError(f"url: must begin with wss:// (or ws://), not {parts.scheme + '://'!r}")
    if parts.username is not None or parts.password is not None:
        raise ConfigError("url: must hold no user name or password; give the key as api_key=")
    if parts.path not in ("", "/", "/v2/listen") or parts.query or parts.fragment:
        raise ConfigError(
            f"url: must be scheme and host only, such as {parts.scheme}://{parts.netloc}; the path is always "
            "/v2/listen, and parameters are given as FluxOptions"
        )
    loopback = _is_loopback(host)
    if parts.scheme == "ws" and not allow_unencrypted and not loopback:
        raise ConfigError(
            f"url: ws:// to {parts.netloc} would send audio, words and key unencrypted; use wss://, or "
            "allow_unencrypted=True in a network you trust"
        )
    return Address(parts.scheme, parts.netloc, host, loopback)


def _spelt_out(netloc: str, host: str) -> bool:
    """Whether there are a host and perhaps a port, and no more: urlsplit drops what it does not understand."""
    if not netloc.startswith("["):
        return _NAME.fullmatch(host) is not None and re.fullmatch(r"[^:\[\]]+(:[0-9]+)?", netloc) is not None
    inside, _, after = netloc[1:].partition("]")
    ip_address(inside)  # raises ValueError
    return re.fullmatch("(:[0-9]+)?", after) is not None


def _is_loopback(host: str) -> bool:
    try:
        address = ip_address(host)
    except ValueError:
        return host.removesuffix(".") == "localhost"
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return (mapped or address).is_loopback
