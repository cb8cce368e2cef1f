"""An ODCS document as it was written: parsed safely, every field kept, every path with its line."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from mesh.contract.remark import Group, Remark, Severity
from mesh.contract.writing import written_out
from mesh.errors import ContractInvalid, UsageError

Place = tuple[str | int, ...]
"""Where something is in a document: keys and list positions from the root."""

SUFFIX = ".odcs.yaml"
"""How the name of a document's file ends; the catalog of editors' schemas knows it."""

# A contract is some kilobytes; the bounds stop documents that are written to exhaust memory through aliases.
MAX_BYTES = 4 * 1024 * 1024
MAX_NODES = 200_000

_PREFIX = "tag:yaml.org,2002:"
_WHAT = "an ODCS document is a mapping that begins with apiVersion and kind"


class _Loader(yaml.SafeLoader):
    """YAML's safe loader without timestamps and base-60 numbers: both stay the text they were written as."""

    yaml_implicit_resolvers: dict[Any, Any] = {}  # noqa: RUF012  (the name and type PyYAML looks for)


for _tag, _pattern, _first in (
    ("bool", r"^(?:yes|Yes|YES|no|No|NO|true|True|TRUE|false|False|FALSE|on|On|ON|off|Off|OFF)$", "yYnNtTfFoO"),
    (
        "float",
        r"^[-+]?(?:[0-9][0-9_]*\.[0-9_]*(?:[eE][-+]?[0-9]+)?|\.[0-9][0-9_]*(?:[eE][-+][0-9]+)?)$",
        "-+0123456789.",
    ),
    ("float", r"^[-+]?\.(?:inf|Inf|INF)$|^\.(?:nan|NaN|NAN)$", "-+."),
    ("int", r"^[-+]?(?:0b[0-1_]+|0[0-7_]+|0|[1-9][0-9_]*|0x[0-9a-fA-F_]+)$", "-+0123456789"),
    ("merge", r"^<<$", "<"),
    ("null", r"^(?:~|null|Null|NULL|)$", ["~", "n", "N", ""]),
):
    _Loader.add_implicit_resolver(_PREFIX + _tag, re.compile(_pattern), list(_first))


@dataclass(frozen=True, slots=True)
class Document:
    """A parsed document. ``source`` is the whole of it, unknown fields included; ``file`` is its name in messages."""

    source: dict[str, Any]
    file: str = "<text>"
    lines: Mapping[Place, int] = field(default_factory=dict, repr=False)

    @classmethod
    def read(cls, path: Path, what: str = _WHAT) -> Document:
        """Parse a file; raises ContractInvalid for what is not YAML of a mapping, UsageError if it cannot be read.

        ``what`` is the sentence that says what is wanted instead.
        """
        try:
            data = path.read_bytes()
        except OSError as error:
            raise UsageError(f"cannot read {path}: {error.strerror}; name an ODCS document") from None
        try:
            return cls.parse(data.decode("utf-8"), str(path), what)
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            raise ContractInvalid([f"{path}:{line}: the file is not UTF-8 text"]) from None

    @classmethod
    def parse(cls, text: str, file: str = "<text>", what: str = _WHAT) -> Document:
        """Parse YAML text; raises ContractInvalid with file and line; ``what`` as in ``read``."""
        if len(text) > MAX_BYTES:
            raise ContractInvalid([f"{file}:1: the document is larger than {MAX_BYTES:,} bytes"])
        reading = _Reading(file)
        try:
            node = yaml.compose(text, Loader=_Loader)
            value = reading.value(node, ()) if node is not None else None
        except yaml.MarkedYAMLError as error:
            raise ContractInvalid([_syntax(error, file)]) from None
        except yaml.reader.ReaderError as error:
            line = text.count("\n", 0, error.position) + 1
            raise ContractInvalid([f"{file}:{line}: not YAML: {error.reason}"]) from None
        except RecursionError:
            raise ContractInvalid([f"{file}:1: the document is nested too deeply to be a contract"]) from None
        if reading.problems:
            raise ContractInvalid(reading.problems)
        if not isinstance(value, dict):
            raise ContractInvalid([f"{file}:1: {what}"])
        return cls(value, file, reading.lines)

    def line(self, place: Place) -> int:
        """The line of a path, 1-based; of its nearest written ancestor where the path itself is missing."""
        while place and place not in self.lines:
            place = place[:-1]
        return self.lines.get(place, 1)

    def problem(self, place: Place, text: str) -> str:
        """One line for people: ``file:line: path: text``."""
        where = written(place)
        return f"{self.file}:{self.line(place)}: {where + ': ' if where else ''}{text}"

    def dump(self) -> str:
        """YAML as a person would have written it: every field in its order; comments and layout are not kept."""
        return written_out(self.source)


