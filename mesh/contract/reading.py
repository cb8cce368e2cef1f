"""From a document that keeps the standard to what the mesh enforces, with every reason why it cannot."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from mesh.contract import avro
from mesh.contract.avro import AvroSchema
from mesh.contract.clauses import Rules
from mesh.contract.derivation import PROPERTY as DERIVATION
from mesh.contract.derivation import Derivation, read_derivation
from mesh.contract.derive import RecordName, derive_key, derive_value
from mesh.contract.document import Document, Place, Problems
from mesh.contract.fields import AVRO_NAME, Field, custom, custom_place, read_fields
from mesh.contract.mapping import NO_MAPPING, ColumnMapping, read_mapping
from mesh.contract.remark import Group
from mesh.contract.roles import Role, read_roles
from mesh.contract.rules import read_rules
from mesh.contract.satisfiable import conclude
from mesh.contract.topic import TopicSettings, read_topic
from mesh.errors import UsageError
from mesh.types import ProductName, ProductTopics, Reaction

DEFAULT_COMPATIBILITY = "BACKWARD_TRANSITIVE"
COMPATIBILITIES = (
    "NONE",
    "BACKWARD",
    "FORWARD",
    "FULL",
    "BACKWARD_TRANSITIVE",
    "FORWARD_TRANSITIVE",
    "FULL_TRANSITIVE",
    "READERS",
)

_VERSION = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)")
_EVENT_TIMES = ("long/timestamp-millis", "long/timestamp-micros")
_RECORD_PROPERTIES = (
    "topic",
    "compatibility",
    "eventTime",
    "keySchema",
    "headers",
    "avroNamespace",
    "avroAliases",
    DERIVATION,
)
# What a publisher may say of itself under the platform's prefix.
_OWN_HEADER = "mesh-origin"
_RECORD: Place = ("schema", 0)
# Stands in for a name that cannot be read, so that the rest of the document is still checked before it is refused.
_NOWHERE = ProductTopics(ProductName("unknown", "unknown"), 0)


@dataclass(frozen=True, slots=True)
class Promise:
    """What a document says, in the mesh's terms; ``event_time`` is a dotted path, ``key_fields`` are in order."""

    topics: ProductTopics
    fields: tuple[Field, ...]
    key_fields: tuple[str, ...]
    event_time: str | None
    value_schema: dict[str, Any]
    key_schema: AvroSchema
    rules: Rules
    settings: TopicSettings
    compatibility: str
    roles: tuple[Role, ...]
    headers: tuple[str, ...] = ()
    derivation: Derivation | None = None
    mapping: ColumnMapping = NO_MAPPING


def read_promise(document: Document, problems: Problems) -> Promise:
    """Read a document that keeps the standard; raises ContractInvalid with everything else that is wrong."""
    source, problems = document.source, problems.within(Group.LINT)
    records = source.get("schema", [])
    if len(records) != 1:
        problems.add(
            ("schema",), f"there are {len(records)} schema objects; a contract describes one product: write exactly one"
        )
        problems.settle()
    record = records[0]
    topics = _topics(source, record, problems)
    _settle_known(record, problems)
    fields = read_fields(record.get("properties", ()), "", (*_RECORD, "properties"), problems)
    if not fields:
        problems.add(_RECORD, "the schema object has no properties")
    reading = _Reading(record, fields, problems)
    name, compatibility = reading.name(source), reading.compatibility()
    settings = read_topic(record, source.get("slaProperties", ()), problems)
    roles = read_roles(source.get("roles", ()), problems)
    problems.settle()  # what follows needs fields that make sense
    key, known = reading.key(), len(problems)
    value_schema, key_schema = derive_value(name, fields, problems), reading.key_schema(name, key)
    derived = len(problems) == known
    derivation = read_derivation(record, topics, _RECORD, problems)
    promise = Promise(
        topics=topics,
        fields=fields,
        key_fields=tuple(field.name for field in key),
        event_time=reading.event_time(source.get("slaProperties", ())),
        value_schema=value_schema,
        key_schema=key_schema,
        rules=read_rules(fields, record, _RECORD, problems.within(Group.RULES)),
        settings=settings,
        compatibility=compatibility,
        roles=roles,
        headers=reading.headers(),
        derivation=derivation,
        mapping=read_mapping(source, fields, derivation, problems),
    )
    _check_key(promise, record, problems)
    if derived:
        _check_schemas(promise, problems)
    return promise


