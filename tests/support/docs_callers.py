"""What the pages of docs are given in place of a telephone, of Deepgram and of a microphone."""

from __future__ import annotations

import time
from contextlib import ExitStack
from inspect import signature
from typing import Any

import anyio
from anyio.from_thread import start_blocking_portal

from turnkit.session import Session
from turnkit.simulator import Script, serve
from turnkit.speaking import ClockSink, Speak, speaker
from turnkit.testing import ScriptedLLM, ScriptedVoice


class PhoneCall:
    """A call as `make_session` gets it, on no line."""

    def speaker(self, tts: Any, **settings: Any) -> Speak:
        return speaker(tts, ClockSink(), **settings)


class DeepgramCalls:
    """Clients of Deepgram's SDK that reach a simulator, which runs in a thread of its own, and who speaks to it.

    Attributes:
        answered: how many replies were heard.
        audio: a microphone for streams.
    """

    def __init__(self) -> None:
        self.answered = 0
        self.audio = _Microphone()
        self._stack = ExitStack()
        portal = self._stack.enter_context(start_blocking_portal())
        script = Script.parse("0.3  Hello there.", seed=1)
        self._url = self._stack.enter_context(portal.wrap_async_context_manager(serve(script))).url

    def session(self) -> Session:
        """A bot that counts its answers; it ends its call with the first."""
        llm = ScriptedLLM("Yes.")
        session = Session(respond=llm.respond, speak=ScriptedVoice())
        from turnkit import ReplyEnded

        @session.on(ReplyEnded)
        def ended(end: ReplyEnded) -> None:
            if end.heard:
                self.answered += 1
                session.hang_up()

        return session

    def asynchronous_client(self) -> Any:
        """An AsyncDeepgramClient, as a class, that is one of the simulator without being told."""
        from deepgram import AsyncDeepgramClient

        environment = self._environment()

        class Simulated(AsyncDeepgramClient):  # type: ignore[misc, unused-ignore]  # Any, where it is not installed
            def __init__(self) -> None:
                super().__init__(api_key="none", environment=environment)

        return Simulated

    def client(self) -> Any:
        """A DeepgramClient of the simulator."""
        from deepgram import DeepgramClient

        return DeepgramClient(api_key="none", environment=self._environment())

    def _environment(self) -> Any:
        from deepgram.environment import DeepgramClientEnvironment

        return DeepgramClientEnvironment(**dict.fromkeys(signature(DeepgramClientEnvironment).parameters, self._url))

    def send_microphone(self, connection: Any) -> None:
        """Send silence, until the connection is over."""
        try:
            while True:
                time.sleep(0.08)
                connection.send_media(bytes(2560))
        except Exception:
            return  # the end of sending, as the page says

    def close(self) -> None:
        """End the simulator."""
        self._stack.close()


class _Microphone:
    """Sends silence to a stream."""

    def start(self, send: Any) -> None:
        """Begin, in a task of the running loop."""
        import asyncio

        self._task = asyncio.ensure_future(self._send(send))

    async def _send(self, send: Any) -> None:
        from turnkit import TurnkitError

        try:
            while True:
                await anyio.sleep(0.08)
                await send(bytes(2560))
        except TurnkitError:
            return
