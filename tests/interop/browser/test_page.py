"""turnkit's script in a real Chromium with a fake microphone: what goes up, what is heard, what is said of trouble."""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from time import sleep

import pytest

from tests.support.browser import Page, browser, needs_browser
from tests.support.page_server import PageServer, begin, page_server, tone
from tests.support.served_page import MICROPHONE_HZ, eventually, microphone_flags, pitch

pytestmark = needs_browser


RATES = [
    *((48000, 16000, 1000), (44100, 16000, 3000), (24000, 48000, 1000), (16000, 44100, 3000), (16000, 16000, 5000)),
    *((48000, 16000, 9500), (44100, 16000, 12000)),  # what 16 kHz cannot hold
]
RESAMPLED = """([from, to, hz]) => {
  const resampler = new turnkit.Resampler(from, to);
  const sine = (rate) => (i) => Math.sin((2 * Math.PI * hz * i) / rate);
  const out = [];
  for (let i = 0; i < 10 * from; i += 100) {
    resampler.push(Float32Array.from({ length: 100 }, (_, k) => sine(from)(i + k)));
    while (resampler.left > resampler.half) out.push(resampler.next());
  }
  while (resampler.left) out.push(resampler.next());
  const middle = out.slice(to, 9 * to);
  const power = (samples) => samples.reduce((sum, x) => sum + x * x, 0) / samples.length;
  const error = power(middle.map((x, i) => x - sine(to)(i + to)));
  return [out.length, Math.sqrt(2 * power(middle)), 10 * Math.log10(2 * error)];
}"""


@pytest.fixture(scope="module")
def server() -> Iterator[PageServer]:
    with page_server() as server:
        yield server


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    folder: Path = tmp_path_factory.mktemp("chromium")
    with browser(folder / "profile", *microphone_flags(folder)) as page:
        yield page


@pytest.fixture
def page(chromium: Page, server: PageServer) -> Page:
    """The page, opened anew."""
    chromium.open(server.url)
    eventually(lambda: chromium.ask("Boolean(window.begin)"))
    chromium.complaints.clear()
    return chromium


def test_the_microphone_goes_up(page: Page, server: PageServer) -> None:
    """As 16 kHz linear16 in frames of 20 ms, in real time, at the pitch that it has; silence while it is muted."""
    assert page.ask("begin()", clicked=True) is True
    eventually(lambda: len(server.audio) >= 80)
    assert {len(frame) for frame in server.audio} == {640}
    assert pitch(b"".join(server.audio[20:70])) == pytest.approx(MICROPHONE_HZ, rel=0.01)
    assert median(max(array("h", frame)) for frame in server.audio[20:70]) == pytest.approx(10000, rel=0.02)
    eventually(lambda: page.ask("call.level('microphone')") == pytest.approx(10000 / 32768 / 2**0.5, rel=0.05))
    page.ask("call.muted = true")
    eventually(lambda: not any(server.audio[-1]))
    page.ask("call.muted = false")
    eventually(lambda: any(server.audio[-1]))
    page.ask("call.hangUp()")
    eventually(lambda: server.left == 1000)
    eventually(lambda: page.ask("codes('ended')") == ["hung_up"])
    assert page.ask("codes('state')") == ["starting", "live", "ended"]
    assert page.complaints == []


def test_the_voice_is_heard_and_what_was_heard_is_told(page: Page, server: PageServer) -> None:
    """To the last sample, never more than was sent, in steps of about 50 ms; paused it stands, cleared it is over."""
    page.ask("begin()", clicked=True)
    server.send(begin(1), tone(24000, 1.0))
    eventually(lambda: server.played and server.played[-1] == 1.0)
    assert server.played == sorted(server.played)
    steps = [b - a for a, b in zip(server.played, server.played[1:], strict=False)]
    assert max(steps) < 0.12
    assert server.played[0] < 0.05
    server.send(begin(2, 16000), tone(16000, 5.0), {"type": "pause", "epoch": 1})  # of an epoch that is over
    eventually(
        lambda: (
            server.told[-1] == {"type": "played", "epoch": 2, "played": server.played[-1]} and server.played[-1] > 0.2
        )
    )
    eventually(lambda: page.ask("call.level('voice')") > 0.1)
    server.send({"type": "pause", "epoch": 2})
    eventually(lambda: page.ask("call.level('voice')") == 0)
    sleep(0.3)
    stood, told = server.played[-1], len(server.played)
    sleep(0.2)
    assert server.played[-1] == stood
    server.send({"type": "resume", "epoch": 2})
    eventually(lambda: server.played[-1] > stood)
    assert server.played[told] < stood + 0.3
    server.send({"type": "clear", "epoch": 2}, tone(16000, 5.0))
    eventually(lambda: page.ask("call.level('voice')") == 0)
    assert server.played[-1] < 4.5, "long before its end"
    assert page.ask("codes('speaking')") == [True, False, True, False, True, False]
    server.send({"type": "message", "data": {"you": "Grüße"}})
    eventually(lambda: page.ask("codes('message')") == [{"you": "Grüße"}])
    assert page.ask("call.send({typed: 'ü'})") is True
    eventually(lambda: server.told[-1] == {"type": "message", "data": {"typed": "ü"}})
    page.ask("call.hangUp()")
    assert page.ask("call.send(1)") is False
    assert page.complaints == []


