"""Evidence of many calls: each once, whatever is put together with what, and in whatever order."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from hashlib import blake2b

import msgspec

from ..checks import shown, shown_path
from ..errors import ConfigError
from ..metrics import CallMetrics, summary
from ..tools.tuner import CallSilences, Verdicts
from .call import CallEvidence, Tuning

VERSION = 1
"""Of what `pack` makes."""


class _Packed(msgspec.Struct):
    version: int
    most: int | None
    calls: list[CallEvidence]
    problems: dict[str, str]


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Packed).decode


class Evidence:
    """What calls tell: a set of them, to which more are added.

    `a | b` is associative, commutative and idempotent. Two recordings of one call, such as a copy, or a file that was
    read again when it had grown, count as the one that was read further.

    Memory is some 1.4 kB a call for its figures, and 2.4 kB for the tuner, the latter of `most` calls only.

    Args:
        most: How many calls to keep for the tuner; None for all. Beyond it a sample is kept: the calls whose ids come
            first in an order of chance, which is the same on every machine, so that samples can be put together too.

    Attributes:
        most: As given; of two that are put together, the lesser counts.
        calls: The evidence of each call, by its id.
        problems: What was wrong with files that could not be read, by their names; of URLs, without what is secret.
    """

    __slots__ = ("_first", "_last_chance", "calls", "most", "problems")

    def __init__(self, *, most: int | None = None) -> None:
        if most is not None and (isinstance(most, bool) or not isinstance(most, int) or most < 1):
            raise ConfigError(f"most={shown(most)}: must be a number of calls, 1 or more, or None for all")
        self.most = most
        self.calls: dict[str, CallEvidence] = {}
        self.problems: dict[str, str] = {}
        self._first: dict[str, bytes] = {}  # if there is a bound: the calls that come first, and some more
        self._last_chance: bytes | None = None  # of those that are kept for the tuner; None while all are

    def __repr__(self) -> str:
        return f"<Evidence: {len(self.calls)} calls, {len(self.problems)} problems>"

    def __len__(self) -> int:
        return len(self.calls)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Evidence):
            return NotImplemented
        self._let_go()
        other._let_go()
        return (self.most, self.calls, self.problems) == (other.most, other.calls, other.problems)

    __hash__ = None  # type: ignore[assignment]  # it grows

    def __or__(self, other: Evidence) -> Evidence:
        """Both together; neither is changed."""
        both = Evidence(most=self.most)
        both.update(self)
        both.update(other)
        both._let_go()
        return both

    def update(self, other: Evidence) -> None:
        """Add what another holds, which is not changed."""
        if other.most is not None and (self.most is None or other.most < self.most):
            self.most = other.most
            self._first = {name: _chance(name) for name in self.calls}
        for call in other.calls.values():
            self.add(call)
        for name, problem in other.problems.items():
            self.add_problem(name, problem)

    def add(self, call: CallEvidence) -> None:
        """Add the evidence of one call."""
        name = call.call
        before = self.calls.get(name)
        self.calls[name] = call if before is None else before | call
        if self.most is None:
            return
        chance = _chance(name)
        if self._last_chance is not None and chance > self._last_chance:
            self._forget(name)  # as many come before it, and none of them ever leaves
        else:
            self._first[name] = chance
            if len(self._first) > self.most + self.most // 4 + 16:  # now and then, as it sorts them
                self._let_go()

    def add_problem(self, name: str, problem: str) -> None:
        """Add a file that could not be read; of a URL, no password or signature is kept.

        Args:
            name: the file, as it is to be called.
            problem: what is wrong with it; of two for one file the same one is kept, in whatever order they come.
        """
        told = shown_path(name)
        problem = problem.replace(name, told) if told != name else problem
        self.problems[told] = max(problem, self.problems.get(told, ""))

    @property
    def unfinished(self) -> int:
        """Number of calls whose recording was cut off, or is still being written."""
        return sum(not call.complete for call in self.calls.values())

    @property
    def sampled(self) -> bool:
        """Whether more calls were seen than are kept for the tuner."""
        return self.most is not None and len(self.calls) > self.most

    def metrics(self) -> CallMetrics:
        """The figures of all calls together."""
        return summary(figures for call in self.calls.values() if (figures := call.metrics()) is not None)

    def silences(self) -> Iterator[CallSilences]:
        """The silences of each call, unpacked one after the other, in the order of their ids."""
        return (tuning.silences for tuning in self.for_tuner())

    def verdicts(self) -> Iterator[list[Verdicts]]:
        """What barge-in policies make of the overlaps of each call, likewise."""
        return (tuning.verdicts for tuning in self.for_tuner())

    def for_tuner(self) -> Iterator[Tuning]:
        """All that each call tells the tuner, likewise."""
        self._let_go()
        for name in sorted(self.calls):
            tuning = self.calls[name].for_tuner()
            if tuning is not None:
                yield tuning

    def pack(self) -> bytes:
        """All of it as bytes, for a file or the way to another machine: the same evidence is the same bytes."""
        self._let_go()
        calls = [self.calls[name] for name in sorted(self.calls)]
        return zlib.compress(_encode(_Packed(VERSION, self.most, calls, dict(sorted(self.problems.items())))), 1)

    @classmethod
    def unpack(cls, data: bytes) -> Evidence:
        """The evidence that `pack` made; raises ConfigError for what is none, or of a newer turnkit."""
        try:
            packed = _decode(zlib.decompress(data))
        except (zlib.error, msgspec.DecodeError, TypeError) as error:
            raise ConfigError(f"unpack({len(data)} bytes): is no evidence: {type(error).__name__}") from None
        if packed.version != VERSION:
            raise ConfigError(f"unpack: evidence of version {packed.version}; this turnkit reads {VERSION}")
        evidence = cls(most=packed.most)
        for call in packed.calls:
            evidence.add(call)
        for name, problem in packed.problems.items():
            evidence.add_problem(name, problem)
        return evidence

    def __reduce__(self) -> tuple[object, tuple[bytes]]:
        return unpacked, (self.pack(),)

    def _let_go(self) -> None:
        """Let go what the tuner is not to keep: of the calls whose ids come last in the order of chance."""
        if self.most is None or len(self._first) <= self.most:
            return
        ordered = sorted(self._first, key=self._first.__getitem__)
        self._last_chance = self._first[ordered[self.most - 1]]
        for name in ordered[self.most :]:
            del self._first[name]
            self._forget(name)

    def _forget(self, name: str) -> None:
        if self.calls[name].tuning:
            self.calls[name] = msgspec.structs.replace(self.calls[name], tuning=b"")


def unpacked(data: bytes) -> Evidence:
    """What `Evidence.unpack` gives: a function, which every pickle knows how to name."""
    return Evidence.unpack(data)


def _chance(name: str) -> bytes:
    return blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8).digest() + name.encode(
        "utf-8", "surrogatepass"
    )
