"""One product as the gate serves it: its contract, its judge and the schemas its records may be written in."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field

from mesh.access import holds_keys
from mesh.contract import Contract
from mesh.contract.avro import fingerprint
from mesh.errors import NotFound
from mesh.gate.holds import most_waiting
from mesh.gate.ports import Remembered, SchemaSource
from mesh.judge import Batch, Judge
from mesh.judge.frame import heads, schema_id
from mesh.lineage import Basis, SchemaSeen
from mesh.lineage.build import build_identity
from mesh.lineage.encoding import manifest_schema
from mesh.types import ProductTopics, SchemaId


@dataclass(frozen=True, slots=True)
class Taught:
    """A schema that the judge was told about: of keys, or of values."""

    schema_id: SchemaId
    text: str
    key: bool


def teach(judge: Judge, batch: Batch, registry: SchemaSource, ingress: str) -> Iterator[Taught]:
    """Tell a judge what the registry says of ids it does not know; gives those that are registered for the ingress.

    The subjects are asked once for all ids, and each schema is given as soon as the judge has it: what was told before
    a failure is not told again. Raises RegistryUnreachable when nobody can be asked who knows.
    """
    unknown = judge.unknown_ids(batch)
    if not unknown:
        return
    subjects = ((False, registry.ids(f"{ingress}-value")), (True, registry.ids(f"{ingress}-key")))
    for each in unknown:
        for key, registered in subjects:
            if each in registered:
                text = registry.schema(each)
                judge.learn(each, text, key=key)
                yield Taught(each, text, key)
            elif not isinstance(registered, Remembered):
                judge.learn(each, None, key=key)
    for _, registered in subjects:
        if isinstance(registered, Remembered) and judge.unknown_ids(batch):
            raise registered.away


@dataclass(slots=True)
class GatedProduct:
    """Everything that stays the same between two versions of a contract."""

    contract: Contract
    registry: SchemaSource
    judge: Judge = field(init=False)
    basis: Basis = field(init=False)
    holds_keys: bool = field(init=False)
    """Whether some clause parks the later records of a key."""
    most_waiting: int = field(init=False)
    """How many records of a partition may wait: those that hold a key, and those behind them."""
    manifest_schema: SchemaId | None = None
    _values: dict[SchemaId, str] = field(default_factory=dict)
    _keys: dict[SchemaId, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        contract = self.contract
        self.judge = Judge(contract)
        self.basis = Basis(contract.id, contract.version, contract.rule_set_digest, build_identity())
        self.holds_keys, self.most_waiting = holds_keys(contract), most_waiting(contract)

    @property
    def topics(self) -> ProductTopics:
        return self.contract.topics

    @property
    def name(self) -> str:
        return str(self.contract.product)

    def learn(self, batch: Batch) -> None:
        """Tell the judge about every schema id of the batch; raises RegistryUnreachable as ``teach`` does.

        The lists are fetched after the batch was read, so an id that is not on them was not registered when its
        record was written. What is unknown now may be registered later: the judge forgets it again.
        """
        self.judge.forget_unknown()
        for told in teach(self.judge, batch, self.registry, self.topics.ingress):
            (self._keys if told.key else self._values)[told.schema_id] = fingerprint(json.loads(told.text))

    def seen(self, batch: Batch) -> set[SchemaSeen]:
        """The registered schemas that the records of a batch name."""
        values = {schema_id(head) for head in heads(batch.values)}
        keys = {schema_id(head) for head in heads(batch.keys)}
        return {SchemaSeen(i, self._values[i]) for i in values & self._values.keys()} | {
            SchemaSeen(i, self._keys[i], key=True) for i in keys & self._keys.keys()
        }

    def manifest_schema_id(self) -> SchemaId:
        """The id manifests are framed with: that of the format this build writes, else the newest of the subject."""
        if self.manifest_schema is None:
            ids = self.registry.ids(f"{self.topics.lineage}-value")
            if not ids:
                if isinstance(ids, Remembered):
                    raise ids.away
                raise NotFound("schema", f"{self.topics.lineage}-value", "apply the contract again (mesh apply)")
            ours = fingerprint(manifest_schema())
            newest = sorted(ids, key=lambda schema_id: ids[schema_id], reverse=True)
            same = (each for each in newest if fingerprint(json.loads(self.registry.schema(each))) == ours)
            self.manifest_schema = next(same, newest[0])
        return self.manifest_schema
