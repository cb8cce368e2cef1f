"""``mesh quarantine`` at the terminal, on a mesh whose gate really refused the records."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from mesh.cli.app import app
from mesh.contract import Contract
from mesh.kafka import LogReader, Message, Producer
from mesh.types import Coordinate, Headers, TopicPartition
from tests.support.contracts import Draft
from tests.support.mesh import RunningMesh
from tests.support.writing import Framing

pytestmark = pytest.mark.broker

Run = Callable[..., Result]
Sent = tuple[bytes | None, bytes | None, Headers]

PILOT = {
    "name": "pilot",
    "logicalType": "string",
    "physicalType": "string",
    "classification": "restricted",
    "logicalTypeOptions": {"maxLength": 12},
}
CANARY = "CANARY-0b5e77-OF-A-PILOT"


@pytest.fixture(scope="module")
def desk() -> str:
    """Somebody who may settle quarantined records, and nothing else."""
    return f"d{secrets.token_hex(4)}"


@pytest.fixture(scope="module")
def contract(mesh: RunningMesh, desk: str) -> Contract:
    """One partition with six records refused: too fast, a name too long, no Avro at all."""
    domain = "y" + secrets.token_hex(4)
    draft = Draft(product=f"{domain}.readings", topic={"partitions": 1}, extra=[PILOT], operators=[desk])
    contract = draft.contract()
    mesh.apply(contract)
    framing = Framing(mesh, contract)
    records: list[Sent] = [
        (framing.key(station), framing.value(station, speed, pilot=pilot), [("mesh-origin", b"file#1"), ("x", None)])
        for station, speed, pilot in (
            ("EWR", 1.0, "Ann"),
            ("EWR", 400.0, "Ann"),
            ("JFK", 401.0, "Ben"),
            ("JFK", 2.0, CANARY),
            ("LGA", 402.0, CANARY),
        )
    ]
    send(mesh, contract, [*records, (framing.key("EWR"), b"not Avro " + CANARY.encode(), ())])
    mesh.await_gated(contract)
    return contract


def send(mesh: RunningMesh, contract: Contract, records: Sequence[Sent], partition: int = 0) -> None:
    with Producer(mesh.connection(contract.product.domain)) as producer:
        for key, value, headers in records:
            producer.produce(contract.topics.ingress, key=key, value=value, headers=headers, partition=partition)
        producer.flush()


@pytest.fixture
def run(mesh: RunningMesh, desk: str, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a mesh command as the operator."""
    monkeypatch.setenv("MESH_CONFIG", str(mesh.folder.config))
    monkeypatch.setenv("MESH_PRINCIPAL", desk)

    def ran(*arguments: object) -> Result:
        result: Any = CliRunner().invoke(app, ["quarantine", *map(str, arguments)])
        return result  # type: ignore[no-any-return]

    return ran


def listed(run: Run, *words: object) -> list[dict[str, Any]]:
    done = run("list", *words, "--json")
    assert done.exit_code == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def test_what_was_refused_is_listed_with_its_reason_and_state(run: Run, contract: Contract) -> None:
    done = run("list", contract.product)
    assert done.exit_code == 0, done.stderr
    head, *rows = [line.split("\t") for line in done.stdout.splitlines()]
    assert head[:5] == ["record", "state", "arrived", "key", "clauses"]
    assert [(row[0].rpartition("/")[2], row[1], row[3], row[4]) for row in rows] == [
        ("0", "open", "EWR", "speed-possible"),
        ("1", "open", "JFK", "speed-possible"),
        ("2", "open", "JFK", "pilot.maxLength"),
        ("3", "open", "LGA", "speed-possible pilot.maxLength"),
        ("4", "open", "EWR", "frame.magic"),
    ]
    assert done.stderr.strip() == "5 record(s)"


@pytest.mark.parametrize(
    ("words", "offsets"),
    [
        (["clause=speed-possible"], [0, 1, 3]),
        (["clause=pilot.maxLength", "clause=frame.magic"], [2, 3, 4]),
        (["key=JFK", "clause=speed-possible"], [1]),
        (["schema=1"], []),
        (["version=1.2.0"], [0, 1, 2, 3, 4]),
        (["version=1.1.0"], []),
        (["since=1h"], [0, 1, 2, 3, 4]),
        (["until=1h"], []),
        (["state=replayed"], []),
    ],
)
def test_records_are_chosen_by_what_is_known_of_them(
    run: Run, contract: Contract, words: list[str], offsets: list[int]
) -> None:
    found = listed(run, contract.product, *words)
    assert [int(each["coordinate"].rpartition("/")[2]) for each in found] == offsets


