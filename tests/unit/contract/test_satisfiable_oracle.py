"""What is said of rules without a record is so: generated contracts against generated records, judged one by one."""

from __future__ import annotations

import ast
import math
import random
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from mesh.contract.clauses import Clause, ClauseKind, Rules
from mesh.contract.expression import Expression
from mesh.contract.satisfiable import Conclusion, Verdict, conclude
from mesh.contract.shape import Record, shape_of
from mesh.errors import ContractInvalid
from mesh.judge.conditions import condition
from mesh.types import Reaction

CONTRACTS, RECORDS = 60, 60
_SYMBOLS = ["RED", "GREEN", "BLUE"]
_INNER = {
    "type": "record",
    "name": "Inner",
    "fields": [{"name": "n", "type": "int"}, {"name": "o", "type": ["null", "long"]}],
}
SCHEMA: dict[str, Any] = {
    "type": "record",
    "name": "R",
    "fields": [
        {"name": "i", "type": "int"},
        {"name": "j", "type": ["null", "int"]},
        {"name": "k", "type": "long"},
        {"name": "d", "type": "double"},
        {"name": "e", "type": ["null", "double"]},
        {"name": "s", "type": "string"},
        {"name": "t", "type": ["null", "string"]},
        {"name": "c", "type": {"type": "enum", "name": "Colour", "symbols": _SYMBOLS}},
        {"name": "b", "type": "boolean"},
        {"name": "f", "type": ["null", "boolean"]},
        {"name": "l", "type": {"type": "array", "items": "int"}},
        {"name": "r", "type": _INNER},
        {"name": "q", "type": ["null", "Inner"]},
        {"name": "m", "type": {"type": "map", "values": "int"}},
    ],
}
_INTS = ["message.i", "message.j", "message.k", "message.r.n", "message.r.o", "message.q.n", "message.q.o"]
_DOUBLES, _TEXTS, _BOOLS = (
    ["message.d", "message.e"],
    ["message.s", "message.t", "message.c"],
    ["message.b", "message.f"],
)
_WORDS = ["RED", "GREEN", "PINK", "", "R", "a", "ab", "RED "]
_EDGES = [0, 1, -1, 2, 3, 5, 10, -10, 2**31 - 1, -(2**31), 2**31, 2**62, 2**63 - 1, -(2**63)]


