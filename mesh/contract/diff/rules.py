"""Changes of the rules: which came, went, became tighter or looser, or react otherwise."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from mesh.contract.clauses import Clause, ClauseKind, SetRule
from mesh.contract.diff.change import Change, Effect, Pair, Step, Way
from mesh.contract.diff.direction import Decide, same_argument, way_of
from mesh.contract.document import Place
from mesh.types import Finding, Reaction

_EFFECTS: Mapping[Way, tuple[Effect, ...]] = {
    Way.TIGHTENED: (Effect.BREAKS_PUBLISHERS,),
    Way.LOOSENED: (Effect.ACKNOWLEDGE,),
    Way.REWRITTEN: (Effect.BREAKS_PUBLISHERS, Effect.ACKNOWLEDGE),
}
# Kinds that hold for a field that is null: a publisher that does not know a new field keeps them.
_LENIENT = frozenset(ClauseKind) - {ClauseKind.REQUIRED, ClauseKind.CEL}


def rule_changes(pair: Pair, decide: Decide | None) -> Iterator[Change]:
    """Every change of a clause or of a set rule, matched by id, else by place and meaning."""
    old, new = _clauses(pair, old=True), _clauses(pair, old=False)
    renamed = _renamed(old, new)
    for before, after in renamed.items():
        told = f"the rule {before} is called {after} now"
        yield pair.change("rule", old[before].path, Way.EQUIVALENT, told, (), Step.MINOR, _both(pair, before, after))
    for name in old.keys() & new.keys():
        yield from _changed(pair, old[name], new[name], decide)
    for before, after in renamed.items():
        yield from _reaction(pair, old[before], new[after])
    for name in old.keys() - new.keys() - renamed.keys():
        yield _removed(pair, old[name])
    for name in new.keys() - old.keys() - set(renamed.values()):
        yield _added(pair, new[name])
    yield from _set_rules(pair)


def _clauses(pair: Pair, *, old: bool) -> dict[str, Clause]:
    """The clauses that are rules of their own: not those of a field that came, went or became required."""
    mine, other = (pair.old, pair.new) if old else (pair.new, pair.old)
    found = {}
    for clause in mine.clauses:
        field, own = (each.field(clause.path) if clause.path else None for each in (other, mine))
        gone = bool(clause.path) and field is None and old
        derived = own is not None and own.required and "avroType" not in own.custom
        schema = clause.kind is ClauseKind.REQUIRED and clause.id == f"{clause.path}.required" and derived
        if not gone and not schema:
            found[clause.id] = clause
    return found


def _both(pair: Pair, before: str | None, after: str | None) -> tuple[Place, Place]:
    places = (pair.old.promise.rules.places, pair.new.promise.rules.places)
    one, other = (known.get(name or "", ("schema", 0)) for known, name in zip(places, (before, after), strict=True))
    return one, other


def _renamed(old: Mapping[str, Clause], new: Mapping[str, Clause]) -> dict[str, str]:
    """Clauses that say the same of the same path under another id."""
    free = {name: clause for name, clause in new.items() if name not in old}
    found: dict[str, str] = {}
    for name, clause in old.items():
        for other, candidate in free.items() if name not in new else ():
            same = (clause.path, clause.kind) == (candidate.path, candidate.kind) and same_argument(clause, candidate)
            if same and other not in found.values():
                found[name] = other
                break
    return found


def _changed(pair: Pair, before: Clause, after: Clause, decide: Decide | None) -> Iterator[Change]:
    yield from _reaction(pair, before, after)
    if (before.path, before.kind) != (after.path, after.kind):
        told = f"the rule {before.id} says something else: {_said(before)} becomes {_said(after)}"
        yield _ruled(pair, before, after, Way.REWRITTEN, told, "")
    elif not same_argument(before, after) or _retyped(pair, before):
        way, proof = _decided(pair, before, after, decide)
        yield _ruled(pair, before, after, way, f"{before.id}: {_said(before)} becomes {_said(after)}", proof)


def _retyped(pair: Pair, clause: Clause) -> bool:
    """Whether the field has another physical type, in whose units the argument is another one."""
    before, after = pair.old.field(clause.path), pair.new.field(clause.path)
    if before is None or after is None or clause.kind is ClauseKind.CEL:
        return False
    return before.physical.logical != after.physical.logical


def _decided(pair: Pair, before: Clause, after: Clause, decide: Decide | None) -> tuple[Way, str]:
    if _retyped(pair, before):
        return Way.REWRITTEN, ""
    way = way_of(before, after)
    if way is not None:
        return way, "tree"
    sampled = decide(pair.old, pair.new, before, after) if decide else None
    return (sampled, "sample") if sampled else (Way.REWRITTEN, "")


def _ruled(pair: Pair, before: Clause, after: Clause, way: Way, told: str, proof: str) -> Change:
    effects = _EFFECTS.get(way, ()) if _refuses(after) or _refuses(before) else ()
    places = _both(pair, before.id, after.id)
    return replace(pair.change("rule", after.path, way, told, effects, Step.MINOR, places), proof=proof)


def _removed(pair: Pair, clause: Clause) -> Change:
    effects = _EFFECTS[Way.LOOSENED] if _refuses(clause) else ()
    told = f"the rule {clause.id} is gone: {_said(clause)}"
    places = _both(pair, clause.id, None)
    return replace(pair.change("rule", clause.path, Way.LOOSENED, told, effects, Step.MINOR, places), proof="tree")


def _added(pair: Pair, clause: Clause) -> Change:
    """A new rule. One on a new field that may be null asks nothing of a publisher who does not know the field."""
    after = pair.new.field(clause.path) if clause.path else None
    unknown = after is not None and pair.old.field(clause.path) is None
    harmless = unknown and clause.kind in _LENIENT and after is not None and not after.required
    effects = () if harmless or not _refuses(clause) else _EFFECTS[Way.TIGHTENED]
    told = f"the rule {clause.id} is new: {_said(clause)}"
    places = _both(pair, None, clause.id)
    return replace(pair.change("rule", clause.path, Way.TIGHTENED, told, effects, Step.MINOR, places), proof="tree")


def _reaction(pair: Pair, before: Clause, after: Clause) -> Iterator[Change]:
    if before.reaction is after.reaction:
        return
    old, new = _refuses(before), _refuses(after)
    way = Way.CHANGED if old == new else Way.TIGHTENED if new else Way.LOOSENED
    held = before.reaction is not Reaction.WARN or after.reaction is not Reaction.WARN
    effects = _EFFECTS.get(way, (Effect.ACKNOWLEDGE,) if held else ())
    told = f"{before.id}: {before.reaction} becomes {after.reaction}"
    yield pair.change("reaction", after.path, way, told, effects, Step.MINOR, _both(pair, before.id, after.id))


def _refuses(clause: Clause) -> bool:
    return Finding(clause.id, clause.path, "", clause.reaction).refuses


def _said(clause: Clause) -> str:
    """A rule in a few words."""
    if clause.kind is ClauseKind.CEL:
        return " ".join(str(clause.argument).split())
    if isinstance(clause.argument, tuple):
        return f"{clause.kind} {', '.join(map(str, clause.argument))}"
    return str(clause.kind) if clause.argument is True else f"{clause.kind} {clause.argument}"


def _set_rules(pair: Pair) -> Iterator[Change]:
    """Rules over many records refuse nothing, so they break nobody."""
    old = {each.id: each for each in pair.old.set_rules}
    new = {each.id: each for each in pair.new.set_rules}
    for name in sorted(old.keys() | new.keys()):
        before, after = old.get(name), new.get(name)
        if before == after and _measure(pair, name, old=True) == _measure(pair, name, old=False):
            continue
        way = Way.ADDED if before is None else Way.REMOVED if after is None else Way.CHANGED
        effects = (Effect.ACKNOWLEDGE,) if before is not None else ()
        told = f"the measured rule {name} {'changes' if way is Way.CHANGED else f'is {way.value}'}"
        yield pair.change("rule", _path(before, after), way, told, effects, Step.MINOR, _both(pair, name, name))


def _path(before: SetRule | None, after: SetRule | None) -> str:
    return (after or before or SetRule("", "", "", "")).path


def _measure(pair: Pair, name: str, *, old: bool) -> object:
    """The whole quality item of a set rule."""
    contract = pair.old if old else pair.new
    node: object = contract.document.source
    for step in contract.promise.rules.places.get(name, ()):
        node = node[step]  # type: ignore[index]  # the place leads there
    return node if isinstance(node, dict) and "properties" not in node else None
