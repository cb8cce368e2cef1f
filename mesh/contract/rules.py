"""Reading the rules of a document: options, required fields and quality items become clauses and set rules."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from mesh.contract.arguments import argument_of
from mesh.contract.clauses import Clause, ClauseKind, Rules, SetRule
from mesh.contract.document import Place, Problems
from mesh.contract.expression import Expression
from mesh.contract.expression_phrases import never_in
from mesh.contract.fields import Field, custom, custom_place
from mesh.contract.thresholds import Threshold, period_of, properties_of
from mesh.errors import ContractInvalid
from mesh.types import Reaction

_OPTIONS = {
    ClauseKind.MINIMUM: "is at least",
    ClauseKind.MAXIMUM: "is at most",
    ClauseKind.EXCLUSIVE_MINIMUM: "is above",
    ClauseKind.EXCLUSIVE_MAXIMUM: "is below",
    ClauseKind.MULTIPLE_OF: "is a multiple of",
    ClauseKind.MIN_LENGTH: "is no shorter than",
    ClauseKind.MAX_LENGTH: "is no longer than",
    ClauseKind.PATTERN: "matches",
    ClauseKind.MIN_ITEMS: "has at least this many items:",
    ClauseKind.MAX_ITEMS: "has at most this many items:",
    ClauseKind.UNIQUE_ITEMS: "has no item twice",
}
# Said by the standard about the text form or the schema, not about single values.
_NOT_CLAUSES = frozenset({"format", "timezone", "defaultTimezone"})
_SINGLE = ("invalidValues", "nullValues", "missingValues")
_PAIRS = (("minimum", "maximum"), ("minLength", "maxLength"), ("minItems", "maxItems"))


def read_rules(fields: Sequence[Field], record: Mapping[str, Any], place: Place, problems: Problems) -> Rules:
    """The rules of a schema object at ``place`` and of all its fields; what is wrong goes to ``problems``."""
    reading = _Reading(problems, {below.path for top in fields for below in top.walk()})
    for field in (below for top in fields for below in top.walk()):
        reading.field(field)
    reading.quality(None, record.get("quality", ()), place)
    return Rules(tuple(reading.clauses), tuple(reading.set_rules), reading.places)


class _Reading:
    """Gathers clauses and set rules, and sees to it that no id is there twice."""

    def __init__(self, problems: Problems, paths: Collection[str]) -> None:
        self._paths = paths
        self.clauses: list[Clause] = []
        self.set_rules: list[SetRule] = []
        self._problems = problems
        self.places: dict[str, Place] = {}

    def field(self, field: Field) -> None:
        if field.required and not field.path.endswith("[]"):
            self._clause(_required(field, f"{field.path}.required", Reaction.QUARANTINE), field.place)
        for name, value in field.options.items():
            if name not in _NOT_CLAUSES:
                self._option(field, name, value)
        for low, high in _PAIRS:
            self._ordered(field, low, high)
        if _listing(field):
            self._choices(field)
        self._map(field)
        if field.unique:
            self._unique(field)
        self.quality(field, field.quality, field.place)

    def _unique(self, field: Field) -> None:
        none, told = Threshold("mustBe", (0.0,)), f"{field.path} is unique"
        self.set_rules.append(SetRule(f"{field.path}.unique", field.path, "unique", told, (field.path,), none))

    def quality(self, field: Field | None, items: Sequence[Mapping[str, Any]], place: Place) -> None:
        for index, item in enumerate(items):
            self._item(field, item, (*place, "quality", index))

    def _choices(self, field: Field) -> None:
        place, values = (*field.place, "enum"), list(field.choices)
        argument = self._argument(field, ClauseKind.VALUES, values, place)
        if argument is not None:
            told, reaction = f"{field.path} is one of {_listed(values)}", self._reaction(field.custom, field.place)
            self._clause(Clause(f"{field.path}.values", field.path, ClauseKind.VALUES, argument, reaction, told), place)

    def _map(self, field: Field) -> None:
        for inner in field.values.walk() if field.values else ():
            if inner.quality or inner.unique or set(inner.options) - _NOT_CLAUSES or _listing(inner):
                told = f"{inner.path}: rules on what is inside a map are not judged; write a cel rule on {field.path}"
                self._problems.add(inner.place, told)
            self._map(inner)

    def _option(self, field: Field, name: str, value: object) -> None:
        place = (*field.place, "logicalTypeOptions", name)
        if name not in list(_OPTIONS):
            self._problems.add(
                place, f"{name} says nothing about an Avro {field.physical_type}; leave it out or write a cel rule"
            )
            return
        kind = ClauseKind(name)
        if value is False and kind is ClauseKind.UNIQUE_ITEMS:
            return
        argument = self._argument(field, kind, value, place)
        if argument is not None:
            told = f"{field.path} {_OPTIONS[kind]} {value}" if value is not True else f"{field.path} {_OPTIONS[kind]}"
            reaction = self._reaction(field.custom, field.place)
            self._clause(Clause(f"{field.path}.{name}", field.path, kind, argument, reaction, told), place)

    def _argument(self, field: Field, kind: ClauseKind, value: object, place: Place) -> object:
        try:
            return argument_of(field, kind.value, value)
        except ValueError as error:
            self._problems.add(place, f"{field.path}: {error}")
            return None

    def _ordered(self, field: Field, low: str, high: str) -> None:
        bottom, top = field.options.get(low), field.options.get(high)
        if bottom is not None and top is not None and type(bottom) is type(top) and bottom > top:
            self._problems.add(
                (*field.place, "logicalTypeOptions", low), f"{field.path}: {low} {bottom} is above {high} {top}"
            )

    def _item(self, field: Field | None, item: Mapping[str, Any], place: Place) -> None:
        kind, metric = item.get("type", "library"), item.get("metric")
        if kind == "text":
            return
        if kind == "custom" and item["engine"] == "cel":
            self._cel(field, item, place)
        elif kind == "library" and metric in _SINGLE and _none_at_all(item):
            self._library(field, item, place)
        else:
            self._set_rule(field, item, place)

    def _set_rule(self, field: Field | None, item: Mapping[str, Any], place: Place) -> None:
        metric = str(item.get("metric") or item.get("engine") or item.get("type"))
        path = field.path if field else ""
        name = str(item.get("id") or f"{path}.{metric}".removeprefix("."))
        properties = properties_of(item, path)
        try:
            threshold = Threshold.read(item)
        except ValueError as error:
            self._problems.add((*place, str(error)), f"{error} compares with a number; write one")
            return
        rule = SetRule(name, path, metric, _told(item), properties, threshold, period_of(item))
        if metric == "duplicateValues":
            self._compared(properties, place)
        if self._claim(rule.id, place):
            self.set_rules.append(rule)

    def _compared(self, properties: Sequence[str], place: Place) -> None:
        if not properties:
            told = "duplicateValues of whole records is not known; name fields: arguments: {properties: [a, b]}"
            self._problems.add(place, told)
        for name in properties:
            if name not in self._paths:
                self._problems.add((*place, "arguments"), f"there is no field {name} whose values could be compared")

    def _library(self, field: Field | None, item: Mapping[str, Any], place: Place) -> None:
        if field is None:
            self._problems.add(place, f"{item['metric']} is about one field; write it in the quality of that property")
            return
        reaction = self._reaction(custom(item), custom_place(item, place, "reaction"))
        for clause in self._library_clauses(field, item, reaction, place):
            self._clause(clause, place)

    def _library_clauses(
        self, field: Field, item: Mapping[str, Any], reaction: Reaction, place: Place
    ) -> Iterator[Clause]:
        arguments, given = item.get("arguments", {}), item.get("id")
        missing = arguments.get("missingValues")
        if item["metric"] == "nullValues" or (item["metric"] == "missingValues" and missing == [None]):
            yield _required(field, given or f"{field.path}.required", reaction, _told(item))
            return
        if item["metric"] == "missingValues" and isinstance(missing, list) and missing:
            yield from self._missing(field, missing, item, reaction, place)
            return
        if not {"validValues", "pattern"} & set(arguments):
            if item["metric"] == "missingValues":
                told = "missingValues needs the argument missingValues, a list: arguments: {missingValues: ['', null]}"
                self._problems.add(place, told)
                return
            self._problems.add(
                place, f"{item['metric']} needs arguments validValues or pattern; say anything else as a cel rule"
            )
            return
        if "validValues" in arguments and "pattern" in arguments:
            self._problems.add((*place, "arguments"), "validValues and pattern are two rules; write two quality items")
            return
        kind = ClauseKind.VALUES if "validValues" in arguments else ClauseKind.PATTERN
        value = arguments["validValues" if kind is ClauseKind.VALUES else "pattern"]
        argument = self._argument(field, kind, value, (*place, "arguments"))
        if argument is not None:
            told = (
                _told(item)
                or f"{field.path} {'is one of' if kind is ClauseKind.VALUES else 'matches'} {_listed(value)}"
            )
            yield Clause(given or f"{field.path}.{kind}", field.path, kind, argument, reaction, told)

    def _missing(
        self, field: Field, missing: list[Any], item: Mapping[str, Any], reaction: Reaction, place: Place
    ) -> Iterator[Clause]:
        """None of the values that stand for a missing one is there, as a rule; null among them makes it required."""
        name = item.get("id") or f"{field.path}.missingValues"
        if None in missing and not field.required:
            yield _required(field, f"{field.path}.required", reaction)
        source = never_in(field.path, [value for value in missing if value is not None])
        expression = self._expression(source, (*place, "arguments", "missingValues"))
        told = _told(item) or f"{field.path} is none of {_listed(missing)}"
        yield Clause(name, field.path, ClauseKind.CEL, source, reaction, told, expression)

    def _cel(self, field: Field | None, item: Mapping[str, Any], place: Place) -> None:
        implementation = item["implementation"]
        source = implementation if isinstance(implementation, str) else implementation.get("expression")
        here = (
            (*place, "implementation") if isinstance(implementation, str) else (*place, "implementation", "expression")
        )
        if not isinstance(source, str) or not source.strip():
            self._problems.add(here, "a cel rule needs its expression: implementation: {expression: ...}")
            return
        if not item.get("id"):
            self._problems.add(place, "a cel rule needs an id, by which findings and counts name it")
            return
        expression = self._expression(source, here)
        reaction = self._reaction(custom(item), custom_place(item, place, "reaction"))
        path, told = field.path if field else "", _told(item) or source
        self._clause(Clause(item["id"], path, ClauseKind.CEL, source, reaction, told, expression), here)

    def _expression(self, source: str, place: Place) -> Expression | None:
        try:
            return Expression.parse(source)
        except ContractInvalid as error:
            for problem in error.problems:
                self._problems.add(place, problem)
            return None

    def _reaction(self, properties: Mapping[str, Any], place: Place) -> Reaction:
        word = properties.get("reaction", Reaction.QUARANTINE.value)
        if word in set(Reaction):
            return Reaction(word)
        self._problems.add(place, f"{word!r} is not a reaction; write one of {', '.join(Reaction)}")
        return Reaction.QUARANTINE

    def _clause(self, clause: Clause, place: Place) -> None:
        if self._claim(clause.id, place):
            self.clauses.append(clause)

    def _claim(self, name: str, place: Place) -> bool:
        if name in self.places:
            line = self._problems.document.line(self.places[name])
            self._problems.add(
                place, f"the clause {name} is already there in line {line}; give this one an id of its own"
            )
            return False
        self.places[name] = place
        return True


def _none_at_all(item: Mapping[str, Any]) -> bool:
    """Whether not one record may be so: then it is a rule about single records."""
    few = item.get("mustBeLessThan")
    return (
        item.get("mustBe") == 0
        or item.get("mustBeLessOrEqualTo") == 0
        or (few is not None and 0 < few <= 1 and item.get("unit", "rows") == "rows")
    )


def _listing(field: Field) -> bool:
    """Whether its ``enum`` asks more than its Avro type does."""
    return bool(field.choices) and not (field.physical_type == "enum" and "avroSymbols" not in field.custom)


def _required(field: Field, name: str, reaction: Reaction, told: str = "") -> Clause:
    return Clause(name, field.path, ClauseKind.REQUIRED, True, reaction, told or f"{field.path} is there")


def _told(item: Mapping[str, Any]) -> str:
    return " ".join(str(item.get("description") or item.get("name") or "").split())


def _listed(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
