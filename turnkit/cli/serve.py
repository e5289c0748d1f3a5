"""`turnkit serve`: a bot for phones and pages, on a server that can be deployed."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer
from anyio.from_thread import start_blocking_portal
from rich.text import Text

from ..simulator import Script
from ..simulator import serve as simulated
from ..wire import FluxOptions
from .commands import app
from .layout import tell
from .output import RecordCallsOption, calls_directory, fail, guard
from .screen import Screen
from .talking import found_ear
from .threshold_options import EagerEotThresholdOption, EotThresholdOption

if TYPE_CHECKING:
    from ..simulator.ear import Ear


@app.command()
def serve(
    bot: Annotated[
        str, typer.Argument(help="MODULE:FUNCTION that makes the Session of a call, such as mybot:session.")
    ],
    host: Annotated[
        str, typer.Option(metavar="HOST", help="Where to listen; this machine only, unless you say so.")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, metavar="PORT", help="The port to listen at; 0 takes a free one.")
    ] = 8000,
    workers: Annotated[
        int, typer.Option(min=1, max=256, metavar="N", help="How many processes; as a rule one a core.")
    ] = 1,
    max_calls: Annotated[
        int, typer.Option(min=1, metavar="N", help="Calls at once in each worker; more are refused.")
    ] = 100,
    max_lag: Annotated[
        float,
        typer.Option(
            min=0.01, metavar="SECONDS", help="When the event loop is later than this, new calls are refused."
        ),
    ] = 0.2,
    drain: Annotated[
        float, typer.Option(min=0, metavar="SECONDS", help="How long calls may go on after SIGTERM.")
    ] = 30.0,
    sample_rate: Annotated[
        int,
        typer.Option(min=8000, max=48000, metavar="HZ", help="Sample rate of the bot's voice (linear16) for pages."),
    ] = 16000,
    public_url: Annotated[
        str | None, typer.Option(metavar="URL", help="Where the world sees this server: https://bot.example.com")
    ] = None,
    simulate: Annotated[
        bool, typer.Option("--simulate", help="A simulated Flux, which hears a simulated caller: no key is needed.")
    ] = False,
    ear: Annotated[
        str | None,
        typer.Option(
            metavar="EAR",
            help="With --simulate: hear who calls instead; voice finds speech, quick sooner and 'mm-hm', sphinx words.",
        ),
    ] = None,
    eot_threshold: EotThresholdOption = 0.7,
    eager_eot_threshold: EagerEotThresholdOption = 0.5,
    record: RecordCallsOption = None,
) -> None:
    """Serve a bot to phones and pages.

    The key of Flux is taken from DEEPGRAM_API_KEY, and the token with which Twilio signs, if there is one, from
    TWILIO_AUTH_TOKEN. Point Twilio at /answer, other services at the websockets /telnyx and /plivo; pages call
    /call, and / is one. Probes ask /health and /ready. At SIGTERM no call is let in any more, and those going on end
    within --drain seconds. Each worker is a process of its own: if one dies, its calls are lost, and no others.
    --record is for sessions that do not say themselves where they are recorded.
    """
    try:
        from ..interop.web import serving
    except ImportError as error:
        fail(str(error))
    guard(lambda: serving.bot_named(bot))
    if not simulate and not os.environ.get("DEEPGRAM_API_KEY"):
        fail("DEEPGRAM_API_KEY: is not set; --simulate needs no key")
    if ear is not None and not simulate:
        fail("--ear: is for --simulate; without it, Flux listens")
    hears = None if ear is None else found_ear(ear)
    settings: dict[str, Any] = {"max_calls": max_calls, "max_lag": max_lag, "drain": drain}
    settings["options"] = guard(
        lambda: FluxOptions(eot_threshold=eot_threshold, eager_eot_threshold=eager_eot_threshold or None),
        {"eot_threshold": "--eot-threshold", "eager_eot_threshold": "--eager-eot-threshold"},
    )
    settings["record"] = calls_directory(record)
    settings |= {"sample_rate": sample_rate, "public_url": public_url}
    settings["auth_token"] = os.environ.get("TWILIO_AUTH_TOKEN") or None
    listening = guard(partial(serving.listening_at, host, port))
    with listening, _simulator(simulate, None if hears is None else hears.ear) as flux:
        end = f"(Ctrl-C ends it when its calls are over, in {drain:g} s at most; again: at once)"
        tell(Screen(), Text(f"Talk to it at {_address(listening)} {end}"))
        try:
            guard(partial(serving.serve, bot, listening, workers=workers, **settings, **flux))
        except KeyboardInterrupt:
            raise typer.Exit(130) from None


@contextmanager
def _simulator(wanted: bool, ear: Ear | None) -> Iterator[dict[str, str]]:
    """A Flux in a thread of this process, for all workers, and where it is; it hears with the ear, if there is one."""
    if not wanted:
        yield {}
        return
    from ..tools.demo import CALLER, SEED

    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(simulated(ear or Script.parse(CALLER, seed=SEED))) as simulator,
    ):
        yield {"url": simulator.url}


def _address(listening: socket.socket) -> str:
    host, port = listening.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"