def test_rates_are_changed_well(page: Page) -> None:
    """A tone keeps its height and strength, what the new rate cannot hold is taken out, and ten seconds stay ten."""
    heard = page.ask(f"{json.dumps(RATES)}.map(({RESAMPLED}))")
    passed, stopped = heard[:5], heard[5:]
    lengths = (160_000, 160_000, 480_000, 441_000, 160_000)
    for (count, strength, error), length in zip(passed, lengths, strict=True):
        assert count == pytest.approx(length, abs=3)
        assert strength == pytest.approx(1.0, abs=0.01)
        assert error < -50  # dB
    for _, strength, _ in stopped:
        assert strength < 0.01


def test_a_microphone_of_another_rate_has_a_context_of_its_own(page: Page, server: PageServer) -> None:
    """As in Firefox, where the loudspeaker's context refuses it."""
    page.ask("""(() => {
      const create = AudioContext.prototype.createMediaStreamSource;
      AudioContext.prototype.createMediaStreamSource = function (stream) {
        if (this.sampleRate !== 32000) throw new DOMException("another rate", "NotSupportedError");
        return create.call(this, stream);
      };
    })()""")
    assert page.ask("begin()", clicked=True) is True
    eventually(lambda: len(server.audio) >= 80)
    assert pitch(b"".join(server.audio[20:70])) == pytest.approx(MICROPHONE_HZ, rel=0.01)
    page.ask("call.hangUp()")
    assert page.complaints == []


def test_without_a_click_it_waits_for_one(page: Page, server: PageServer) -> None:
    """It says so, and goes on with the next click, wherever it is."""
    page.ask("void begin()")
    eventually(lambda: page.ask("codes('notice')") == ["needs_click"])
    assert page.ask("call.state") == "starting"
    for kind in ("mousePressed", "mouseReleased"):
        page.call("Input.dispatchMouseEvent", type=kind, x=9, y=9, button="left", clickCount=1)
    eventually(lambda: page.ask("call.state") == "live")
    page.ask("call.hangUp()")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        ("NotAllowedError", "microphone_refused"),
        ("NotFoundError", "no_microphone"),
        ("NotReadableError", "microphone_busy"),
        ("SomethingNewError", "microphone_busy"),
    ],
)
def test_no_microphone(page: Page, error: str, code: str) -> None:
    """Refused, missing, in use: an end with its words, and `start` does not reject."""
    page.ask(f"navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('', '{error}'))")
    assert page.ask("begin()", clicked=True) is False
    assert page.ask("codes('ended')") == [code]
    assert page.ask("log.at(-1)[1].text").endswith(".")
    assert page.ask("begin()") is False, "the page may try again"
    assert page.complaints == []


def test_hanging_up_while_the_microphone_is_being_asked_for(page: Page) -> None:
    """Nothing is left open: a microphone that is allowed too late is given back."""
    page.ask("""(() => {
      const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
      navigator.mediaDevices.getUserMedia = async (wanted) => {
        window.stream = await ask(wanted);
        await new Promise((resolve) => (window.allow = resolve));
        return window.stream;
      };
      window.started = begin();
    })()""", clicked=True)  # fmt: skip
    eventually(lambda: page.ask("Boolean(window.allow)"))
    page.ask("call.hangUp()")
    assert page.ask("started") is False
    page.ask("allow()")
    eventually(lambda: page.ask("stream.getTracks()[0].readyState") == "ended")
    assert page.ask("codes('ended')") == ["hung_up"]
    assert page.complaints == []