class Problems:
    """What is found about one document, gathered so that people see all of it at once; warnings refuse nothing."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self._found: list[Remark] = []
        self._group = Group.STANDARD

    def within(self, group: Group) -> Problems:
        """The same list for another group of checks."""
        other = Problems(self.document)
        other._found, other._group = self._found, group
        return other

    def add(self, place: Place, text: str, rule: str = "") -> None:
        """Note a problem at a path; ``rule`` is the clause it is about."""
        self._note(place, text, rule, Severity.ERROR)

    def warn(self, place: Place, text: str, rule: str = "") -> None:
        """Note what is worth saying but refuses nothing."""
        self._note(place, text, rule, Severity.WARNING)

    def take(self, other: Problems) -> None:
        """Note what another list of the same document holds."""
        self._found += other._found

    def _note(self, place: Place, text: str, rule: str, severity: Severity) -> None:
        document = self.document
        where = written(place)
        entry = Remark(document.file, document.line(place), where, self._group, text, severity, rule)
        if not any(str(entry) == str(found) for found in self._found):
            self._found.append(entry)

    @property
    def remarks(self) -> list[Remark]:
        """Everything noted, in the order of lines."""
        return sorted(self._found, key=lambda remark: remark.line)

    def __len__(self) -> int:
        return sum(remark.refuses for remark in self._found)

    def __iter__(self) -> Iterator[str]:
        return (str(remark) for remark in self.remarks if remark.refuses)

    def settle(self) -> None:
        """Raise ContractInvalid with every problem, in the order of lines; do nothing if there is none."""
        if len(self):
            raise ContractInvalid(list(self))


def written(place: Place) -> str:
    """A path as people write it: ``schema[0].properties[3].name``."""
    text = ""
    for step in place:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


def _syntax(error: yaml.MarkedYAMLError, file: str) -> str:
    mark = error.problem_mark or error.context_mark
    line = mark.line + 1 if mark else 1
    return f"{file}:{line}: not YAML: {', '.join(part for part in (error.context, error.problem) if part)}"


class _Reading:
    """One walk over the node tree: plain values, the line of every path, problems on the way."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.lines: dict[Place, int] = {}
        self.problems: list[str] = []
        self._constructor = yaml.constructor.SafeConstructor()
        self._nodes = 0
        self._open: list[yaml.Node] = []

    def value(self, node: yaml.Node, place: Place) -> Any:
        self._nodes += 1
        if self._nodes > MAX_NODES:
            raise yaml.MarkedYAMLError(problem=f"more than {MAX_NODES:,} values", problem_mark=node.start_mark)
        if any(node is parent for parent in self._open):
            raise yaml.MarkedYAMLError(problem="an alias refers to itself", problem_mark=node.start_mark)
        self.lines.setdefault(place, node.start_mark.line + 1)
        self._open.append(node)
        try:
            return self._value(node, place)
        finally:
            self._open.pop()

    def _value(self, node: yaml.Node, place: Place) -> Any:
        if isinstance(node, yaml.MappingNode) and node.tag == _PREFIX + "map":
            return self._mapping(node, place)
        if isinstance(node, yaml.SequenceNode) and node.tag == _PREFIX + "seq":
            return [self.value(item, (*place, index)) for index, item in enumerate(node.value)]
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, place)
        self._problem(node, place, f"the tag {node.tag.replace(_PREFIX, '!!')} is not allowed in a contract")
        return None

    def _mapping(self, node: yaml.MappingNode, place: Place) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = self._key(key_node, place)
            if key is None:
                continue
            if key in result:
                first = self.lines[(*place, key)]
                self._problem(key_node, (*place, key), f"the key {key!r} is already there in line {first}; keep one")
                continue
            self.lines[(*place, key)] = key_node.start_mark.line + 1
            result[key] = self.value(value_node, (*place, key))
        return result

    def _key(self, node: yaml.Node, place: Place) -> str | None:
        if isinstance(node, yaml.ScalarNode) and node.tag == _PREFIX + "str":
            return str(node.value)
        if node.tag == _PREFIX + "merge":
            self._problem(node, place, "merge keys (<<) are not allowed in a contract; write the fields out")
        else:
            self._problem(node, place, f"the key {node.value!r} is not text; put it in quotes")
        return None

    def _scalar(self, node: yaml.ScalarNode, place: Place) -> Any:
        kind = node.tag.removeprefix(_PREFIX)
        if kind not in ("str", "int", "float", "bool", "null"):
            self._problem(node, place, f"the tag !!{kind} is not allowed in a contract; write plain text")
            return None
        try:
            value = self._constructor.construct_object(node)
        except (ValueError, KeyError):
            self._problem(node, place, f"{node.value!r} is not a valid {kind}")
            return None
        if isinstance(value, float) and not math.isfinite(value):
            self._problem(node, place, f"{node.value} is not a finite number")
        return value

    def _problem(self, node: yaml.Node, place: Place, text: str) -> None:
        where = written(place)
        line = node.start_mark.line + 1
        self.problems.append(f"{self.file}:{line}: {where + ': ' if where else ''}{text}")
