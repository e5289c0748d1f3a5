"""The examples run, and show what they say."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import threading
import wave
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import anyio
import pytest
from anyio.abc import SocketAttribute, SocketStream
from anyio.streams.buffered import BufferedByteReceiveStream

from tests.session.test_session import listen, script
from turnkit.errors import ConnectionFailed, FluxError
from turnkit.session import Session
from turnkit.simulator import Script, serve
from turnkit.turns.events import (
    BargeIn,
    Cancel,
    EagerEndOfTurn,
    EndOfTurn,
    ReplyEnded,
    StartOfTurn,
    TurnResumed,
    UserIdle,
)

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # where dataclasses look for what their annotations name
    try:
        spec.loader.exec_module(module)
    finally:
        del sys.modules[name]
    return module


def outcomes(session: Session) -> list[tuple[str, str]]:
    """(outcome, heard) of every reply, as they end."""
    ends: list[tuple[str, str]] = []
    session.on(ReplyEnded, lambda end: ends.append((end.outcome.value, end.heard)))
    return ends


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.stem)
def test_its_docstring_says_what_it_shows_and_how_to_run_it(path: Path) -> None:
    """In at most eight lines, with the command; and there is a test of that name here."""
    module = load(path.stem)
    assert module.__doc__ is not None
    assert len(module.__doc__.strip().splitlines()) <= 8
    assert f"python examples/{path.name}" in module.__doc__
    assert f'load("{path.stem}")' in Path(__file__).read_text()


def test_hello_machine(capsys: pytest.CaptureFixture[str]) -> None:
    """One draft withdrawn, one kept, a backchannel, a barge-in, silence."""
    load("hello_machine").main()
    names = [line.split("(")[0] for line in capsys.readouterr().out.splitlines()]
    assert [name for name in names if name not in ("TurnUpdated", "TurnStarted", "")] == [
        "Speculate",
        "Cancel",
        "Speculate",
        "Commit",
        "TurnDropped",
        "BargeIn",
        "Commit",
        "UserIdle",
        "UserIdle",
    ]


@pytest.mark.anyio
async def test_smallest_bot(capsys: pytest.CaptureFixture[str]) -> None:
    """A draft withdrawn in the pause, an answer interrupted, an answer heard to its end."""
    with anyio.fail_after(120):
        await load("smallest_bot").main()
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 5
    assert lines[:2] == ["bot cancelled: ", "caller: Good morning. I'd like to know when you open."]
    assert lines[2].startswith("bot interrupted: You said: Good")
    assert not lines[2].endswith("open.")
    assert lines[3:] == ["caller: And on Sundays?", "bot finished: You said: And on Sundays?"]


# The booking bot --------------------------------------------------------------------------------------------------

ASKED = "A table for two at eight, please."
BOOKED = "A table for two at eight is booked, number 1."


class Desk:
    """A booking bot with a book that counts how often it is written into."""

    def __init__(self, *, seconds: float = 0.8, llm: Callable[[ModuleType], Any] = lambda module: module.RuleLlm()):
        module = load("booking_bot")
        self.puts: list[str] = []
        puts = self.puts

        class Counting(module.Bookings):  # type: ignore[misc, name-defined]
            async def put(self, key: str, people: str, time: str) -> Any:
                puts.append(key)
                return await super().put(key, people, time)

        self.bookings = Counting(seconds)
        self.session: Session = module.BookingBot(llm(module), self.bookings, "call").session
        self.ends = outcomes(self.session)
        self.signals = listen(self.session)

    @property
    def book(self) -> list[tuple[str, str]]:
        return [(key, str(booking)) for key, booking in self.bookings.by_key.items()]


def insistent(module: ModuleType) -> Any:
    """An LLM that asks for a booking twice at once, and once more after it was told the outcome."""

    class Insistent(module.RuleLlm):  # type: ignore[misc, name-defined]
        asked = 0

        async def answer(self, messages: Sequence[dict[str, Any]]) -> Any:
            answer = await super().answer([message for message in messages if message["role"] == "user"])
            self.asked += 1
            return module.Answer(answer.text, [*answer.calls] * 2) if self.asked < 3 else module.Answer(BOOKED)

    return Insistent()


@pytest.mark.anyio
async def test_booking_bot(capsys: pytest.CaptureFixture[str]) -> None:
    """The whole call: a pause, a word too late, an interruption; one booking, and it was told to its end."""
    with anyio.fail_after(120):
        await load("booking_bot").main()
    lines = capsys.readouterr().out.splitlines()
    booked = "A table for two at eight thirty is booked, number 1."
    assert [line for line in lines if line.startswith("  [booked")] == [
        "  [booked for two at eight thirty, key call-1:turn-0: number 1]"
    ]
    assert [line for line in lines if line.startswith("caller")] == [
        "caller: A table for two at eight thirty.",
        "caller: Please.",
        "caller: Could you repeat that?",
        "caller: Thank you!",
    ]
    assert f"bot finished: {booked}" in lines
    assert lines[-2:] == ["bot finished: You are welcome. Goodbye!", f"in the book: {booked}"]


@pytest.mark.anyio
async def test_a_withdrawn_draft_books_nothing() -> None:
    """The draft would have booked for eight and waits to be allowed; the caller goes on, and eight thirty is booked."""
    desk = Desk()
    in_between: list[int] = []
    await desk.session.run(
        script(
            StartOfTurn(0, "A table for two at eight"),
            EagerEndOfTurn(0, "A table for two at eight"),
            3.0,
            lambda: in_between.append(len(desk.puts)),
            TurnResumed(0, "A table for two at eight thirty"),
            EagerEndOfTurn(0, "A table for two at eight thirty."),
            3.0,
            lambda: in_between.append(len(desk.puts)),
            EndOfTurn(0, "A table for two at eight thirty."),
        )
    )
    assert in_between == [0, 0]
    assert desk.puts == ["call:turn-0"]
    assert desk.book == [("call:turn-0", "A table for two at eight thirty is booked, number 1.")]
    assert desk.ends == [
        ("cancelled", ""),
        ("finished", "One moment, please. A table for two at eight thirty is booked, number 1."),
    ]


@pytest.mark.anyio
@pytest.mark.parametrize("seconds_to_please", [0.1, 0.5, 1.05])
@pytest.mark.parametrize("eager", [True, False])
async def test_a_please_before_anything_was_heard_books_nothing_more(seconds_to_please: float, eager: bool) -> None:
    """While the LLM thinks, while the book is written, before the first sound: the next reply makes up for it."""
    desk = Desk(seconds=0.7)
    drafted = [EagerEndOfTurn(1, "Please.")] if eager else []
    await desk.session.run(
        script(
            StartOfTurn(0, ASKED),
            EndOfTurn(0, ASKED),
            seconds_to_please,
            StartOfTurn(1, "Please."),
            *drafted,
            0.1,
            EndOfTurn(1, "Please."),
        )
    )
    assert desk.puts == ["call:turn-0"]
    assert desk.book == [("call:turn-0", BOOKED)]
    assert desk.ends[0] == ("cancelled", "")
    outcome, heard = desk.ends[-1]
    assert outcome == "finished"
    assert heard.endswith(BOOKED)
    cancels = [signal.reason.value for signal in desk.signals if isinstance(signal, Cancel)]
    assert cancels[0] == "new_turn"


@pytest.mark.anyio
async def test_changed_details_before_anything_was_heard_change_the_booking() -> None:
    """The same key with other details: still one booking, the one that was wanted last."""
    desk = Desk(seconds=0.1, llm=insistent)
    await desk.session.run(
        script(
            StartOfTurn(0, "A table for two at nine"),
            EndOfTurn(0, "A table for two at nine"),
            0.6,
            StartOfTurn(1, "Sorry"),
            0.1,
            EndOfTurn(1, "Sorry, a table for two at eight."),
        )
    )
    assert set(desk.puts) == {"call:turn-0"}
    assert len(desk.puts) > 1
    assert len(desk.book) == 1


@pytest.mark.anyio
@pytest.mark.parametrize("eager", [True, False])
async def test_a_barge_in_does_not_stop_the_booking_and_causes_no_second_one(eager: bool) -> None:
    """The speech ends, the booking does not; the next reply, begun meanwhile, waits for it and tells the outcome."""
    desk = Desk(seconds=4.0)
    drafted = [EagerEndOfTurn(1, "And is there parking?")] if eager else []
    in_between: list[object] = []
    await desk.session.run(
        script(
            StartOfTurn(0, ASKED),
            EndOfTurn(0, ASKED),
            2.0,
            StartOfTurn(1, "And is"),
            lambda: in_between.append((desk.puts[:], desk.book)),
            *drafted,
            0.5,
            EndOfTurn(1, "And is there parking?"),
        )
    )
    assert in_between == [(["call:turn-0"], [])], "it was under way"
    assert [type(signal) for signal in desk.signals].count(BargeIn) == 1
    assert desk.puts == ["call:turn-0"]
    assert desk.book == [("call:turn-0", BOOKED)]
    assert desk.ends == [("interrupted", "One moment,"), ("finished", BOOKED)]


@pytest.mark.anyio
async def test_a_draft_begun_during_the_booking_is_made_anew_with_its_outcome() -> None:
    """The caller hesitates through it all: the draft from before the outcome is discarded, the reply tells it."""
    desk = Desk(seconds=4.0)
    await desk.session.run(
        script(
            StartOfTurn(0, ASKED),
            EndOfTurn(0, ASKED),
            2.0,
            StartOfTurn(1, "And is"),
            EagerEndOfTurn(1, "And is there parking?"),
            5.0,
            EndOfTurn(1, "And is there parking?"),
        )
    )
    assert [signal.reason.value for signal in desk.signals if isinstance(signal, Cancel)] == ["context_changed"]
    assert desk.book == [("call:turn-0", BOOKED)]
    assert desk.ends == [("interrupted", "One moment,"), ("cancelled", ""), ("finished", BOOKED)]


@pytest.mark.anyio
async def test_a_caller_who_says_nothing_more_hears_of_the_booking() -> None:
    """Interrupted by a cough: nobody is asked whether they are there while it is booked, and then they are told."""
    desk = Desk(seconds=9.0)
    began = anyio.current_time()
    await desk.session.run(
        script(
            StartOfTurn(0, ASKED),
            EndOfTurn(0, ASKED),
            2.0,
            StartOfTurn(1, "Hm"),
            0.2,
            EndOfTurn(1, ""),
            20.0,
        )
    )
    idle = next(signal for signal in desk.signals if isinstance(signal, UserIdle))
    assert idle.at - began > 9.3 + 5.0 - 0.1, "the idle clock began when the booking was done"
    assert desk.ends[:2] == [("interrupted", "One moment,"), ("finished", BOOKED)]
    assert desk.book == [("call:turn-0", BOOKED)]


@pytest.mark.anyio
async def test_an_llm_that_asks_twice_books_once() -> None:
    """Twice in one answer, and again after it was told: the key makes them one."""
    desk = Desk(llm=insistent)
    await desk.session.run(script(StartOfTurn(0, ASKED), EndOfTurn(0, ASKED)))
    assert desk.puts == ["call:turn-0"] * 4
    assert desk.book == [("call:turn-0", BOOKED)]
    assert desk.ends == [("finished", f"One moment, please. One moment, please. {BOOKED}")]


@pytest.mark.anyio
async def test_a_caller_who_hangs_up_during_the_booking_has_one() -> None:
    """The stream ends while it is under way."""
    desk = Desk(seconds=4.0)
    await desk.session.run(script(StartOfTurn(0, ASKED), EndOfTurn(0, ASKED), 1.0), drain=True)
    assert desk.book == [("call:turn-0", BOOKED)]


# The disclaimer bot -----------------------------------------------------------------------------------------------


@pytest.mark.anyio
async def test_disclaimer_bot(capsys: pytest.CaptureFixture[str]) -> None:
    """The disclaimer is heard to its end; what was said over it is answered; one question into a silence, two end it.

    The caller's thanks after the first question make the bot patient again.
    """
    with anyio.fail_after(200):
        await load("disclaimer_bot").main()
    assert capsys.readouterr().out.splitlines() == [
        "bot finished: Welcome. This call is recorded for training purposes.",
        "caller: Hello, is the shop open?",
        "bot finished: We are open from nine to six.",
        "bot finished: Are you still there?",
        "caller: Thank you!",
        "bot finished: You are welcome.",
        "bot finished: Are you still there?",
        "bot finished: I will hang up now. Goodbye!",
        "[hung up]",
    ]


# The voice loop ---------------------------------------------------------------------------------------------------

# Left in the middle of a response, httpx closes the connection but drops its own generators, and trio remarks on it.
half_read = pytest.mark.filterwarnings("ignore:Async generator 'http:ResourceWarning")

KEYS = {"DEEPGRAM_API_KEY": "dg-very-secret", "OPENAI_API_KEY": "sk-very-secret"}
CALLER = """
    1.0   Good morning. I'd like to know (0.9) when you open.
    +2.2  And on Sundays?
