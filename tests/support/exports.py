"""Contracts that exports must bear: every type there is, and texts and names chosen to break out of their place."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from mesh.contract import Contract
from tests.support.contracts import Draft
from tests.support.documents import Workbench
from tests.support.judging import contract as judged

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests" / "unit" / "contract" / "golden" / "everything.odcs.yaml"

NASTY = """</td><script>alert("x")</script> <img src=x onerror='y'> & \\" '''' \"\"\" {braces} %s \\n \\N{BULLET}
second line\tand a tab, # no comment, : no key - no list, \u202eback\u202c, na\u00efve \u732b \U0001f6eb \\"""

WORDS = (
    *("class", "def", "None", "True", "lambda", "self", "cls", "model_config", "model_fields", "model_dump", "copy"),
    *("schema_json", "int", "str", "list", "dict", "bytes", "date", "Decimal", "Field", "Literal", "Annotated", "UUID"),
    *("_private", "__dunder__", "datetime", "time", "BaseModel", "TypeAlias", "Application", "validate", "import"),
)
"""Field names that mean something else where a program is written."""


@cache
def hostile() -> Contract:
    """A contract of texts that would end a literal, a tag or a comment, and of names that are somebody else's."""
    return Workbench().contract(_hostile)


def _hostile(source: dict[str, Any]) -> None:
    source |= {"name": NASTY, "tags": [NASTY, "yes", "1.0"], "description": {"purpose": NASTY, "usage": NASTY}}
    source["team"] = {"name": NASTY, "members": [{"id": "m", "username": NASTY, "role": NASTY}]}
    source["support"] = [
        {"channel": NASTY, "url": "javascript:alert(1)", "description": NASTY},
        {"channel": "desk", "description": "without an address"},
    ]
    source["roles"] = [{"role": NASTY, "access": "read", "description": NASTY}]
    source["servers"] = [{"server": "a/b~c%d", "type": "kafka", "host": "kafka.example.org:9093", "description": NASTY}]
    source["slaProperties"] = [{"property": NASTY, "value": NASTY, "unit": NASTY}]
    record = source["schema"][0]
    record["description"] = NASTY
    record["customProperties"] = [{"property": "headers", "value": ["plain", "trace-id"]}]
    record["properties"][0]["description"] = NASTY
    record["properties"][0]["examples"] = [NASTY]
    record["properties"][0]["transformSourceObjects"] = ["posts.letters.v2", "somewhere/else.csv", "posts.letters.v2"]
    for name in WORDS:
        record["properties"].append({"name": name, "logicalType": "integer", "description": f"{name}: {NASTY}"})
    record["properties"] += _shapes()


def _shapes() -> list[dict[str, Any]]:
    inner = {"type": "record", "name": "str", "fields": [{"name": "class", "type": "string", "default": NASTY}]}
    symbols = {
        "type": "enum",
        "name": "a.b.Kind",
        "symbols": ["None", "mro", "class"],
        "aliases": ["x.Old", "a.b.Sort"],
    }
    odd = {"avroType": [inner, "long", symbols, {"type": "map", "values": "double"}]}
    return [
        {
            "name": "odd",
            "logicalType": "object",
            "required": True,
            "customProperties": [{"property": name, "value": value} for name, value in odd.items()],
        },
        {
            "name": "secret",
            "logicalType": "object",
            "physicalType": "record",
            "classification": "restricted",
            "properties": [{"name": "pin", "logicalType": "string", "examples": ["4711-hidden"]}],
        },
        {
            "name": "code",
            "logicalType": "string",
            "required": True,
            "classification": "confidential",
            "examples": ["0815-hidden"],
            "logicalTypeOptions": {"pattern": "^[\"'\\\\<>]*\\d?$"},
        },
    ]


@cache
def everything() -> dict[str, Contract]:
    """Every contract of the repository and every kind that tests draft, by name."""
    found = {
        path.stem.partition(".")[0]: Contract.read(path) for path in sorted((ROOT / "contracts").rglob("*.odcs.yaml"))
    }
    return found | {
        "golden": Contract.read(GOLDEN),
        "plain": Workbench().contract(),
        "draft": Draft().contract(),
        "keyless": Draft(key=None, status="deprecated").contract(),
        "compacted": Draft(topic={"cleanupPolicy": "compact", "partitions": 2}).contract(),
        "configured": Draft(topic={"config": {"retention.bytes": -1, "delete.retention.ms": "soon"}}).contract(),
        "judged": judged(),
        "hostile": hostile(),
    }
