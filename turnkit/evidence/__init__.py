"""Evidence: what recorded calls tell, call by call, in a unit that adds up: from one file to a million.

    evidence = gather("calls/4f1c.jsonl") | gather("s3://bucket/calls/9a02.jsonl.gz")    # map and reduce, anywhere
    evidence.metrics().rows()                        # the figures of all calls, see `turnkit.metrics`
    tune(evidence.silences())                        # thresholds, see `turnkit.tools.tuner`

`a | b` holds every call of both once, in whatever order and however often they are put together: it is associative,
commutative and idempotent, so a file read twice, a task done twice and a partition merged twice change nothing.
`Evidence.pack` is small (some 2 kB a call) and holds no words. docs/many-recordings.md has it on Dask, Ray and Spark.
"""

from __future__ import annotations

from .call import CallEvidence, evidence_of
from .evidence import Evidence
from .files import gather, gather_all
from .inferred import InferredThresholds, Range, infer_thresholds
from .live import LiveEvidence

__all__ = [
    "CallEvidence",
    "Evidence",
    "InferredThresholds",
    "LiveEvidence",
    "Range",
    "evidence_of",
    "gather",
    "gather_all",
    "infer_thresholds",
]
