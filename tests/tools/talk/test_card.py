"""The loudspeaker without a card: what counts as heard; and what is said where there is no card, or no library."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import pytest
from anyio import run

from turnkit import ConfigError
from turnkit.tools.talk import card

SECOND = 2 * 8000  # bytes


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [100.0]
    monkeypatch.setattr(card, "monotonic", lambda: now[0])
    return now


def queued(seconds: float) -> card.Loudspeaker:
    sink = card.Loudspeaker(8000)
    sink.begin(1)
    run(sink.play, bytes([1]) * round(seconds * SECOND))
    return sink


def test_what_is_heard_is_later_than_what_is_taken(clock: list[float]) -> None:
    """By the delay of the card, and by the length of what it took."""
    sink = queued(0.3)
    assert sink.give(1600, 0.05) == bytes([1]) * 1600
    assert sink.played() == 0
    clock[0] += 0.149
    assert sink.played() == 0
    clock[0] += 0.002
    assert sink.played() == pytest.approx(0.1)
    sink.give(1600, 0.05)
    sink.give(3200, 0.05)  # of which there is half
    clock[0] += 1.0
    assert sink.played() == pytest.approx(0.3)
    assert sink.give(1600, 0.05) == bytes(1600)
    clock[0] += 1.0
    assert sink.played() == pytest.approx(0.3)


def test_a_pause_and_a_stop(clock: list[float]) -> None:
    """Paused, the card gets silence and the queue is kept; cleared, it is gone; another reply begins at 0."""
    sink = queued(0.5)
    sink.give(1600, 0.0)
    sink.pause()
    assert not any(sink.give(1600, 0.0))
    sink.resume()
    assert any(sink.give(1600, 0.0))
    sink.clear()
    assert not any(sink.give(1600, 0.0))
    clock[0] += 1.0
    assert sink.played() == pytest.approx(0.2)
    sink.begin(2)
    assert sink.played() == 0


def test_no_sounddevice(monkeypatch: pytest.MonkeyPatch) -> None:
    """One line that says what to install."""
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    with pytest.raises(ImportError, match=r"pip install 'turnkit\[mic\]'"):
        card.check(None, 22050)


class PortAudioError(Exception):
    pass


def no_device(**settings: Any) -> None:
    raise PortAudioError("Error querying device -1")


def test_no_microphone(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was asked for, and what there is."""
    fake = SimpleNamespace(
        PortAudioError=PortAudioError,
        check_input_settings=no_device,
        check_output_settings=no_device,
        query_devices=lambda: [{"name": "HDMI", "max_input_channels": 0, "max_output_channels": 2}],
    )
    monkeypatch.setitem(sys.modules, "sounddevice", fake)
    with pytest.raises(ConfigError) as raised:
        card.check("USB", 22050)
    assert str(raised.value) == (
        "no microphone named 'USB' for 16-bit sound at 16000 Hz (Error querying device -1); "
        "PortAudio finds: HDMI (0 in, 2 out)"
    )
    fake.query_devices = list
    with pytest.raises(ConfigError, match="PortAudio finds: none at all"):
        card.check(None, 22050)
