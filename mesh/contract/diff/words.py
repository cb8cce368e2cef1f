"""What is said of the schema object and its fields beyond what is enforced: descriptions, tags, other tools' words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mesh.contract.contract import Contract
from mesh.contract.diff.change import Change, Pair, Step, Way
from mesh.contract.document import Place

# Read elsewhere, as schema, rules, key, classification or terms.
_ENFORCED = frozenset({"name", "physicalName", "physicalType", "required", "unique", "classification", "properties"})
_ENFORCED |= {"items", "logicalTypeOptions", "primaryKey", "primaryKeyPosition", "quality"}
_RULE = frozenset(
    {"id", "type", "engine", "implementation", "metric", "arguments", "unit", "query", "customProperties"}
)
_SETTINGS = frozenset({"topic", "compatibility", "eventTime", "keySchema", "headers", "reaction", "avroNamespace"})


def word_changes(pair: Pair) -> Iterator[Change]:
    """Every field, and the schema object itself, of which other words are said."""
    old, new = _nodes(pair.old), _nodes(pair.new)
    for path, (place, node) in new.items():
        before = old.get(path)
        if before is None:
            continue
        one, other = _words(before[1]), _words(node)
        rules = (_remarks(before[1]), _remarks(node))
        if any(rules[0][name] != rules[1][name] for name in rules[0].keys() & rules[1].keys()):
            told = "the remarks of its rules are said otherwise"
            yield pair.change("description", path, Way.CHANGED, told, (), Step.PATCH, (before[0], place))
        if one == other:
            continue
        names = [key for key in sorted(one.keys() | other.keys()) if one.get(key) != other.get(key)]
        kind = "description" if names == ["description"] else "document"
        told = f"{', '.join(names)} {'is' if len(names) == 1 else 'are'} said otherwise"
        yield pair.change(kind, path, Way.CHANGED, told, (), Step.PATCH, (before[0], place))


def _nodes(contract: Contract) -> dict[str, tuple[Place, Mapping[str, Any]]]:
    """The parts of the document that describe fields, by path; the schema object by the empty one."""
    places = {field.path: field.place for top in contract.fields for field in top.walk()} | {"": ("schema", 0)}
    found = {}
    for path, place in places.items():
        node: Any = contract.document.source
        for step in place:
            node = node[step]
        found[path] = (place, node)
    return found


def _words(node: Mapping[str, Any]) -> dict[str, Any]:
    words = {key: value for key, value in node.items() if key not in _ENFORCED}
    words["customProperties"] = _custom(node.get("customProperties", ()))
    return {key: value for key, value in words.items() if value}


def _remarks(node: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """What the rules with an id say beside what they ask, by id."""
    return {
        str(item["id"]): {key: value for key, value in item.items() if key not in _RULE and key[:4] != "must"}
        for item in node.get("quality", ())
        if "id" in item
    }


def _custom(entries: Any) -> list[Any]:
    return [
        each for each in entries if each["property"] not in _SETTINGS and not str(each["property"]).startswith("avro")
    ]
