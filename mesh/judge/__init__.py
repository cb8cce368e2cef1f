"""Bytes in, verdicts out: what a contract says of each record of a batch. Pure: no Kafka, no network."""

from mesh.judge.explanation import Explanation, explain
from mesh.judge.judge import Judge
from mesh.judge.rows import RowCodec
from mesh.judge.verdict import Batch, Verdicts

__all__ = ["Batch", "Explanation", "Judge", "RowCodec", "Verdicts", "explain"]
