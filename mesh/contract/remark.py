"""One thing found about a document: where it stands, who says so, how bad it is and why it matters."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

_LINE = re.compile(r"(?P<file>.*?):(?P<line>\d+): (?P<rest>.*)", re.DOTALL)
_PATH = re.compile(r"(?P<path>[A-Za-z_][\w-]*(?:\[\d+\]|\.[A-Za-z_][\w-]*)*): (?P<text>.*)", re.DOTALL)


class Severity(StrEnum):
    """Whether the document is refused for it."""

    ERROR = "error"
    WARNING = "warning"


class Group(StrEnum):
    """Who says so: the standard, what the mesh and Avro ask beyond it, the contract's own rules, or the policies."""

    STANDARD = "standard"
    LINT = "lint"
    RULES = "rules"
    POLICY = "policy"


@dataclass(frozen=True, slots=True)
class Remark:
    """A finding about a document. ``line`` counts from 1, ``path`` is that of the part, empty for the whole.

    ``rule`` is the id of the policy or the clause that says so, empty where none does; ``reason`` says why it matters.
    """

    file: str
    line: int
    path: str
    group: Group
    message: str
    severity: Severity = Severity.ERROR
    rule: str = ""
    reason: str = ""

    @classmethod
    def of_line(cls, text: str, group: Group) -> Remark:
        """A problem that was told as ``file:line: path: text``."""
        match = _LINE.fullmatch(text)
        if not match:
            return cls("", 1, "", group, text)
        within = _PATH.fullmatch(match["rest"])
        path, message = (within["path"], within["text"]) if within else ("", match["rest"])
        return cls(match["file"], int(match["line"]), path, group, message)

    def __str__(self) -> str:
        reason = f" [{self.rule}: {self.reason}]" if self.reason else ""
        return f"{self.file}:{self.line}: {self.path + ': ' if self.path else ''}{self.message}{reason}"

    @property
    def refuses(self) -> bool:
        """Whether it is an error."""
        return self.severity is Severity.ERROR

    def told(self) -> dict[str, object]:
        """The remark as JSON."""
        return {
            "file": self.file,
            "line": self.line,
            "path": self.path,
            "group": self.group.value,
            "rule": self.rule or None,
            "severity": self.severity.value,
            "message": self.message,
            "reason": self.reason or None,
        }
