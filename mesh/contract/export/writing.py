"""What every export needs: text of values, and parts of a document by the keys another standard knows."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import yaml

from mesh.contract.contract import Contract

Node = dict[str, Any]


class _Dumper(yaml.SafeDumper):
    """The safe dumper that writes shared values out instead of naming them."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def yaml_text(value: Mapping[str, Any]) -> str:
    """YAML with the keys in their order."""
    return str(yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120))


def json_text(value: object) -> str:
    """JSON, indented by two, with a line feed at its end."""
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def given(**parts: object) -> Node:
    """The parts that say something: neither None nor empty."""
    return {name: part for name, part in parts.items() if part is not None and part not in ("", [], {})}


def only(node: Mapping[str, Any], keys: Collection[str]) -> Node:
    """A part of a document without what another standard has no word for."""
    return {key: value for key, value in node.items() if key in keys}


def one_line(text: object) -> str:
    """A text without line breaks; empty for what is missing."""
    return " ".join(str(text).split()) if text is not None else ""


def record_of(contract: Contract) -> Mapping[str, Any]:
    """The schema object of a document."""
    record: Mapping[str, Any] = contract.document.source["schema"][0]
    return record


def properties_of(node: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Every property below a part of a document, items of arrays and values of maps included, parents first."""
    inner = [node["items"]] if "items" in node else []
    inner += [node["map"]["value"]] if "map" in node else []
    for child in (*node.get("properties", ()), *inner):
        yield child
        yield from properties_of(child)
