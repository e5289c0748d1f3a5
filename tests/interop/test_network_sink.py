"""The sink behind a network: what is heard, interrupted, held, posted and lost, with the ready-made `speak` on it."""

from __future__ import annotations

from math import inf
from typing import Any

import anyio
import pytest

from tests.support.far_speaker import RATE, FarDialect, far_speaker
from tests.support.loudspeakers import PlaybackLog, make, run, voice
from turnkit.errors import ConfigError, ConnectionFailed, LocalProtocolError
from turnkit.interop.network_sink import Frame, NetworkSink

HALF = bytes(RATE)  # half a second


async def refuse(frame: Frame) -> None:
    raise AssertionError("nothing was to be sent")


async def play_for_ever(sink: NetworkSink) -> None:
    while True:
        await sink.play(HALF)


@pytest.mark.anyio
async def test_what_is_heard_is_what_was_acknowledged() -> None:
    """Words are reported as late as the acknowledgement behind them comes back; the reply ends with the last."""
    async with far_speaker(latency=0.05) as (sink, far):
        playback = PlaybackLog()
        await run(make(voice(), sink), playback, "One two three")
        assert playback.heard == "One two three"
        times = {text: seconds for seconds, text in playback.log}
        assert times["<started>"] == pytest.approx(0.02 + 0.05, abs=0.011)
        for number, text in enumerate(("One", "One two", "One two three")):
            assert 0.2 + 0.25 * number + 0.05 <= times[text] + 1e-6 <= 0.35 + 0.25 * number + 0.06
        assert far.sounds == pytest.approx(0.75)


@pytest.mark.anyio
async def test_after_a_barge_in_the_echo_of_what_was_dropped_counts_for_nothing() -> None:
    """The clear is the next frame, and no more follows; heard stays what was acknowledged until then."""
    async with far_speaker(latency=0.1) as (sink, far):
        playback = PlaybackLog()
        with anyio.move_on_after(0.5):
            await run(make(voice(), sink), playback, "One two three four five six")
        count = len(far.frames)
        await anyio.sleep(5)
        assert [kind for kind in far.kinds[count - 1 :] if kind != "audio"] == ["clear"]
        assert far.kinds[-1] == "clear"
        assert playback.heard == "One"
        assert 0.3 <= sink.played() <= 0.4
        assert far.sounds == pytest.approx(0.5)
        other = PlaybackLog()
        await run(make(voice(), sink), other, "Yes?", reply=1)
        assert other.heard == "Yes?"


@pytest.mark.anyio
@pytest.mark.parametrize("pauses", [True, False])
async def test_a_hold_goes_on_where_it_was(pauses: bool) -> None:
    """A peer that can pause is paused; one that cannot is cleared, and hears again what it had not acknowledged."""
    async with far_speaker(pauses=pauses, latency=0.1) as (sink, far):
        playback = PlaybackLog()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(run, make(voice(), sink), playback, "One two three four")
            await anyio.sleep(0.5)
            playback.hold()
            await anyio.sleep(20)
            assert far.sounds == pytest.approx(0.5, abs=1e-3)
            assert playback.heard == ("One two" if pauses else "One")  # what was on its way back still counts
            again = 0.0 if pauses else 0.5 - sink.played()
            assert 0.0 <= again <= 0.2
            playback.resume()
        assert playback.heard == "One two three four"
        stops = [kind for kind in far.kinds if kind in ("pause", "resume", "clear", "begin")]
        assert stops == ["begin", *(["pause", "resume"] if pauses else ["clear", "begin"])]
        assert far.sounds == pytest.approx(1.0 + again, abs=1e-3)


@pytest.mark.anyio
async def test_play_waits_while_much_is_unsent() -> None:
    """The sink is no place for a whole reply; what waits when it is cleared is queued nowhere."""
    async with far_speaker(lead=0.5) as (sink, far):
        sink.begin(0)
        took = []
        for _ in range(4):
            await sink.play(HALF)
            took.append(round(anyio.current_time() - far.frames[0][0] if far.frames else 0.0, 1))
        assert took == pytest.approx([0.0, 0.0, 0.1, 0.6])
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(sink.play, HALF)
            await anyio.sleep(0.01)
            sink.clear()
        count = far.kinds.count("audio")
        await sink.play(HALF)
        await anyio.sleep(10)
        assert far.kinds.count("audio") == count
        assert far.kinds[-1] == "clear"