def test_a_page_that_may_have_no_microphone(page: Page) -> None:
    """Over plain http."""
    page.ask("Object.defineProperty(navigator, 'mediaDevices', { value: undefined })")
    assert page.ask("begin()", clicked=True) is False
    assert page.ask("codes('ended')") == ["insecure_page"]


@pytest.mark.parametrize(
    ("how", "code"),
    [(1000, "finished"), (1001, "finished"), (1011, "server_failed"), (1013, "busy"), (4000, "connection_lost"),
     ("abort", "connection_lost")],
)  # fmt: skip
def test_the_server_ends_it(page: Page, server: PageServer, how: int | str, code: str) -> None:
    """In each way with its own words, once; what the page does after that does no harm."""
    page.ask("begin()", clicked=True)
    server.send(begin(1), tone(24000, 5.0))
    eventually(lambda: server.played)
    if isinstance(how, int):
        server.close(how)
    else:
        server.abort()
    eventually(lambda: page.ask("codes('ended')") == [code])
    page.ask("call.hangUp(); call.muted = true; call.send(1)")
    assert page.ask("call.level('voice') + call.level('microphone')") == 0
    assert page.ask("codes('ended')") == [code]
    assert page.ask("call.start()") is True, "it did begin"


def test_nobody_answers(page: Page) -> None:
    """Where there is no server, and where what is there takes no call."""
    for url in ("ws://127.0.0.1:1/call", "/nothing"):
        assert page.ask(f"begin('{url}')", clicked=True) is False
    assert page.ask("codes('ended')") == ["no_answer", "no_answer"]


def test_a_network_that_takes_nothing(page: Page, server: PageServer) -> None:
    """The microphone is not piled up for ever."""
    page.ask("begin()", clicked=True)
    page.ask("void Object.defineProperty(WebSocket.prototype, 'bufferedAmount', { get: () => 400_000 })")
    eventually(lambda: page.ask("codes('ended')") == ["network_stalled"])


def test_a_microphone_that_is_unplugged(page: Page, server: PageServer) -> None:
    """Another one is looked for, and the call goes on; where there is none it ends, and says why."""
    page.ask("""(() => {
      const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
      navigator.mediaDevices.getUserMedia = async (wanted) => (window.stream = await ask(wanted));
    })()""")
    page.ask("begin()", clicked=True)
    page.ask("stream.getTracks()[0].dispatchEvent(new Event('ended'))")
    eventually(lambda: page.ask("codes('notice')") == ["microphone_lost", "microphone_found"])
    count = len(server.audio)
    eventually(lambda: len(server.audio) >= count + 50)
    assert pitch(b"".join(server.audio[-40:])) == pytest.approx(MICROPHONE_HZ, rel=0.01), "and it is heard once"
    page.ask("navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('', 'NotFoundError'))")
    page.ask("stream.getTracks()[0].dispatchEvent(new Event('ended'))")
    eventually(lambda: page.ask("codes('ended')") == ["no_microphone"])


def test_what_the_system_does_is_told(page: Page, server: PageServer) -> None:
    """A page hidden, a microphone taken away, a sound stopped: a notice each, and the call goes on."""
    page.ask("""(() => {
      const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
      navigator.mediaDevices.getUserMedia = async (wanted) => (window.stream = await ask(wanted));
      const Context = AudioContext;
      window.AudioContext = function (...all) { return (window.context = new Context(...all)); };
    })()""")
    page.ask("begin()", clicked=True)
    page.ask("stream.getTracks()[0].dispatchEvent(new Event('mute'))")
    page.ask("stream.getTracks()[0].dispatchEvent(new Event('unmute'))")
    page.ask("Object.defineProperty(document, 'hidden', { value: true, configurable: true })")
    page.ask("document.dispatchEvent(new Event('visibilitychange'))")
    assert page.ask("codes('notice')") == ["microphone_silenced", "microphone_back", "hidden"]
    page.ask("context.suspend()")
    eventually(lambda: page.ask("codes('notice')")[3:] == ["sound_interrupted", "sound_back"])
    server.send("garbage", b"\1", {"type": "dance"}, {"type": "begin", "epoch": 1, "rate": 0})
    eventually(lambda: page.ask("codes('notice')")[5:] == ["unreadable"] * 4)
    assert page.ask("call.state") == "live"
    page.ask("call.hangUp()")


def test_leaving_the_page_hangs_up(page: Page, server: PageServer) -> None:
    """The server knows at once."""
    page.ask("begin()", clicked=True)
    eventually(lambda: server.audio)
    page.call("Page.navigate", url="about:blank")
    eventually(lambda: server.left in (1000, 1001, 1005))