def _topics(source: Mapping[str, Any], record: Mapping[str, Any], problems: Problems) -> ProductTopics:
    version, domain, physical = source["version"], source.get("domain"), record.get("physicalName")
    match = _VERSION.fullmatch(version)
    if not match:
        problems.add(("version",), f"version is {version!r}; write major.minor.patch, as in 1.0.0")
    if not domain:
        problems.add((), "domain is missing; write the domain that owns the product")
    topics = _public(physical, problems)
    if topics and domain and topics.product.domain != domain:
        problems.add((*_RECORD, "physicalName"), f"the topic {physical} does not begin with the domain {domain}")
    if topics and match and topics.major != int(match[1]):
        problems.add(
            (*_RECORD, "physicalName"),
            f"the topic {physical} should end in .v{match[1]}, the major of version {version}",
        )
    return topics or _NOWHERE


def _public(physical: object, problems: Problems) -> ProductTopics | None:
    place = (*_RECORD, "physicalName")
    if not isinstance(physical, str):
        problems.add(place, "physicalName is missing; write the public topic <domain>.<product>.v<major>")
        return None
    try:
        return ProductTopics.of_public(physical)
    except UsageError as error:
        problems.add(place, str(error))
        return None


def _settle_known(record: Mapping[str, Any], problems: Problems) -> None:
    """A misspelt setting would silently mean its default, so near misses are refused; other tools' properties pass."""
    for name in custom(record):
        close = get_close_matches(name, _RECORD_PROPERTIES, n=1, cutoff=0.8)
        if close and name not in _RECORD_PROPERTIES:
            problems.add(
                custom_place(record, _RECORD, name),
                f"the custom property {name} is not known; did you mean {close[0]}?",
            )


class _Reading:
    """The schema object's own part: names, key, event time, compatibility."""

    def __init__(self, record: Mapping[str, Any], fields: Sequence[Field], problems: Problems) -> None:
        self._record, self._fields, self._problems = record, fields, problems
        self._custom = custom(record)

    def name(self, source: Mapping[str, Any]) -> RecordName:
        name = self._record["name"]
        if not AVRO_NAME.fullmatch(name):
            self._problems.add(
                (*_RECORD, "name"), f"{name!r} cannot name an Avro record; use letters, digits and underscores"
            )
        namespace = self._custom.get("avroNamespace", str(source.get("domain", "")).replace("-", "_"))
        doc, aliases = " ".join(str(self._record.get("description", "")).split()), self._names("avroAliases")
        return RecordName(name, str(namespace), doc, aliases)

    def headers(self) -> tuple[str, ...]:
        """The headers every record must carry."""
        names = self._names("headers")
        for name in names:
            if not name or (name.startswith("mesh-") and name != _OWN_HEADER) or names.count(name) > 1:
                told = "is there twice" if names.count(name) > 1 else "is the platform's" if name else "is empty"
                place = custom_place(self._record, _RECORD, "headers")
                self._problems.add(place, f"the header {name!r} {told}; name headers that publishers send, each once")
                break
        return names

    def _names(self, name: str) -> tuple[str, ...]:
        value = self._custom.get(name, [])
        if isinstance(value, list) and all(isinstance(each, str) for each in value):
            return tuple(value)
        self._problems.add(custom_place(self._record, _RECORD, name), f"{name} is a list of names: [a, b]")
        return ()

    def key(self) -> list[Field]:
        """The key's fields by position; a position that is missing or there twice is a problem."""
        positions: dict[int, Field] = {}
        for index, node in enumerate(self._record["properties"]):
            if node.get("primaryKey"):
                self._position(positions, self._fields[index], node.get("primaryKeyPosition"))
        self._nested_keys()
        return [positions[position] for position in sorted(positions)]

    def _position(self, positions: dict[int, Field], field: Field, given: int | None) -> None:
        position = len(positions) + 1 if given is None else given
        if position in positions:
            told = f"{field.path} and {positions[position].path} both have primaryKeyPosition {position}"
            self._problems.add((*field.place, "primaryKeyPosition"), told)
        if not field.required:
            self._problems.add(field.place, f"{field.path} is part of the key; write required: true")
        positions.setdefault(position, field)

    def _nested_keys(self) -> None:
        for index, node in enumerate(self._record["properties"]):
            for inner, child in enumerate(node.get("properties", ())):
                if child.get("primaryKey"):
                    place = (*_RECORD, "properties", index, "properties", inner, "primaryKey")
                    self._problems.add(
                        place, "only a field of the record itself can be part of the key; copy it to the top"
                    )

    def key_schema(self, name: RecordName, key: Sequence[Field]) -> AvroSchema:
        if "keySchema" not in self._custom:
            return derive_key(name, key, self._problems)
        raw: AvroSchema = self._custom["keySchema"]
        named = [entry.get("name") for entry in raw.get("fields", ())] if isinstance(raw, dict) else []
        if named and key and named != [field.name for field in key]:
            place = custom_place(self._record, _RECORD, "keySchema")
            self._problems.add(place, f"keySchema has the fields {', '.join(named)}, the primaryKey fields are others")
        return raw

    def event_time(self, sla: Sequence[Mapping[str, Any]]) -> str | None:
        path, place = self._named_event_time(sla)
        if path is None:
            return None
        field = next((field for top in self._fields for field in top.walk() if field.path == path), None)
        if field is None:
            self._problems.add(
                place, f"the event time {path!r} is not a field; write the dotted path of a timestamp field"
            )
        elif field.physical_type not in _EVENT_TIMES or not field.required:
            self._problems.add(place, f"the event time {path} must be required and {' or '.join(_EVENT_TIMES)}")
        return path

    def _named_event_time(self, sla: Sequence[Mapping[str, Any]]) -> tuple[str | None, Place]:
        if "eventTime" in self._custom:
            return str(self._custom["eventTime"]), custom_place(self._record, _RECORD, "eventTime")
        for index, entry in enumerate(sla):
            element = str(entry.get("element", "")).partition(",")[0].strip()
            if entry["property"] == "latency" and element:
                return element.removeprefix(f"{self._record['name']}."), ("slaProperties", index, "element")
        return None, _RECORD

    def compatibility(self) -> str:
        mode = str(self._custom.get("compatibility", DEFAULT_COMPATIBILITY))
        if mode not in COMPATIBILITIES:
            place = custom_place(self._record, _RECORD, "compatibility")
            self._problems.add(
                place, f"{mode!r} is not a compatibility mode; write one of {', '.join(COMPATIBILITIES)}"
            )
        return mode


