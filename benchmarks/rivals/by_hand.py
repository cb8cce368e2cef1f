"""The ten rules of the orders by hand, and fastavro at its fastest; imports nothing that a rival's venv lacks."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from typing import Any, Final, cast

from fastavro import parse_schema, schemaless_reader

Record = dict[str, Any]

_ORDER: Final = re.compile(r"ORD-[0-9]{10}").fullmatch
_ARTICLE: Final = re.compile(r"[A-Z]{3}-[0-9]{4,6}").fullmatch
CURRENCIES: Final = frozenset(("EUR", "USD", "GBP", "JPY", "CHF"))
FRAME: Final = 5


def keeps(r: Record) -> bool:
    """Whether a decoded order keeps all of them, its times being numbers or datetimes."""
    return bool(
        1 <= r["quantity"] <= 1000
        and 0.0 < r["amount"] <= 100_000.0
        and 100_000 <= r["customer"] < 10_000_000_000
        and r["currency"] in CURRENCIES
        and _ORDER(r["order_id"]) is not None
        and _ARTICLE(r["article"]) is not None
        and r["shipped_at"] >= r["ordered_at"]
        and (not r["gift"] or r["amount"] <= 5000.0)
        and len(r["address"]["country"]) == 2
        and len(r["tags"]) <= 5
    )


def fastavro_reader(schema: str) -> Callable[[bytes], Record]:
    """A framed payload to a record by fastavro at its fastest: times stay numbers."""
    parsed = json.loads(schema)
    for field in parsed["fields"]:
        if isinstance(field["type"], dict) and "logicalType" in field["type"]:
            field["type"] = field["type"]["type"]
    known: Any = parse_schema(parsed)

    def read(payload: bytes) -> Record:
        record: Any = schemaless_reader(io.BytesIO(payload[FRAME:]), known, None)
        return cast("Record", record)

    return read


def checker(schema: str) -> Callable[[bytes], bool]:
    """Whether a framed payload can be decoded and keeps the rules."""
    read = fastavro_reader(schema)

    def good(payload: bytes) -> bool:
        try:
            return keeps(read(payload))
        except (ValueError, TypeError, EOFError):
            return False

    return good
