"""Evidence of files: plain and packed, in stores, damaged, and while they are written."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import fsspec
import pytest
import zstandard

from tests.support.many_calls import call, calls
from turnkit.errors import ConfigError
from turnkit.evidence import Evidence, gather, gather_all
from turnkit.trace import read


@pytest.fixture(scope="module")
def plain() -> Evidence:
    evidence = Evidence()
    evidence.add(next(iter(_of(call(0)).calls.values())))
    return evidence


def _of(data: bytes) -> Evidence:
    store = fsspec.filesystem("memory")
    store.pipe("/evidence/one.jsonl", data)
    return gather("memory://evidence/one.jsonl")


def figures(evidence: Evidence) -> object:
    assert evidence.problems == {}
    return evidence.metrics().figures()


def test_files_are_read_as_they_lie(tmp_path: Path, plain: Evidence) -> None:
    """Plain, with gzip, with zstd in one frame or several; here and in a store."""
    data = call(0)
    packs = {
        "a.jsonl": data,
        "a.jsonl.gz": gzip.compress(data),
        "a.jsonl.zst": zstandard.compress(data),
        "b.jsonl.zst": zstandard.compress(data[:9000]) + zstandard.compress(data[9000:]),
    }
    for name, packed in packs.items():
        (tmp_path / name).write_bytes(packed)
        fsspec.filesystem("memory").pipe(f"/gathered/{name}", packed)
        for path in (str(tmp_path / name), f"memory://gathered/{name}"):
            found = gather(path)
            assert figures(found) == figures(plain), path
            assert list(found.calls) == list(plain.calls)
    together = gather_all([str(tmp_path / name) for name in packs])
    assert len(together) == 1


@pytest.mark.parametrize("packing", ["gz", "zst"])
def test_a_file_that_was_cut_off_counts_as_far_as_it_goes(tmp_path: Path, packing: str) -> None:
    """Packed or not, at any byte; what is left is marked as unfinished."""
    packed = gzip.compress(call(0)) if packing == "gz" else zstandard.compress(call(0))
    path = tmp_path / f"cut.{packing}"
    for share in (0.5, 0.9, 0.99):
        path.write_bytes(packed[: int(len(packed) * share)])
        found = gather(str(path))
        # Of zstd a block is lost whole, and a short call may be a single one.
        assert found.unfinished == len(found)
        assert len(found) + len(found.problems) == 1
        assert packing == "zst" or len(found) == 1


def test_a_file_that_is_written_is_read_further_each_time(tmp_path: Path) -> None:
    """And is one call, whole in the end."""
    path = tmp_path / "growing.jsonl"
    data, seen = call(0), Evidence()
    for share in (0.0, 0.3, 0.301, 0.8, 1.0):
        path.write_bytes(data[: int(len(data) * share)])
        seen.update(gather(str(path)))
    assert (len(seen), seen.unfinished) == (1, 0)
    assert seen.metrics() == gather(str(path)).metrics()


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "is empty"),
        (b"{", "is no JSON object"),
        (b"\x1f\x8b\x08\x00junk junk junk", "is not gzip"),
        (b"\x28\xb5\x2f\xfdjunk junk junk", "is not zstd"),
        (b'{"trace":2,"session":"x","settings":{}}\n{"at":1,"event":"Update"}\n{}\n', "line 2: Update does not have"),
        (b'{"trace":9}\n', "a trace of format 9"),
    ],
)
def test_what_cannot_be_read_is_a_problem_with_a_name(tmp_path: Path, data: bytes, told: str) -> None:
    """And costs the others nothing."""
    paths = calls(tmp_path, 2)
    bad = tmp_path / "bad.jsonl"
    bad.write_bytes(data)
    found = gather_all([paths[0], str(bad), paths[1]])
    assert len(found) == 2
    assert list(found.problems) == [str(bad)]
    assert told in found.problems[str(bad)]


def test_what_is_not_there_is_a_problem_too(tmp_path: Path) -> None:
    """In a store as well, and of a store that nobody knows; a secret in a URL is not repeated."""
    (tmp_path / "gone.jsonl").symlink_to(tmp_path / "nowhere")
    for path, told in (
        (str(tmp_path / "gone.jsonl"), "cannot be read: No such file"),
        (str(tmp_path), "cannot be read: Is a directory"),
        ("memory://none/such.jsonl", "cannot be read"),
        ("nosuch://user:secret@host/x.jsonl?sig=secret", "cannot be reached: ValueError"),
    ):
        ((name, problem),) = gather(path).problems.items()
        assert told in problem
        assert "secret" not in name + problem


def test_a_frame_of_zstd_that_looks_back_too_far_is_refused(tmp_path: Path) -> None:
    """It would take as much memory as it says."""
    wide = zstandard.ZstdCompressionParameters.from_level(3, window_log=28, enable_ldm=True)
    path = tmp_path / "wide.jsonl.zst"
    packer = zstandard.ZstdCompressor(compression_params=wide).compressobj()
    path.write_bytes(packer.compress(call(0)) + packer.flush())
    with pytest.raises(ConfigError, match="is not zstd"):
        read(path)


def frames(*, first: object = None) -> bytes:
    """The frames of a call, as somebody else's program would have written them down."""
    rows = [json.loads(line) for line in call(0).splitlines()]
    turns = ("StartOfTurn", "Update", "EagerEndOfTurn", "TurnResumed", "EndOfTurn")
    lines: list[object] = [] if first is None else [first]
    for row in rows:
        if row.get("event") in turns:
            words = [{"word": w, "start": s, "end": e, "confidence": c} for w, s, e, c in row.get("words", ())]
            fields = {name: row[name] for name in ("event", "turn_index", "transcript")}
            fields |= {"end_of_turn_confidence": row["confidence"], "audio_window_end": row["audio_end"]}
            lines.append({"type": "TurnInfo", **fields, "words": words, "trigger": row.get("trigger", "")})
    return "\n".join(json.dumps(line) for line in lines).encode()


