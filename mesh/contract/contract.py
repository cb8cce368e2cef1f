"""A contract: an ODCS document read as what the mesh enforces, or refused with every reason at once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mesh.contract import avro
from mesh.contract.avro import AvroSchema
from mesh.contract.clauses import Clause, SetRule
from mesh.contract.derivation import Derivation
from mesh.contract.document import Document, Problems
from mesh.contract.fields import Field
from mesh.contract.mapping import ColumnMapping
from mesh.contract.reading import Promise, read_promise
from mesh.contract.roles import Role
from mesh.contract.standard import check
from mesh.contract.topic import Cleanup
from mesh.types import ProductName, ProductTopics


@dataclass(frozen=True, slots=True, eq=False)
class Contract:
    """What a product promises. Built by ``read`` or ``parse`` only, so every contract there is is valid.

    The product's name is the public topic's: ``schema[0].physicalName`` reads ``<domain>.<name>.v<major>``, ``domain``
    must say the same domain and ``version`` the same major. ODCS's ``dataProduct`` may group several contracts, so it
    names nothing here.
    """

    document: Document
    promise: Promise
    digest: str

    @classmethod
    def read(cls, path: Path) -> Contract:
        """The contract in a file; raises ContractInvalid with every problem, each ``file:line: path: text``."""
        return cls.of(Document.read(path))

    @classmethod
    def parse(cls, text: str, file: str = "<text>") -> Contract:
        """The contract in a text; ``file`` names it in problems. Raises ContractInvalid."""
        return cls.of(Document.parse(text, file))

    @classmethod
    def of(cls, document: Document) -> Contract:
        """The contract a document makes; raises ContractInvalid."""
        return cls.examined(document, Problems(document))

    @classmethod
    def examined(cls, document: Document, problems: Problems) -> Contract:
        """As ``of``; everything found, warnings too, goes to ``problems``."""
        problems.take(check(document))
        problems.settle()
        promise = read_promise(document, problems)
        problems.settle()
        return cls(document, promise, _digest(document.source))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Contract) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    def __str__(self) -> str:
        return f"{self.product} {self.version}"

    @property
    def id(self) -> str:
        return str(self.document.source["id"])

    @property
    def version(self) -> str:
        return str(self.document.source["version"])

    @property
    def status(self) -> str:
        return str(self.document.source["status"])

    @property
    def owner(self) -> str:
        """The owning team; empty where the document names none."""
        team = self.document.source.get("team")
        return str(team.get("name", "")) if isinstance(team, dict) else ""

    @property
    def description(self) -> str:
        """What the product is for, in one line."""
        return " ".join(str(self.document.source.get("description", {}).get("purpose", "")).split())

    @property
    def topics(self) -> ProductTopics:
        """The names of its topics."""
        return self.promise.topics

    @property
    def product(self) -> ProductName:
        return self.promise.topics.product

    @property
    def major(self) -> int:
        return self.promise.topics.major

    @property
    def fields(self) -> tuple[Field, ...]:
        return self.promise.fields

    @property
    def key_fields(self) -> tuple[str, ...]:
        """The names of the key's fields in the order of their positions."""
        return self.promise.key_fields

    @property
    def event_time(self) -> str | None:
        """The dotted path of the field that says when the event happened, if the contract names one."""
        return self.promise.event_time

    @property
    def value_schema(self) -> dict[str, Any]:
        return self.promise.value_schema

    @property
    def key_schema(self) -> AvroSchema:
        """The schema of keys; ``"null"`` for a product without a key."""
        return self.promise.key_schema

    @property
    def value_schema_json(self) -> str:
        return avro.text(self.value_schema)

    @property
    def key_schema_json(self) -> str:
        return avro.text(self.key_schema)

    @property
    def clauses(self) -> tuple[Clause, ...]:
        """The rules every record is judged by."""
        return self.promise.rules.clauses

    @property
    def set_rules(self) -> tuple[SetRule, ...]:
        """The rules over many records; they never refuse one."""
        return self.promise.rules.set_rules

    @property
    def compatibility(self) -> str:
        """How the schema may change within this major: a mode of the registry's, or READERS."""
        return self.promise.compatibility

    @property
    def roles(self) -> tuple[Role, ...]:
        return self.promise.roles

    @property
    def headers(self) -> tuple[str, ...]:
        """The headers that every record must carry."""
        return self.promise.headers

    @property
    def derivation(self) -> Derivation | None:
        """What makes the product, where that is a processor; None for a product of source."""
        return self.promise.derivation

    @property
    def mapping(self) -> ColumnMapping:
        """Which fields of its inputs feed which of its own; empty for a product of source."""
        return self.promise.mapping

    @property
    def partitions(self) -> int:
        return self.promise.settings.partitions

    @property
    def cleanup(self) -> Cleanup:
        return self.promise.settings.cleanup

    @property
    def topic_config(self) -> Mapping[str, str]:
        """The configuration of the public topic."""
        return self.promise.settings.public

    @property
    def ingress_config(self) -> Mapping[str, str]:
        """The configuration of the ingress topic."""
        return self.promise.settings.ingress

    @property
    def max_message_bytes(self) -> int:
        """The largest record batch the ingress takes, in bytes."""
        return self.promise.settings.max_message_bytes

    @property
    def rule_set_digest(self) -> str:
        """SHA-256 in hex over clauses, headers, schemas and inputs: two contracts with the same one judge alike."""
        clauses = [[c.id, c.path, c.kind, _plain(c.argument), c.reaction] for c in self.clauses]
        headers = {"headers": sorted(self.headers)} if self.headers else {}
        made = self.derivation.judged if self.derivation is not None else {}
        return _digest({"clauses": clauses, "value": self.value_schema, "key": self.key_schema} | headers | made)

    def field(self, path: str) -> Field | None:
        """The field at a dotted path, None if there is none."""
        return next((field for top in self.fields for field in top.walk() if field.path == path), None)


def _digest(value: object) -> str:
    canonical = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def _plain(argument: object) -> object:
    """An argument as JSON that tells its type: 1, 1.0 and Decimal 1 are different promises."""
    if isinstance(argument, tuple):
        return [_plain(entry) for entry in argument]
    return [type(argument).__name__, str(argument)]
