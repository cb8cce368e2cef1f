"""A contract that uses every kind of clause, and what it takes to judge records by it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mesh.contract import Contract
from mesh.judge import Batch, Judge, RowCodec
from mesh.judge.frame import frame
from mesh.types import Finding, Headers, SchemaId

VALUE, KEY = SchemaId(7), SchemaId(8)

CONTRACT = """
apiVersion: v3.1.0
kind: DataContract
id: urn:mesh:test:orders
name: Orders
version: 1.0.0
status: active
domain: shop
schema:
  - name: Order
    physicalName: shop.orders.v1
    physicalType: topic
    logicalType: object
    customProperties:
      - {property: topic, value: {partitions: 1, cleanupPolicy: CLEANUP}}
      - {property: eventTime, value: placed}
    quality:
      - id: paid_in_full
        type: custom
        engine: cel
        implementation: {expression: "message.paid == null || message.paid >= message.count * 10"}
      - id: little_noise
        type: custom
        engine: cel
        implementation: {expression: "message.count != 13"}
        customProperties: [{property: reaction, value: warn}]
    properties:
      - name: shop
        logicalType: string
        physicalType: string
        required: true
        primaryKey: true
        primaryKeyPosition: 1
        logicalTypeOptions: {pattern: '^[A-Z]+$', minLength: 2, maxLength: 4}
      - name: number
        logicalType: integer
        physicalType: int
        required: true
        primaryKey: true
        primaryKeyPosition: 2
        logicalTypeOptions: {minimum: 1, exclusiveMaximum: 1000000}
      - name: count
        logicalType: integer
        physicalType: long
        required: true
        logicalTypeOptions: {multipleOf: 1, maximum: 1000}
      - name: paid
        logicalType: integer
        physicalType: long
      - name: weight
        logicalType: number
        physicalType: double
        logicalTypeOptions: {exclusiveMinimum: 0, maximum: 99.5, multipleOf: 0.1}
      - name: price
        logicalType: number
        physicalType: bytes/decimal(6,2)
        logicalTypeOptions: {minimum: 0.01, maximum: 999.99}
      - name: status
        logicalType: string
        physicalType: string
        quality:
          - {metric: invalidValues, arguments: {validValues: [open, shipped]}, mustBe: 0}
      - name: email
        logicalType: string
        physicalType: string
        classification: restricted
        logicalTypeOptions: {pattern: '@', maxLength: 20}
      - name: tags
        logicalType: array
        physicalType: array
        logicalTypeOptions: {minItems: 1, maxItems: 3, uniqueItems: true}
        items: {logicalType: string, physicalType: string, logicalTypeOptions: {minLength: 1}}
      - name: address
        logicalType: object
        physicalType: record
        classification: confidential
        properties:
          - name: street
            logicalType: string
            physicalType: string
            required: true
            logicalTypeOptions: {minLength: 3}
          - name: zip
            logicalType: string
            physicalType: string
            logicalTypeOptions: {pattern: '^[0-9]{5}$'}
      - name: placed
        logicalType: timestamp
        physicalType: long/timestamp-micros
        required: true
        logicalTypeOptions: {minimum: '2000-01-01T00:00:00Z'}
"""

RECORD: dict[str, Any] = {
    "shop": "AB",
    "number": 1,
    "count": 2,
    "paid": 25,
    "weight": 0.3,
    "price": b"\x01",
    "status": "open",
    "email": "a@b",
    "tags": ["x"],
    "address": {"street": "Main", "zip": "12345"},
    "placed": 1357034400123456,
}


def contract(cleanup: str = "delete", *, keyed: bool = True) -> Contract:
    """The contract; without key fields when it is not ``keyed``."""
    text = CONTRACT.replace("CLEANUP", cleanup)
    if not keyed:
        text = "\n".join(line for line in text.splitlines() if "primaryKey" not in line)
    return Contract.parse(text)


@dataclass
class Court:
    """A judge that knows the contract's own schemas, and the making of records for it."""

    contract: Contract = field(default_factory=contract)
    judge: Judge = field(init=False)

    def __post_init__(self) -> None:
        self.judge = Judge(self.contract)
        self.judge.learn(VALUE, self.contract.value_schema_json)
        self.judge.learn(KEY, self.contract.key_schema_json, key=True)

    def value(self, record: Mapping[str, Any]) -> bytes:
        """The payload of a record."""
        return frame(VALUE, RowCodec(self.contract.value_schema).encode(record))

    def key(self, record: Mapping[str, Any]) -> bytes | None:
        """The payload of its key."""
        names = self.contract.key_fields
        if not names:
            return None
        key = record[names[0]] if len(names) == 1 else {name: record[name] for name in names}
        return frame(KEY, RowCodec(self.contract.key_schema).encode(key))

    def findings(self, key: bytes | None, value: bytes | None, headers: Headers = ()) -> tuple[Finding, ...]:
        """The findings about one record."""
        return self.judge.judge(Batch([key], [value], [headers])).findings.get(0, ())

    def of_record(self, record: Mapping[str, Any]) -> tuple[Finding, ...]:
        """The findings about one record with its own key."""
        return self.findings(self.key(record), self.value(record))

    def batch(self, records: Iterable[Mapping[str, Any]]) -> Batch:
        """Records with their keys."""
        rows = list(records)
        return Batch([self.key(row) for row in rows], [self.value(row) for row in rows], [()] * len(rows))
