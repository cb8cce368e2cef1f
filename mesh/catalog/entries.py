"""One applied contract as the catalog records it: JSON under the name of its public topic."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields

from mesh.access import catalog_topic
from mesh.contract import Contract
from mesh.errors import ContractInvalid, UsageError
from mesh.types import ProductTopics, Topic

RETIRED = "retired"


@dataclass(frozen=True, slots=True)
class Entry:
    """An applied contract: the document itself, where it came from, and who applied it when.

    ``product`` is the record's key but for the major: two majors of one product can be live at a time, so the key is
    the public topic. ``applied_at`` is UTC in ISO 8601; ``digest`` is the contract's, SHA-256 in hex.
    """

    topic: str
    product: str
    version: str
    status: str
    owner: str
    source: str
    digest: str
    document: str
    applied_at: str = ""
    applied_by: str = ""

    @classmethod
    def of(cls, contract: Contract, source: str) -> Entry:
        """The entry a contract would make, not yet applied by anybody."""
        return cls(
            topic=contract.topics.public,
            product=str(contract.product),
            version=contract.version,
            status=contract.status,
            owner=contract.owner,
            source=source,
            digest=contract.digest,
            document=contract.document.dump(),
        )

    @classmethod
    def decode(cls, home: str, key: bytes, value: bytes) -> Entry:
        """Read a record of the catalog topic ``home``; raises ContractInvalid for anything that is not its entry."""
        where = key.decode(errors="replace")
        try:
            content = json.loads(value)
            entry = cls(**{each.name: str(content[each.name]) for each in fields(cls)})
            belongs = (entry.home, entry.topic) == (home, where)
        except (ValueError, KeyError, TypeError, UsageError) as error:
            raise ContractInvalid([f"{home}:{where}: not an entry of the catalog ({error!r})"]) from None
        if not belongs:
            raise ContractInvalid([f"{home}:{where}: the entry of {entry.topic} does not belong here"])
        return entry

    def encode(self) -> tuple[bytes, bytes]:
        """The key and the value of the record."""
        return self.topic.encode(), json.dumps(asdict(self), ensure_ascii=False, sort_keys=True).encode()

    def same_as(self, other: Entry) -> bool:
        """Whether both record the same contract from the same source, whoever applied it when."""
        mine = (self.topic, self.version, self.status, self.owner, self.source, self.digest)
        return mine == (other.topic, other.version, other.status, other.owner, other.source, other.digest)

    def contract(self) -> Contract:
        """The contract itself; raises ContractInvalid when this version of the mesh cannot read it."""
        return Contract.parse(self.document, f"{self.home}:{self.topic}")

    @property
    def topics(self) -> ProductTopics:
        return ProductTopics.of_public(self.topic)

    @property
    def retired(self) -> bool:
        return self.status == RETIRED

    @property
    def home(self) -> Topic:
        """The catalog topic this entry belongs on."""
        return catalog_topic(self.topics.product.domain)
