"""``mesh contract import`` at the terminal, from files."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from mesh.cli.contract import app
from mesh.contract import Contract
from mesh.errors import UsageError
from mesh.producer.sampling import sample_csv, sample_ndjson

CSV = "station,speed\n" + "".join(f"S{number},{number / 2}\n" for number in range(30))
SCHEMA = {"type": "record", "name": "R", "namespace": "n", "fields": [{"name": "a", "type": "long"}]}


def drafted(*arguments: object) -> Result:
    result: Any = CliRunner().invoke(app, ["import", *map(str, arguments)])
    return result  # type: ignore[no-any-return]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "winds.csv").write_text(CSV, "utf-8")
    (tmp_path / "winds.ndjson").write_text('{"station": "A", "speed": 1.5}\n\n{"station": "B"}\n', "utf-8")
    (tmp_path / "r.avsc").write_text(json.dumps(SCHEMA), "utf-8")
    return tmp_path


@pytest.mark.parametrize("name", ["winds.csv", "winds.ndjson", "r.avsc"])
def test_a_draft_is_the_only_thing_on_stdout_and_is_a_contract(folder: Path, name: str) -> None:
    result = drafted(folder / name, "--product", "weather.winds", "--version", "2.1.0")
    assert (result.exit_code, result.stderr) == (0, "")
    contract = Contract.parse(result.stdout)
    assert (str(contract), contract.topics.public) == ("weather.winds 2.1.0", "weather.winds.v2")


def test_a_packed_file_is_read_too(folder: Path) -> None:
    (folder / "winds.csv.gz").write_bytes(gzip.compress(CSV.encode()))
    result = drafted(folder / "winds.csv.gz", "--product", "weather.winds", "--sample", "7")
    assert "# Drafted from winds.csv.gz, 7 records." in result.stdout


def test_a_file_is_written_once_unless_forced(folder: Path) -> None:
    out = folder / "winds.odcs.yaml"
    command = (folder / "winds.csv", "--product", "weather.winds", "--output", out)
    first, second = drafted(*command), drafted(*command)
    assert (first.exit_code, first.stdout) == (0, "")
    assert (second.exit_code, second.stdout) == (2, "")
    assert "is there already" in second.stderr
    out.write_text("old", "utf-8")
    assert drafted(*command, "--force").exit_code == 0
    assert Contract.read(out).version == "1.0.0"


@pytest.mark.parametrize(
    ("name", "text", "told", "code"),
    [
        ("a.csv", "", "the CSV is empty", 2),
        ("a.csv", "a,b\n", "holds no record to learn from", 2),
        ("a.csv", "a,a\n1,2\n", "names a twice", 2),
        ("a.csv", "a,b\n1\n", "line 2 has 1 cells, the header 2", 2),
        ("a.csv", 'a\n"x', "is not CSV", 2),
        ("a.csv", "flight no\n1\n", "'flight no' is not a field name", 3),
        ("a.ndjson", "{}\n[1]\n", "line 2 is not a JSON object", 2),
        ("a.ndjson", '{"a": 1}\n{"a"\n', "line 2 is not JSON", 2),
        ("a.ndjson", '{"a": 1}\n{"a": [1]}\n', "a: is array and integer by turns", 3),
        ("a.avsc", "{", "not a schema in JSON", 3),
        (
            "a.avsc",
            '{"type": "record", "name": "R", "fields": [{"name": "a", "type": ["null", "R"]}]}',
            "contains itself",
            3,
        ),
        ("a.parquet", "x", "cannot tell what it holds", 2),
    ],
)
def test_what_cannot_be_drafted_from_says_where_and_why(
    tmp_path: Path, name: str, text: str, told: str, code: int
) -> None:
    (tmp_path / name).write_text(text, "utf-8")
    result = drafted(tmp_path / name, "--product", "weather.winds")
    assert (result.exit_code, result.stdout) == (code, "")
    assert told in " ".join(result.stderr.split())


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"a\nx\n\xff\n")
    assert "line 3 is not UTF-8 text" in drafted(tmp_path / "a.csv", "--product", "weather.winds").stderr


def test_one_source_and_a_name_are_needed(folder: Path) -> None:
    assert "name one source" in drafted().stderr
    assert "name one source" in drafted(folder / "winds.csv", "--topic", "t").stderr
    assert "add --product <domain>.<product>" in drafted(folder / "winds.csv").stderr
    assert drafted(folder / "nowhere.csv", "--product", "weather.winds").exit_code == 1
    assert drafted(folder / "nowhere.avsc", "--product", "weather.winds").exit_code == 1
    assert "is not a product name" in drafted(folder / "winds.csv", "--product", "Winds").stderr


def test_a_sample_is_spread_over_the_file_and_the_same_every_time() -> None:
    lines = [f'{{"n": {number}}}\n' for number in range(1000)]
    taken = [record["n"] for record in sample_ndjson(lines, 50)]
    assert taken == [record["n"] for record in sample_ndjson(lines, 50)] == sorted(set(taken))
    assert len(taken) == 50
    assert (min(taken) < 200, max(taken) > 800) == (True, True)
    assert sample_csv(["a\n", "1\n", "\n", "2\n"], 9) == [{"a": "1"}, {"a": "2"}]


def test_a_line_that_is_no_record_is_named() -> None:
    lines = ['{"n": 1}\n'] * 20 + ["{\n"] * 3
    with pytest.raises(UsageError, match="line 21 is not JSON"):
        sample_ndjson(lines, 100)
