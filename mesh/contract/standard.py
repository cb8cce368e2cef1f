"""The Open Data Contract Standard, 3.1.0 and 3.2.0: validation by its official JSON Schemas, told in plain English."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any, cast

from mesh.contract.document import Document, Place, Problems, written

if TYPE_CHECKING:
    from jsonschema import Draft201909Validator
    from jsonschema.exceptions import ValidationError

API_VERSION = "v3.1.0"
"""The version the mesh writes: every reader of 3.2.0 takes it too."""
API_VERSIONS = (API_VERSION, "v3.2.0")
"""The versions the mesh reads."""

# Where people put what the standard keeps elsewhere, or does not know (the table of homes in the contract guide).
_HOMES = {
    "topic": "the topic's name is schema[].physicalName, its settings are customProperties: topic of the schema object",
    "partitions": "it belongs in customProperties: topic of the schema object",
    "cleanupPolicy": "it belongs in customProperties: topic of the schema object",
    "retention": "it is an entry of slaProperties (property: retention)",
    "compatibility": "it belongs in customProperties of the schema object",
    "eventTime": "it belongs in customProperties of the schema object",
    "keySchema": "it belongs in customProperties of the schema object",
    "headers": "it belongs in customProperties of the schema object",
    "purposes": "it belongs in customProperties of a role",
    "principals": "it belongs in customProperties of a role",
    "reaction": "it belongs in customProperties of the quality item or property",
    "enum": "v3.1.0 says it as a quality item: metric invalidValues with arguments validValues and mustBe 0",
    "deprecated": "it came with v3.2.0",
    "map": "it came with v3.2.0; v3.1.0 says it as object, physicalType map and customProperties: avroMapValues",
    "quality": "it belongs on a schema object or a property",
    "models": "v3 calls it schema",
    "info": "v3 has its fields (name, version, status, ...) at the top level",
    "nullable": "write required: true or false",
    "type": "write logicalType and physicalType",
    "precision": "write physicalType: bytes/decimal(p,s)",
    "scale": "write physicalType: bytes/decimal(p,s)",
    "pattern": "it belongs in logicalTypeOptions",
    "minimum": "it belongs in logicalTypeOptions",
    "maximum": "it belongs in logicalTypeOptions",
}

_KINDS = {"object": "a mapping", "array": "a list", "string": "text", "integer": "a whole number", "number": "a number"}
_KINDS |= {"boolean": "true or false", "null": "null"}
_BROKEN = {
    "pattern": "does not match {}",
    "format": "is not a {}",
    "minimum": "is below {}",
    "maximum": "is above {}",
    "exclusiveMinimum": "is not above {}",
    "minItems": "has fewer than {} entries",
    "maxItems": "has more than {} entries",
    "uniqueItems": "has an entry twice",
}


def check(document: Document) -> Problems:
    """Everything the standard has against a document, and nothing twice; a document of another kind says only that."""
    problems = Problems(document)
    foreign = _foreign(document.source)
    if foreign:
        problems.add(*foreign)
        return problems
    edition = _edition(str(document.source["apiVersion"]))
    errors = [error for error in edition.validator.iter_errors(document.source) if not _untyped(error)]
    for error in errors:
        for place, text in edition.told(error):
            problems.add(place, text)
    if errors and not problems:  # a fault that looked like the shadow of another, but is alone
        problems.add(tuple(errors[0].absolute_path), errors[0].message)
    if "status" not in document.source and edition.version != API_VERSION:  # 3.2.0 no longer asks for it, the mesh does
        problems.add((), "status is missing")
    return problems


def _foreign(source: Mapping[str, Any]) -> tuple[Place, str] | None:
    kind, version = source.get("kind"), source.get("apiVersion")
    if kind is None and "dataContractSpecification" in source:
        return (), "this is a Data Contract Specification document; convert it to ODCS v3.1.0 (kind: DataContract)"
    if kind is None and "asyncapi" in source:
        return (), "this is an AsyncAPI document; a contract is an ODCS document (kind: DataContract)"
    if kind != "DataContract":
        told = "kind is missing" if kind is None else f"kind is {kind!r}"
        return ("kind",), f"{told}; a contract is an ODCS document with kind: DataContract"
    if version not in API_VERSIONS:
        told = "apiVersion is missing" if version is None else f"apiVersion is {version!r}"
        return ("apiVersion",), f"{told}; write apiVersion: {API_VERSION} (the mesh reads {' and '.join(API_VERSIONS)})"
    return None


def _untyped(error: ValidationError) -> bool:
    """The schema of 3.2.0 asks for a map where there is no logicalType; that one is missing is told by the mesh."""
    return (
        error.validator == "required"
        and error.validator_value == ["map"]
        and "logicalType" not in cast(Any, error.instance)
    )


@cache
def _edition(version: str) -> _Edition:
    # Loaded for those who validate a document; most commands validate none.
    from jsonschema import Draft201909Validator  # noqa: PLC0415

    name = f"odcs-json-schema-{version}.json"
    schema = json.loads(resources.files("mesh.contract").joinpath("standards", name).read_text("utf-8"))
    return _Edition(version, schema, Draft201909Validator(schema, format_checker=Draft201909Validator.FORMAT_CHECKER))


@dataclass(frozen=True, eq=False)
class _Edition:
    """One version of the standard, and how its schema's errors read to people."""

    version: str
    schema: dict[str, Any]
    validator: Draft201909Validator

    def told(self, error: ValidationError) -> Iterator[tuple[Place, str]]:
        place: Place = tuple(error.absolute_path)
        if error.validator in ("unevaluatedProperties", "additionalProperties"):
            yield from self._unknown(error, place)
        elif error.validator in ("oneOf", "anyOf"):
            yield from self._alternatives(error, place)
        elif error.validator == "required":
            missing = [key for key in cast(Any, error.validator_value) if key not in cast(Any, error.instance)]
            yield place, f"{', '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing"
        else:
            yield place, _sentence(error)

    def _alternatives(self, error: ValidationError, place: Place) -> Iterator[tuple[Place, str]]:
        operators = _operators(cast(Any, error.validator_value))
        if operators and not isinstance(error.instance, dict):
            return  # told as a wrong type already
        if operators:
            given = [key for key in operators if key in cast(Any, error.instance)]
            faults = [
                fault
                for fault in error.context or ()
                if fault.absolute_path and fault.absolute_path != error.absolute_path
            ]
            if len(given) == 1 and faults:
                yield from self.told(faults[0])
                return
            told = "none is there" if not given else f"{' and '.join(given)} are there"
            yield place, f"needs exactly one of {', '.join(operators)}; {told}"
            return
        branches = _branches(error)
        fitting = [
            faults
            for faults in branches
            if not any(fault.validator == "type" and len(fault.path) == 0 for fault in faults)
        ]
        if fitting:
            for fault in fitting[0]:
                yield from self.told(fault)
        else:
            yield place, f"{_shown(error.instance)} has none of the shapes the standard allows here"

    def _unknown(self, error: ValidationError, place: Place) -> Iterator[tuple[Place, str]]:
        """Name the keys that no branch of the schema knows here; the rest is the shadow of another fault."""
        known = self._known(error.schema, error.instance)
        for key in cast(Any, error.instance):
            if key not in known:
                where = written(place) or "the top level"
                yield (*place, key), f"the standard knows no key {key!r} in {where}{self._hint(key, place, known)}"

    def _hint(self, key: str, place: Place, known: set[str]) -> str:
        meant = _meant(key, known)
        if meant:
            return meant
        if key in _HOMES:
            return f"; {_HOMES[key]}"
        if place[-1:] == ("logicalTypeOptions",):
            return f"; allowed here: {', '.join(sorted(known))}"
        owners = sorted(name for name, part in self.schema["$defs"].items() if key in part.get("properties", {}))
        if owners:
            return f"; the standard knows it in {' and '.join(owners[:3])}"
        return "; put what the standard has no word for into customProperties"

    def _known(self, schema: Any, instance: object) -> set[str]:
        """Every key that a schema names for an object, in the branches that apply to it."""
        if not isinstance(schema, Mapping):
            return set()
        parts = [part for name in ("allOf", "anyOf", "oneOf") for part in schema.get(name, ())]
        if "if" in schema:
            chosen = "then" if self.validator.evolve(schema=schema["if"]).is_valid(instance) else "else"
            parts += [schema["if"], schema.get(chosen)]
        if "$ref" in schema:
            parts.append(self._pointed(str(schema["$ref"])))
        return set(schema.get("properties", {})).union(*(self._known(part, instance) for part in parts))

    def _pointed(self, reference: str) -> Any:
        found: Any = self.schema
        for step in reference.removeprefix("#/").split("/"):
            found = found[step]
        return found


