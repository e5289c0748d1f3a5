"""The application on uvicorn, in one process or several, as `turnkit serve` runs it."""

from __future__ import annotations

import gc
import logging
import os
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from inspect import isawaitable, signature
from multiprocessing import parent_process
from multiprocessing.connection import wait
from threading import Thread
from typing import Any

import uvicorn
from starlette.applications import Starlette
from uvicorn.supervisors import Multiprocess

from ...checks import cannot_listen, check_host
from ...errors import ConfigError
from ...session import Session
from ...session.default_record import recorded_in
from .asgi import DRAIN_SECONDS, application
from .calls import MakeSession

__all__ = ["bot_named", "listening_at", "serve"]

_SHUTDOWN = 10  # seconds for uvicorn's own end, once the last call is over


def bot_named(name: str) -> MakeSession:
    """The function that makes the sessions, named as in `mybot:session`; modules of this directory are found.

    Raises:
        ConfigError: if there is none.
    """
    module_name, _, attribute = name.partition(":")
    if not module_name or not attribute:
        raise ConfigError(f"bot={name!r}: must be MODULE:FUNCTION, such as mybot:session")
    if "" not in sys.path:
        sys.path.insert(0, "")
    try:
        found: Any = import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module_name}.".startswith(f"{error.name}."):
            raise  # of the bot's own imports: its traceback says where
        raise ConfigError(f"bot={name!r}: there is no module {module_name} here") from None
    found = getattr(found, attribute, None)
    if not callable(found):
        raise ConfigError(f"bot={name!r}: {module_name} has no function {attribute}")
    make_session: MakeSession = found
    return make_session


def listening_at(host: str, port: int) -> socket.socket:
    """A socket that waits for who calls there; port 0 takes a free one.

    Raises:
        ConfigError: if nothing can listen there.
    """
    check_host(host)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        socket.getaddrinfo(host, port, family)  # by itself, as what is wrong with the name is then told apart
        return socket.create_server((host, port), family=family, backlog=2048)
    except (OSError, OverflowError) as error:
        raise cannot_listen(host, port, error) from None


def serve(bot: str, listening: socket.socket, *, workers: int = 1, record: str | None = None, **settings: Any) -> None:
    """Serve a bot until SIGTERM or Ctrl-C; the key is that of DEEPGRAM_API_KEY, where no `url` says otherwise.

    Args:
        bot: its name, as `bot_named` takes it: each process imports it for itself.
        listening: the socket; with several processes the system deals out who comes.
        workers: how many processes; one that dies is started anew, and only its calls are lost. Default 1.
        record: the directory in which calls are recorded whose session does not say where. Default None: they are not.
        settings: those of `application`, which must be such as can be pickled.
    """
    config = uvicorn.Config(
        partial(_in_this_process, bot, record, settings),
        factory=True,
        workers=workers,
        log_level="warning",
        access_log=False,
        ws_per_message_deflate=False,  # audio does not get smaller by it, and all gets slower
        ws_max_size=1 << 20,
        timeout_graceful_shutdown=_SHUTDOWN,
    )
    if workers > 1:
        # Of older versions: what each process is to run.
        older = "target" in signature(Multiprocess).parameters
        target = {"target": uvicorn.Server(config).run} if older else {}
        Multiprocess(config, sockets=[listening], **target).run()
    else:
        run_alone(config, listening)


class _Server(uvicorn.Server):
    """uvicorn, which is told of a Ctrl-C that came before it listened for one."""

    def __init__(self, config: uvicorn.Config, interrupts: list[int]) -> None:
        super().__init__(config)
        self._interrupts = interrupts

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        with super().capture_signals():
            for number in self._interrupts:
                self.handle_exit(number, None)
            yield


def run_alone(config: uvicorn.Config, listening: socket.socket) -> None:
    """Run a server in this process until SIGTERM, or until Ctrl-C, which raises KeyboardInterrupt however early."""
    interrupts: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: interrupts.append(number))
    try:
        _Server(config, interrupts).run(sockets=[listening])
    finally:
        signal.signal(signal.SIGINT, before)
    if interrupts:
        raise KeyboardInterrupt


def _in_this_process(bot: str, record: str | None, settings: dict[str, Any]) -> Starlette:
    supervisor = parent_process()
    if supervisor is not None:
        Thread(target=_end_after, args=(supervisor.sentinel,), daemon=True).start()
    flux: dict[str, Any] = {} if "url" in settings else {"api_key": os.environ.get("DEEPGRAM_API_KEY") or None}
    logging.getLogger("uvicorn.error").addFilter(_is_news)
    make_session = bot_named(bot) if record is None else _recorded(bot_named(bot), record)
    app = application(make_session, **settings, **flux)
    app.state.calls.told = partial(_say_who_stays, settings.get("drain", DRAIN_SECONDS))
    gc.collect()
    gc.freeze()  # what was imported is never looked at again
    gc.set_threshold(10_000, 10, 10)
    return app


def _say_who_stays(drain: float, calls: int) -> None:
    """Say on standard error why the server does not end at once."""
    who = "1 call goes" if calls == 1 else f"{calls} calls go"
    sys.stderr.write(f"{who} on, for {drain:g} s at most; Ctrl-C again ends it now\n")
    sys.stderr.flush()


def _recorded(make_session: MakeSession, record: str) -> MakeSession:
    """The same, with sessions that are recorded."""

    async def make(call: Any) -> Session:
        with recorded_in(record):
            made = make_session(call)
            return await made if isawaitable(made) else made

    return make


def _end_after(supervisor: int) -> None:
    """End in good order once nobody is left who would start this process anew, or tell it to end."""
    wait([supervisor])
    os.kill(os.getpid(), signal.SIGTERM)


def _is_news(record: logging.LogRecord) -> bool:
    """Not that no handshake was completed, as some versions say of each call that is refused; turnkit says why."""
    return "without completing handshake" not in str(record.msg)
