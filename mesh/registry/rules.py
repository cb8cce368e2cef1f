"""The rules of registration: what may be registered, by whom, and what must fit what came before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mesh.contract import avro
from mesh.contract.compatibility import Mode, check
from mesh.contract.shape import shape_of
from mesh.errors import ContractInvalid
from mesh.registry.records import PRODUCT, SchemaVersion
from mesh.registry.refusal import Refusal, not_permitted
from mesh.registry.state import State
from mesh.registry.text import SchemaText

LARGEST_SCHEMA = 1024 * 1024
LONGEST_SUBJECT = 255 + len("-value")
READ_ONLY = "READONLY"
MODES = frozenset({"READWRITE", READ_ONLY})


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks. ``platform``: this principal applies contracts, and may change the subjects that belong to them."""

    principal: str | None = None
    platform: bool = False


@dataclass(frozen=True, slots=True)
class Submission:
    """A schema as somebody sends it in, to be registered, looked up or compared. Unknown keys mean nothing."""

    schema: str
    kind: str = "AVRO"
    references: Sequence[Any] = ()
    metadata: Mapping[str, Any] | None = None
    rules: Mapping[str, Any] | None = None
    id: int = -1
    version: int = -1

    @classmethod
    def read(cls, body: Mapping[str, Any]) -> Submission:
        """The submission in a request's body; raises Refusal when it is not one."""
        schema, kind = body.get("schema"), body.get("schemaType") or "AVRO"
        if not isinstance(schema, str) or not schema.strip():
            raise Refusal(42201, "Empty schema: send the schema's text as `schema`")
        references, metadata, rules = body.get("references") or (), body.get("metadata"), body.get("ruleSet")
        if not isinstance(references, Sequence) or not isinstance(metadata or {}, dict) or not _is_rule_set(rules):
            raise Refusal(42201, "Invalid schema: references must be a list, metadata and ruleSet objects")
        return cls(schema, str(kind), references, metadata, rules, _number(body, "id"), _number(body, "version"))

    @property
    def product(self) -> object:
        """The product this version would belong to."""
        properties = (self.metadata or {}).get("properties")
        return properties.get(PRODUCT) if isinstance(properties, dict) else None


def _is_rule_set(rules: object) -> bool:
    return rules is None or isinstance(rules, dict)


def _number(body: Mapping[str, Any], name: str) -> int:
    found = body.get(name)
    if found is None or found == 0:
        return -1
    if not isinstance(found, int) or isinstance(found, bool):
        raise Refusal(42201, f"Invalid schema: {name} must be a whole number")
    return found


def check_subject(subject: str) -> None:
    """A subject's name is one line of text, not too long, and outside the contexts, which this registry has not."""
    if not subject or len(subject) > LONGEST_SUBJECT or not subject.isprintable():
        raise Refusal(42208, f"The subject {subject[:80]!r} is invalid: 1 to {LONGEST_SUBJECT} printable characters")
    if subject.startswith(":."):
        raise Refusal(42208, f"The subject {subject[:80]!r} is invalid: this registry has no contexts but the default")


def read_schema(submission: Submission) -> SchemaText:
    """The schema's text; refuses other types, references, what is too large and what is not strict JSON."""
    if submission.kind != "AVRO":
        raise Refusal(42201, f"Invalid schema: type {submission.kind[:40]} is not supported, register AVRO")
    if submission.references:
        raise Refusal(42201, "Invalid schema: references are not supported yet; write the referenced types into it")
    if any((submission.rules or {}).values()):
        raise Refusal(42210, "Invalid rule set: rules are kept in the contract, not in the registry (mesh apply)")
    if len(submission.schema.encode("utf-8", "surrogatepass")) > LARGEST_SCHEMA:
        raise Refusal(42209, f"The schema is too large: at most {LARGEST_SCHEMA} bytes")
    try:
        return SchemaText.parse(submission.schema)
    except ValueError as error:
        raise Refusal(42201, f"Invalid schema: not JSON: {error}") from None


def check_safe(text: SchemaText) -> None:
    """The schema is Avro, its defaults fit, and no bytes written with it can harm who reads them."""
    problems = avro.lint(text.schema)
    if not problems:
        try:
            shape_of(text.schema)
        except ContractInvalid as error:
            problems = list(error.problems)
    if problems:
        raise Refusal(42201, f"Invalid schema: {'; '.join(problems)}", problems)


def check_writable(state: State, subject: str | None) -> None:
    """The mode lets anything be written."""
    if state.mode(subject).startswith(READ_ONLY):
        raise not_permitted(
            f"Subject {subject} is in read-only mode" if subject else "The registry is in read-only mode"
        )


def check_owner(state: State, subject: str, caller: Caller) -> None:
    """Subjects of applied contracts are changed by the platform only."""
    product = state.product(subject)
    if product is not None and not caller.platform:
        raise not_permitted(
            f"Subject {subject} belongs to the contract of {product}; change the contract and run `mesh apply`"
        )


def check_claim(state: State, subject: str, submission: Submission, caller: Caller) -> None:
    """Only the platform says that a subject belongs to a product, and it belongs to one at most."""
    owner, claimed = state.product(subject), submission.product
    if claimed is not None and not caller.platform:
        raise not_permitted(f"The metadata property {PRODUCT} is set by `mesh apply` only")
    if claimed is not None and owner not in (None, claimed):
        raise not_permitted(f"Subject {subject} belongs to the contract of {owner}, not of {claimed}")


def check_numbers(submission: Submission, following: int) -> None:
    """Ids and versions are given by the registry; asking for the one that comes anyway is no harm."""
    if submission.id != -1:
        raise not_permitted("An id can be chosen in import mode only, which this registry has not")
    if submission.version not in (-1, following):
        raise Refusal(42202, f"The next version is {following}, not {submission.version}")


def incompatibilities(level: str, text: SchemaText, earlier: Sequence[SchemaVersion]) -> list[str]:
    """Why this schema may not follow those versions (oldest first) at this level, in words; empty when it may."""
    mode = Mode(level)
    if mode is Mode.NONE:
        return []
    relevant = earlier if mode.transitive else earlier[-1:]
    try:
        schemas = [_comparable(version) for version in relevant]
        found = check(mode, text.schema, schemas)
    except ContractInvalid as error:
        return list(error.problems)
    return [f"version {relevant[each.against].version}: {each}" for each in found]


def _comparable(version: SchemaVersion) -> object:
    if version.kind != "AVRO" or "references" in version.extra:
        raise ContractInvalid(
            [f"version {version.version} is {version.kind}, or has references, and cannot be compared"]
        )
    return SchemaText.stored(version.schema).schema