"""
HOURS = "We open at nine in the morning, and we close at six in the evening, from Monday to Saturday, all year round."
SUNDAYS = "On Sundays we are closed."
WORD_AUDIO = b"\x01\x02" * 7200  # 0.3 s at 24 kHz


class Refused(Exception):
    """Answer with this status and body instead."""

    def __init__(self, status: int, body: str) -> None:
        self.status = status
        self.body = body.encode()


class Broken(Exception):
    """Drop the connection here."""


@dataclass
class Request:
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: dict[str, Any]


@dataclass
class Api:
    """A server of HTTP/1.1 on loopback: one request a connection, the answer in chunks as `answer` yields them."""

    answer: Callable[[Request], AsyncGenerator[bytes, None]]
    path: str
    content_type: str
    requests: list[Request] = field(default_factory=list)
    finished: int = 0
    abandoned: list[float] = field(default_factory=list)  # when clients hung up in the middle of an answer

    @asynccontextmanager
    async def serve(self) -> AsyncIterator[str]:
        """Its base URL."""
        async with (
            await anyio.create_tcp_listener(local_host="127.0.0.1") as listener,
            anyio.create_task_group() as tasks,
        ):
            tasks.start_soon(listener.serve, self.attend)
            yield f"http://127.0.0.1:{listener.extra(SocketAttribute.local_port)}"
            tasks.cancel_scope.cancel()

    async def attend(self, stream: SocketStream) -> None:
        async with stream, anyio.create_task_group() as tasks:
            incoming = BufferedByteReceiveStream(stream)
            request = await self.read(incoming)
            tasks.start_soon(self.watch, incoming, tasks.cancel_scope)
            await self.respond(request, stream)
            tasks.cancel_scope.cancel()

    async def read(self, incoming: BufferedByteReceiveStream) -> Request:
        head = (await incoming.receive_until(b"\r\n\r\n", 65536)).decode("ascii")
        first, *lines = head.split("\r\n")
        method, target, _ = first.split()
        assert method == "POST"
        assert urlsplit(target).path == self.path
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
        body = json.loads(await incoming.receive_exactly(int(headers["content-length"])))
        request = Request(parse_qs(urlsplit(target).query), headers, body)
        self.requests.append(request)
        return request

    async def watch(self, incoming: BufferedByteReceiveStream, scope: anyio.CancelScope) -> None:
        try:
            await incoming.receive()
        except (anyio.EndOfStream, anyio.BrokenResourceError):
            self.abandoned.append(anyio.current_time())
            scope.cancel()

    async def respond(self, request: Request, stream: SocketStream) -> None:
        head = f"HTTP/1.1 200 OK\r\nContent-Type: {self.content_type}\r\nConnection: close\r\n"
        head += "Transfer-Encoding: chunked\r\n\r\n"
        try:
            async with aclosing(self.answer(request)) as pieces:
                async for piece in pieces:
                    await stream.send(head.encode() + b"%x\r\n%b\r\n" % (len(piece), piece))
                    head = ""
            await stream.send(b"0\r\n\r\n")
            self.finished += 1
        except Refused as refused:
            head = f"HTTP/1.1 {refused.status} No\r\nContent-Length: {len(refused.body)}\r\nConnection: close\r\n\r\n"
            await stream.send(head.encode() + refused.body)
        except (Broken, anyio.BrokenResourceError):
            return


def event(**delta: object) -> bytes:
    return b"data: " + json.dumps({"choices": [{"index": 0, "delta": delta}]}).encode() + b"\n\n"


async def stream_words(text: str) -> AsyncGenerator[bytes, None]:
    """A chat completion as OpenAI streams it, an event in two pieces, five words a second."""
    yield event(role="assistant", content="")
    for number, word in enumerate(text.split()):
        await anyio.sleep(0.2)
        data = event(content=f" {word}" if number else word)
        yield data[:9]
        yield data[9:]
    yield b": a comment\n\n"
    yield event(content=None)
    yield b'data: {"choices": [], "usage": {"total_tokens": 3}}\n\ndata: [DONE]\n\n'


def chat(request: Request) -> AsyncGenerator[bytes, None]:
    return stream_words(SUNDAYS if "Sunday" in request.body["messages"][-1]["content"] else HOURS)


async def aura(request: Request) -> AsyncGenerator[bytes, None]:
    """0.3 s of sound a word, in pieces that end in the middle of samples."""
    audio = WORD_AUDIO * len(request.body["text"].split())
    for start in range(0, len(audio), 4801):
        await anyio.sleep(0.01)
        yield audio[start : start + 4801]


class Call:
    """A call of the voice loop on local servers: who is called, and what became of it."""

    def __init__(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, **answers: Callable[[Request], Any]) -> None:
        self.llm = Api(answers.get("llm", chat), "/v1/chat/completions", "text/event-stream")
        self.tts = Api(answers.get("tts", aura), "/v1/speak", "audio/l16")
        self.module = load("voice_loop")
        self.wav, self.out = tmp_path / "caller.wav", tmp_path / "bot.wav"
        self.monkeypatch = monkeypatch
        for name, key in KEYS.items():
            monkeypatch.setenv(name, key)

    async def hold(self, caller: str = CALLER) -> list[dict[str, Any]]:
        """Hold it; the history at its end."""
        sessions: list[Session] = []
        make_session = self.module.make_session

        def keep(*parts: Any) -> Session:
            sessions.append(make_session(*parts))
            return sessions[0]

        self.monkeypatch.setattr(self.module, "make_session", keep)
        conversation = Script.parse(caller, seed=1)
        self.write_caller(conversation.end)
        async with (
            self.llm.serve() as llm,
            self.tts.serve() as tts,
            serve(conversation, api_key=KEYS["DEEPGRAM_API_KEY"]) as flux,
        ):
            self.monkeypatch.setenv("OPENAI_BASE_URL", f"{llm}/v1/")
            with anyio.fail_after(300):
                await self.module.converse(self.settings(flux.url, f"{tts}/v1/speak"))
        return sessions[0].history

    def settings(self, flux_url: str, speak_url: str) -> Any:
        arguments = ["--wav", self.wav, "--out", self.out, "--flux-url", flux_url, "--speak-url", speak_url]
        return self.module.parse([str(argument) for argument in arguments])

    def write_caller(self, seconds: float) -> None:
        """Silence: what the caller says, the simulator knows."""
        with wave.open(str(self.wav), "wb") as file:
            file.setparams((1, 2, 16000, 0, "NONE", ""))
            file.writeframes(bytes(round(seconds * 16000) * 2))

    def played(self) -> bytes:
        """The sound of what was heard of the bot."""
        with wave.open(str(self.out), "rb") as file:
            assert file.getframerate() == 24000
            return file.readframes(file.getnframes())


@pytest.mark.anyio
@half_read
async def test_voice_loop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """From the caller's audio to the bot's: a draft withdrawn, a barge-in in mid-answer, an answer heard to its end."""
    call = Call(tmp_path, monkeypatch)
    history = await call.hold()
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == ["bot cancelled: ", "you: Good morning. I'd like to know when you open."]
    heard = lines[2].removeprefix("bot interrupted: ")
    assert HOURS.startswith(heard)
    assert 0 < len(heard.split()) < len(HOURS.split()) / 2
    assert lines[3:] == ["you: And on Sundays?", f"bot finished: {SUNDAYS}"]
    # Both the withdrawn draft and the interrupted answer left their LLM in mid-stream.
    assert len(call.llm.abandoned) == 2
    assert call.llm.finished == 1
    assert [message["content"] for message in call.llm.requests[-1].body["messages"][1:]] == [
        "Good morning. I'd like to know when you open.",
        heard,
        "And on Sundays?",
    ]
    assert history[-1] == {"role": "assistant", "content": SUNDAYS}
    # What was cut off is not in the file: of the first answer's sound there is as much as was heard of its words.
    clause = call.tts.requests[0].body["text"]
    first = len(call.played()) - len(WORD_AUDIO) * len(SUNDAYS.split())
    share = first / len(WORD_AUDIO) / len(clause.split())
    assert len(heard) / len(clause) == pytest.approx(share, abs=0.15)
    assert share < 0.8
    assert set(call.played()) == {1, 2}


@pytest.mark.anyio
@half_read
async def test_the_voice_loop_speaks_the_protocols_of_its_services(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What it asks of the LLM and of Aura; and each key goes to whom it belongs, and nowhere else."""
    call = Call(tmp_path, monkeypatch)
    await call.hold("1.0 And on Sundays?")
    chatted, spoken = call.llm.requests[-1], call.tts.requests[-1]
    assert chatted.headers["authorization"] == f"Bearer {KEYS['OPENAI_API_KEY']}"
    assert chatted.body == {
        "model": "gpt-4o-mini",
        "stream": True,
        "messages": [
            {"role": "system", "content": call.module.INSTRUCTIONS},
            {"role": "user", "content": "And on Sundays?"},
        ],
    }
    assert spoken.headers["authorization"] == f"Token {KEYS['DEEPGRAM_API_KEY']}"
    assert spoken.body == {"text": SUNDAYS}
    assert spoken.query == {
        "model": ["aura-2-thalia-en"],
        "encoding": ["linear16"],
        "sample_rate": ["24000"],
        "container": ["none"],
    }
    written = capsys.readouterr()
    shown = written.out + written.err + repr(call.module.parse([]))
    assert not [key for key in KEYS.values() if key in shown]


