"""What an ODPS document says of a product."""

from __future__ import annotations

import pytest
import yaml

from mesh.contract import Contract
from mesh.contract.export import odps
from mesh.errors import UsageError
from tests.support.contracts import Draft
from tests.support.documents import Workbench
from tests.support.exports import everything


def made_from(*sources: str) -> Contract:
    return Workbench().fields({"name": "total", "logicalType": "integer", "transformSourceObjects": list(sources)})


def test_a_product_has_its_contract_as_output_port() -> None:
    document = odps([everything()["flights"]])
    assert (document["id"], document["name"], document["domain"]) == ("operations.flights", "Flights", "operations")
    (port,) = document["outputPorts"]
    assert (port["name"], port["version"], port["contractId"]) == ("operations.flights", "1.1.0", "operations-flights")
    assert "inputContracts" not in port
    assert document["team"]["name"] == "flight-operations"
    assert [each["channel"] for each in document["managementPorts"]] == [
        "operations.flights.v1.quarantine",
        "operations.flights.v1.lineage",
        "operations.flights.v1.commands",
    ]


def test_inputs_are_the_products_that_fields_are_made_from() -> None:
    weather = everything()["observations"]
    contract = made_from(
        "weather.observations.v1.wind_speed",
        "weather.observations.v1",
        "tides.levels.v12#height",
        "tides.levels.v3-old",
        "a.csv",
    )
    (port,) = odps([contract])["outputPorts"]
    assert port["inputContracts"] == [
        {"id": "tides.levels", "version": "12"},
        {"id": "weather.observations", "version": "1"},
    ]
    assert port["customProperties"][1] == {"property": "sourceObjects", "value": ["a.csv", "tides.levels.v3-old"]}
    (port,) = odps([contract], known=[weather])["outputPorts"]
    assert {"id": weather.id, "version": weather.version} in port["inputContracts"]


def test_sources_of_nested_fields_and_items_count() -> None:
    deep = {"name": "x", "logicalType": "integer", "transformSourceObjects": ["tides.levels.v3"]}
    items = {"logicalType": "object", "properties": [deep]}
    contract = Workbench().fields({"name": "list", "logicalType": "array", "items": items})
    assert odps([contract])["outputPorts"][0]["inputContracts"] == [{"id": "tides.levels", "version": "3"}]


def hourly(version: str = "1.0.0") -> Contract:
    return Draft("a.hourly", version, derivation={"inputs": ["a.plain", "b.tides"]}).contract()


def test_inputs_of_a_derivation_are_input_ports_with_id_and_version() -> None:
    old, tides = Draft("b.tides", "1.4.0").contract(), Draft("b.tides", "2.1.0").contract()
    document = odps([hourly()], known=[tides, old, Draft("a.plain").contract()])
    assert [(each["name"], each["version"], each["contractId"]) for each in document["inputPorts"]] == [
        ("a.plain", "1.2.0", "urn:mesh:a.plain"),
        ("b.tides", "2.1.0", "urn:mesh:b.tides"),
    ]
    assert document["inputPorts"][1]["customProperties"] == [{"property": "topic", "value": "b.tides.v2"}]
    (port,) = document["outputPorts"]
    assert port["inputContracts"] == [
        {"id": "urn:mesh:a.plain", "version": "1.2.0"},
        {"id": "urn:mesh:b.tides", "version": "2.1.0"},
    ]


def test_an_input_whose_contract_is_not_known_is_no_port_but_kept_by_name() -> None:
    document = odps([hourly()], known=[Draft("a.plain").contract()])
    assert [each["name"] for each in document["inputPorts"]] == ["a.plain"]
    assert {"property": "inputs", "value": ["b.tides"]} in document["outputPorts"][0]["customProperties"]
    assert "inputPorts" not in odps([hourly()])


def test_what_a_product_makes_itself_is_no_input_port_of_it() -> None:
    plain = Draft("a.plain").contract()
    source = yaml.safe_load(plain.document.dump()), yaml.safe_load(hourly().document.dump())
    both = [Contract.parse(yaml.safe_dump(each | {"dataProduct": "tides"})) for each in source]
    document = odps(both, known=[Draft("b.tides").contract()])
    assert [each["name"] for each in document["inputPorts"]] == ["b.tides"]
    made = {port["name"]: port.get("inputContracts", []) for port in document["outputPorts"]}
    assert {"id": plain.id, "version": plain.version} in made["a.hourly"]


def test_two_majors_are_two_ports_of_one_product() -> None:
    old, new = Draft(version="1.9.0", status="deprecated").contract(), Draft(version="2.0.0").contract()
    document = odps([new, old])
    assert [port["version"] for port in document["outputPorts"]] == ["1.9.0", "2.0.0"]
    assert (document["version"], document["status"]) == ("2.0.0", "active")
    assert document == odps([old, new])


def test_support_without_an_address_is_kept_as_a_property() -> None:
    document = odps([everything()["flights"]])
    assert "support" not in document
    assert document["customProperties"][-1]["value"][0]["channel"] == "flight-operations"
    addressed = {"channel": "desk", "url": "https://desk.example.org", "invitationUrl": "come in", "id": "d"}
    document = odps([Workbench().contract(lambda source: source.update(support=[addressed]))])
    assert document["support"] == [{"channel": "desk", "url": "https://desk.example.org"}]


def test_contracts_of_several_products_and_none_are_refused() -> None:
    with pytest.raises(UsageError, match="2 data products"):
        odps([Draft().contract(), everything()["flights"]])
    with pytest.raises(UsageError, match="at least one"):
        odps([])