@pytest.mark.anyio
async def test_little_is_sent_ahead_of_real_time() -> None:
    """By the lead and no more, whatever the peer says that it has played."""
    frames: list[tuple[float, str]] = []
    sink = NetworkSink(FarDialect(), sample_rate=RATE, lead=0.3)

    async def boastful(frame: Frame) -> None:
        frames.append((anyio.current_time() - began, str(frame)))
        sink.acknowledge(sink.epoch, 1e9)

    began = anyio.current_time()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(sink.write, boastful)
        sink.begin(0)
        for _ in range(6):
            await sink.play(HALF)
            assert sink.played() <= anyio.current_time() - began + 1e-6
        await anyio.sleep(5)
        sink.close()
    sent = [(seconds, float(frame.split()[2])) for seconds, frame in frames if frame.startswith("audio")]
    assert max(until - seconds for seconds, until in sent) <= 0.3 + 1e-6
    assert sent[-1][1] == 3.0
    assert sent[-1][0] == pytest.approx(2.7)


@pytest.mark.anyio
async def test_a_clear_overtakes_what_waits_behind_a_slow_frame() -> None:
    """While one is on its way nothing can be sent; then the clear is first, and what was posted before it next."""
    frames: list[str] = []
    slow = anyio.Event()
    sink = NetworkSink(FarDialect(), sample_rate=RATE)

    async def send(frame: Frame) -> None:
        frames.append(str(frame).split()[0])
        if frames[-1] == "audio":
            await slow.wait()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(sink.write, send)
        sink.begin(0)
        await sink.play(HALF)
        await anyio.sleep(0.1)
        sink.post("posted")
        sink.post("later")
        sink.clear()
        await anyio.sleep(0.1)
        assert frames == ["begin", "audio"]
        slow.set()
        await anyio.sleep(0.1)
        assert frames == ["begin", "audio", "clear", "posted", "later"]
        sink.post("last")
        sink.close()
    assert frames[-1] == "last"


@pytest.mark.anyio
@pytest.mark.parametrize("fault", ["breaks", "hangs"])
async def test_a_peer_that_is_gone_ends_it(fault: str) -> None:
    """What the socket raises comes out of `write`, or that it takes no frame; `play` does not wait for ever."""
    sink = NetworkSink(FarDialect(), sample_rate=RATE, send_timeout=3.0)
    raised: list[BaseException] = []

    async def send(frame: Frame) -> None:
        if fault == "breaks":
            raise OSError("gone")
        await anyio.sleep_forever()

    async def write() -> None:
        try:
            await sink.write(send)
        except OSError as error:
            raised.append(error)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(write)
        sink.begin(0)
        with anyio.fail_after(4), pytest.raises(ConnectionFailed, match="the peer is gone"):
            await play_for_ever(sink)
    assert [type(error) for error in raised] == [OSError if fault == "breaks" else ConnectionFailed]
    assert sink.played() == 0.0


@pytest.mark.anyio
async def test_all_is_harmless_before_the_first_reply_and_after_the_end() -> None:
    """Each call, in either order; and a second `close`."""
    sink = NetworkSink(FarDialect(), sample_rate=RATE)
    for _ in range(2):
        sink.clear()
        sink.pause()
        sink.resume()
        assert not sink.acknowledge(0, 0.0)
        assert not sink.acknowledge(1, 0.0)
        assert sink.played() == 0.0
        sink.close()
        await sink.write(refuse)


@pytest.mark.anyio
async def test_half_a_sample_is_refused() -> None:
    """Nothing of it is queued."""
    async with far_speaker() as (sink, far):
        sink.begin(0)
        with pytest.raises(LocalProtocolError, match="3 bytes are no whole samples of 2"):
            await sink.play(b"abc")
        await anyio.sleep(1)
        assert far.frames == []


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"sample_rate": 0}, "sample_rate=0"),
        ({"sample_width": "2"}, "sample_width='2'"),
        ({"lead": 0.05}, "lead=0.05: must be 0.1 seconds or more"),
        ({"lead": inf}, "lead=inf"),
        ({"interpolation": -1}, "interpolation=-1"),
        ({"send_timeout": 0}, "send_timeout=0"),
    ],
)
def test_settings_that_cannot_work(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        NetworkSink(FarDialect(), **{"sample_rate": RATE, **settings})