@pytest.mark.anyio
@half_read
async def test_the_voice_loop_hangs_up_on_an_llm_that_talks_too_much(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A draft that says more than is held back is closed where it stands when the caller goes on."""

    async def talk(request: Request) -> AsyncGenerator[bytes, None]:
        for _ in range(600):
            yield event(content="blah ")
        await anyio.sleep(60)

    def chat_after_talk(request: Request) -> AsyncGenerator[bytes, None]:
        return talk(request) if len(call.llm.requests) == 1 else chat(request)

    call = Call(tmp_path, monkeypatch, llm=chat_after_talk)
    history = await call.hold("1.0 What about (0.9) Sundays?")
    assert len(call.llm.abandoned) == 1
    assert [message["content"] for message in history] == ["What about Sundays?", SUNDAYS]


@pytest.mark.anyio
@half_read
async def test_a_voice_loop_whose_llm_refuses_apologises(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A draft that fails is made anew at the end of the turn; then the caller is told. No key is shown, though the
    server's own message has it."""

    def refuse(request: Request) -> AsyncGenerator[bytes, None]:
        raise Refused(401, f"{'Incorrect API key: ':>270}{KEYS['OPENAI_API_KEY']}, {'x' * 1000}")

    call = Call(tmp_path, monkeypatch, llm=refuse)
    history = await call.hold("1.0 And on Sundays?")
    assert len(call.llm.requests) == 2
    written = capsys.readouterr()
    lines = written.out.splitlines()
    assert lines[:2] == ["bot failed: ", "you: And on Sundays?"]
    assert lines[2].startswith("[LLM: status 401: ")
    assert "Incorrect API key: (the key), x" in lines[2]
    assert lines[3:] == [f"bot finished: {call.module.APOLOGY}"]
    assert history[-1]["content"] == call.module.APOLOGY
    assert KEYS["OPENAI_API_KEY"][:5] not in written.out + written.err


@pytest.mark.anyio
@half_read
@pytest.mark.parametrize("ending", [b"", b"data: {broken\n\n", b'data: {"error": {"message": "overloaded"}}\n\n'])
@pytest.mark.parametrize("polite", [True, False], ids=["ends", "breaks off"])
async def test_a_voice_loop_whose_llm_breaks_off_apologises(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: bytes, polite: bool
) -> None:
    """In the middle of the answer, in whatever way: what came of it is heard, and then the apology."""

    async def break_off(request: Request) -> AsyncGenerator[bytes, None]:
        for word in ("On", " Sundays", " we"):
            yield event(content=word)
        await anyio.sleep(6.0)  # a draft by then has become the answer
        if ending:
            yield ending
        if not polite:
            raise Broken

    call = Call(tmp_path, monkeypatch, llm=break_off)
    history = await call.hold("1.0 And on Sundays?")
    assert len(call.llm.requests) == 1
    assert history[-1] == {"role": "assistant", "content": f"On Sundays we {call.module.APOLOGY}"}


@pytest.mark.anyio
@half_read
@pytest.mark.parametrize("failure", [Refused(500, "out of voices"), Broken()], ids=["refuses", "breaks off"])
async def test_a_voice_loop_whose_tts_fails_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], failure: Exception
) -> None:
    """That reply has failed, with what was heard of it, the log says why, and the next turn is answered."""

    async def fail() -> AsyncGenerator[bytes, None]:
        if isinstance(failure, Broken):
            yield WORD_AUDIO
        raise failure

    def fail_once(request: Request) -> AsyncGenerator[bytes, None]:
        return fail() if len(call.tts.requests) == 1 else aura(request)

    call = Call(tmp_path, monkeypatch, tts=fail_once)
    history = await call.hold("1.0 And on Sundays?\n +6.0 And on Sundays?")
    written = capsys.readouterr()
    replies = [line for line in written.out.splitlines() if line.startswith("bot")]
    assert replies[0].startswith("bot failed: ")
    assert replies[0].removeprefix("bot failed: ") in ("", "On")
    assert replies[-1] == f"bot finished: {SUNDAYS}"
    assert history[-1]["content"] == SUNDAYS
    assert ("TTS: status 500: out of voices" if isinstance(failure, Refused) else "TTS: Remote") in written.err
    assert KEYS["DEEPGRAM_API_KEY"] not in written.out + written.err


