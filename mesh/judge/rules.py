"""A contract's clauses compiled to a function that passes the good rows of a batch and leaves the others.

It decodes straight into variables, makes no object per record, and lets a row pass only when everything holds: exact
body, key, every clause. Whatever it has the slightest doubt about goes to ``Clauses.findings``, which decides.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from mesh.contract import Contract
from mesh.contract.clauses import Clause, ClauseKind
from mesh.contract.shape import Logical, Primitive, Record, Shape, shape_of
from mesh.errors import MalformedBody
from mesh.judge.conditions import Condition, beneath, condition, leaf
from mesh.judge.corrections import Corrections
from mesh.judge.decoder import DecoderSource, indented
from mesh.judge.frame import PREFIX
from mesh.judge.reasons import hidden_paths, places_at, reason, rule_reason, shown
from mesh.judge.verdict import Batch
from mesh.types import Finding

Sift = Callable[[Sequence[int], Batch, list[int | None], list[int]], None]
"""Takes rows of a batch; sets the event times of those that pass and appends those that may not."""

# What decoding and rules raise on a body that is not of the schema, or on null where another version wrote none.
_DOUBTS: Final = (IndexError, ValueError, TypeError, KeyError, AttributeError, ArithmeticError, MalformedBody)


class Clauses:
    """The clauses of one contract over decoded records."""

    def __init__(self, contract: Contract) -> None:
        shape = shape_of(contract.value_schema)
        assert isinstance(shape, Record)  # noqa: S101  (the value of a product is a record by derivation)
        self.record: Record = shape
        self._contract = contract
        self._hidden = hidden_paths(contract.fields)
        lenient = [self._condition(number, lenient=True) for number in range(len(contract.clauses))]
        self._tests = [(each, _compiled(each)) for each in lenient]
        self._leaves: dict[int, Callable[[object], bool]] = {}
        self._corrections: dict[int, Corrections] = {}
        self.event_time = _event_time(contract.event_time, shape)
        self._time = _compiled_time(contract.event_time, self.event_time)

    def _condition(self, number: int, *, lenient: bool) -> Condition:
        contract = self._contract
        return condition(contract.clauses[number], number, self.record, contract.value_schema, lenient=lenient)

    def conditions(self, *, lenient: bool) -> list[Condition]:
        """Every clause as source."""
        return [self._condition(number, lenient=lenient) for number in range(len(self._contract.clauses))]

    def time_of(self, record: Mapping[str, object]) -> int | None:
        """The event time of a record in milliseconds since the epoch, if it has one."""
        try:
            return self._time(record)
        except _DOUBTS:
            return None

    def findings(self, record: Mapping[str, object], suspects: Sequence[int] | None = None) -> Iterator[Finding]:
        """All clauses that the record breaks; no others than ``suspects``, numbers of clauses, where they are given."""
        for number in range(len(self._tests)) if suspects is None else suspects:
            each, test = self._tests[number]
            holds, undecided = test(record)
            if not holds:
                yield self._finding(number, each.clause, record, undecided=undecided)

    def _finding(self, number: int, clause: Clause, record: Mapping[str, object], *, undecided: bool) -> Finding:
        """One finding for a clause, however many items of a list break it: about the first."""
        if clause.expression is not None:
            return Finding(clause.id, clause.path, rule_reason(clause, undecided=undecided), clause.reaction)
        shape, hidden = _shape_at(self.record, clause.path), clause.path in self._hidden
        path, broken = self._broken(number, clause, record)
        told = reason(clause, broken, shape, hidden=hidden)
        better = None if hidden or broken is None else self._corrections_of(number, clause, shape).of(broken)
        correction = None if better is None else shown(better, shape)
        return Finding(clause.id, path, told, clause.reaction, correction)

    def _broken(self, number: int, clause: Clause, record: Mapping[str, object]) -> tuple[str, object]:
        """Where the clause is broken first, and by which value."""
        test = self._leaf(number)
        if clause.kind is ClauseKind.REQUIRED:
            missing = (place for place in places_at(record, clause.path) if place[1] is None)
        else:
            missing = (place for place in places_at(record, clause.path) if place[1] is not None and not test(place[1]))
        return next(missing, (clause.path, None))

    def _leaf(self, number: int) -> Callable[[object], bool]:
        test = self._leaves.get(number)
        if test is None:
            clause = self._tests[number][0].clause
            test = self._leaves[number] = leaf(clause, number, _shape_at(self.record, clause.path)).compile()
        return test

    def _corrections_of(self, number: int, clause: Clause, shape: Shape) -> Corrections:
        found = self._corrections.get(number)
        if found is None:
            tests = [
                self._leaf(other)
                for other, (each, _) in enumerate(self._tests)
                if each.clause.path == clause.path and each.clause.expression is None
            ]
            found = Corrections(clause, shape, lambda value: all(test(value) for test in tests))
            self._corrections[number] = found
        return found


def compile_sift(clauses: Clauses, key: Sequence[str], prefixes: set[bytes]) -> Sift:
    """The function for bodies in the contract's own schema; ``prefixes`` are those of keys in its own key schema."""
    source = DecoderSource()
    lines, marks = [f"p = {PREFIX}"], set(key)
    for part in clauses.record.fields:
        if part.name in marks:
            lines.append(f"a_{part.name} = p")
        lines += source.read(part.type, f"f_{part.name}")
        if part.name in marks:
            lines.append(f"z_{part.name} = p")
    conditions = clauses.conditions(lenient=False)
    checks = ["p == len(b)", *_key_checks(clauses.record, key), *(c.text for c in conditions if c.text != "True")]
    constants = source.constants | {"prefixes": prefixes}
    return _sift(source.functions, lines, checks, clauses.event_time, [constants, *(c.constants for c in conditions)])


