"""Whether data written with one schema can be read with another: one small rule object per Avro change."""

from mesh.contract.compatibility.modes import Mode, check
from mesh.contract.compatibility.readers import Reader, ReaderFinding, check_readers, project
from mesh.contract.compatibility.resolution import TOO_DEEP, Direction, Incompatibility, compare
from mesh.contract.compatibility.rules import RULES, Rule

__all__ = [
    "RULES",
    "TOO_DEEP",
    "Direction",
    "Incompatibility",
    "Mode",
    "Reader",
    "ReaderFinding",
    "Rule",
    "check",
    "check_readers",
    "compare",
    "project",
]
