"""Our parser takes and refuses what cel-python's takes and refuses; what the trees mean is up to test_rules_oracle.py.

On purpose ours keeps to the definition: words end where they end (``a inb`` is no ``a in b``), and
any word may name a field (``message.in``, ``message.true``).
"""

from __future__ import annotations

import random
from typing import Final

import pytest
from celpy.celparser import CELParseError

from mesh.contract.expression import Expression
from mesh.contract.expression_tree import Binary, Name, Place, Select
from mesh.errors import ContractInvalid
from tests.support.celpy_oracle import environment

_ATOMS: Final = (
    *(
        "message",
        "x",
        "true",
        "null",
        "1",
        "-2",
        "0x1F",
        "1.5",
        "2.",
        "-.5",
        "1e3",
        "'a'",
        '"b\\n"',
        "r'\\c'",
        '"""d"e"""',
    ),
    *("- 3", "message.a.b", "// said\n 7", "size(x)", "x.f()", "[]", "{}"),
)
_OPERATORS: Final = ("&&", "||", "<", "<=", ">", ">=", "==", "!=", "in", "+", "-", "*", "/", "%")
_NOISE: Final = (*_OPERATORS, *_ATOMS, *"()[]{},:?.!", "=", "'")


class Texts:
    """Expressions and near expressions, from a seed."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)

    def whole(self, depth: int) -> str:
        """One that is CEL."""
        if depth == 0:
            return self._chance.choice(_ATOMS)
        one, two, three = (self.whole(self._chance.randrange(depth)) for _ in range(3))
        shapes = (
            f"{one} {self._chance.choice(_OPERATORS)} {two}",
            *(f"( {one} )", f"! {one}", f"- {one}", f"( {one} ) ? {two} : {three}", f"[ {one} , {two} ]"),
            *(f"{{ {one} : {two} }}", f"( {one} ) . f ( {two} , {three} )", f"x . all ( v , {one} )"),
            *(f"has ( x . y ) && {one}", f"x [ {one} ]"),
        )
        return self._chance.choice(shapes)

    def broken(self) -> str:
        """One that mostly is not: a token is put in or left out."""
        tokens = self.whole(3).split(" ")
        at = self._chance.randrange(len(tokens))
        tokens[at : at + self._chance.randrange(2)] = [self._chance.choice(_NOISE)]
        return " ".join(tokens)


def verdict(text: str) -> str:
    """Of our parser: taken, not CEL, or CEL that rules leave out."""
    try:
        Expression.parse(text)
    except ContractInvalid as error:
        return "not CEL" if "not valid CEL" in str(error) else "left out"
    return "taken"


def valid(text: str) -> bool:
    """Whether cel-python's parser takes it."""
    try:
        environment().compile(text)
    except CELParseError:
        return False
    return True


@pytest.mark.parametrize("seed", range(8))
def test_what_is_cel_is_taken_and_what_is_not_is_not(seed: int) -> None:
    texts = Texts(seed)
    for _ in range(20):
        assert verdict(text := texts.whole(3)) == "taken", text
        assert valid(text), text
    for _ in range(40):
        text = texts.broken()
        found = verdict(text)
        assert found == "left out" or (found == "taken") == valid(text), text


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("1 + 2 * 3 == 7 && true || false", "(((1 + (2 * 3)) == 7) && true) || false"),
        ("1 - 2 - 3 == -4", "((1 - 2) - 3) == -4"),
        ("!message.a && message.b", "(!(message.a)) && message.b"),
        ("-message.a.b[0] < 1", "(-(((message.a).b)[0])) < 1"),
        ("true ? 1 == 1 : false ? 2 == 2 : true", "true ? (1 == 1) : (false ? (2 == 2) : true)"),
        ("1 -2 == -1", "(1 - 2) == (-1)"),
    ],
)
def test_what_binds_closer(text: str, same: str) -> None:
    bare = "".join(each for each in repr(Expression.parse(text).tree) if each not in " ")
    assert _placeless(bare) == _placeless("".join(repr(Expression.parse(same).tree).split()))


def _placeless(tree: str) -> str:
    head, *rest = tree.split("at=Place(")
    return head + "".join(each.split(")", 1)[1] for each in rest)


def test_words_end_where_they_end_and_any_may_name_a_field() -> None:
    with pytest.raises(ContractInvalid, match="'inb' is not expected here"):
        Expression.parse("a inb")
    tree = Expression.parse("message.in == message.true").tree
    assert isinstance(tree, Binary)
    at = Place(1, 1)
    assert tree.left == Select(at, Name(at, "message"), "in")


def test_a_chain_is_as_deep_as_it_is_long() -> None:
    assert verdict(" + ".join(["1"] * 32) + " == 32") == "taken"
    for text in ("!" * 40 + "true", "-" * 40 + "x == 1", "message" + ".a" * 40 + " == 1", " + ".join(["1"] * 40)):
        with pytest.raises(ContractInvalid, match="nested deeper than 32 levels"):
            Expression.parse(text)
