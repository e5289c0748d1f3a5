"""The example voice_loop on this machine: what it lacks, its loudspeaker, its microphone."""

from __future__ import annotations

import sys
import threading
from types import SimpleNamespace
from typing import Any

import pytest

from tests.support.examples import load
from tests.support.voice_services import KEYS


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
