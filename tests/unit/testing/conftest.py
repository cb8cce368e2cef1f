"""Contracts that the tests of the kit share."""

from __future__ import annotations

from typing import Any

import pytest

from mesh.contract import Contract
from tests.support.documents import Workbench

SYMBOLS = {"property": "avroSymbols", "value": ["NEW", "DONE", "OLD"]}
VALUES = {"metric": "invalidValues", "arguments": {"validValues": ["NEW", "DONE"]}, "mustBe": 0}


def field(name: str, logical: str, physical: str | None = None, **more: Any) -> dict[str, Any]:
    return {"name": name, "logicalType": logical, **({"physicalType": physical} if physical else {}), **more}


def cel(name: str, expression: str) -> dict[str, Any]:
    return {"id": name, "type": "custom", "engine": "cel", "implementation": {"expression": expression}}


@pytest.fixture(scope="session")
def every_shape() -> Contract:
    """A contract with every kind of clause on every kind of shape."""
    line = field(
        "lines",
        "array",
        logicalTypeOptions={"minItems": 1, "maxItems": 4, "uniqueItems": True},
        required=True,
        items={
            "logicalType": "object",
            "properties": [
                field("sku", "string", required=True, logicalTypeOptions={"pattern": "^[A-Z]{2}-[0-9]{3,5}$"}),
                field("count", "integer", "int", required=True, logicalTypeOptions={"minimum": 1, "maximum": 99}),
                field("notes", "array", items={"logicalType": "string", "logicalTypeOptions": {"maxLength": 5}}),
            ],
        },
    )
    return Workbench().fields(
        field("price", "number", "bytes/decimal(9,2)", logicalTypeOptions={"minimum": 0, "exclusiveMaximum": 100000}),
        field("share", "number", "fixed(4)/decimal(7,3)", logicalTypeOptions={"minimum": -5.5, "multipleOf": 0.5}),
        field("exact", "timestamp", "long/timestamp-nanos"),
        field("rate", "number", "double", logicalTypeOptions={"exclusiveMinimum": 0, "multipleOf": 0.25}),
        field("half", "number", "float", logicalTypeOptions={"maximum": 0.5}),
        field("born", "date", logicalTypeOptions={"minimum": "1900-01-01"}),
        field("starts", "time", logicalTypeOptions={"maximum": "18:00:00"}),
        field("sent", "timestamp", "long/timestamp-micros", logicalTypeOptions={"minimum": "2020-01-01T00:00:00Z"}),
        field("token", "string", "string/uuid"),
        field("digest", "string", "fixed(4)"),
        field("blob", "string", "bytes", logicalTypeOptions={"minLength": 2, "maxLength": 4}),
        field(
            "state",
            "string",
            "enum",
            customProperties=[{"property": "avroSymbols", "value": ["NEW", "DONE", "OLD"]}],
            quality=[{"metric": "invalidValues", "arguments": {"validValues": ["NEW", "DONE"]}, "mustBe": 0}],
        ),
        field("paid", "boolean"),
        field("tags", "object", "map"),
        field("city", "string", logicalTypeOptions={"minLength": 2, "maxLength": 12}),
        field("seen", "integer", "int", quality=[{"metric": "nullValues", "mustBe": 0}]),
        field("wide", "string", customProperties=[{"property": "avroType", "value": ["null", "string", "long"]}]),
        line,
        quality=[
            cel("paid_has_price", "message.paid != true || message.price != null"),
            cel("lines_add_up", "size(message.lines) < 4 && message.lines.all(l, l.count % 2 == 1 || l.sku != 'A')"),
            cel("new_is_unseen", "message.state == 'NEW' ? message.seen == 0 : message.seen >= 1"),
            cel("city_named", "message.city == null || !message.city.startsWith('x') && message.city != message.ref"),
            cel("tagged", "!('bad' in message.tags)"),
        ],
    )
