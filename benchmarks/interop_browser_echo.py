"""How much of the bot's voice comes back in Firefox: `python -m benchmarks.interop_browser_echo`.

The microphone hears nothing but the loudspeaker (a null sink's monitor); the page is asked for echo cancellation alone,
and for none. A measurement and no test: over such a device, Firefox itself hangs now and then.
"""

from __future__ import annotations

from array import array
from math import log10, sqrt
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from tests.support.firefox import firefox
from tests.support.page_server import begin, page_server
from tests.support.served_page import eventually

RATE = 24000


def noise(seconds: int) -> bytes:
    """A rushing sound, the same each time."""
    random, level = Random(1), 0.0
    samples = array("h")
    for _ in range(RATE * seconds):
        level += 0.1 * (random.uniform(-1, 1) - level)
        samples.append(round(30000 * level))
    return samples.tobytes()


def comes_back(cancellation: bool) -> float:
    """How loud the microphone is after 4 s of the voice, as its root mean square."""
    wanted = f"echoCancellation: {str(cancellation).lower()}, noiseSuppression: false, autoGainControl: false"
    with (
        TemporaryDirectory(ignore_cleanup_errors=True) as folder,
        page_server() as server,
        firefox(Path(folder), media_navigator_streams_fake=False) as page,
    ):
        page.open(server.url)
        eventually(lambda: page.ask("Boolean(window.begin)"))
        assert page.ask(f"begin('/call', {{ constraints: {{ {wanted} }} }})") is True, page.ask("log")
        server.send(begin(1, RATE), noise(10))
        eventually(lambda: server.played and server.played[-1] > 4.0)
        samples = array("h", b"".join(server.audio[-50:]))
        return sqrt(sum(sample * sample for sample in samples) / len(samples))


def main() -> None:
    raw, cancelled = comes_back(False), comes_back(True)
    print(f"without {raw:.0f}, with {cancelled:.0f}: {20 * log10(cancelled / raw):.0f} dB")


if __name__ == "__main__":
    main()
