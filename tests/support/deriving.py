"""Contracts of small pipelines for tests: products of source, and products made from others by a processor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

from mesh.contract import Contract
from tests.support.contracts import Draft


@dataclass(frozen=True)
class Derived:
    """A product ``made_from`` others; ``speed`` is the lineage of its only field beside the key."""

    product: str
    made_from: Sequence[str] = ()
    version: str = "1.0.0"
    processor: str = ""
    speed: Sequence[Mapping[str, Any]] = ()
    lists: Mapping[str, Sequence[str]] = field(default_factory=dict)
    owner: str = ""
    status: str = "active"
    partitions: int = 1
    readers: Sequence[str] = ()

    @property
    def text(self) -> str:
        """The document as YAML."""
        draft = Draft(
            self.product, self.version, self.status, topic={"partitions": self.partitions}, readers=self.readers
        )
        document = yaml.safe_load(draft.text)
        if self.owner:
            document["team"]["name"] = self.owner
        schema = document["schema"][0]
        if self.made_from:
            value: dict[str, Any] = {
                "inputs": list(self.made_from),
                **{key: list(each) for key, each in self.lists.items()},
            }
            value |= {"processor": self.processor} if self.processor else {}
            schema["customProperties"].append({"property": "derivation", "value": value})
        if self.speed:
            given = [dict(each) for each in self.speed]
            schema["properties"][1]["customProperties"] = [{"property": "lineage", "value": given}]
        return yaml.safe_dump(document, sort_keys=False)

    def contract(self) -> Contract:
        """The document as a contract."""
        return Contract.parse(self.text)
