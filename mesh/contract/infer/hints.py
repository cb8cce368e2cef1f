"""What a sample suggests and does not prove: ranges, value lists, patterns and keys, as comments."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from itertools import combinations
from typing import Any

from mesh.contract.document import Place
from mesh.contract.infer.profile import Profile
from mesh.contract.infer.texts import pattern_of, said_by
from mesh.contract.writing import written_out

_MOST_VALUES = 20
# A value list needs each value often, a pattern needs many values, or both are chance.
_OFTEN = 10
_MANY = 10
_MOST_PAIRED = 12
_LONGEST_SHOWN = 40
_KEYED = ("string", "integer", "date", "timestamp")


@dataclass(slots=True)
class Hints:
    """Comments by path, gathered over the properties of a sample."""

    numbers: bool
    values: bool
    before: dict[Place, Sequence[str]] = field(default_factory=dict)
    after: dict[Place, Sequence[str]] = field(default_factory=dict)

    def properties(self, nodes: Sequence[dict[str, Any]], sample: Profile, place: Place, *, top: bool = False) -> None:
        """Comment on properties; only those of the record itself can be keys."""
        absent = {name: missing for name, _, missing in sample.children()}
        for index, node in enumerate(nodes):
            here, profile = (*place, index), sample.fields.get(node["name"])
            if profile is not None:
                self._property(node, profile, absent[node["name"]], here, top=top)

    def _property(self, node: dict[str, Any], profile: Profile, absent: int, place: Place, *, top: bool) -> None:
        suggested = list(self._suggested(node, profile)) if self.values else []
        facts = ", ".join(self._facts(node, profile, absent, spanned=bool(suggested)))
        if facts:
            self.before[place] = [f"In the sample: {facts}."]
        if top and is_key(node, profile, absent):
            suggested.append("primaryKey: true")
        if suggested:
            self.after[place] = suggested
        self._inside(node, profile, place)

    def _inside(self, node: dict[str, Any], profile: Profile, place: Place) -> None:
        if "properties" in node:
            self.properties(node["properties"], profile, (*place, "properties"))
        inner = node.get("items", {})
        if "properties" in inner and profile.items is not None:
            self.properties(inner["properties"], profile.items, (*place, "items", "properties"))

    def _facts(self, node: dict[str, Any], profile: Profile, absent: int, *, spanned: bool) -> Iterator[str]:
        empty, total = profile.nulls + absent, profile.seen + absent
        if not profile.held:
            yield "always null"
        elif empty:
            yield f"null in {_share(empty, total)}"
        elif not node.get("required") and "avroType" not in _custom(node):
            yield "never null"
        if self.values and not spanned:
            yield from self._span(profile)
        if _distinguishes(node, profile):
            yield "no value twice"

    def _span(self, profile: Profile) -> Iterator[str]:
        if profile.lengths:
            yield _counted(profile.lengths, "item")
        kinds = set(profile.kinds)
        values = self._read(profile)
        if kinds == {"text"} and values and isinstance(values[0], str):
            yield _counted([len(value) for value in values], "character")
        elif values and not isinstance(values[0], str | bytes | bool) and _ordered(values):
            yield _from_to(values) if len(values) > 1 else f"always {_shown(values[0])}"

    def _suggested(self, node: dict[str, Any], profile: Profile) -> Iterator[str]:
        values = self._read(profile)
        if not values or "avroType" in _custom(node):
            return
        logical, word = node["logicalType"], node["physicalType"].partition("(")[0]
        if (
            logical in ("integer", "number")
            and profile.held >= _MANY
            and _ordered(values)
            and min(values) < max(values)
        ):
            yield _line("logicalTypeOptions", {"minimum": _number(min(values)), "maximum": _number(max(values))})
        elif logical == "string" and word == "string":
            yield from _of_texts(profile, values)

    def _read(self, profile: Profile) -> list[Any]:
        """The different values, as what they say."""
        values = list(profile.values)
        if set(profile.kinds) != {"text"}:
            return values
        said = said_by(values, numbers=self.numbers)
        return [said.value(value) for value in values] if said else values


def is_key(node: dict[str, Any], profile: Profile, absent: int) -> bool:
    """Whether a field could identify a record, as far as the sample goes."""
    whole = not profile.nulls and not absent and bool(node.get("required"))
    return whole and _distinguishes(node, profile)


def _distinguishes(node: dict[str, Any], profile: Profile) -> bool:
    return profile.different and profile.held >= _MANY and _keyed(node)


def _keyed(node: dict[str, Any]) -> bool:
    return node["logicalType"] in _KEYED and "avroType" not in _custom(node)


def key_pairs(nodes: Sequence[dict[str, Any]], records: Sequence[dict[str, Any]]) -> list[tuple[str, str]]:
    """Pairs of required plain fields that no two records share; three at most, and only where there are records."""
    named = [node["name"] for node in nodes if node.get("required") and _keyed(node)][:_MOST_PAIRED]
    pairs = combinations(named, 2) if len(records) >= _MANY else ()
    return [pair for pair in pairs if _distinct(records, *pair)][:3]


def _distinct(records: Sequence[dict[str, Any]], one: str, other: str) -> bool:
    return len({(record[one], record[other]) for record in records}) == len(records)


def _of_texts(profile: Profile, values: Sequence[str]) -> Iterator[str]:
    shown = sorted(values)
    if (
        1 < len(shown) <= _MOST_VALUES
        and profile.held >= _OFTEN * len(shown)
        and max(map(len, shown)) <= _LONGEST_SHOWN
    ):
        rule = {"metric": "invalidValues", "arguments": {"validValues": shown}, "mustBe": 0}
        yield from written_out({"quality": [rule]}).splitlines()
    elif len(values) >= _MANY and (pattern := pattern_of(values)):
        yield _line("logicalTypeOptions", {"pattern": pattern})


def _line(key: str, value: Any) -> str:
    return written_out({key: value}).rstrip("\n")


def _number(value: Any) -> Any:
    return float(value) if isinstance(value, Decimal) else value


def _ordered(values: Sequence[Any]) -> bool:
    try:
        min(values)
    except TypeError:  # moments with and without a zone
        return False
    return True


def _counted(counts: Any, word: str) -> str:
    return f"{_from_to(counts)} {word}{'' if max(counts) == 1 else 's'}"


def _from_to(values: Any) -> str:
    least, most = _shown(min(values)), _shown(max(values))
    return least if least == most else f"{least} to {most}"


def _shown(value: Any) -> str:
    return value.isoformat().replace("+00:00", "Z") if isinstance(value, datetime) else str(value)


def _share(part: int, whole: int) -> str:
    """A share that is never rounded to nothing or to all."""
    percent = 100 * part / whole
    return f"{percent:.1f} %" if 0.05 <= percent < 99.95 else f"{part:,} of {whole:,}"


def _custom(node: dict[str, Any]) -> set[str]:
    return {each["property"] for each in node.get("customProperties", ())}