def _sentence(error: ValidationError) -> str:
    value, wanted = error.instance, cast(Any, error.validator_value)
    if error.validator == "type":
        kinds = [wanted] if isinstance(wanted, str) else wanted
        quotes = "; put it in quotes" if "string" in kinds and not isinstance(value, dict | list) else ""
        return f"{_shown(value)} should be {' or '.join(_KINDS.get(kind, kind) for kind in kinds)}{quotes}"
    if error.validator in ("enum", "const"):
        allowed = [str(choice) for choice in (wanted if isinstance(wanted, list) else [wanted])]
        return f"{_shown(value)} is not one of {', '.join(allowed)}{_meant(str(value), allowed)}"
    broken = _BROKEN.get(str(error.validator))
    return (
        f"{_shown(value)} {broken.format(wanted)}" if broken else f"{_shown(value)} breaks {error.validator}: {wanted}"
    )


def _shown(value: object) -> str:
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    return json.dumps(value, ensure_ascii=False)[:80]


def _operators(alternatives: list[dict[str, Any]]) -> list[str]:
    names = [
        name for branch in alternatives for name in branch.get("required", ()) if len(branch.get("required", ())) == 1
    ]
    return names if names and all(name.startswith("must") for name in names) else []


def _branches(error: ValidationError) -> list[list[ValidationError]]:
    grouped: dict[Any, list[ValidationError]] = {}
    for fault in error.context or ():
        grouped.setdefault(fault.relative_schema_path[0], []).append(fault)
    return list(grouped.values())


def _meant(word: str, choices: Any) -> str:
    close = get_close_matches(word, list(choices), n=1, cutoff=0.75)
    return f"; did you mean {close[0]}?" if close else ""