def test_one_record_is_shown_whole_with_whom_to_ask(run: Run, contract: Contract) -> None:
    done = run("show", f"{contract.topics.quarantine}/0/1")
    assert done.exit_code == 0, done.stderr
    told = dict(line.split("\t", 1) for line in done.stdout.splitlines())
    assert told["finding"].startswith("speed-possible at speed: ")
    assert json.loads(told["value"]) == {"station": "JFK", "speed": 401.0, "pilot": "(classified)"}
    assert told["came from"].startswith(f"{contract.topics.ingress}/0/2, arrived 20")
    assert told["ask"] == f"{contract.product.domain} team"
    assert (told["state"], told["key"]) == ("open", '"JFK"')


def test_classified_values_are_shown_to_nobody_who_does_not_ask(run: Run, contract: Contract) -> None:
    for arguments in (["list"], ["list", "--json"], ["show"], ["show", "--json"], ["stats"], ["export"]):
        done = run(*arguments, contract.product)
        assert done.exit_code == 0
        assert CANARY not in done.output + done.stderr
        assert "Tk9ULUF" not in done.output  # the beginning of it in base64
    assert CANARY in run("export", contract.product, "--reveal").stdout


def test_stats_count_by_clause_version_and_state(run: Run, contract: Contract) -> None:
    found = json.loads(run("stats", contract.product, "--json").stdout)
    assert found["records"] == {"open": 5, "replayed": 0, "discarded": 0, "superseded": 0}
    counted = {(row["clause"], row["contract_version"]): row["records"] for row in found["by_clause"]}
    assert counted == {("speed-possible", "1.2.0"): 3, ("pilot.maxLength", "1.2.0"): 2, ("frame.magic", "1.2.0"): 1}


def test_exports_are_a_json_object_a_line(run: Run, contract: Contract) -> None:
    done = run("export", contract.product, "clause=speed-possible", "--reveal")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["value"]["speed"] for line in lines] == [400.0, 401.0, 402.0]
    assert lines[0]["findings"][0]["path"] == "speed"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "name one product"),
        (["since=yesterday"], "ISO 8601"),
        (["colour=red"], "chooses nothing"),
        (["no-such.product"], "there is no product"),
        (["a.b", "c.d"], "name one product"),
        (["state=lost"], "open, replayed"),
    ],
)
def test_a_wrong_word_is_told(run: Run, contract: Contract, words: list[str], told: str) -> None:
    product = [str(contract.product)] if words and "=" in words[0] else []
    done = run("list", *product, *(words or ["key=x"]))
    assert done.exit_code in (1, 2)
    assert told in done.stderr


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--set", "speed"], "path=value"),
        (["--set", "speed:=message."], "--set"),
        (["--from", "no-such-file"], "cannot read"),
        (["state=discarded"], "only open records"),
        (["key=EWR", "clause=speed-possible", "--set", "height=1"], "no height"),
        (["key=EWR", "clause=speed-possible", "--set", "station=JFK"], "part of the key"),
    ],
)
def test_a_wrong_correction_is_told_before_anything_happens(
    run: Run, contract: Contract, arguments: list[str], told: str
) -> None:
    done = run("replay", contract.product, *arguments, "--dry-run")
    assert done.exit_code != 0
    assert told in done.stderr + done.stdout


def test_broken_records_are_corrected_tried_and_replayed(run: Run, mesh: RunningMesh, contract: Contract) -> None:
    chosen = [contract.product, "clause=speed-possible", "key=EWR"]
    for correction, told in (("speed:=message.speed / 4.0", "passed"), ("speed=999", "refused again")):
        tried = run("replay", *chosen, "--set", correction, "--dry-run", "--json")
        assert [each["would be"] for each in json.loads(tried.stdout)] == [told]
        assert tried.exit_code == (0 if told == "passed" else 3)
    refused = run("replay", *chosen, "--set", "speed:=message.speed / 4.0")
    assert (refused.exit_code, "--yes" in refused.stderr) == (2, True)
    assert listed(run, *chosen, "state=open") != []
    done = run("replay", *chosen, "--set", "speed:=message.speed / 4.0", "--reason", "in knots by four", "--yes")
    assert done.exit_code == 0, done.stderr
    assert done.stderr.strip() == "1 passed"
    (row,) = [line.split("\t") for line in done.stdout.splitlines()[1:]]
    assert row[1] == "passed"
    (held,) = listed(run, *chosen)
    assert (held["state"], held["settled"]["reason"], held["settled"]["result"]) == (
        "replayed",
        "in knots by four",
        row[2],
    )
    assert json.loads(held["settled"]["patch"]) == {"set": {"speed": 100.0}}
    again = run("replay", *chosen, "--yes")
    assert (again.exit_code, "no open record" in again.stderr) == (1, True)


