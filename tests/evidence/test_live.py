"""Evidence of a live session: what its recording would tell, without one."""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest

from tests.support.sessions import script
from turnkit import EagerEndOfTurn, EndOfTurn, FluxOptions, Reply, Session, StartOfTurn
from turnkit.evidence import Evidence, LiveEvidence, gather
from turnkit.evidence import live as live_module
from turnkit.speaking import Playback
from turnkit.trace import read

pytestmark = pytest.mark.anyio
OPTIONS = FluxOptions(eot_threshold=0.8, eager_eot_threshold=0.5, tag=("lab",))
CALL = [
    StartOfTurn(0, "tea", 0.2, 0.6),
    0.3,
    EagerEndOfTurn(0, "tea", 0.5, 0.9, (), ("en",)),
    0.2,
    EndOfTurn(0, "Tea.", 0.8, 1.6, "model"),
    0.4,
    StartOfTurn(1, "no wait", 0.2, 2.4),
    0.2,
    EndOfTurn(1, "No, wait.", 0.9, 2.6, "model"),
    2.0,
]


async def respond(reply: Reply) -> None:
    await reply.say("With milk, or without?")


async def speak(reply: Reply, chunks: object, playback: Playback) -> None:
    async for chunk in chunks:  # type: ignore[attr-defined]
        playback.started()
        await anyio.sleep(1.0)
        playback.advance(str(chunk))


async def held(tmp_path: Path) -> tuple[LiveEvidence, list[Evidence], Path]:
    ended: list[Evidence] = []
    session = Session(respond=respond, speak=speak, record=tmp_path / "call.jsonl", options=OPTIONS)
    watch = LiveEvidence(session.id, "", OPTIONS, ended.append)
    session.observe(watch)
    await session.run(script(*CALL))
    return watch, ended, tmp_path / "call.jsonl"


async def test_it_is_what_the_recording_tells(tmp_path: Path) -> None:
    """Figures and silences alike, at the end of the call, and it adds to those of files."""
    watch, ended, path = await held(tmp_path)
    (live,) = ended[0].calls.values()
    (recorded,) = gather(str(path)).calls.values()
    assert live.metrics() == recorded.metrics()
    mine, its = live.for_tuner(), recorded.for_tuner()
    assert mine is not None
    assert its is not None
    assert (mine.silences.utterances, mine.silences.drafts) == (its.silences.utterances, its.silences.drafts)
    assert mine.verdicts == its.verdicts
    assert len(mine.verdicts) == 1
    assert (live.tags, live.languages, live.complete) == (("lab",), ("en",), True)
    assert watch.evidence == ended[0]
    assert len(ended[0] | gather(str(path))) == 2  # when it began, this one was not told


async def test_told_when_the_call_began_it_is_the_same_call(tmp_path: Path) -> None:
    """As its recording: so it counts once."""
    _, ended, path = await held(tmp_path)
    began = read(path).header.began
    again = LiveEvidence(read(path).header.session, began, OPTIONS)
    assert list(again.evidence.calls) == list(gather(str(path)).calls)
    assert ended[0].unfinished == 0


async def test_a_call_without_end_is_kept_up_to_a_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And then is one that was cut off."""
    monkeypatch.setattr(live_module, "MOST_RECORDS", 5)
    _, ended, _ = await held(tmp_path)
    (live,) = ended[0].calls.values()
    assert not live.complete
    assert live.records < 10
