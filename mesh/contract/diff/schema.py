"""Changes of the schema: fields that came, went or changed, each with what schema resolution says of it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from mesh.contract.avro import AvroSchema
from mesh.contract.compatibility import Mode, Reader, check, check_readers, compare
from mesh.contract.diff.change import Change, Effect, Pair, Step, Way
from mesh.contract.fields import Field

_RECORD = ("schema", 0)
_DOCS = frozenset({"description", "doc"})


def schema_changes(pair: Pair, readers: Sequence[Reader] | None) -> Iterator[Change]:
    """Every change of the value's schema and of its fields.

    ``BREAKS_PUBLISHERS``: the new schema cannot read what was written with the old one. ``BREAKS_SUBSCRIBERS``: the
    old one cannot read what is written with the new. A change requires a major step where the mode of the old contract
    refuses it; under READERS, where a registered reader is left behind, or may be when ``readers`` is None.
    """
    if _plain(pair.old.value_schema) == _plain(pair.new.value_schema):
        return
    blame = _Blame.of(pair.old.value_schema, pair.new.value_schema)
    found = [_blamed(each, blame, pair) for each in _fields(pair)]
    found += [
        _unclaimed(pair, path, blame)
        for path in blame.paths
        if not any(
            path == each.path or path.startswith((f"{each.path}.", f"{each.path}[", f"{each.path}{{")) for each in found
        )
    ]
    if not found:
        told = "the schema says the same in another form: names, aliases, defaults or documentation"
        found.append(pair.change("schema", "", Way.EQUIVALENT, told, (), Step.MINOR, (_RECORD, _RECORD)))
    yield from _stepped(found, pair, readers)


@dataclass(frozen=True, slots=True)
class _Blame:
    """What schema resolution refuses, by path and by who is left behind."""

    publishers: dict[str, str]
    subscribers: dict[str, str]

    @classmethod
    def of(cls, old: AvroSchema, new: AvroSchema) -> _Blame:
        """Both directions of a pair."""
        backward, forward = compare(new, old), compare(old, new)
        return cls({each.path: each.reason for each in backward}, {each.path: each.reason for each in forward})

    @property
    def paths(self) -> list[str]:
        return list(dict.fromkeys([*self.publishers, *self.subscribers]))

    def effects(self, path: str) -> set[Effect]:
        """What is refused at a path or below it."""
        found = set()
        for effect, blamed in (
            (Effect.BREAKS_PUBLISHERS, self.publishers),
            (Effect.BREAKS_SUBSCRIBERS, self.subscribers),
        ):
            if any(each == path or each.startswith((f"{path}.", f"{path}[", f"{path}{{")) for each in blamed):
                found.add(effect)
        return found


def _blamed(change: Change, blame: _Blame, pair: Pair) -> Change:
    effects = set(change.effects) | blame.effects(change.path)
    renamed = _reads_by_alias(change, pair)
    return replace(change, effects=frozenset(effects), told=f"{change.told}{renamed}")


def _reads_by_alias(change: Change, pair: Pair) -> str:
    if change.way is not Way.ADDED:
        return ""
    field = pair.new.field(change.path)
    aliases = field.custom.get("avroAliases", ()) if field else ()
    return f", reading {', '.join(map(str, aliases))}" if aliases else ""


def _unclaimed(pair: Pair, path: str, blame: _Blame) -> Change:
    reason = blame.publishers.get(path) or blame.subscribers[path]
    return pair.change("schema", path, Way.CHANGED, reason, blame.effects(path), Step.MINOR, (_RECORD, _RECORD))


def _fields(pair: Pair) -> Iterator[Change]:
    old = {field.path: field for top in pair.old.fields for field in top.walk()}
    new = {field.path: field for top in pair.new.fields for field in top.walk()}
    for path, field in old.items():
        if path in new:
            yield from _field(pair, field, new[path])
        elif _parent(path) in new or not _parent(path):
            told = f"{_described(field)} is gone"
            yield pair.change("schema", path, Way.REMOVED, told, (), Step.MINOR, (field.place, _RECORD))
    for path, field in new.items():
        if path not in old and (_parent(path) in old or not _parent(path)):
            told = f"{_described(field)} is new"
            yield pair.change("schema", path, Way.ADDED, told, (), Step.MINOR, (_RECORD, field.place))


def _parent(path: str) -> str:
    return path.removesuffix("[]") if path.endswith("[]") else path.rpartition(".")[0]


def _field(pair: Pair, before: Field, after: Field) -> Iterator[Change]:
    places = (before.place, after.place)
    if before.physical_type != after.physical_type:
        told = f"{before.physical_type} becomes {after.physical_type}"
        yield pair.change("schema", before.path, Way.CHANGED, told, (), Step.MINOR, places)
    if before.required != after.required:
        told, way = ("becomes required", Way.TIGHTENED) if after.required else ("becomes optional", Way.LOOSENED)
        yield pair.change("schema", before.path, way, told, (), Step.MINOR, places)
    changed = sorted(key for key in {*before.custom, *after.custom} if _avro(before, after, key))
    if changed:
        told = "; ".join(
            f"{key}: {_short(before.custom.get(key))} becomes {_short(after.custom.get(key))}" for key in changed
        )
        yield pair.change("schema", before.path, Way.CHANGED, told, (), Step.MINOR, places)


def _avro(before: Field, after: Field, key: str) -> bool:
    return key.startswith("avro") and before.custom.get(key) != after.custom.get(key)


def _short(value: object) -> str:
    text = "nothing" if value is None else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _described(field: Field) -> str:
    return f"{'required' if field.required else 'optional'} {field.physical_type}"


def _stepped(found: Sequence[Change], pair: Pair, readers: Sequence[Reader] | None) -> Iterator[Change]:
    """The changes with the version step the mode of the old contract requires for them."""
    mode = pair.old.compatibility
    if mode == "READERS" and readers is not None:
        left = check_readers(pair.new.value_schema, readers)
        for change in found:
            names = tuple(dict.fromkeys(each.reader for each in left if _about(each.path, change.path)))
            effects = change.effects | {Effect.BREAKS_SUBSCRIBERS} if names else change.effects
            yield replace(change, effects=effects, step=Step.MAJOR if names else Step.MINOR, affects=names)
        for each in left:
            if not any(_about(each.path, change.path) for change in found):
                told, broken = str(each), (Effect.BREAKS_SUBSCRIBERS,)
                yield pair.change("schema", each.path, Way.CHANGED, told, broken, Step.MAJOR, (_RECORD, _RECORD))
        return
    refused = _refused("FULL" if mode == "READERS" else mode, pair)
    for change in found:
        yield replace(change, step=Step.MAJOR if change.effects & refused else Step.MINOR)


def _about(path: str, changed: str) -> bool:
    """Whether a finding at ``path`` speaks of a change at ``changed``: at it, below it or around it."""
    return any(
        one == other or one.startswith((f"{other}.", f"{other}[", f"{other}{{")) or not other
        for one, other in ((path, changed), (changed, path))
    )


def _refused(mode: str, pair: Pair) -> frozenset[Effect]:
    """The effects that the mode promised would not happen."""
    known = Mode(mode)
    if not check(mode, pair.new.value_schema, [pair.old.value_schema]):
        return frozenset()
    sides = ((known.backward, Effect.BREAKS_PUBLISHERS), (known.forward, Effect.BREAKS_SUBSCRIBERS))
    return frozenset(effect for promised, effect in sides if promised)


def _plain(schema: Any) -> Any:
    """A schema without its documentation."""
    if isinstance(schema, list):
        return [_plain(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    return {key: _plain(value) for key, value in schema.items() if key not in _DOCS}
