"""The thresholds that Flux is asked to run at, as options of the commands that connect to it."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import typer

EotThresholdOption: TypeAlias = Annotated[
    float, typer.Option(metavar="SHARE", help="Confidence that ends a turn, 0.5 to 1.")
]
EagerEotThresholdOption: TypeAlias = Annotated[
    float,
    typer.Option(
        metavar="SHARE",
        help="Confidence that begins a draft, 0.3 to 0.9 and not above --eot-threshold; 0: no drafts.",
    ),
]