@pytest.mark.anyio
async def test_a_voice_loop_without_flux_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong key, a Flux that goes away in mid-call, one that is not there: a plain error each, and a whole file."""
    call = Call(tmp_path, monkeypatch)
    call.write_caller(60)
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9")
    caller = Script.parse(CALLER, seed=1)
    async with serve(caller, api_key="another") as flux:
        settings = call.settings(flux.url, "http://127.0.0.1:9")
        with pytest.raises(FluxError, match="INVALID_AUTH"):
            await call.module.converse(settings)
    failures: list[Exception] = []

    async def converse() -> None:
        try:
            await call.module.converse(settings)
        except ConnectionFailed as error:
            failures.append(error)

    async with anyio.create_task_group() as tasks, serve(caller) as flux:
        settings = call.settings(flux.url, "http://127.0.0.1:9")
        tasks.start_soon(converse)
        await anyio.sleep(0.5)
    await converse()
    assert len(failures) == 2
    assert call.played() == b""


def test_the_voice_loop_says_what_it_lacks(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A key, the package for sound, a sound card, a file; each in one sentence."""
    module = load("voice_loop")
    for name in KEYS:
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(SystemExit):
        module.main([])
    assert "DEEPGRAM_API_KEY is not set" in capsys.readouterr().err
    monkeypatch.setenv("DEEPGRAM_API_KEY", "dg-very-secret\n")
    with pytest.raises(SystemExit):
        module.main([])
    told = capsys.readouterr().err
    assert "DEEPGRAM_API_KEY is no key" in told
    assert "secret" not in told
    for name, key in KEYS.items():
        monkeypatch.setenv(name, key)
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    with pytest.raises(SystemExit, match="pip install sounddevice"):
        module.main([])
    monkeypatch.setitem(sys.modules, "sounddevice", fake_sounddevice([]))
    with pytest.raises(SystemExit, match="No sound: no such device"):
        module.main([])
    with pytest.raises(SystemExit, match=r"error: nowhere\.wav: cannot be read"):
        module.main(["--wav", "nowhere.wav", "--out", "out.wav"])


