"""Changes of everything that is neither schema nor rule: topics, service levels, access, words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from mesh.contract.contract import Contract
from mesh.contract.diff.change import Change, Effect, Pair, Step, Way
from mesh.contract.document import Place
from mesh.contract.fields import custom, custom_place
from mesh.contract.roles import Role
from mesh.types import Reaction

_BOTH = (Effect.BREAKS_PUBLISHERS, Effect.BREAKS_SUBSCRIBERS)
_ASK = (Effect.ACKNOWLEDGE,)
_RECORD: Place = ("schema", 0)
_OWN = frozenset({"schema", "version", "slaProperties", "roles", "status"})


def term_changes(pair: Pair) -> Iterator[Change]:
    """Every change of the terms, topic by topic."""
    yield from _topic(pair)
    yield from _key(pair)
    yield from _settings(pair)
    yield from _record(pair)
    yield from _classification(pair)
    yield from _levels(pair)
    yield from _roles(pair)
    yield from _words(pair)


def _topic(pair: Pair) -> Iterator[Change]:
    old, new = pair.old.topics.public, pair.new.topics.public
    if old != new:
        places = ((*_RECORD, "physicalName"), (*_RECORD, "physicalName"))
        yield pair.change("topic", "", Way.CHANGED, f"{old} becomes {new}, another topic", _BOTH, Step.MAJOR, places)


def _key(pair: Pair) -> Iterator[Change]:
    same_fields = pair.old.key_fields == pair.new.key_fields
    if same_fields and pair.old.key_schema == pair.new.key_schema:
        return
    old, new = (", ".join(each.key_fields) or "none" for each in (pair.old, pair.new))
    told = f"the key {old} becomes {new}" if not same_fields else "the key has another schema"
    yield pair.change("key", "", Way.CHANGED, told, _BOTH, Step.MAJOR, (_RECORD, _RECORD))


def _settings(pair: Pair) -> Iterator[Change]:
    before, after = pair.old.promise.settings, pair.new.promise.settings
    if before.partitions != after.partitions:
        yield _partitions(pair, before.partitions, after.partitions)
    if before.cleanup != after.cleanup:
        told = f"cleanupPolicy {before.cleanup} becomes {after.cleanup}"
        yield _set(pair, "cleanup", Way.CHANGED, told, _BOTH, Step.MAJOR)
    if before.retention_ms != after.retention_ms:
        way = _limit(before.retention_ms, after.retention_ms)
        told = f"retention {_ms(before.retention_ms)} becomes {_ms(after.retention_ms)}"
        yield _set(pair, "retention", way, told, _ASK if way is Way.TIGHTENED else ())
    if before.ingress_retention_ms != after.ingress_retention_ms:
        told = f"ingress retention {_ms(before.ingress_retention_ms)} becomes {_ms(after.ingress_retention_ms)}"
        yield _set(pair, "retention", _limit(before.ingress_retention_ms, after.ingress_retention_ms), told)
    if before.max_message_bytes != after.max_message_bytes:
        way = _limit(before.max_message_bytes, after.max_message_bytes)
        told = f"maxMessageBytes {before.max_message_bytes} becomes {after.max_message_bytes}"
        yield _set(pair, "size", way, told, (Effect.BREAKS_PUBLISHERS,) if way is Way.TIGHTENED else ())
    if dict(before.extra) != dict(after.extra):
        yield _set(pair, "config", Way.CHANGED, f"config {dict(before.extra)} becomes {dict(after.extra)}", _ASK)


def _set(
    pair: Pair, kind: str, way: Way, told: str, effects: tuple[Effect, ...] = (), step: Step = Step.MINOR
) -> Change:
    return pair.change(kind, "", way, told, effects, step, _custom(pair, "topic"))


def _custom(pair: Pair, name: str) -> tuple[Place, Place]:
    old, new = (custom_place(each.document.source["schema"][0], _RECORD, name) for each in (pair.old, pair.new))
    return old, new


def _partitions(pair: Pair, before: int, after: int) -> Change:
    told = f"{before} partitions become {after}"
    held = any(clause.reaction is Reaction.HOLD_KEY for clause in pair.old.clauses)
    if after < before or pair.old.cleanup == "compact" or held:
        why = "which Kafka cannot do" if after < before else "and its keys would move"
        return _set(pair, "partitions", Way.CHANGED, f"{told}, {why}", _BOTH, Step.MAJOR)
    return _set(pair, "partitions", Way.LOOSENED, f"{told}; keys move from here on", _ASK)


def _limit(before: int | None, after: int | None) -> Way:
    """The direction of an upper limit; None and -1 are none."""
    old, new = (float("inf") if each in (None, -1) else float(each or 0) for each in (before, after))
    return Way.TIGHTENED if new < old else Way.LOOSENED


def _ms(value: int | None) -> str:
    return "of the cluster" if value is None else "without end" if value < 0 else f"{value:,} ms"


def _record(pair: Pair) -> Iterator[Change]:
    """Compatibility mode, event time, required headers."""
    old, new = pair.old.compatibility, pair.new.compatibility
    if old != new:
        weaker = not set(_promises(old)) <= set(_promises(new))
        way = Way.LOOSENED if weaker else Way.TIGHTENED
        told, places = f"compatibility {old} becomes {new}", _custom(pair, "compatibility")
        yield pair.change("compatibility", "", way, told, _ASK if weaker else (), Step.MINOR, places)
    if pair.old.event_time != pair.new.event_time:
        told = f"event time {pair.old.event_time or 'none'} becomes {pair.new.event_time or 'none'}"
        effects, places = (Effect.BREAKS_SUBSCRIBERS,), _custom(pair, "eventTime")
        yield pair.change("event time", "", Way.CHANGED, told, effects, Step.MAJOR, places)
    yield from _headers(pair)


def _promises(mode: str) -> tuple[str, ...]:
    """What a mode promises, as parts that can be compared."""
    if mode in ("NONE", "READERS"):
        return () if mode == "NONE" else ("readers",)
    back, ahead = mode.startswith(("BACKWARD", "FULL")), mode.startswith(("FORWARD", "FULL"))
    parts = [name for name, there in (("backward", back), ("forward", ahead)) if there]
    return (*parts, *(f"{part} of all" for part in parts if mode.endswith("_TRANSITIVE")))


def _headers(pair: Pair) -> Iterator[Change]:
    before, after = (custom(each.document.source["schema"][0]).get("headers") for each in (pair.old, pair.new))
    if before == after:
        return
    old, new = _by_name(before), _by_name(after)
    for name in sorted(old.keys() | new.keys()):
        if old.get(name) == new.get(name):
            continue
        gone, come = name not in new, name not in old
        way = Way.REMOVED if gone else Way.ADDED if come else Way.CHANGED
        effects = (Effect.BREAKS_SUBSCRIBERS,) if gone else (Effect.BREAKS_PUBLISHERS,) if come else _BOTH
        told = f"the header {name} is {way.value}"
        yield pair.change("headers", name, way, told, effects, Step.MINOR, _custom(pair, "headers"))


def _by_name(headers: object) -> dict[str, object]:
    entries = headers if isinstance(headers, list) else []
    return {str(each.get("name", each) if isinstance(each, Mapping) else each): each for each in entries}


def _classification(pair: Pair) -> Iterator[Change]:
    old = {field.path: field for top in pair.old.fields for field in top.walk()}
    for field in (field for top in pair.new.fields for field in top.walk()):
        before = old.get(field.path)
        if before is None:
            continue
        if before.classification != field.classification:
            told = f"{before.classification or 'unclassified'} becomes {field.classification or 'unclassified'}"
            places = (before.place, field.place)
            yield pair.change("classification", field.path, Way.CHANGED, told, _ASK, Step.MINOR, places)


def _levels(pair: Pair) -> Iterator[Change]:
    """Service levels; the length of the retention is the topic's settings'."""
    old, new = _sla(pair.old), _sla(pair.new)
    for name in sorted(old.keys() | new.keys()):
        (one, before), (other, after) = old.get(name, (-1, None)), new.get(name, (-1, None))
        if before == after:
            continue
        places: tuple[Place, Place] = (("slaProperties", one), ("slaProperties", other))
        way = Way.ADDED if before is None else Way.REMOVED if after is None else Way.CHANGED
        same = _level(before) == _level(after)
        told = f"{name} is said otherwise" if same else f"{name}: {_level(before)} becomes {_level(after)}"
        yield pair.change("sla", name, way, told, () if way is Way.ADDED else _ASK, Step.MINOR, places)


def _sla(contract: Contract) -> dict[str, tuple[int, Mapping[str, Any]]]:
    found: dict[str, tuple[int, Mapping[str, Any]]] = {}
    for index, entry in enumerate(contract.document.source.get("slaProperties", ())):
        name = " ".join(str(entry[key]) for key in ("property", "element") if entry.get(key))
        length = ("value", "unit") if name == "retention" else ()
        rest = {key: part for key, part in entry.items() if key not in length}
        found[name if name not in found else f"{name} #{index}"] = (index, rest)
    return found


def _level(entry: Mapping[str, Any] | None) -> str:
    return "nothing" if entry is None else f"{entry.get('value')} {entry.get('unit', '')}".strip()


def _roles(pair: Pair) -> Iterator[Change]:
    old = {role.name: (index, role) for index, role in enumerate(pair.old.roles)}
    new = {role.name: (index, role) for index, role in enumerate(pair.new.roles)}
    for name in sorted(old.keys() | new.keys()):
        (one, before), (other, after) = old.get(name, (-1, None)), new.get(name, (-1, None))
        places: tuple[Place, Place] = (("roles", one), ("roles", other))
        if before is None or after is None:
            way = Way.ADDED if before is None else Way.REMOVED
            held = before.principals if before else ()
            effects = (Effect.BREAKS_SUBSCRIBERS,) if held else () if after else _ASK
            yield _affecting(
                pair.change("role", name, way, f"the role {name} is {way.value}", effects, Step.MINOR, places), held
            )
        else:
            yield from _role(pair, before, after, places)


def _affecting(change: Change, names: tuple[str, ...]) -> Change:
    return replace(change, affects=names)


def _role(pair: Pair, before: Role, after: Role, places: tuple[Place, Place]) -> Iterator[Change]:
    lost = tuple(name for name in before.principals if name not in after.principals)
    for names, way, effects in (
        (lost, Way.REMOVED, (Effect.BREAKS_SUBSCRIBERS,)),
        (tuple(name for name in after.principals if name not in before.principals), Way.ADDED, ()),
    ):
        if names:
            told = f"{', '.join(names)} {'loses' if way is Way.REMOVED else 'gets'} the role"
            yield _affecting(pair.change("role", before.name, way, told, effects, Step.MINOR, places), names)
    if before.access != after.access:
        told = f"access {before.access} becomes {after.access}"
        yield _affecting(
            pair.change("role", before.name, Way.CHANGED, told, _BOTH, Step.MINOR, places), before.principals
        )
    if set(before.purposes) != set(after.purposes):
        narrower = bool(set(before.purposes) - set(after.purposes))
        told = f"purposes {', '.join(before.purposes) or 'none'} become {', '.join(after.purposes) or 'none'}"
        way = (
            Way.TIGHTENED if set(after.purposes) < set(before.purposes) else Way.REWRITTEN if narrower else Way.LOOSENED
        )
        yield pair.change("purpose", before.name, way, told, _ASK, Step.MINOR, places)
    if before.max_grant_days != after.max_grant_days:
        way = _limit(before.max_grant_days, after.max_grant_days)
        told = f"grants of at most {before.max_grant_days or 'any'} days become {after.max_grant_days or 'any'}"
        yield pair.change("role", before.name, way, told, _ASK if way is Way.TIGHTENED else (), Step.MINOR, places)


def _words(pair: Pair) -> Iterator[Change]:
    if pair.old.status != pair.new.status:
        told, places = f"{pair.old.status} becomes {pair.new.status}", (("status",), ("status",))
        ending = pair.new.status in ("deprecated", "retired")
        yield pair.change("status", "", Way.CHANGED, told, _ASK if ending else (), Step.PATCH, places)
    if pair.old.owner != pair.new.owner:
        told = f"{pair.old.owner or 'nobody'} becomes {pair.new.owner or 'nobody'}"
        yield pair.change("owner", "", Way.CHANGED, told, _ASK, Step.PATCH, (("team",), ("team",)))
    old, new = pair.old.document.source, pair.new.document.source
    for key in sorted(old.keys() | new.keys()):
        known = key in _OWN or (key == "team" and pair.old.owner != pair.new.owner)
        if not known and old.get(key) != new.get(key):
            kind = "description" if key == "description" else "document"
            way = Way.ADDED if key not in old else Way.REMOVED if key not in new else Way.CHANGED
            yield pair.change(kind, key, way, f"{key} is {way.value}", (), Step.PATCH, ((key,), (key,)))
