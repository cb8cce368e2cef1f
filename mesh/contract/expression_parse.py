"""Text of a CEL rule to our tree, by cel-python's grammar; what the subset leaves out is refused."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any, Final

from mesh.contract.expression_tree import (
    Binary,
    Call,
    Conditional,
    Has,
    Index,
    ListLiteral,
    Literal,
    Logic,
    Loop,
    MapLiteral,
    Name,
    Node,
    Place,
    Quantifier,
    Select,
    Unary,
)
from mesh.errors import ContractInvalid

if TYPE_CHECKING:
    from celpy.celparser import CELParseError

# A rule longer or deeper than this is a program; the bounds keep parser and generator from exhausting the stack.
LONGEST: Final = 4096
DEEPEST: Final = 32

_OPERATORS: Final = {
    "relation_lt": "<",
    "relation_le": "<=",
    "relation_gt": ">",
    "relation_ge": ">=",
    "relation_eq": "==",
    "relation_ne": "!=",
    "relation_in": "in",
    "addition_add": "+",
    "addition_sub": "-",
    "multiplication_mul": "*",
    "multiplication_div": "/",
    "multiplication_mod": "%",
}
_QUANTIFIERS: Final = ("exists", "all")
_LOOPS: Final = ("exists_one", "filter", "map")
_EXAMPLE: Final = "message.tags.NAME(t, t != '')"
_ESCAPE: Final = re.compile(r"\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[0-3][0-7]{2}|.)", re.DOTALL)
_PLAIN_ESCAPES: Final = {**dict(zip("abfnrtv", "\a\b\f\n\r\t\v", strict=True)), **{c: c for c in "\\'\"`?"}}

_Tree = Any  # lark's tree: untyped, and seen by this module only


def parse(text: str) -> Node:
    """The tree of one expression; raises ContractInvalid with one problem that begins with its place."""
    if len(text) > LONGEST:
        raise refused(Place(1, 1), f"the expression is {len(text)} characters long; {LONGEST} is the limit")
    # A fifth of a command's start, which most commands do without: they read no rule.
    from celpy.celparser import CELParseError, CELParser  # noqa: PLC0415

    try:
        tree = CELParser().parse(text)
    except CELParseError as error:
        raise _syntax_error(text, error) from None
    return _node(tree, 0)


def refused(at: Place, reason: str) -> ContractInvalid:
    """The error for one fault at one place."""
    return ContractInvalid([f"{at}: {reason}"])


def _syntax_error(text: str, error: CELParseError) -> ContractInvalid:
    line, column = error.line, error.column
    # The parser's own error is behind cel-python's; at the end of the text its place is that of the last token.
    token = getattr(error.__context__, "token", None)
    if line is None or line < 1 or column is None or column < 1 or getattr(token, "type", "") == "$END":
        return refused(Place(1, len(text) + 1), "the expression is not valid CEL: it ends too early")
    rest = text.split("\n")[line - 1][column - 1 :].strip()
    return refused(Place(line, column), f"the expression is not valid CEL: {rest[:20]!r} is not expected here")


def _place(tree: _Tree) -> Place:
    # Tokens of true and false come without a place: what begins with one stands where its next token is.
    first = next(tree.scan_values(lambda token: token.line is not None), None)
    line, column = getattr(tree.meta, "line", None), getattr(tree.meta, "column", None)
    if line is not None and column is not None:
        return Place(line, column)
    return Place(first.line, first.column) if first is not None else Place(1, 1)


def _skip_chain(tree: _Tree) -> _Tree:
    # The grammar wraps every literal in ten levels of precedence; levels with one child mean nothing.
    while tree.data in _LEVELS and len(tree.children) == 1:
        tree = tree.children[0]
    return tree


def _node(tree: _Tree, depth: int) -> Node:
    tree = _skip_chain(tree)
    at = _place(tree)
    if depth > DEEPEST:
        raise refused(at, f"the expression is nested deeper than {DEEPEST} levels")
    build = _BUILDERS.get(str(tree.data))
    if build is None:
        raise refused(at, _untaken(str(tree.data)))
    return build(tree, at, depth + 1)


def _untaken(name: str) -> str:
    what, instead = _NOT_TAKEN.get(name, ("this construct", "see docs/rules.md"))
    return f"{what} is not part of the rule language; {instead}"


def _nodes(tree: _Tree | None, depth: int) -> tuple[Node, ...]:
    return () if tree is None else tuple(_node(child, depth) for child in tree.children)


def _conditional(tree: _Tree, at: Place, depth: int) -> Node:
    condition, then, otherwise = (_node(child, depth) for child in tree.children)
    return Conditional(at, condition, then, otherwise)


def _logic(tree: _Tree, at: Place, depth: int) -> Node:
    kind, operands = tree.data, []
    while tree.data == kind and len(tree.children) == 2:
        operands.append(tree.children[1])
        tree = tree.children[0]
    operands.append(tree)
    operator = "||" if kind == "conditionalor" else "&&"
    return Logic(at, operator, tuple(_node(operand, depth) for operand in reversed(operands)))


def _binary(tree: _Tree, at: Place, depth: int) -> Node:
    left, right = tree.children
    return Binary(at, _OPERATORS[left.data], _node(left.children[0], depth), _node(right, depth))


def _unary(tree: _Tree, at: Place, depth: int) -> Node:
    operator, operand = tree.children
    return Unary(at, "!" if operator.data == "unary_not" else "-", _node(operand, depth))


def _select(tree: _Tree, at: Place, depth: int) -> Node:
    operand, field = tree.children
    return Select(at, _node(operand, depth), str(field))


def _index(tree: _Tree, at: Place, depth: int) -> Node:
    operand, key = tree.children
    return Index(at, _node(operand, depth), _node(key, depth))


def _method(tree: _Tree, at: Place, depth: int) -> Node:
    target, name, *rest = tree.children
    arguments = rest[0] if rest else None
    if name in (*_QUANTIFIERS, *_LOOPS):
        return _loop(tree, at, depth)
    return Call(at, str(name), (_node(target, depth), *_nodes(arguments, depth)), method=True)


def _loop(tree: _Tree, at: Place, depth: int) -> Node:
    target, name, *rest = tree.children
    arguments = rest[0].children if rest else []
    variable = _skip_chain(arguments[0]) if len(arguments) == 2 else None
    if variable is None or variable.data != "ident" or variable.children[0] == "message":
        what = "value, as in message.tags.map(t, size(t))" if name == "map" else f"condition, as in {_EXAMPLE}"
        raise refused(at, f"{name} takes a variable and a {what}".replace("NAME", name))
    make = Quantifier if name in _QUANTIFIERS else Loop
    return make(at, str(name), _node(target, depth), str(variable.children[0]), _node(arguments[1], depth))


def _call(tree: _Tree, at: Place, depth: int) -> Node:
    name, *rest = tree.children
    if name == "has":
        return _has(rest, at, depth)
    return Call(at, str(name), _nodes(rest[0] if rest else None, depth), method=False)


def _has(rest: list[_Tree], at: Place, depth: int) -> Node:
    argument = _skip_chain(rest[0]) if rest and len(rest[0].children) == 1 else None
    if argument is not None:
        argument = _skip_chain(argument.children[0])
    if argument is None or argument.data != "member_dot":
        raise refused(at, "has takes one field, as in has(message.gate)")
    operand, field = argument.children
    return Has(at, _node(operand, depth), str(field))


def _list(tree: _Tree, at: Place, depth: int) -> Node:
    return ListLiteral(at, _nodes(tree.children[0] if tree.children else None, depth))


def _map(tree: _Tree, at: Place, depth: int) -> Node:
    parts = _nodes(tree.children[0] if tree.children else None, depth)
    return MapLiteral(at, tuple(zip(parts[::2], parts[1::2], strict=True)))


def _name(tree: _Tree, at: Place, depth: int) -> Node:
    return Name(at, str(tree.children[0]))


def _inner(tree: _Tree, at: Place, depth: int) -> Node:
    return _node(tree.children[0], depth)


def _literal(tree: _Tree, at: Place, depth: int) -> Node:
    token = tree.children[0]
    text = str(token)
    if token.type == "INT_LIT":
        return Literal(at, _integer(text, at))
    if token.type == "FLOAT_LIT":
        return Literal(at, _double(text, at))
    if token.type in ("STRING_LIT", "MLSTRING_LIT"):
        return Literal(at, _string(text, at))
    if token.type == "BOOL_LIT":
        return Literal(at, text == "true")
    if token.type == "NULL_LIT":
        return Literal(at, None)
    raise refused(at, _untaken("unsigned" if token.type == "UINT_LIT" else "bytes"))


def _integer(text: str, at: Place) -> int:
    number = int(text, 16) if "0x" in text else int(text)
    if not -(1 << 63) <= number < 1 << 63:
        raise refused(at, f"{text} does not fit 64 bits")
    return number


def _double(text: str, at: Place) -> float:
    number = float(text)
    if math.isinf(number):
        raise refused(at, f"{text} is too large for a double")
    return number


def _string(text: str, at: Place) -> str:
    raw = text[0] in "rR"
    quoted = text[1:] if raw else text
    width = 3 if quoted[:3] in ("'''", '"""') and len(quoted) >= 6 else 1
    body = quoted[width:-width]
    value = body if raw else _ESCAPE.sub(lambda match: _unescape(match.group(1), at), body)
    if any(0xD800 <= ord(char) < 0xE000 for char in value):
        raise refused(at, "a string holds half of a surrogate pair")
    return value


