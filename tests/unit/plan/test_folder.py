"""A folder of contracts is read whole, or refused with every problem at once."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from mesh.contract import Document
from mesh.errors import ContractInvalid, NotFound, SettingsError
from mesh.plan import Folder
from tests.support.contracts import Draft


@pytest.fixture
def contracts(tmp_path: Path) -> Path:
    folder = tmp_path / "team-weather" / "contracts"
    write(folder, "weather/observations.odcs.yaml", Draft().text)
    return folder


def write(folder: Path, name: str, text: str) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def test_every_document_is_read_and_nothing_else(contracts: Path) -> None:
    write(contracts, "weather/observations.v2.odcs.yaml", Draft(version="2.0.0").text)
    write(contracts, "weather/notes.yaml", "not: a contract")
    folder = Folder.read(contracts)
    assert [str(each.topics.public) for each in folder.contracts] == [
        "weather.observations.v1",
        "weather.observations.v2",
    ]


def test_the_source_is_said_or_written_in_the_policy_or_the_folders_name(contracts: Path) -> None:
    assert Folder.read(contracts).source == "team-weather"
    write(contracts, "policy.yaml", "policies: []\n")
    assert Folder.read(contracts).source == "team-weather"
    write(contracts, "policy.yaml", "source: weather-repository\n")
    assert Folder.read(contracts).source == "weather-repository"
    assert Folder.read(contracts, "given").source == "given"


def test_the_source_never_holds_a_path(contracts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(contracts)
    assert Folder.read(Path()).source == "team-weather"


def test_a_folder_without_contracts_is_told(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no contract in"):
        Folder.read(tmp_path / "nowhere")


def test_all_problems_are_told_at_once(contracts: Path) -> None:
    write(contracts, "fleet/observations.odcs.yaml", Draft(product="weather.alerts").text)
    write(contracts, "weather/copy.odcs.yaml", Draft().text)
    write(contracts, "weather/broken.odcs.yaml", "- not\n- a document\n")
    with pytest.raises(ContractInvalid) as refused:
        Folder.read(contracts)
    told = "\n".join(refused.value.problems)
    assert "lies in the folder weather, not in fleet" in told
    assert "weather.observations.v1 is already described by" in told
    assert "broken.odcs.yaml" in told


def test_a_policy_that_is_no_yaml_is_told(contracts: Path) -> None:
    write(contracts, "policy.yaml", "source: [")
    with pytest.raises(SettingsError, match="policy"):
        Folder.read(contracts)


POLICY = """
policies:
  - id: owner-named
    reason: somebody must answer
    severity: {severity}
    require: contract.team.name == 'weather desk'
    at: team.name
"""


def test_what_breaks_a_policy_is_not_planned(contracts: Path) -> None:
    write(contracts, "policy.yaml", POLICY.format(severity="error"))
    with pytest.raises(ContractInvalid, match=r"observations\.odcs\.yaml:\d+: team\.name: .*somebody must answer"):
        Folder.read(contracts)
    write(contracts, "policy.yaml", POLICY.format(severity="warning"))
    assert len(Folder.read(contracts).contracts) == 1


def test_the_version_step_is_judged_against_what_is_registered(contracts: Path) -> None:
    require = "previous == null || step in ['minor', 'major']"
    write(
        contracts,
        "policy.yaml",
        POLICY.format(severity="error").replace("contract.team.name == 'weather desk'", require),
    )
    folder = Folder.read(contracts)
    topic = folder.contracts[0].topics.public
    folder.refuse({topic: Document.parse(Draft(version="1.1.9").text)})
    with pytest.raises(ContractInvalid, match="owner-named"):
        folder.refuse({topic: Document.parse(Draft(version="1.2.0").text)})


def test_a_policy_that_cannot_be_used_stops_the_plan(contracts: Path) -> None:
    write(contracts, "policy.yaml", POLICY.format(severity="fatal"))
    with pytest.raises(SettingsError, match=r"policy\.yaml:5: .*'fatal' is not a severity"):
        Folder.read(contracts)


def derived(fed_by: str = "weather.observations.speed") -> str:
    """A product that says its speed comes from there."""
    document = yaml.safe_load(Draft(product="gales.hourly").text)
    inputs = {"property": "derivation", "value": {"inputs": ["weather.observations"]}}
    document["schema"][0]["customProperties"].append(inputs)
    lineage = {"property": "lineage", "value": [{"from": fed_by, "subtype": "AGGREGATION"}]}
    document["schema"][0]["properties"][1]["customProperties"] = [lineage]
    return yaml.safe_dump(document, sort_keys=False)


def test_fields_of_inputs_are_looked_up_in_the_folder(contracts: Path) -> None:
    write(contracts, "gales/hourly.odcs.yaml", derived())
    assert Folder.read(contracts).unheld == frozenset()
    write(contracts, "gales/hourly.odcs.yaml", derived("weather.observations.spead"))
    with pytest.raises(ContractInvalid, match=r"hourly.odcs.yaml:\d+: .*no field spead; did you mean speed\?"):
        Folder.read(contracts)


def test_inputs_elsewhere_are_looked_up_among_what_is_applied(tmp_path: Path) -> None:
    write(tmp_path, "gales/hourly.odcs.yaml", derived())
    folder, applied = Folder.read(tmp_path), Draft().contract()
    assert [str(each) for each in folder.unheld] == ["weather.observations"]
    folder.refuse_inputs({applied.product: applied})
    with pytest.raises(ContractInvalid, match=r"inputs\[0\]: there is no product weather.observations"):
        folder.refuse_inputs({})