def test_an_edited_export_is_replayed_and_classified_values_stay(
    run: Run, mesh: RunningMesh, contract: Contract, tmp_path: Path
) -> None:
    file = tmp_path / "edited.ndjson"
    lines = [json.loads(line) for line in run("export", contract.product, "key=JFK").stdout.splitlines()]
    assert [line["value"]["pilot"] for line in lines] == ["(classified)"] * 2
    lines[0]["value"]["speed"] = 41.5
    lines[1]["value"]["pilot"] = "Cid"
    file.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    done = run("replay", contract.product, "--from", file, "--yes", "--json")
    assert done.exit_code == 0, done.stderr
    places = [each["now at"] for each in json.loads(done.stdout)]
    framing = Framing(mesh, contract)
    with LogReader(mesh.admin) as reader:
        records = [
            reader.fetch(TopicPartition(contract.topics.public, 0), Coordinate.parse(at).offset) for at in places
        ]
    assert [framing.decoded((record and record.value()) or b"") for record in records] == [
        {"station": "JFK", "speed": 41.5, "pilot": "Ben"},
        {"station": "JFK", "speed": 2.0, "pilot": "Cid"},
    ]
    told = [each["settled"]["patch"] for each in listed(run, contract.product, "state=replayed", "key=JFK")]
    assert [json.loads(each)["set"] for each in told] == [{"speed": 41.5}, {"pilot": "(classified)"}]


def test_what_cannot_be_read_is_replaced_whole_or_discarded(run: Run, contract: Contract, tmp_path: Path) -> None:
    (garbage,) = listed(run, contract.product, "clause=frame.magic")
    file = tmp_path / "whole.ndjson"
    whole = {"coordinate": garbage["coordinate"], "value": {"station": "EWR", "speed": 3.5, "pilot": None}}
    file.write_text(json.dumps(whole), encoding="utf-8")
    done = run("replay", contract.product, "--from", file, "--yes")
    assert (done.exit_code, done.stderr.strip()) == (0, "1 passed")
    done = run("discard", contract.product, "key=LGA", "--reason", "a test flight", "--yes")
    assert (done.exit_code, done.stderr.strip()) == (0, "1 discarded")
    assert json.loads(run("stats", contract.product, "--json").stdout)["records"]["open"] == 0


def test_only_operators_may_settle(run: Run, contract: Contract, mesh: RunningMesh, monkeypatch: Any) -> None:
    send(mesh, contract, [(b"not even a key", b"nor a value", ())])
    mesh.await_gated(contract)
    monkeypatch.setenv("MESH_PRINCIPAL", contract.product.domain)
    assert [each["clauses"] for each in listed(run, contract.product, "clause=key.magic")] == [
        ["frame.magic", "key.magic"]
    ]
    done = run("discard", contract.product, "clause=key.magic", "--reason", "noise", "--yes")
    assert "may not write" in done.stderr
    assert done.exit_code == 5


def test_no_classified_value_is_in_anything_but_the_records(run: Run, contract: Contract, mesh: RunningMesh) -> None:
    """The records and the patches of operators hold them; verdicts, manifests, audit events and logs never do."""
    topics, told = contract.topics, []
    with LogReader(mesh.admin) as reader:

        def everything(topic: str) -> Iterator[Message]:
            return reader.read(TopicPartition(topic, 0), 0, 1 << 60)

        for topic in (topics.quarantine, topics.public):
            told += [dict(each.headers() or ()).get("mesh-verdict") or b"" for each in everything(topic)]
        told += [each.value() or b"" for topic in (topics.lineage, "_mesh.audit") for each in everything(topic)]
        held = b"".join(each.value() or b"" for each in everything(topics.quarantine))
    told += [path.read_bytes() for path in mesh.folder.logs.glob("*.log")]
    assert CANARY.encode() in held
    assert len(told) > 10
    for text in told:
        assert CANARY.encode() not in text
        assert b"Cid" not in text  # of a patch