def _unescape(code: str, at: Place) -> str:
    if code in _PLAIN_ESCAPES:
        return _PLAIN_ESCAPES[code]
    number = int(code[1:], 16) if code[0] in "xuU" and len(code) > 1 else int(code, 8) if len(code) == 3 else -1
    if not 0 <= number <= 0x10FFFF:
        raise refused(at, f"\\{code} is not an escape of CEL")
    return chr(number)


_LEVELS: Final = frozenset(
    ("expr", "conditionalor", "conditionaland", "relation", "addition", "multiplication", "unary", "member", "primary")
)
_NOT_TAKEN: Final = {
    "member_object": ("building an object", "compare its fields one by one"),
    "dot_ident": ("a leading dot", "write message.x"),
    "dot_ident_arg": ("a leading dot", "write message.x"),
    "unsigned": ("an unsigned number", "write 5, not 5u"),
    "bytes": ("a bytes literal", "compare size(...), or give the field the type string"),
}
_BUILDERS: Final = {
    "expr": _conditional,
    "conditionalor": _logic,
    "conditionaland": _logic,
    "relation": _binary,
    "addition": _binary,
    "multiplication": _binary,
    "unary": _unary,
    "member_dot": _select,
    "member_dot_arg": _method,
    "member_index": _index,
    "ident_arg": _call,
    "paren_expr": _inner,
    "list_lit": _list,
    "map_lit": _map,
    "ident": _name,
    "literal": _literal,
}