def compile_resolving_sift(clauses: Clauses, decode: Callable[[bytes], Any], same_key: Callable[..., bool]) -> Sift:
    """The function for bodies in another version of the schema; ``decode`` gives records of the contract's."""
    conditions = clauses.conditions(lenient=True)
    loads = [f"f_{part.name} = m[{part.name!r}]" for part in clauses.record.fields]
    lines = [f"m = decode(b[{PREFIX}:])", *loads]
    checks = ["same_key(keys[row], m)", *(c.text for c in conditions if c.text != "True")]
    constants: dict[str, object] = {"decode": decode, "same_key": same_key}
    return _sift([], lines, checks, clauses.event_time, [constants, *(c.constants for c in conditions)])


def _sift(
    functions: Sequence[str], lines: list[str], checks: list[str], time: str, constants: Sequence[Mapping[str, object]]
) -> Sift:
    text = [
        *functions,
        "def sift(rows, batch, times, doubtful):",
        "    values, keys = batch.values, batch.keys",
        "    for row in rows:",
        "        b = values[row]",
        "        try:",
        *indented(lines, 3),
        *indented([f"if {' and '.join(checks)}:", f"    times[row] = {time}", "else: doubtful.append(row)"], 3),
        "        except doubts:",
        "            doubtful.append(row)",
    ]
    space: dict[str, Any] = {"doubts": _DOUBTS}
    for each in constants:
        space.update(each)
    exec("\n".join(text), space)  # noqa: S102  (names of ours and escaped literals only)
    sift: Sift = space["sift"]
    return sift


def _key_checks(record: Record, key: Sequence[str]) -> list[str]:
    """The key's body is the bytes of its fields one after the other: both encodings are exact, so no key is decoded."""
    if not key:
        return ["keys[row] is None"]
    parts = {part.name: part.type for part in record.fields}
    slices = [f"b[a_{name}{' + 1' if beneath(parts[name])[1] else ''}:z_{name}]" for name in key]
    return [f"keys[row][{PREFIX}:] == {' + '.join(slices)}", f"keys[row][:{PREFIX}] in prefixes"]


def _compiled_time(path: str | None, text: str) -> Callable[[Mapping[str, object]], int | None]:
    if path is None:
        return lambda record: None
    first = path.partition(".")[0]
    space: dict[str, Any] = {}
    exec(f"def time(m):\n    f_{first} = m[{first!r}]\n    return {text}", space)  # noqa: S102  (as above)
    compiled: Callable[[Mapping[str, object]], int | None] = space["time"]
    return compiled


def _compiled(each: Condition) -> Callable[[Mapping[str, object]], tuple[bool, bool]]:
    loads = [f"f_{name} = m.get({name!r})" for name in sorted(each.loads)]
    lines = ["def test(m):", *indented([*loads, f"return {each.text}, {each.undecided}"])]
    space: dict[str, Any] = dict(each.constants)
    exec("\n".join(lines), space)  # noqa: S102  (names of ours and escaped literals only)
    inner = space["test"]

    def test(record: Mapping[str, object]) -> tuple[bool, bool]:
        try:
            holds, undecided = inner(record)
        except _DOUBTS:
            return False, True
        return bool(holds), bool(undecided)

    return test


def _shape_at(record: Record, path: str) -> Shape:
    shape: Shape = record
    for segment in path.replace("[]", ".[]").split("."):
        shape = beneath(_part(shape, segment))[0]
    return shape


def _part(shape: Shape, segment: str) -> Shape:
    if isinstance(shape, Record):
        return next((part.type for part in shape.fields if part.name == segment), shape)
    return getattr(shape, "items", shape)


def _event_time(path: str | None, record: Record) -> str:
    """Source of the event time in milliseconds; ``None`` where there is none or a record on the way is null."""
    if path is None:
        return "None"
    first, *rest = path.split(".")
    value, shape, guards = f"f_{first}", _part(record, first), list[str]()
    for name in ["", *rest]:
        if name:
            value, shape = f"{value}[{name!r}]", _part(shape, name)
        shape, nullable = beneath(shape)
        if nullable:
            guards.append(f"{value} is not None")
    micros = (
        isinstance(shape, Primitive) and isinstance(shape.logical, Logical) and shape.logical.name.endswith("micros")
    )
    text = f"{value} // 1000" if micros else value
    return f"({text}) if {' and '.join(guards)} else None" if guards else text
