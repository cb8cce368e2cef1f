"""The fenced blocks of a Markdown file, with what the comment before each says about running it.

``<!-- run: NAME[, background][, exit N][, within N s] -->``: a step of the walk NAME, run by a test in the document's
order. ``background`` goes on until a later step stops it, ``within`` tries again until it comes true.
``<!-- file: PATH -->``: the content of a file that later steps use.
``<!-- output -->``: what the step before prints: these lines in this order, perhaps with others between; ``...`` stands
for anything.
``<!-- excerpt: PATH -->``: stands so in a file of the repository.
``<!-- demo -->``: the table that the whole demo prints.
``<!-- not run: REASON -->``: says why not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

_MARK = re.compile(r"<!-- (run|not run|file|output|excerpt|demo)(?:: (.+))? -->")
_FENCE = re.compile(r"\s*```(\w*)\s*$")


@dataclass(frozen=True, slots=True)
class Snippet:
    """One fenced block. ``kind`` is empty where no comment stands before it; ``prose`` is the line before that."""

    file: Path
    line: int
    language: str
    text: str
    kind: str = ""
    words: str = ""
    prose: str = ""

    @property
    def where(self) -> str:
        return f"{self.file.name}:{self.line}"

    @property
    def walk(self) -> str:
        """The name of the walk it is a step of."""
        return self.words.partition(",")[0] if self.kind == "run" else ""

    @property
    def background(self) -> bool:
        return ", background" in self.words

    @property
    def exit_code(self) -> int:
        return self._number(r"exit (\d+)")

    @property
    def seconds(self) -> int:
        """For how long it may be tried again; 0 for once."""
        return self._number(r"within (\d+) s")

    def _number(self, pattern: str) -> int:
        found = re.search(pattern, self.words)
        return int(found[1]) if found else 0


def snippets(file: Path) -> list[Snippet]:
    """Every fenced block of a file, in its order."""
    lines = file.read_text(encoding="utf-8").splitlines()
    fences = [number for number, line in enumerate(lines) if _FENCE.match(line)]
    assert len(fences) % 2 == 0, f"{file.name}: a fence is not closed"
    return [_snippet(file, lines, start, end) for start, end in zip(fences[::2], fences[1::2], strict=True)]


def _snippet(file: Path, lines: Sequence[str], start: int, end: int) -> Snippet:
    fence = _FENCE.match(lines[start])
    assert fence is not None
    above = [line for line in lines[:start] if line.strip()][-2:]
    mark = _MARK.fullmatch(above[-1].strip()) if above else None
    text = "\n".join(lines[start + 1 : end]) + "\n"
    kind, words = (mark[1], mark[2] or "") if mark else ("", "")
    return Snippet(file, start + 1, fence[1], text, kind, words, above[0] if mark and len(above) > 1 else "")


def steps(document: Path, name: str) -> Iterator[Snippet]:
    """The steps of a walk, with the outputs that follow them and the files that the document has for them."""
    walk = ""
    for each in snippets(document):
        walk = each.walk or walk
        if walk == name and each.kind in ("run", "file", "output"):
            yield each


def code_spans(file: Path) -> list[str]:
    """Everything written as code in a file: the spans between backticks and the lines of shell blocks."""
    text = file.read_text(encoding="utf-8")
    prose = re.sub(r"^\s*```.*?^\s*```", "", text, flags=re.M | re.S)
    spans = [span.replace("\n", " ") for span in re.findall(r"`([^`]+)`", prose)]
    shells = [each for each in snippets(file) if each.language in ("bash", "sh", "console")]
    return spans + [line.split(" # ")[0].strip() for each in shells for line in each.text.splitlines()]


def missing_line(expected: str, output: str) -> str | None:
    """The first line of ``expected`` that ``output`` does not have after the ones before it; white space is all one."""
    lines = iter([" ".join(line.split()) for line in output.splitlines()])
    for wanted in filter(None, (" ".join(line.split()) for line in expected.splitlines())):
        pattern = re.compile(".*".join(re.escape(part) for part in re.split(r" ?\.\.\.", wanted)))
        if not any(pattern.fullmatch(line) for line in lines):
            return wanted
    return None
