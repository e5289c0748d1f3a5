"""`turnkit simulate`: Flux, on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import anyio
import typer
from rich.console import Console
from rich.markup import escape

from ..simulator import Recording, Script, Simulator, serve
from .app import app
from .output import JsonFlag, fail, guard, run_async, say_json


@app.command()
def simulate(
    recording: Annotated[
        Path | None, typer.Option(help="Play this JSON-lines recording of Flux's frames, in step with the audio.")
    ] = None,
    script: Annotated[
        Path | None, typer.Option(help="Hear this script of words with times, and detect turns in it.")
    ] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8765,
    host: Annotated[str, typer.Option(help="Where to listen; this machine only, unless you say so.")] = "127.0.0.1",
    api_key: Annotated[str | None, typer.Option(help="Accept only this key; otherwise any, or none.")] = None,
    seed: Annotated[int | None, typer.Option(help="Of what is left to chance in a script.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Be Flux on this machine: a /v2/listen that a client cannot tell from the real one.

    Without --recording or --script it hears the conversation of the demo. A script has a line for each utterance,
    its start second (or +seconds after the last one) and its words, with pauses in parentheses:

        1.0   I'd like a table (0.7) for two, please.
    """
    if recording is not None and script is not None:
        fail("--recording and --script: give one of them")
    play: Recording | Script
    if recording is not None:
        path = recording
        play = guard(lambda: Recording.read(path))
    elif script is not None:
        path = script
        play = guard(lambda: Script.read(path))
    else:
        from ..demo import CALLER, SEED

        play = Script.parse(CALLER, seed=SEED)

    async def listen() -> None:
        async with serve(play, host=host, port=port, api_key=api_key, seed=seed) as flux:
            _announce(flux, as_json)
            await _report_connections(flux, as_json)

    run_async(listen)


def _announce(flux: Simulator, as_json: bool) -> None:
    if as_json:
        say_json({"listening": flux.url})
        return
    console = Console(emoji=False)
    console.print(f"A simulated Flux listens at [bold]{escape(flux.url)}[/bold] (Ctrl-C ends it)")
    console.print(f"Try, in another terminal:  turnkit run AUDIO.wav --url {escape(flux.url)}", highlight=False)


async def _report_connections(flux: Simulator, as_json: bool) -> None:
    """Say what connects and how it went, for as long as the simulator runs."""
    seen = [0, 0]  # connections said to be open, refusals
    closed: set[str] = set()
    console = Console(emoji=False)
    while True:
        for connection in flux.connections[seen[0] :]:
            if as_json:
                say_json({"connection": connection.request_id, "state": "opened"})
            else:
                console.print(f"opened  {connection.request_id}", highlight=False)
        seen[0] = len(flux.connections)
        for connection in flux.connections:
            if connection.open or connection.request_id in closed:
                continue
            closed.add(connection.request_id)
            heard, sent = round(connection.audio_seconds, 2), connection.messages
            if as_json:
                say_json(
                    {"connection": connection.request_id, "state": "closed", "audio_seconds": heard, "messages": sent}
                )
            else:
                console.print(
                    f"closed  {connection.request_id}  {heard} s of audio in, {sent} messages out", highlight=False
                )
        for refusal in flux.refusals[seen[1] :]:
            if as_json:
                say_json({"refused": refusal.status, "code": refusal.code})
            else:
                console.print(f"[red]refused[/red] {refusal.status} {escape(refusal.code)}", highlight=False)
        seen[1] = len(flux.refusals)
        await anyio.sleep(0.2)
