"""Corrections as people give them, ``--set`` and ``--from``, as the patches that the gate applies."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from mesh.cli.quarantine.computing import Computation
from mesh.cli.quarantine.desk import Desk
from mesh.contract.expression import Expression
from mesh.errors import ContractInvalid, EncodingRefused, NotFound, UsageError
from mesh.gate.quarantine import HIDDEN, Held, Patch, Patching
from mesh.judge.frame import unframe
from mesh.judge.rows import RowCodec
from mesh.producer.reading import json_reader
from mesh.types import Coordinate, SchemaId

_SETTING: Final = re.compile(r"\s*([A-Za-z_]\w*(?:\.\w+)*)\s*(:?=)(.*)", re.S)


@dataclass(frozen=True, slots=True)
class Setting:
    """``path=value``, or ``path:=expression`` over ``message``."""

    path: str
    text: str
    expression: Expression | None

    @classmethod
    def parse(cls, text: str) -> Setting:
        """Raises UsageError with what is wrong."""
        match = _SETTING.fullmatch(text)
        if not match:
            raise UsageError(f"--set {text!r} cannot be read; write path=value, or path:=expression over message")
        path, sign, value = match.groups()
        try:
            return cls(path, value, Expression.parse(value) if sign == ":=" else None)
        except ContractInvalid as error:
            raise UsageError(f"--set {text!r}: {error}") from None


@dataclass
class Corrections:
    """Makes the patch of a record; None for the original bytes."""

    desk: Desk
    settings: Sequence[Setting] = ()
    edited: Mapping[Coordinate, Mapping[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._patching = Patching(self.desk.registry, ())
        self._computations: dict[SchemaId, Computation] = {}

    def patch(self, held: Held) -> Patch | None:
        """Raises UsageError, EncodingRefused, MalformedBody and NotFound where the correction does not fit."""
        edited = self.edited.get(held.record.coordinate)
        if not self.settings and edited is None:
            return None
        if edited is not None and self.desk.log.contents.value(held.record) is None:
            return self._whole(edited)
        written, body = unframe(held.record.value or b"")
        codec = self._patching.codec(written)
        record: Any = codec.decode(body)
        values: dict[str, Any] = {}
        for path, candidates in self._wanted(held, edited, written, record):
            values[path] = _plain(codec, record, path, candidates)
        return Patch(values) if values else None

    def _wanted(
        self, held: Held, edited: Mapping[str, Any] | None, written: SchemaId, record: Mapping[str, Any]
    ) -> list[tuple[str, list[Any]]]:
        """What is to be set where: the readings of a text, of which the first that fits counts."""
        found: list[tuple[str, list[Any]]] = []
        if edited is not None:
            original = self.desk.log.contents.value(held.record) or {}
            found += [(path, [value]) for path, value in _changes(original, edited)]
        for setting in self.settings:
            if setting.expression is not None:
                found.append((setting.path, [self._computed(setting, written, record)]))
            else:
                found.append((setting.path, _readings(setting.text)))
        return found

    def _computed(self, setting: Setting, written: SchemaId, record: Mapping[str, Any]) -> Any:
        if written not in self._computations:
            self._computations[written] = Computation(json.loads(self.desk.registry.schema(written)))
        assert setting.expression is not None  # noqa: S101  (asked before)
        return self._computations[written].value(setting.path, setting.expression, record)

    def _whole(self, edited: Mapping[str, Any]) -> Patch:
        """A whole record in place of what nobody can read."""
        contract = self.desk.contract
        subject = f"{contract.topics.ingress}-value"
        written = self.desk.registry.lookup(subject, contract.value_schema_json)
        if written is None:
            raise NotFound("schema of the contract under the subject", subject, "apply the contract first: mesh apply")
        codec = self._patching.codec(written)
        read = json_reader(codec.shape)
        whole: Any = codec.decode(codec.encode(read(dict(edited)) if read else dict(edited)))
        return Patch({}, whole, written)


def edited_records(file: Path) -> dict[Coordinate, Mapping[str, Any]]:
    """The values of an edited export by coordinate; raises UsageError with the line that is wrong."""
    found: dict[Coordinate, Mapping[str, Any]] = {}
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read {file}: {error}") from None
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                content = json.loads(line)
                coordinate, value = Coordinate.parse(content["coordinate"]), content["value"]
            except (ValueError, KeyError, TypeError, UsageError) as error:
                raise UsageError(f"{file}:{number}: not a line of mesh quarantine export ({error})") from None
            if not isinstance(value, dict):
                raise UsageError(f"{file}:{number}: value is not an object; write the whole record")
            found[coordinate] = value
    return found


def _changes(original: Mapping[str, Any], edited: Mapping[str, Any], above: str = "") -> list[tuple[str, Any]]:
    """The paths at which an edited record differs; a value that was hidden and still reads so is not changed."""
    found: list[tuple[str, Any]] = []
    for name, value in edited.items():
        path, before = f"{above}{name}", original.get(name)
        if isinstance(value, dict) and isinstance(before, dict) and value.keys() == before.keys():
            found += _changes(before, value, f"{path}.")
        elif (name not in original or value != before) and value != HIDDEN:
            found.append((path, value))
    return found


def _readings(text: str) -> list[Any]:
    """A text as JSON, if it is some, then as itself: ``--set code=0071`` and ``--set speed=7`` mean what they say."""
    try:
        return [json.loads(text), text]
    except ValueError:
        return [text]


def _plain(codec: RowCodec, record: Mapping[str, Any], path: str, candidates: Sequence[Any]) -> Any:
    """The value in Avro's own terms, by way of the record's own schema."""
    problem: Exception | None = None
    for candidate in candidates:
        try:
            return _at(codec.decode(codec.encode(_with(codec, record, path, candidate))), path)
        except (EncodingRefused, ValueError) as error:
            problem = problem or error
    raise UsageError(f"{path} {str(problem).removeprefix(path).strip()}")


def _with(codec: RowCodec, record: Mapping[str, Any], path: str, value: Any) -> dict[str, Any]:
    if path.partition(".")[0] not in record:
        raise UsageError(f"there is no {path} in the record")
    partial: Any = value
    for step in reversed(path.split(".")):
        partial = {step: partial}
    read = json_reader(codec.shape)
    turned = _at(read(partial) if read else partial, path)
    return _set(record, path.split("."), turned)


def _set(record: Mapping[str, Any], steps: Sequence[str], value: Any) -> dict[str, Any]:
    inner = record.get(steps[0])
    if len(steps) == 1:
        return {**record, steps[0]: value}
    if not isinstance(inner, Mapping) or steps[1] not in inner:
        raise UsageError(f"there is no {'.'.join(steps)} in the record")
    return {**record, steps[0]: _set(inner, steps[1:], value)}


def _at(record: Any, path: str) -> Any:
    for step in path.split("."):
        record = record[step]
    return record