class Writer:
    """Writes rules: nothing that the language refuses too often, everything that the reasoning looks at."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.scope: list[str] = []
        # A rule speaks of few things, so that its parts bear on each other.
        self.ints, self.doubles, self.texts = (chance.sample(names, 2) for names in (_INTS, _DOUBLES, _TEXTS))
        self.numbers = [str(each) for each in chance.sample([-1, 0, 1, 2, 3], 2)]
        if chance.random() < 0.3:
            self.numbers.append(str(chance.choice([2**31 - 1, 2**31, 2**62, 2**63 - 1])))
        self.words = chance.sample(_WORDS, 3)

    def of(self, *choices: Callable[[int], str], depth: int) -> str:
        return self.chance.choice(choices)(depth - 1)

    def truth(self, depth: int) -> str:
        leaves = (self.order, self.order, self.equal, self.null, self.membership, self.text, self.flag)
        if depth <= 0:
            return self.of(*leaves, depth=0)
        return self.of(
            *leaves, self.both, self.both, self.either, self.either, self.negation, self.choice, self.loop, depth=depth
        )

    def both(self, depth: int) -> str:
        return f"({self.truth(depth)} && {self.truth(depth)})"

    def either(self, depth: int) -> str:
        return f"({self.truth(depth)} || {self.truth(depth)})"

    def negation(self, depth: int) -> str:
        return f"!({self.truth(depth)})"

    def choice(self, depth: int) -> str:
        return f"({self.truth(depth)} ? {self.truth(depth)} : {self.truth(depth)})"

    def loop(self, depth: int) -> str:
        if self.scope:
            return self.order(depth)
        self.scope.append("x")
        target = self.chance.choice(["message.l", "message.l", "message.m"])
        inner = f"size(x) {self.sign()} {self.chance.randint(-1, 2)}" if target == "message.m" else self.truth(1)
        self.scope.pop()
        return f"{target}.{self.chance.choice(['exists', 'all'])}(x, {inner})"

    def sign(self) -> str:
        return self.chance.choice(["<", "<=", ">", ">=", "==", "!="])

    def integer(self, depth: int) -> str:
        pick = self.chance.random()
        if pick < 0.45 or depth < -1:
            return self.chance.choice(self.numbers)
        if pick < 0.8:
            return self.chance.choice([*self.ints, *self.scope])
        if pick < 0.9:
            return f"size({self.chance.choice(['message.s', 'message.t', 'message.l', 'message.c', 'message.m'])})"
        if pick < 0.93:
            return f"(-{self.integer(depth - 1)})"
        if pick < 0.95:
            return f"({self.truth(-1)} ? {self.integer(depth - 1)} : {self.integer(depth - 1)})"
        return f"({self.integer(depth - 1)} {self.chance.choice('+-*/%')} {self.integer(depth - 1)})"

    def double(self, depth: int) -> str:
        pick = self.chance.random()
        if pick < 0.5 or depth < -1:
            return self.chance.choice(["0.0", "1.0", "1.5", "1e300"])
        if pick < 0.9:
            return self.chance.choice(self.doubles)
        return f"({self.double(depth - 1)} {self.chance.choice('+-*/')} {self.double(depth - 1)})"

    def word(self, depth: int) -> str:
        pick = self.chance.random()
        if pick < 0.4 or depth < -1:
            return repr(self.chance.choice(self.words))
        return self.chance.choice(self.texts) if pick < 0.9 else f"({self.word(depth - 1)} + {self.word(depth - 1)})"

    def order(self, depth: int) -> str:
        left, right = self.chance.choice(
            [(self.integer, self.integer)] * 4 + [(self.double, self.double), (self.double, self.integer)]
        )
        return f"{left(depth)} {self.sign()} {right(depth)}"

    def equal(self, depth: int) -> str:
        return f"{self.word(depth)} {self.chance.choice(['==', '!='])} {self.word(depth)}"

    def null(self, depth: int) -> str:
        field = self.chance.choice([*self.ints, *self.ints, *self.doubles, *self.texts, "message.q", "message.f"])
        return self.chance.choice([f"{field} == null", f"{field} != null", f"has({field})"])

    def membership(self, depth: int) -> str:
        if self.chance.random() < 0.5:
            return f"{self.integer(-1)} in [{', '.join(self.chance.choice(self.numbers) for _ in range(3))}]"
        return f"{self.word(-1)} in [{', '.join(repr(self.chance.choice(self.words)) for _ in range(3))}]"

    def text(self, depth: int) -> str:
        function = self.chance.choice(["startsWith", "endsWith", "contains", "matches"])
        return f"{self.chance.choice(self.texts)}.{function}({self.chance.choice(self.words).strip()!r})"

    def flag(self, depth: int) -> str:
        return self.chance.choice([*_BOOLS, f"{self.chance.choice(_BOOLS)} == {self.chance.choice(['true', 'false'])}"])


def clauses(chance: random.Random) -> Iterator[Clause]:
    """Bounds, lengths, patterns and lists on fields they fit."""
    numbers = (ClauseKind.MINIMUM, ClauseKind.MAXIMUM, ClauseKind.EXCLUSIVE_MINIMUM, ClauseKind.EXCLUSIVE_MAXIMUM)
    for path in ("i", "j", "k", "d", "e", "r.n", "q.o", "l[]"):
        for kind in chance.sample(numbers, chance.choice([0, 0, 0, 1, 2])):
            number = chance.choice([-1, 0, 1, 2, 3, chance.choice(_EDGES)])
            yield clause(path, kind, float(number) if path in "de" else number)
        if path not in "de" and chance.random() < 0.15:
            yield clause(path, ClauseKind.MULTIPLE_OF, chance.choice([1, 2, 7, 10**9]))
        if path not in "de" and chance.random() < 0.15:
            yield clause(path, ClauseKind.VALUES, tuple(chance.sample(_EDGES, 3)))
    for path in ("s", "t", "c"):
        if chance.random() < 0.2:
            yield clause(path, ClauseKind.VALUES, tuple(chance.sample(_WORDS, 3)))
        if chance.random() < 0.2:
            yield clause(path, ClauseKind.PATTERN, chance.choice(["^R", "E", "^[a-z]+$", "^$"]))
        if path != "c" and chance.random() < 0.2:
            yield clause(
                path, chance.choice([ClauseKind.MIN_LENGTH, ClauseKind.MAX_LENGTH]), chance.choice([0, 1, 2, 4])
            )
    if chance.random() < 0.2:
        yield clause("l", chance.choice([ClauseKind.MIN_ITEMS, ClauseKind.MAX_ITEMS]), chance.choice([0, 1, 3]))
    if chance.random() < 0.2:
        yield clause(chance.choice("jetfq"), ClauseKind.REQUIRED, True)


_COUNT = [0]


def clause(path: str, kind: ClauseKind, argument: object, expression: Expression | None = None) -> Clause:
    _COUNT[0] += 1
    name = f"{path}.{kind}.{_COUNT[0]}"
    return Clause(name, path, kind, argument, Reaction.QUARANTINE, "", expression)


def rules(chance: random.Random) -> Iterator[Clause]:
    """Rules in CEL that fit the schema."""
    wanted = chance.choice([1, 2])
    while wanted:
        text = Writer(chance).truth(chance.choice([0, 1, 1, 2, 2]))
        try:
            expression = Expression.parse(text)
            expression.compile(SCHEMA)
        except ContractInvalid:
            continue
        wanted -= 1
        yield clause("", ClauseKind.CEL, text, expression)


def values(chance: random.Random) -> dict[str, Any]:
    """A record, mostly of values near those that rules speak of."""

    def number(low: int, high: int) -> int:
        near = chance.choice(_EDGES) + chance.choice([-1, 0, 0, 0, 1])
        return near if low <= near <= high and chance.random() < 0.4 else chance.randint(-2, 4)

    def small() -> int:
        return number(-(2**31), 2**31 - 1)

    def large() -> int:
        return number(-(2**63), 2**63 - 1)

    def real() -> float:
        return chance.choice(
            [0.0, -0.0, 1.0, 1.5, 2.0, 3.0, -1.0, 1e300, math.nan, math.nan, math.inf, -math.inf, 2.0**63]
        )

    def word() -> str:
        return chance.choice([*_WORDS, "RE", "REDD", "abc", "é", "GREENRED"])

    def maybe(value: Callable[[], Any]) -> Any:
        return value() if chance.random() < 0.7 else None

    def inner() -> dict[str, Any]:
        return {"n": small(), "o": maybe(large)}

    found: dict[str, Any] = {"i": small(), "j": maybe(small), "k": large(), "d": real(), "e": maybe(real)}
    found |= {"s": word(), "t": maybe(word), "c": chance.choice(_SYMBOLS)}
    found |= {"b": chance.random() < 0.5, "f": maybe(lambda: chance.random() < 0.5), "r": inner(), "q": maybe(inner)}
    found["l"] = [small() for _ in range(chance.choice([0, 1, 2, 4]))]
    found["m"] = {word(): small() for _ in range(chance.choice([0, 1, 2]))}
    return found


def judges(all_clauses: list[Clause]) -> dict[str, Callable[[Mapping[str, Any]], bool]]:
    """Every clause as the row judge compiles it."""
    record = shape_of(SCHEMA)
    assert isinstance(record, Record)
    found = {}
    for number, each in enumerate(all_clauses):
        source = condition(each, number, record, SCHEMA)
        loads = "".join(f"    f_{name} = m[{name!r}]\n" for name in sorted(source.loads))
        space = dict(source.constants)
        exec(f"def holds(m):\n{loads}    return bool({source.text})", space)  # noqa: S102  (of our own source)
        found[each.id] = space["holds"]
    return found  # type: ignore[return-value]


def check(conclusion: Conclusion, every: list[Clause], verdicts: Mapping[str, bool], record: Mapping[str, Any]) -> None:
    """One conclusion on one record."""
    told = f"{conclusion}\n{[(c.id, c.argument) for c in every]}\n{record}"
    mine = verdicts[conclusion.clause.id]
    earlier = [each.id for each in every if each is not conclusion.clause]
    kept = all(verdicts[name] for name in conclusion.others) if conclusion.others else all(verdicts[n] for n in earlier)
    if conclusion.part is not None:
        part = Expression("", conclusion.part).compile(SCHEMA)(record)
        assert part == (conclusion.verdict is Verdict.ALWAYS), told
    elif conclusion.verdict is Verdict.NEVER:
        assert not (mine and there(conclusion, record)), told
    elif conclusion.verdict is Verdict.ALWAYS:
        assert mine, told
    elif conclusion.verdict is Verdict.IMPLIED:
        assert mine or not kept, told
    elif conclusion.verdict is Verdict.DUPLICATE:
        assert mine == verdicts[conclusion.others[0]], told
    elif conclusion.verdict is Verdict.CONTRADICTION:
        assert not (mine and kept and there(conclusion, record)), told


def there(conclusion: Conclusion, record: Mapping[str, Any]) -> bool:
    """Whether the field is there that a conclusion speaks of; it says nothing of null, and of no item."""
    null = re.search(r"no value of (\S+) but null", conclusion.text)
    listed = re.match(r"the valid value (.+) does not keep", conclusion.text)
    found: Any = record
    for step in (null[1] if null else conclusion.clause.path).replace("[]", "").split("."):
        found = found if found is None or not step else found[step]
    if listed:
        return bool(found == ast.literal_eval(listed[1]))
    return found is not None and found != []


@pytest.mark.parametrize("seed", range(4))
def test_what_is_concluded_holds_on_every_record(seed: int) -> None:
    chance = random.Random(seed)
    told: Counter[Verdict] = Counter()
    for _ in range(CONTRACTS):
        every = [*clauses(chance), *rules(chance)]
        found = conclude(Rules(tuple(every), (), {}), SCHEMA)
        told.update(each.verdict for each in found)
        holds = judges(every)
        for record in (values(chance) for _ in range(RECORDS)) if found else ():
            verdicts = {name: test(record) for name, test in holds.items()}
            for conclusion in found:
                check(conclusion, every, verdicts, record)
    assert set(told) >= {Verdict.NEVER, Verdict.CONTRADICTION, Verdict.ALWAYS, Verdict.IMPLIED}