def _check_key(promise: Promise, record: Mapping[str, Any], problems: Problems) -> None:
    """Compaction and holding go by key, so they need one."""
    if promise.settings.cleanup == "compact" and promise.key_schema == "null":
        problems.add(
            custom_place(record, _RECORD, "topic"), "a compacted product needs a key; mark its fields primaryKey: true"
        )
    for clause in promise.rules.clauses:
        if clause.reaction is Reaction.HOLD_KEY and promise.key_schema == "null":
            problems.add(
                _RECORD, f"the clause {clause.id} holds keys, but the product has none; mark fields primaryKey: true"
            )


def _check_schemas(promise: Promise, problems: Problems) -> None:
    """Schemas must be safe, and expressions must fit them."""
    unsafe = [*avro.lint(promise.value_schema), *(f"key: {text}" for text in avro.lint(promise.key_schema))]
    for text in unsafe:
        problems.add(_place_of(text, promise.fields), text)
    if not unsafe:
        _check_expressions(promise, problems.within(Group.RULES))


def _check_expressions(promise: Promise, problems: Problems) -> None:
    for clause in promise.rules.clauses:
        if clause.expression:
            for text in clause.expression.check(promise.value_schema):
                problems.add(promise.rules.places[clause.id], text, clause.id)
    if not problems:
        _check_sense(promise, problems)


def _check_sense(promise: Promise, problems: Problems) -> None:
    """Rules that no record can keep are refused; those that say nothing are told."""
    for each in conclude(promise.rules, promise.value_schema):
        note = problems.add if each.refuses else problems.warn
        note(promise.rules.places[each.clause.id], each.text, each.clause.id)


def _place_of(text: str, fields: Sequence[Field]) -> Place:
    """The field a lint finding begins with, else the schema object."""
    path = text.removeprefix("key: ").partition(":")[0].partition("{}")[0]
    return next((field.place for top in fields for field in top.walk() if field.path == path), _RECORD)
