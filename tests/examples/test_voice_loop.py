"""The example voice_loop: whole calls on local servers, and how each of its services may fail."""

from __future__ import annotations

import wave
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Any

import anyio
import pytest

from tests.support.examples import load
from tests.support.voice_services import (
    HOURS,
    KEYS,
    SUNDAYS,
    WORD_AUDIO,
    Api,
    Broken,
    Refused,
    Request,
    aura,
    chat,
    event,
    stream_words,
)
from turnkit.errors import ConnectionFailed, FluxError
from turnkit.session import Session
from turnkit.simulator import Script, serve

# Left in the middle of a response, httpx closes the connection but drops its own generators, and trio remarks on it.
half_read = pytest.mark.filterwarnings("ignore:Async generator 'http:ResourceWarning")
CALLER = """
    1.0   Good morning. I'd like to know (0.9) when you open.
    +2.2  And on Sundays?
"""


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
async def test_the_voice_loop_reads_no_markup_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Aura gets the words; the LLM will find its message as it wrote it."""
    written = "On **Sundays** we are [closed](https://example.com). 😀"
    call = Call(tmp_path, monkeypatch, llm=lambda request: stream_words(written))
    history = await call.hold("1.0 And on Sundays?")
    assert [request.body["text"] for request in call.tts.requests] == [SUNDAYS]
    assert history[-1] == {"role": "assistant", "content": written}


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
