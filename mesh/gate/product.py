"""One product as the gate serves it: its contract, its judge and the schemas its records may be written in."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from mesh.contract import Contract
from mesh.contract.avro import fingerprint
from mesh.errors import NotFound
from mesh.gate.build import build_identity
from mesh.gate.ports import SchemaSource
from mesh.judge import Batch, Judge
from mesh.lineage import Basis, SchemaSeen
from mesh.lineage.encoding import manifest_schema
from mesh.types import ProductTopics, SchemaId


@dataclass(slots=True)
class GatedProduct:
    """Everything that stays the same between two versions of a contract."""

    contract: Contract
    registry: SchemaSource
    judge: Judge = field(init=False)
    basis: Basis = field(init=False)
    manifest_schema: SchemaId | None = None
    _values: dict[SchemaId, str] = field(default_factory=dict)
    _keys: dict[SchemaId, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        contract = self.contract
        self.judge = Judge(contract)
        self.basis = Basis(contract.id, contract.version, contract.rule_set_digest, build_identity())

    @property
    def topics(self) -> ProductTopics:
        return self.contract.topics

    @property
    def name(self) -> str:
        return str(self.contract.product)

    def learn(self, batch: Batch) -> None:
        """Tell the judge about every schema id of the batch; raises RegistryUnreachable when nobody can be asked.

        The lists are fetched after the batch was read, so an id that is not on them was not registered when its
        record was written. What is unknown now may be registered later: the judge forgets it again.
        """
        self.judge.forget_unknown()
        unknown = self.judge.unknown_ids(batch)
        if not unknown:
            return
        values = self.registry.ids(f"{self.topics.ingress}-value")
        keys = self.registry.ids(f"{self.topics.ingress}-key")
        for schema_id in unknown:
            self._learn(schema_id, known=schema_id in values, key=False)
            self._learn(schema_id, known=schema_id in keys, key=True)

    def _learn(self, schema_id: SchemaId, *, known: bool, key: bool) -> None:
        text = self.registry.schema(schema_id) if known else None
        self.judge.learn(schema_id, text, key=key)
        if text is not None:
            (self._keys if key else self._values)[schema_id] = fingerprint(json.loads(text))

    def seen(self, batch: Batch) -> set[SchemaSeen]:
        """The registered schemas that the records of a batch name."""
        values = {SchemaId(int.from_bytes(head, "big")) for head in {v[1:5] for v in batch.values if v}}
        keys = {SchemaId(int.from_bytes(head, "big")) for head in {k[1:5] for k in batch.keys if k}}
        return {SchemaSeen(i, self._values[i]) for i in values & self._values.keys()} | {
            SchemaSeen(i, self._keys[i], key=True) for i in keys & self._keys.keys()
        }

    def manifest_schema_id(self) -> SchemaId:
        """The id manifests are framed with: that of the format this build writes, else the newest of the subject."""
        if self.manifest_schema is None:
            ids = self.registry.ids(f"{self.topics.lineage}-value")
            if not ids:
                raise NotFound("schema", f"{self.topics.lineage}-value", "apply the contract again (mesh apply)")
            ours = fingerprint(manifest_schema())
            newest = sorted(ids, key=lambda schema_id: ids[schema_id], reverse=True)
            same = (each for each in newest if fingerprint(json.loads(self.registry.schema(each))) == ours)
            self.manifest_schema = next(same, newest[0])
        return self.manifest_schema
