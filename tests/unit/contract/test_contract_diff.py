"""Two contracts beside each other: every kind of change, whom it breaks, and the version step it requires."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from mesh.contract import Contract
from mesh.contract.compatibility import Reader, compare, project
from mesh.contract.diff import Change, Diff, Step, Way, diff

BASE: dict[str, Any] = {
    "apiVersion": "v3.1.0",
    "kind": "DataContract",
    "id": "weather-observations",
    "version": "1.2.0",
    "status": "active",
    "domain": "weather",
    "description": {"purpose": "What stations measured."},
    "team": {"name": "weather-desk"},
    "schema": [
        {
            "name": "Observation",
            "physicalName": "weather.observations.v1",
            "logicalType": "object",
            "customProperties": [
                {"property": "topic", "value": {"partitions": 3, "retentionMs": 1000000}},
                {"property": "compatibility", "value": "BACKWARD_TRANSITIVE"},
                {"property": "eventTime", "value": "at"},
            ],
            "quality": [],
            "properties": [
                {
                    "name": "station",
                    "logicalType": "string",
                    "physicalType": "string",
                    "required": True,
                    "primaryKey": True,
                    "logicalTypeOptions": {"minLength": 3, "pattern": "^[A-Z]{3}$"},
                },
                {
                    "name": "speed",
                    "logicalType": "number",
                    "physicalType": "double",
                    "classification": "public",
                    "logicalTypeOptions": {"minimum": 0, "maximum": 300},
                },
                {"name": "at", "logicalType": "timestamp", "physicalType": "long/timestamp-millis", "required": True},
                {"name": "note", "logicalType": "string", "physicalType": "string"},
            ],
        }
    ],
    "slaProperties": [{"property": "latency", "value": 5, "unit": "s"}],
    "roles": [
        {
            "role": "reader",
            "access": "read",
            "customProperties": [
                {"property": "purposes", "value": ["planning", "research"]},
                {"property": "principals", "value": ["desk", "atlas"]},
            ],
        }
    ],
}

Edit = Callable[[dict[str, Any]], object]


def contract(edit: Edit = lambda source: None, file: str = "new.yaml") -> Contract:
    source = copy.deepcopy(BASE)
    edit(source)
    return Contract.parse(yaml.safe_dump(source, sort_keys=False), file)


def between(edit: Edit, before: Edit = lambda source: None, **options: Any) -> Diff:
    def after(source: dict[str, Any]) -> None:
        before(source)
        edit(source)

    return diff(contract(before, "old.yaml"), contract(after), **options)


def field(source: dict[str, Any], name: str) -> dict[str, Any]:
    return next(each for each in source["schema"][0]["properties"] if each["name"] == name)


def setting(source: dict[str, Any], name: str, value: Any) -> None:
    entries = source["schema"][0]["customProperties"]
    entries[:] = [each for each in entries if each["property"] != name] + [{"property": name, "value": value}]


def role(source: dict[str, Any], name: str, value: Any) -> None:
    next(each for each in source["roles"][0]["customProperties"] if each["property"] == name)["value"] = value


def option(name: str, key: str, value: Any) -> Edit:
    return lambda source: field(source, name)["logicalTypeOptions"].__setitem__(key, value)


def cel(expression: str, reaction: str = "quarantine", name: str = "possible") -> Edit:
    item = {
        "id": name,
        "type": "custom",
        "engine": "cel",
        "implementation": {"expression": expression},
        "customProperties": [{"property": "reaction", "value": reaction}],
    }
    return lambda source: source["schema"][0].__setitem__("quality", [item])


def add(**node: Any) -> Edit:
    return lambda source: source["schema"][0]["properties"].append(node)


def gone(name: str) -> Edit:
    return lambda source: source["schema"][0]["properties"].remove(field(source, name))


PUBLISHERS, SUBSCRIBERS, ASK = "breaks publishers", "breaks subscribers", "needs acknowledgement"
TEXT = {"logicalType": "string", "physicalType": "string"}

GOLDEN: list[Any] = [
    pytest.param(add(name="more", **TEXT), ("schema", "more", "added", "neither", "minor"), id="optional field"),
    pytest.param(
        add(name="more", required=True, **TEXT), ("schema", "more", "added", PUBLISHERS, "major"), id="required field"
    ),
    pytest.param(gone("note"), ("schema", "note", "removed", "neither", "minor"), id="optional field gone"),
    pytest.param(
        lambda s: field(s, "speed").update(physicalType="float"),
        ("schema", "speed", "changed", PUBLISHERS, "major"),
        id="narrowed",
    ),
    pytest.param(
        lambda s: field(s, "note").update(required=True),
        ("schema", "note", "tightened", PUBLISHERS, "major"),
        id="required",
    ),
    pytest.param(option("speed", "maximum", 200), ("rule", "speed", "tightened", PUBLISHERS, "minor"), id="tighter"),
    pytest.param(option("speed", "maximum", 400), ("rule", "speed", "loosened", ASK, "minor"), id="looser"),
    pytest.param(option("station", "minLength", 4), ("rule", "station", "tightened", PUBLISHERS, "minor"), id="longer"),
    pytest.param(
        option("station", "pattern", "^[A-Z]{4}$"),
        ("rule", "station", "rewritten", f"{PUBLISHERS}, {ASK}", "minor"),
        id="another pattern",
    ),
    pytest.param(cel("message.speed < 9.0"), ("rule", "", "tightened", PUBLISHERS, "minor"), id="rule added"),
    pytest.param(cel("message.speed < 9.0", "warn"), ("rule", "", "tightened", "neither", "minor"), id="warning added"),
    pytest.param(
        lambda s: s["slaProperties"][0].update(value=9), ("sla", "latency", "changed", ASK, "minor"), id="slower"
    ),
    pytest.param(
        lambda s: field(s, "speed").update(classification="restricted"),
        ("classification", "speed", "changed", ASK, "minor"),
        id="classified",
    ),
    pytest.param(
        lambda s: role(s, "principals", ["desk"]),
        ("role", "reader", "removed", SUBSCRIBERS, "minor"),
        id="subscriber loses access",
    ),
    pytest.param(
        lambda s: role(s, "purposes", ["planning"]), ("purpose", "reader", "tightened", ASK, "minor"), id="purpose gone"
    ),
    pytest.param(
        lambda s: setting(s, "topic", {"partitions": 3, "retentionMs": 500000}),
        ("retention", "", "tightened", ASK, "minor"),
        id="kept for less",
    ),
    pytest.param(
        lambda s: setting(s, "topic", {"partitions": 3, "retentionMs": -1}),
        ("retention", "", "loosened", "neither", "minor"),
        id="kept for ever",
    ),
    pytest.param(
        lambda s: setting(s, "topic", {"partitions": 6, "retentionMs": 1000000}),
        ("partitions", "", "loosened", ASK, "minor"),
        id="more partitions",
    ),
    pytest.param(
        lambda s: setting(s, "topic", {"partitions": 2, "retentionMs": 1000000}),
        ("partitions", "", "changed", f"{PUBLISHERS}, {SUBSCRIBERS}", "major"),
        id="fewer partitions",
    ),
    pytest.param(
        lambda s: setting(s, "topic", {"partitions": 3, "retentionMs": 1000000, "cleanupPolicy": "compact"}),
        ("cleanup", "", "changed", f"{PUBLISHERS}, {SUBSCRIBERS}", "major"),
        id="compacted",
    ),
    pytest.param(
        lambda s: setting(s, "topic", {"partitions": 3, "retentionMs": 1000000, "maxMessageBytes": 2000}),
        ("size", "", "tightened", PUBLISHERS, "minor"),
        id="smaller messages",
    ),
    pytest.param(
        lambda s: setting(s, "compatibility", "NONE"), ("compatibility", "", "loosened", ASK, "minor"), id="mode weaker"
    ),
    pytest.param(
        lambda s: setting(s, "compatibility", "FULL_TRANSITIVE"),
        ("compatibility", "", "tightened", "neither", "minor"),
        id="mode stronger",
    ),
    pytest.param(
        lambda s: s["schema"][0]["customProperties"].pop(2),
        ("event time", "", "changed", SUBSCRIBERS, "major"),
        id="event time",
    ),
    pytest.param(
        lambda s: setting(s, "headers", ["source"]),
        ("headers", "source", "added", PUBLISHERS, "minor"),
        id="header",
    ),
    pytest.param(
        lambda s: field(s, "at").update(primaryKey=True),
        ("key", "", "changed", f"{PUBLISHERS}, {SUBSCRIBERS}", "major"),
        id="key",
    ),
    pytest.param(lambda s: s["team"].update(name="sky"), ("owner", "", "changed", ASK, "patch"), id="owner"),
    pytest.param(
        lambda s: s["description"].update(purpose="More."),
        ("description", "description", "changed", "neither", "patch"),
        id="description",
    ),
    pytest.param(
        lambda s: field(s, "note").update(description="Remarks."),
        ("description", "note", "changed", "neither", "patch"),
        id="description of a field",
    ),
    pytest.param(
        lambda s: field(s, "note").update(tags=["x"]), ("document", "note", "changed", "neither", "patch"), id="tags"
    ),
    pytest.param(lambda s: s.update(status="deprecated"), ("status", "", "changed", ASK, "patch"), id="status"),
]


@pytest.mark.parametrize(("edit", "expected"), GOLDEN)
def test_a_change_of_every_class(edit: Edit, expected: tuple[str, ...]) -> None:
    found = between(edit).changes
    assert [(each.kind, each.path, each.way.value, each.consequence, str(each.step)) for each in found] == [expected]


def test_a_contract_differs_from_itself_in_nothing() -> None:
    found = between(lambda source: None)
    assert (found.changes, found.required, found.made) == ((), Step.NONE, Step.NONE)
    assert found.sufficient


@pytest.mark.parametrize("edit", [each.values[0] for each in GOLDEN], ids=[each.id for each in GOLDEN])
def test_no_change_is_seen_where_none_is(edit: Edit) -> None:
    assert between(lambda source: None, edit).changes == ()


def test_a_change_that_breaks_subscribers_names_those_who_hold_a_grant() -> None:
    def wider(source: dict[str, Any]) -> None:
        field(source, "at")["required"] = False
        setting(source, "eventTime", None)
        source["schema"][0]["customProperties"].pop()

    found = between(wider).changes
    assert {each.affects for each in found if SUBSCRIBERS in each.consequence} == {("desk", "atlas")}


def test_a_change_says_where_it_stands_in_both_documents() -> None:
    (change,) = between(option("speed", "maximum", 200)).changes
    lines = yaml.safe_dump(BASE, sort_keys=False).splitlines()
    line = next(number for number, text in enumerate(lines, 1) if "maximum: 300" in text)
    assert (change.old, change.new) == (f"old.yaml:{line}", f"new.yaml:{line}")
    assert change.told == "speed.maximum: maximum 300.0 becomes maximum 200.0"


def test_who_loses_access_is_named() -> None:
    (change,) = between(lambda source: role(source, "principals", [])).changes
    assert change.affects == ("desk", "atlas")


@pytest.mark.parametrize(
    ("version", "made", "enough"),
    [
        ("1.2.0", Step.NONE, False),
        ("1.2.1", Step.PATCH, False),
        ("1.3.0", Step.MINOR, True),
        ("1.1.9", Step.NONE, False),
    ],
)
def test_the_version_must_make_the_step(version: str, made: Step, enough: bool) -> None:
    found = between(lambda source: (source.update(version=version), option("speed", "maximum", 400)(source)))
    assert (found.required, found.made, found.sufficient) == (Step.MINOR, made, enough)


def test_what_breaks_comes_first() -> None:
    def both(source: dict[str, Any]) -> None:
        source["description"]["purpose"] = "Other."
        option("speed", "maximum", 400)(source)
        field(source, "note")["required"] = True

    assert [each.kind for each in between(both).changes] == ["schema", "rule", "description"]


def test_a_rule_under_another_name_is_the_same_rule() -> None:
    def renamed(source: dict[str, Any]) -> None:
        source["schema"][0]["quality"][0]["id"] = "windy"

    (change,) = between(renamed, cel("message.speed < 9.0")).changes
    assert (change.kind, change.way, change.consequence) == ("rule", Way.EQUIVALENT, "neither")


def test_a_rule_that_is_gone_is_looser() -> None:
    (change,) = between(lambda source: source["schema"][0].update(quality=[]), cel("message.speed < 9.0")).changes
    assert (change.kind, change.way, change.consequence) == ("rule", Way.LOOSENED, ASK)
    assert change.told == "the rule possible is gone: message.speed < 9.0"


def test_a_reaction_that_lets_pass_is_looser() -> None:
    (change,) = between(cel("message.speed < 9.0", "warn"), cel("message.speed < 9.0")).changes
    assert (change.kind, change.way, change.consequence) == ("reaction", Way.LOOSENED, ASK)


def test_a_bound_in_other_units_is_not_compared() -> None:
    def bounded(source: dict[str, Any]) -> None:
        field(source, "at")["logicalTypeOptions"] = {"minimum": "2020-01-01T00:00:00Z"}

    def micros(source: dict[str, Any]) -> None:
        field(source, "at")["physicalType"] = "long/timestamp-micros"

    found = between(micros, bounded).changes
    assert ("rule", Way.REWRITTEN) in [(each.kind, each.way) for each in found]


READING: Edit = lambda source: setting(source, "compatibility", "READERS")  # noqa: E731


def test_under_readers_the_registered_ones_decide() -> None:
    schema = contract().value_schema
    desk = Reader("desk", project(schema, ["station", "speed"]), ("station", "speed"))
    (free,) = between(gone("note"), READING, readers=[desk]).changes
    assert (free.step, free.affects) == (Step.MINOR, ())
    atlas = Reader("atlas", project(schema, ["note"]), ("note",))
    (used,) = between(gone("note"), READING, readers=[desk, atlas]).changes
    assert (used.step, used.affects, used.consequence) == (Step.MAJOR, ("atlas",), SUBSCRIBERS)


def test_under_readers_nobody_knows_everybody_counts() -> None:
    (change,) = between(lambda source: field(source, "note").update(required=True), READING).changes
    assert change.step is Step.MAJOR


def test_the_schema_verdict_is_the_compatibility_check() -> None:
    edits = [each.values[0] for each in GOLDEN]
    for edit in edits:
        found = between(edit)
        old, new = found.old.value_schema, found.new.value_schema
        of_schema = [each for each in found.changes if each.kind == "schema"]
        assert breaks(of_schema, SUBSCRIBERS) == bool(compare(old, new))
        assert breaks(of_schema, PUBLISHERS) == bool(compare(new, old))


def breaks(changes: list[Change], effect: str) -> bool:
    return any(effect in change.consequence for change in changes)
