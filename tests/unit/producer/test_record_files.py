"""Records in files: typed cells, typed JSON, and what is said of lines that are none."""

from __future__ import annotations

import gzip
import zipfile
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from mesh.contract import Contract
from mesh.errors import NotFound, UsageError
from mesh.producer import BadRow, Row, count_lines, csv_rows, ndjson_rows, open_text
from tests.support.contracts import Draft

MOMENT = datetime(2013, 1, 31, 10, tzinfo=UTC)


def field(name: str, logical: str, physical: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "logicalType": logical, "physicalType": physical, **more}


EXTRA = [
    field("count", "integer", "int"),
    field("flag", "boolean", "boolean"),
    field("seen_at", "timestamp", "long/timestamp-millis"),
    field("wall", "timestamp", "long/local-timestamp-millis"),
    field("fine", "timestamp", "long/timestamp-nanos"),
    field("fine_wall", "timestamp", "long/local-timestamp-nanos"),
    field("day", "date", "int/date"),
    field("clock", "time", "int/time-millis"),
    field("price", "number", "bytes/decimal(10,2)"),
    field("raw", "string", "bytes"),
    field("id", "string", "string/uuid"),
    field("hours", "array", "array", items=field("hour", "timestamp", "long/timestamp-millis")),
    field("inner", "object", "record", properties=[field("at", "timestamp", "long/timestamp-millis")]),
]


@pytest.fixture(scope="module")
def contract() -> Contract:
    return Draft(extra=EXTRA).contract()


def only(rows: Iterator[Row | BadRow]) -> Row | BadRow:
    found = list(rows)
    assert len(found) == 1
    return found[0]


CELLS: list[tuple[str, str, object]] = [
    ("station", "EWR", "EWR"),
    ("station", "NA", None),
    ("station", " NA", " NA"),
    ("speed", "10.357019999999999", 10.357019999999999),
    ("speed", "12", 12.0),
    ("speed", "", None),
    ("count", "-42", -42),
    ("flag", "TRUE", True),
    ("flag", "false", False),
    ("seen_at", "2013-01-31T10:00:00Z", MOMENT),
    ("seen_at", "2013-01-31T05:00:00-05:00", MOMENT),
    ("seen_at", "2013-01-31 10:00:00", MOMENT),
    ("wall", "2013-01-31T10:00:00", datetime(2013, 1, 31, 10)),
    ("fine", "2013-01-31T10:00:00.123456789Z", 1359626400123456789),
    ("fine", "1969-12-31T23:59:59.9999999Z", -100),
    ("fine", "2013-01-31T10:00:00", 1359626400000000000),
    ("fine_wall", "2013-01-31T10:00:00.5", 1359626400500000000),
    ("day", "2013-01-31", date(2013, 1, 31)),
    ("clock", "10:00:00.5", time(10, 0, 0, 500_000)),
    ("price", "10.10", Decimal("10.10")),
    ("raw", "YWI=", b"ab"),
    ("id", "12345678-1234-5678-1234-567812345678", UUID("12345678123456781234567812345678")),
    ("hours", '["2013-01-31T10:00:00Z"]', [MOMENT]),
    ("inner", '{"at": "2013-01-31T10:00:00Z"}', {"at": MOMENT}),
]


@pytest.mark.parametrize(("name", "cell", "value"), CELLS)
def test_a_cell_is_typed_by_its_field(contract: Contract, name: str, cell: str, value: object) -> None:
    quoted = '"' + cell.replace('"', '""') + '"'
    row = only(csv_rows([f"{name}\n", f"{quoted}\n"], contract))
    assert isinstance(row, Row)
    assert row.record == {name: value}
    assert type(row.record[name]) is type(value)


BAD_CELLS = [
    ("count", "12.5", "is not a whole number"),
    ("count", "1_000", "is not a whole number"),
    ("count", "twelve", "is not a whole number"),
    ("speed", "1_0", "is not a number"),
    ("speed", "fast", "is not a number"),
    ("flag", "yes", "is neither true nor false"),
    ("seen_at", "yesterday", "is not a time as in 2013-01-31T10:00:00Z"),
    ("fine_wall", "2013-01-31T10:00:00Z", "has a time zone, the field is local time"),
    ("day", "31/01/2013", "is not a date as in 2013-01-31"),
    ("clock", "25:00", "is not a time of day as in 10:00:00"),
    ("price", "ten", "is not a decimal number"),
    ("raw", "a", "is not base64"),
    ("id", "1", "is not a UUID"),
    ("hours", "[", "is not JSON"),
    ("hours", '["late"]', "is not a time as in 2013-01-31T10:00:00Z"),
]


@pytest.mark.parametrize(("name", "cell", "reason"), BAD_CELLS)
def test_a_cell_that_cannot_be_read_is_a_finding_without_its_content(
    contract: Contract, name: str, cell: str, reason: str
) -> None:
    quoted = '"' + cell.replace('"', '""') + '"'
    row = only(csv_rows([f"{name}\n", f"{quoted}\n"], contract))
    assert isinstance(row, BadRow)
    assert (row.finding.path, row.finding.reason) == (name, reason)


