"""Where Flux is, as an option says it: checked at once, and told of in options and not in arguments of Python."""

from __future__ import annotations

from typing import Annotated

import typer

from ..errors import ConfigError
from ..flux.address import checked_address
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
