"""The conduct of programs that publish a file of a package."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from mesh.cli.feed import Feed
from mesh.contract import Contract
from mesh.errors import ContractViolation, MeshError, NotFound
from tests.support.contracts import Draft


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """An importable package with a file of 12,001 rows; importing it fails."""
    folder = tmp_path / "feedpackage"
    (folder / "data").mkdir(parents=True)
    (folder / "__init__.py").write_text("raise RuntimeError('nobody needs to import it')", "utf-8")
    rows = "".join(f"S{number},{number}\n" for number in range(12_001))
    (folder / "data" / "readings.csv").write_text("station,speed\n" + rows, "utf-8")
    (folder / "data" / "mixed.csv").write_text("station,speed\nC,3\nA,1\nD,4\nB,2\n", "utf-8")
    (folder / "data" / "broken.csv").write_text('station,speed\n"A\nA",1\nB,2\n', "utf-8")
    (folder / "data" / "spoilt.csv").write_text("station,speed\nA,1\nB,fast\n", "utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    return "feedpackage"


@pytest.fixture
def contract() -> Contract:
    return Draft().contract()


def test_rows_have_their_origin_and_progress_is_told(
    package: str, contract: Contract, capsys: pytest.CaptureFixture[str]
) -> None:
    with Feed("A test.", package, "data/readings.csv", ["--progress", "json"]) as feed:
        rows = list(feed.rows(contract))
    assert (rows[0].record, rows[0].origin) == ({"station": "S0", "speed": 0.0}, "feedpackage/readings.csv#1")
    assert rows[-1].origin == "feedpackage/readings.csv#12001"
    told = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [(each["done"], each["total"]) for each in told] == [(5_000, 12_001), (10_000, 12_001), (12_001, 12_001)]
    assert {each["product"] for each in told} == {"weather.observations"}


def test_so_many_records_and_no_more(package: str, contract: Contract, capsys: pytest.CaptureFixture[str]) -> None:
    with Feed("A test.", package, "data/readings.csv", ["--records", "3", "--progress", "json"]) as feed:
        assert len(list(feed.rows(contract))) == 3
    assert json.loads(capsys.readouterr().err) == {"product": "weather.observations", "done": 3, "total": 3}


def test_rows_can_come_as_they_happened_and_keep_their_number(package: str, contract: Contract) -> None:
    with Feed("A test.", package, "data/mixed.csv", ["--progress", "json"]) as feed:
        rows = [(row.record["station"], row.origin.partition("#")[2]) for row in feed.rows(contract, order="station")]
    assert rows == [("A", "2"), ("B", "4"), ("C", "1"), ("D", "3")]
    with Feed("A test.", package, "data/mixed.csv", ["--progress", "json", "--records", "2"]) as feed:
        few = [row.origin.partition("#")[2] for row in feed.rows(contract, order="station")]
    assert few == ["2", "1"], "the first rows of the file, then in order"


@pytest.mark.parametrize(("file", "column"), [("mixed.csv", "moment"), ("broken.csv", "station")])
def test_what_cannot_be_ordered_is_told(
    package: str, contract: Contract, capsys: pytest.CaptureFixture[str], file: str, column: str
) -> None:
    with pytest.raises(SystemExit) as ended, Feed("A test.", package, f"data/{file}", ["--progress", "json"]) as feed:
        list(feed.rows(contract, order=column))
    assert ended.value.code == 2
    assert "order" in capsys.readouterr().err


def test_without_a_terminal_a_finished_feed_is_one_line(
    package: str, contract: Contract, capsys: pytest.CaptureFixture[str]
) -> None:
    with Feed("A test.", package, "data/readings.csv", []) as feed:
        list(feed.rows(contract))
    assert capsys.readouterr().err.strip() == "weather.observations: 12,001 of 12,001"


def test_an_error_of_the_mesh_is_one_sentence_and_an_exit_code(
    package: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended, Feed("A test.", package, "data/readings.csv", ["--progress", "json"]):
        raise NotFound("product", "a.b")
    assert (ended.value.code, capsys.readouterr().err) == (1, "error: there is no product a.b\n")


def test_other_errors_are_not_dressed_up(package: str) -> None:
    with pytest.raises(ZeroDivisionError), Feed("A test.", package, "data/readings.csv", []):
        _ = 1 / 0


def test_a_row_that_the_schema_cannot_hold_ends_it(
    package: str, contract: Contract, capsys: pytest.CaptureFixture[str]
) -> None:
    with (
        pytest.raises(SystemExit) as ended,
        Feed("A test.", package, "data/spoilt.csv", ["--progress", "json"]) as feed,
    ):
        list(feed.rows(contract))
    assert ended.value.code == ContractViolation.exit_code
    assert "(row 2 of feedpackage/spoilt.csv): line.misread at speed" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["feedpackage", "no_such_package"])
def test_a_missing_file_or_package_is_told(package: str, contract: Contract, name: str) -> None:
    feed = Feed("A test.", name, "data/missing.csv", [])
    with pytest.raises(MeshError, match=f"pip install {name}"):
        next(feed.rows(contract))
    assert package not in sys.modules