def test_frames_without_an_id_are_known_by_what_they_hold() -> None:
    """So a copy counts once, and another call does not."""
    one, copy, other = _of(frames()), _of(frames()), _of(frames()[:20_000])
    assert list(one.calls) == list(copy.calls) != list(other.calls)


@pytest.mark.parametrize(
    "first",
    [
        {"options": {"eot_threshold": 0.7, "eager_eot_threshold": 0.4}},
        {"url": "wss://api.deepgram.com/v2/listen?model=flux-general-en&eot_threshold=0.7&eager_eot_threshold=0.4"},
    ],
)
def test_frames_carry_the_options_of_their_connection(first: object) -> None:
    """In a line of their own, as fields or in the URL that was opened."""
    (told,) = _of(frames(first=first)).for_tuner()
    assert (told.inferred, told.silences.inferred) == (None, False)
    assert (told.silences.recorded.eot, told.silences.recorded.eager) == (0.7, 0.4)


def test_without_options_the_thresholds_are_ranges() -> None:
    """That hold what was in force: 0.7, 0.4 and 5 s."""
    (told,) = _of(frames()).for_tuner()
    ranges = told.inferred
    assert ranges is not None
    assert ranges.eager is not None
    assert ranges.ends >= 7
    assert 0.5 <= ranges.eot.low <= 0.7 <= ranges.eot.high < 0.8
    assert ranges.eager.low == 0.3
    assert 0.4 <= ranges.eager.high < 0.5
    assert ranges.timeout.low <= 5.0 <= ranges.timeout.high


@pytest.mark.parametrize("options", [{"eot_threshold": 7}, {"eot_threshold": "high"}, [], None])
def test_options_that_are_none_are_told(options: object) -> None:
    """With the line that has them."""
    (problem,) = _of(frames(first={"options": options})).problems.values()
    assert "line 1: neither the first line of a trace nor a frame" in problem or "none of Flux's" in problem
