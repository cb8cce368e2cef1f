"""YAML in, values, lines and problems out."""

from __future__ import annotations

from pathlib import Path

import pytest

from mesh.contract import Document
from mesh.errors import ContractInvalid, UsageError


def refusal(text: str) -> list[str]:
    with pytest.raises(ContractInvalid) as raised:
        Document.parse(text, "d.yaml")
    return list(raised.value.problems)


def test_timestamps_dates_and_clock_times_stay_text() -> None:
    document = Document.parse("a: 2026-01-01\nb: 2026-01-01T10:00:00Z\nc: 12:30:00\nd: 12:30\n")
    assert document.source == {"a": "2026-01-01", "b": "2026-01-01T10:00:00Z", "c": "12:30:00", "d": "12:30"}


def test_plain_scalars_have_their_types() -> None:
    document = Document.parse("i: 12\nn: -3\nf: 1.5\ne: 1.0e+3\nt: true\nz: null\nq: '12'\nw: ~\nx:\n")
    expected = {"i": 12, "n": -3, "f": 1.5, "e": 1000.0, "t": True, "z": None, "q": "12", "w": None, "x": None}
    assert document.source == expected


def test_a_duplicate_key_is_refused_with_both_lines() -> None:
    assert refusal("id: a\nteam:\n  name: x\n  name: y\n") == [
        "d.yaml:4: team.name: the key 'name' is already there in line 3; keep one"
    ]


def test_every_path_has_its_line() -> None:
    document = Document.parse("a: 1\nb:\n  - c: 2\n  - d: 3\n    e: 4\n")
    assert [document.line(place) for place in (("a",), ("b",), ("b", 0, "c"), ("b", 1), ("b", 1, "e"))] == [
        1,
        2,
        3,
        4,
        5,
    ]


def test_a_missing_path_has_the_line_of_its_ancestor() -> None:
    assert Document.parse("a: 1\nb:\n  - c: 2\n").line(("b", 0, "x", 7)) == 3


def test_writing_back_keeps_unknown_fields_and_order() -> None:
    text = "zeta: 1\nalpha:\n  extra: [1, 2]\nwhen: '2026-01-01'\nclock: '12:30'\nunicode: ü\n"
    document = Document.parse(text)
    again = Document.parse(document.dump())
    assert again.source == document.source
    assert list(again.source) == ["zeta", "alpha", "when", "clock", "unicode"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a: [1\n", "d.yaml:2: not YAML: while parsing a flow sequence"),
        ("- 1\n", "d.yaml:1: an ODCS document is a mapping"),
        ("", "d.yaml:1: an ODCS document is a mapping"),
        ("a: 1\n---\nb: 2\n", "d.yaml:2: not YAML: expected a single document"),
        ("a: 1\nb: \x01\n", "d.yaml:2: not YAML: special characters are not allowed"),
        ("a: &a [*a]\n", "d.yaml:1: not YAML: an alias refers to itself"),
        ("a: [" * 3000, "d.yaml:1: the document is nested too deeply"),
        ("a: 1\nb: !!python/object:os.system x\n", "d.yaml:2: b: the tag"),
        ("a: !!timestamp 2026-01-01\n", "d.yaml:1: a: the tag !!timestamp is not allowed"),
        ("a: .nan\n", "d.yaml:1: a: .nan is not a finite number"),
        ("1: a\n", "d.yaml:1: the key '1' is not text"),
        ("yes: a\n", "d.yaml:1: the key 'yes' is not text"),
        ("a: &x {b: 1}\nc:\n  <<: *x\n", "d.yaml:3: c: merge keys"),
        ("a: !!int xyz\n", "d.yaml:1: a: 'xyz' is not a valid int"),
    ],
)
def test_what_is_not_a_plain_document_is_refused(text: str, told: str) -> None:
    assert refusal(text)[0].startswith(told)


def test_aliases_cannot_exhaust_memory() -> None:
    rows = ["a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    rows += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 9)]
    assert "more than 200,000 values" in refusal("\n".join(rows))[0]


def test_an_alias_within_bounds_is_written_out() -> None:
    document = Document.parse("a: &x {b: [1]}\nc: *x\n")
    assert document.source == {"a": {"b": [1]}, "c": {"b": [1]}}
    assert "&" not in document.dump()


def test_a_file_that_cannot_be_read_says_so(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot read .*missing"):
        Document.read(tmp_path / "missing.yaml")


def test_a_file_that_is_not_utf_8_is_refused_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "latin.yaml"
    file.write_bytes(b"a: 1\nb: \xe4\n")
    with pytest.raises(ContractInvalid, match=r"latin.yaml:2: the file is not UTF-8"):
        Document.read(file)
