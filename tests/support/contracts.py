"""Contracts for tests, small and valid, with the few things a test wants to vary."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

from mesh.contract import Contract


@dataclass(frozen=True)
class Draft:
    """What varies between the contracts of tests; ``text`` is the document."""

    product: str = "weather.observations"
    version: str = "1.2.0"
    status: str = "active"
    topic: dict[str, Any] = field(default_factory=lambda: {"partitions": 3})
    readers: Sequence[str] = ()
    operators: Sequence[str] = ()
    reaction: str = "quarantine"
    key: str | None = "station"
    extra: Sequence[dict[str, Any]] = ()
    derivation: dict[str, Any] | None = None

    @property
    def text(self) -> str:
        """The document as YAML."""
        return yaml.safe_dump(self._document(), sort_keys=False)

    def contract(self) -> Contract:
        """The document as a contract."""
        return Contract.parse(self.text)

    def _document(self) -> dict[str, Any]:
        domain, _, _ = self.product.partition(".")
        return {
            "apiVersion": "v3.1.0",
            "kind": "DataContract",
            "id": f"urn:mesh:{self.product}",
            "name": self.product,
            "version": self.version,
            "status": self.status,
            "domain": domain,
            "description": {"purpose": "To be tested."},
            "team": {"name": f"{domain} team"},
            "schema": [self._schema()],
            "roles": [self._role(), *self._operators()],
        }

    def _role(self) -> dict[str, Any]:
        custom = [{"property": "purposes", "value": ["testing"]}]
        custom.append({"property": "principals", "value": list(self.readers)})
        return {"role": "reader", "access": "read", "customProperties": custom}

    def _operators(self) -> list[dict[str, Any]]:
        custom = [{"property": "principals", "value": list(self.operators)}]
        return [{"role": "operator", "access": "quarantine", "customProperties": custom}] if self.operators else []

    def _schema(self) -> dict[str, Any]:
        return {
            "name": "Observation",
            "physicalName": f"{self.product}.v{self.version.partition('.')[0]}",
            "physicalType": "topic",
            "logicalType": "object",
            "properties": [self._station(), self._speed(), *self.extra],
            "customProperties": [{"property": "topic", "value": self.topic}, *self._derivation()],
        }

    def _derivation(self) -> list[dict[str, Any]]:
        return [{"property": "derivation", "value": self.derivation}] if self.derivation is not None else []

    def _station(self) -> dict[str, Any]:
        node: dict[str, Any] = {"name": "station", "logicalType": "string", "physicalType": "string", "required": True}
        if self.key == "station":
            node |= {"primaryKey": True, "primaryKeyPosition": 1}
        return node

    def _speed(self) -> dict[str, Any]:
        return {
            "name": "speed",
            "logicalType": "number",
            "physicalType": "double",
            "required": True,
            "quality": [
                {
                    "id": "speed-possible",
                    "type": "custom",
                    "engine": "cel",
                    "implementation": {"expression": "message.speed < 300.0"},
                    "customProperties": [{"property": "reaction", "value": self.reaction}],
                }
            ],
        }
