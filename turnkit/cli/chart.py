"""`turnkit chart`: the two charts that turnkit runs on."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated

import typer

from ..turns.chart import REPLY_EDGES, USER_EDGES, Edge, ReplyState, UserState, diagrams
from .commands import app
from .layout import Column, tell, tell_table
from .output import JsonFlag, say_json
from .saying import say
from .screen import Screen


class Party(StrEnum):
    """Whose chart."""

    USER = "user"
    REPLY = "reply"


@app.command()
def chart(
    party: Annotated[Party | None, typer.Argument(help="Whose chart; both, if not given.")] = None,
    mermaid: Annotated[bool, typer.Option("--mermaid", help="Print Mermaid text, for a README or a viewer.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Show the two charts that turnkit runs on: the user's, moved by Flux, and a reply's."""
    parties = [party] if party is not None else list(Party)
    if mermaid:
        drawn = diagrams()
        say("\n\n".join(drawn[one] for one in parties))
        return
    edges = {Party.USER: (UserState, USER_EDGES), Party.REPLY: (ReplyState, REPLY_EDGES)}
    for one in parties:
        states, rows = edges[one]
        if as_json:
            for edge in rows:
                say_json(
                    {
                        "chart": one.value,
                        "move": edge.move.value,
                        "source": edge.source.value,
                        "dest": (edge.dest or edge.source).value,
                        "surprise": edge.surprise and edge.surprise.value,
                    }
                )
        else:
            _tell_chart(one, states, rows)


def _tell_chart(party: Party, states: type[StrEnum], edges: Iterable[Edge]) -> None:
    """A row a move, a column a state: where it leads from there."""
    title = "The user, moved by Flux" if party is Party.USER else "A reply, moved by signals and playback"
    moves: dict[str, dict[str, str]] = {}
    for edge in edges:
        where = "–" if edge.dest is None else f"→ {edge.dest.value}"
        moves.setdefault(edge.move.value, {})[edge.source.value] = where + (" !" if edge.surprise else "")
    columns = (Column("move"), *(Column(state.value) for state in states))
    console = Screen()
    rows = ([move, *(cells.get(state.value, "") for state in states)] for move, cells in moves.items())
    tell_table(console, columns, rows, title=title)
    tell(console, "[dim]Where a move leads from each state.  –: stays  !: noted as a surprise[/]")
    console.print()
