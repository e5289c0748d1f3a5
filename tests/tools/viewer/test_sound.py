"""The audio of a call on its page: found, drawn as loud as it is, and played in step with the lanes."""

from __future__ import annotations

import wave
from array import array
from base64 import b64decode
from collections.abc import Iterator
from math import pi, sin
from pathlib import Path
from struct import pack

import pytest
from typer.testing import CliRunner

from tests.support.browser import Page, browser, needs_browser
from tests.support.simulated_call import SHORT, hold_with_audio
from turnkit.cli import app
from turnkit.cli.call_sound import sound_of
from turnkit.errors import ConfigError


def tone(seconds: float, *, from_second: float = 0.0) -> bytes:
    """A tone from a second on, and silence before it."""
    rate = 16000
    loud = range(int(seconds * rate))
    return array(
        "h", [int(9000 * sin(2 * pi * 220 * i / rate)) if i >= from_second * rate else 0 for i in loud]
    ).tobytes()


def wav(path: Path, samples: bytes, *, code: int = 1, channels: int = 1, width: int = 2, rate: int = 16000) -> Path:
    """A WAV file of whatever kind."""
    form = pack("<HHIIHH", code, channels, rate, rate * channels * width, channels * width, width * 8)
    head = b"RIFF" + pack("<I", len(samples) + 36) + b"WAVEfmt " + pack("<I", 16) + form
    path.write_bytes(head + b"data" + pack("<I", len(samples)) + samples)
    return path


def peaks(path: Path) -> bytes:
    found = sound_of(path.with_suffix(".jsonl"), path.with_suffix(".html"))
    assert found is not None
    return b64decode(found.peaks)


@pytest.mark.parametrize(
    ("quiet", "loud", "form"),
    [
        (b"\0\0", b"\xff\x7f", {}),
        (b"\0\0", b"\0\x80", {}),
        (b"\x80", b"\0", {"width": 1}),
        (b"\0\0\0", b"\0\0\x80", {"width": 3}),
        (b"\0\0\0\0", b"\0\0\0\x80", {"width": 4}),
        (pack("<f", 0.0), pack("<f", -1.0), {"code": 3, "width": 4}),
        (b"\xff", b"\0", {"code": 7, "width": 1}),
        (b"\xd5", b"\x2a", {"code": 6, "width": 1}),
        (b"\0\0\0\0", b"\0\0\xff\x7f", {"channels": 2}),
    ],
)
def test_loudness_of_every_kind_of_sample(tmp_path: Path, quiet: bytes, loud: bytes, form: dict[str, int]) -> None:
    """A second of nothing, then a second of all there is, on whichever channel."""
    found = peaks(wav(tmp_path / "a.wav", quiet * 8000 + loud * 8000, rate=8000, **form))
    assert len(found) == 50
    assert set(found[:25]) == {0}
    assert min(found[25:]) >= 250


def test_audio_that_is_found_beside_the_trace(tmp_path: Path) -> None:
    """By its name, also of a packed trace; its address is relative to the page, and quoted."""
    (tmp_path / "pages").mkdir()
    wav(tmp_path / "a b#.wav", tone(2.0))
    found = sound_of(tmp_path / "a b#.jsonl.gz", tmp_path / "pages" / "x.html")
    assert found is not None
    assert (found.source, found.seconds) == ("../a%20b%23.wav", 2.0)
    assert sound_of(tmp_path / "other.jsonl", tmp_path / "x.html") is None


def test_audio_that_is_none(tmp_path: Path) -> None:
    """Beside the trace it is left alone; where it was asked for it is said what is wrong."""
    for name, data in (("bad", b"RIFFnonsense"), ("empty", b""), ("text", b"hello, I am no sound at all, sorry")):
        (tmp_path / f"{name}.wav").write_bytes(data)
        assert sound_of(tmp_path / f"{name}.jsonl", tmp_path / "x.html") is None
        with pytest.raises(ConfigError, match="--audio"):
            sound_of(tmp_path / "x.jsonl", tmp_path / "x.html", tmp_path / f"{name}.wav")
    with pytest.raises(ConfigError, match="cannot be read"):
        sound_of(tmp_path / "x.jsonl", tmp_path / "x.html", tmp_path / "none.wav")


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short call with its audio, in which a tone begins with the first word."""
    folder = tmp_path_factory.mktemp("sound")
    trace = hold_with_audio(folder / "call.jsonl", tone(10.0, from_second=SHORT.utterances[0].start))
    result = CliRunner().invoke(app, ["view", str(trace), "--no-open"])
    assert result.exit_code == 0, result.output
    return folder / "call.html"


@pytest.fixture(scope="module")
def tab(recorded: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with browser(tmp_path_factory.mktemp("profile")) as opened:
        opened.resize(1280, 900)
        opened.open(recorded)
        yield opened


def test_the_recorded_audio_is_as_long_as_the_call(recorded: Path) -> None:
    """What is played is what was sent to Flux."""
    with wave.open(str(recorded.with_suffix(".wav"))) as file:
        assert file.getnframes() / file.getframerate() > SHORT.end


@needs_browser
def test_it_is_drawn_where_it_sounds(tab: Page) -> None:
    """The tone begins where Flux heard the first word, give or take a step of the drawing."""
    tab.ask("show(0, 8)")
    tab.drawn()
    assert tab.ask("document.querySelectorAll('#lane-sound path').length") == 1
    begins = tab.ask("at($('lane-sound').querySelector('path').getBBox().x)")
    assert begins == pytest.approx(tab.ask("scene.turns[0].words[0][0]"), abs=0.08)


@needs_browser
def test_it_plays_in_step_with_the_lanes(tab: Page) -> None:
    """A click in the transcript goes there; the playhead stands where the audio does, and moves with it."""
    tab.ask("audio.readyState >= 1 || new Promise((done) => audio.addEventListener('loadedmetadata', () => done(1)))")
    assert tab.ask("audio.duration") == pytest.approx(tab.ask("scene.sound.seconds"), abs=0.01)
    tab.ask("document.querySelector('#transcript .by-user button').click()")
    assert tab.ask("playAt") == pytest.approx(tab.ask("scene.turns[0].words[0][0]"), abs=0.05)
    began = tab.ask("audio.currentTime")
    tab.ask("$('play').click()", clicked=True)
    tab.ask(
        "new Promise((done) => { const look = () =>"
        f" audio.currentTime > {began} + 0.3 ? done(1) : setTimeout(look, 20); look(); }})"
    )
    assert tab.ask("Math.abs(playAt - toCall(audio.currentTime))") < 0.2
    assert tab.ask("$('play').getAttribute('aria-label')") == "Pause"
    assert tab.ask("document.querySelectorAll('#transcript .now').length") == 1
    tab.ask("document.activeElement.blur()")
    tab.press(" ")
    assert tab.ask("audio.paused") is True
    assert tab.complaints == []


@needs_browser
def test_audio_that_is_gone_is_said(tab: Page, recorded: Path) -> None:
    """The page is still a page."""
    moved = recorded.with_name("moved.html")
    moved.write_text(recorded.read_text().replace("call.wav", "gone.wav"))
    tab.open(moved)
    tab.ask("audio.error || new Promise((done) => audio.addEventListener('error', () => done(1)))")
    assert tab.ask("$('position').textContent") == "the audio is not where it was"
    assert tab.ask("$('play').disabled") is True
    assert tab.ask("document.querySelectorAll('#transcript li').length") > 1
