"""Where Flux is, as an option says it: checked at once, and told of in options and not in arguments of Python."""

from __future__ import annotations

import os
from typing import Annotated
from urllib.parse import urlsplit

import typer

from ..errors import ConfigError
from ..flux.address import checked_address, needs_key
from .output import fail

UnencryptedOption = Annotated[
    bool, typer.Option("--allow-unencrypted", help="Let ws:// go beyond this machine, in a network that you trust.")
]
_AS_OPTIONS = {
    "allow_unencrypted=True": "--allow-unencrypted",
    "as api_key=": "in DEEPGRAM_API_KEY",
    "are given as FluxOptions": "have options of their own",
}


def check_url(url: str, *, allow_unencrypted: bool) -> None:
    """Check where Flux is said to be; if it cannot be there, that is said, and the command is over."""
    try:
        checked_address(url, allow_unencrypted=allow_unencrypted)
    except ConfigError as error:
        said = str(error)
        for argument, option in _AS_OPTIONS.items():
            said = said.replace(argument, option)
        fail(f"--{said}" if said.startswith("url") else said)


def key_for(url: str) -> str | None:
    """The key of Flux, if there is one; if none is set where one is needed, that is said, and the command is over."""
    key = os.environ.get("DEEPGRAM_API_KEY") or None
    host = urlsplit(url).hostname or ""
    if key is None and needs_key(host):
        fail(f"DEEPGRAM_API_KEY: is not set, and {host} needs a key; a simulator does not: --url ws://127.0.0.1:PORT")
    return key