def fake_sounddevice(cards: list[Any]) -> Any:
    """The package `sounddevice`: cards that a test plays by hand, and none that passes its check."""

    class Card:
        def __init__(self, **settings: Any) -> None:
            self.settings = settings
            self.state = "new"
            cards.append(self)

        def __enter__(self) -> Card:
            return self

        def __exit__(self, *_: object) -> None:
            self.close()

        def start(self) -> None:
            self.state = "started"

        def close(self) -> None:
            self.state = "closed"

        def read(self, frames: int) -> tuple[bytearray, bool]:
            assert threading.current_thread() is not threading.main_thread()
            return bytearray(b"\x05" * frames * 2), False

    def refuse(**settings: Any) -> None:
        raise RuntimeError("no such device")

    return SimpleNamespace(
        RawInputStream=Card, RawOutputStream=Card, check_input_settings=refuse, check_output_settings=refuse
    )


@pytest.mark.anyio
async def test_the_voice_loops_sound_card(monkeypatch: pytest.MonkeyPatch) -> None:
    """It plays what is queued, silence while paused, nothing after clear; its clock is what the card has taken."""
    cards: list[Any] = []
    monkeypatch.setitem(sys.modules, "sounddevice", fake_sounddevice(cards))
    loudspeaker = load("voice_loop").Loudspeaker()
    (card,) = cards
    assert card.state == "started"

    def take(size: int) -> bytes:
        buffer = bytearray(b"?" * size)
        card.settings["callback"](buffer, size // 2, None, None)
        return bytes(buffer)

    loudspeaker.begin(0)
    await loudspeaker.play(b"ab" * 1200 + b"cdef")
    assert take(2400) == b"ab" * 1200
    assert loudspeaker.played() == 0.05
    loudspeaker.pause()
    assert take(4) == b"\0\0\0\0"
    loudspeaker.resume()
    assert take(2) == b"cd"
    loudspeaker.clear()
    assert take(4) == b"\0\0\0\0"
    loudspeaker.begin(1)
    await loudspeaker.play(b"cd")
    assert take(4) == b"cd\0\0"
    assert loudspeaker.played() == pytest.approx(1 / 24000)
    loudspeaker.close()
    assert card.state == "closed"


@pytest.mark.anyio
async def test_the_voice_loops_microphone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pieces of 80 ms, read in a thread of their own; the card is closed at the end."""
    cards: list[Any] = []
    monkeypatch.setitem(sys.modules, "sounddevice", fake_sounddevice(cards))
    microphone = load("voice_loop").microphone()
    assert await anext(microphone) == b"\x05" * 2560
    assert cards[0].settings == {"samplerate": 16000, "channels": 1, "dtype": "int16"}
    await microphone.aclose()
    assert cards[0].state == "closed"


# The tested bot ---------------------------------------------------------------------------------------------------


def test_tested_bot() -> None:
    """Its test-suite passes; and with the mistake in the bot it fails, and says in the caller's words what is wrong."""
    suites = {
        bot: subprocess.Popen(
            [
                sys.executable,
                "-m",
                "pytest",
                "-q",
                "-p",
                "no:cacheprovider",
                "--hypothesis-seed=1",
                str(EXAMPLES / "tested_bot"),
            ],
            stdout=subprocess.PIPE,
            text=True,
            cwd=EXAMPLES.parent,
            env={**os.environ, "BOT": bot},
        )
        for bot in ("BookingLine", "Careless")
    }
    told = {bot: suite.communicate(timeout=120)[0] for bot, suite in suites.items()}
    assert suites["BookingLine"].returncode == 0, told["BookingLine"]
    assert "14 passed" in told["BookingLine"]
    assert suites["Careless"].returncode == 1
    failed = [
        line.split("::")[-1].split(" - ")[0] for line in told["Careless"].splitlines() if line.startswith("FAILED")
    ]
    assert failed == [
        "test_who_thinks_better_of_it_in_the_same_breath_keeps_the_booking",
        "test_a_cancellation_is_finished_though_the_caller_interrupts",
        "test_the_rules_hold_whoever_calls_and_whatever_fails",
    ]
    assert "cancel booking was called at 2.81 s, before the caller's turn was final" in told["Careless"]
    assert "caller   goes on  “Cancel my booking?”" in told["Careless"]
