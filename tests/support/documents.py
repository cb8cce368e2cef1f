"""A small valid ODCS document that tests change in one place."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from mesh.contract import Contract
from mesh.errors import ContractInvalid

Change = Callable[[dict[str, Any]], object]

PLAIN: dict[str, Any] = {
    "apiVersion": "v3.1.0",
    "kind": "DataContract",
    "id": "visas-applications",
    "version": "1.2.0",
    "status": "active",
    "domain": "visas",
    "schema": [
        {
            "name": "Application",
            "physicalName": "visas.applications.v1",
            "logicalType": "object",
            "properties": [
                {
                    "name": "ref",
                    "logicalType": "string",
                    "physicalType": "string",
                    "required": True,
                    "primaryKey": True,
                },
                {"name": "fee", "logicalType": "integer", "physicalType": "long"},
            ],
        }
    ],
}


class Workbench:
    """Makes documents out of the plain one."""

    def text(self, change: Change = lambda source: None) -> str:
        source = copy.deepcopy(PLAIN)
        change(source)
        return yaml.safe_dump(source, sort_keys=False)

    def contract(self, change: Change = lambda source: None) -> Contract:
        return Contract.parse(self.text(change), "c.yaml")

    def problems(self, change: Change) -> list[str]:
        with pytest.raises(ContractInvalid) as raised:
            self.contract(change)
        return list(raised.value.problems)

    def fields(self, *fields: dict[str, Any], **record: Any) -> Contract:
        """The plain document with more fields, and more entries on its schema object."""
        return self.contract(lambda source: self.extend(source, *fields, **record))

    def field_problems(self, *fields: dict[str, Any], **record: Any) -> list[str]:
        return self.problems(lambda source: self.extend(source, *fields, **record))

    @staticmethod
    def extend(source: dict[str, Any], *fields: dict[str, Any], **record: Any) -> None:
        source["schema"][0]["properties"] += list(fields)
        source["schema"][0] |= record