def test_rows_and_lines_are_numbered_apart(contract: Contract) -> None:
    text = 'station,speed\nA,1\n"B\nB",2\n\nC,x\nD,4,5\nE,5\n'
    rows = list(csv_rows(text.splitlines(keepends=True), contract))
    assert [(row.number, row.line, isinstance(row, Row)) for row in rows] == [
        (1, 2, True),
        (2, 4, True),
        (3, 6, False),
        (4, 7, False),
        (5, 8, True),
    ]
    assert isinstance(rows[3], BadRow)
    assert rows[3].finding.reason == "has 3 cells, the header 2"


def test_reading_goes_on_after_a_line_that_is_not_csv(contract: Contract) -> None:
    rows = list(csv_rows(["station,speed\n", '"A"x,1\n', "B,2\n"], contract))
    assert [type(row) for row in rows] == [BadRow, Row]


@pytest.mark.parametrize(
    ("header", "told"), [("station,wind\n", "has no field wind"), ("station,station\n", "twice"), ("", "empty")]
)
def test_a_header_that_does_not_fit_is_refused(contract: Contract, header: str, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        list(csv_rows([header] if header else [], contract))


JSON: list[tuple[str, object]] = [
    ('{"seen_at": "2013-01-31T10:00:00Z"}', {"seen_at": MOMENT}),
    ('{"seen_at": 1359626400000}', {"seen_at": 1359626400000}),
    ('{"seen_at": null, "count": 1}', {"seen_at": None, "count": 1}),
    ('{"price": 10.1}', {"price": Decimal("10.1")}),
    ('{"price": "10.10"}', {"price": Decimal("10.10")}),
    ('{"raw": "YWI="}', {"raw": b"ab"}),
    ('{"hours": ["2013-01-31T10:00:00Z"], "inner": {"at": null}}', {"hours": [MOMENT], "inner": {"at": None}}),
    ('{"unknown": {"deep": 1}}', {"unknown": {"deep": 1}}),
]


@pytest.mark.parametrize(("text", "record"), JSON)
def test_json_is_typed_by_the_schema(contract: Contract, text: str, record: object) -> None:
    row = only(ndjson_rows([text], contract))
    assert isinstance(row, Row)
    assert row.record == record


@pytest.mark.parametrize(
    ("text", "path", "reason"),
    [
        ("{", "", "is not JSON"),
        ("[1]", "", "is not a JSON object"),
        ("[" * 100_000, "", "is not JSON"),
        ('{"inner": {"at": "x"}}', "inner.at", "is not a time as in 2013-01-31T10:00:00Z"),
    ],
)
def test_a_line_that_is_no_record_is_told(contract: Contract, text: str, path: str, reason: str) -> None:
    row = only(ndjson_rows([text], contract))
    assert isinstance(row, BadRow)
    assert (row.finding.path, row.finding.reason) == (path, reason)


def test_empty_lines_are_no_records(contract: Contract) -> None:
    rows = list(ndjson_rows(['{"station": "A"}\n', "\n", '{"station": "B"}\n'], contract))
    assert [(row.number, row.line) for row in rows] == [(1, 1), (2, 3)]


CONTENT = "station,speed\nA,1\nB,2\n"


def plain(path: Path) -> Path:
    path.write_text(CONTENT, "utf-8")
    return path


def zipped(path: Path) -> Path:
    with zipfile.ZipFile(path.with_suffix(".csv.zip"), "w") as archive:
        archive.writestr("data.csv", CONTENT)
    return path.with_suffix(".csv.zip")


def gzipped(path: Path) -> Path:
    path.with_suffix(".csv.gz").write_bytes(gzip.compress(b"\xef\xbb\xbf" + CONTENT.encode()))
    return path.with_suffix(".csv.gz")


@pytest.mark.parametrize("make", [plain, zipped, gzipped])
def test_files_are_read_as_they_are_packed(make: Callable[[Path], Path], tmp_path: Path, contract: Contract) -> None:
    path = make(tmp_path / "data.csv")
    with open_text(path) as source:
        assert [row.number for row in csv_rows(source, contract)] == [1, 2]
    assert count_lines(path) == 3


def test_an_archive_of_several_files_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "two.zip", "w") as archive:
        archive.writestr("a.csv", CONTENT)
        archive.writestr("b.csv", CONTENT)
    with pytest.raises(UsageError, match="holds 2 files"), open_text(tmp_path / "two.zip"):
        pass


def test_a_file_that_is_not_there_or_is_a_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"missing\.csv"), open_text(tmp_path / "missing.csv"):
        pass
    with pytest.raises(UsageError, match="cannot read"), open_text(tmp_path):
        pass


def test_what_is_not_utf8_spoils_its_own_line_only(tmp_path: Path, contract: Contract) -> None:
    (tmp_path / "mixed.csv").write_bytes(b"station\nA\n\xff\nB\n")
    with open_text(tmp_path / "mixed.csv") as source:
        assert [row.record["station"] for row in csv_rows(source, contract) if isinstance(row, Row)] == [
            "A",
            "\udcff",
            "B",
        ]
