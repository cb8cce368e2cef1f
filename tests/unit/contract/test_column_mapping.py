"""Column mappings of derived products: what is read, and what is refused with file, line and path."""

from __future__ import annotations

import pytest

from mesh.contract import Contract
from mesh.contract.mapping import ColumnInput, Kind
from mesh.contract.sourcing import check_inputs
from mesh.errors import ContractInvalid
from mesh.types import ProductName

FLIGHTS, WEATHER = ProductName("operations", "flights"), ProductName("weather", "observations")

DELAYS = """
apiVersion: v3.1.0
kind: DataContract
id: punctuality-delays
version: 1.0.0
status: active
domain: punctuality
schema:
  - name: Delay
    physicalName: punctuality.delays.v1
    physicalType: topic
    logicalType: object
    customProperties:
      - property: derivation
        value: {inputs: [operations.flights, weather.observations]DERIVATION}
    properties:
      - name: minutes
        logicalType: integer
        required: true
        classification: internal
        transformSourceObjects: [operations.flights.v1]
        transformDescription: later than it was scheduled
        customProperties:
          - {property: lineage, value: MINUTES}
      - name: place
        logicalType: object
        properties:
          - name: wind
            logicalType: number
            customProperties:
              - {property: lineage, value: [{from: weather.observations.wind.speed, subtype: AGGREGATION}]}
"""

SOURCE = """
apiVersion: v3.1.0
kind: DataContract
id: source
version: 1.0.0
status: active
domain: DOMAIN
schema:
  - name: Row
    physicalName: PRODUCT.v1
    physicalType: topic
    logicalType: object
    properties: PROPERTIES
"""

FIELDS = """
      - {name: origin, logicalType: string, required: true, classification: public}
      - {name: dep_delay, logicalType: integer, classification: internal}
      - {name: pilot, logicalType: string, classification: restricted}
"""
WIND = """
      - name: wind
        logicalType: object
        properties: [{name: speed, logicalType: number}]
"""


def derived(minutes: str = "[{from: operations.flights.dep_delay, subtype: IDENTITY}]", lists: str = "") -> Contract:
    text = DELAYS.replace("MINUTES", minutes).replace("DERIVATION", lists)
    return Contract.parse(text, "delays.odcs.yaml")


def source(product: str, fields: str) -> Contract:
    text = SOURCE.replace("DOMAIN", product.partition(".")[0]).replace("PRODUCT", product)
    return Contract.parse(text.replace("PROPERTIES", fields))


@pytest.fixture
def known() -> dict[ProductName, Contract]:
    return {FLIGHTS: source("operations.flights", FIELDS), WEATHER: source("weather.observations", WIND)}


def test_a_field_names_what_feeds_it_and_how() -> None:
    mapping = derived("[{from: operations.flights.dep_delay, type: DIRECT, subtype: TRANSFORMATION}]").mapping
    told = "later than it was scheduled"
    assert mapping.fields["minutes"] == (ColumnInput(FLIGHTS, "dep_delay", Kind.DIRECT, "TRANSFORMATION", False, told),)
    assert mapping.fields["place.wind"] == (ColumnInput(WEATHER, "wind.speed", Kind.DIRECT, "AGGREGATION"),)
    assert not mapping.every


def test_lists_of_the_derivation_decide_about_whole_records() -> None:
    lists = (
        ", join: [operations.flights.origin, weather.observations.wind.speed], filter: [operations.flights.dep_delay]"
    )
    assert [(str(each), each.kind, each.subtype) for each in derived(lists=lists).mapping.every] == [
        ("operations.flights.origin", "INDIRECT", "JOIN"),
        ("weather.observations.wind.speed", "INDIRECT", "JOIN"),
        ("operations.flights.dep_delay", "INDIRECT", "FILTER"),
    ]


@pytest.mark.parametrize(
    ("minutes", "told"),
    [
        ("{}", "lineage is a list"),
        ("[]", "lineage is a list"),
        ("[operations.flights.dep_delay]", "is a mapping"),
        ("[{from: flights, subtype: IDENTITY}]", "'flights' is not a field of a product"),
        ("[{from: operations.flights, subtype: IDENTITY}]", "is not a field of a product"),
        ("[{from: fleet.aircraft.engines, subtype: IDENTITY}]", "fleet.aircraft is not an input"),
        ("[{from: operations.flight.dep_delay, subtype: IDENTITY}]", "did you mean operations.flights"),
        ("[{from: operations.flights.dep_delay, subtype: COPY}]", "'COPY' is no subtype"),
        ("[{from: operations.flights.dep_delay, type: INDIRECT, subtype: IDENTITY}]", "IDENTITY is DIRECT"),
        ("[{from: operations.flights.dep_delay, subtype: IDENTITY, masked: true}]", "'masked' says nothing"),
        ("[{from: operations.flights.dep_delay, subtype: IDENTITY, masking: 1}]", "true or false"),
        (
            "[{from: operations.flights.dep_delay, subtype: IDENTITY}, "
            "{from: operations.flights.dep_delay, subtype: IDENTITY}]",
            "named twice",
        ),
    ],
)
def test_what_is_wrong_is_told_with_file_line_and_path(minutes: str, told: str) -> None:
    with pytest.raises(ContractInvalid, match=told) as caught:
        derived(minutes)
    assert "delays.odcs.yaml:24: schema[0].properties[0].customProperties[0].value" in str(caught.value)


@pytest.mark.parametrize(
    ("lists", "told"),
    [
        (", join: operations.flights.origin", "join is a list"),
        (", group: [origin]", "'origin' is not a field of a product"),
        (", filter: [fleet.aircraft.engines]", "fleet.aircraft is not an input"),
        (", joins: [operations.flights.origin]", "says nothing about a derivation"),
    ],
)
def test_lists_that_make_no_sense_are_refused(lists: str, told: str) -> None:
    with pytest.raises(ContractInvalid, match=told):
        derived(lists=lists)


def test_a_product_of_source_has_no_lineage_of_columns() -> None:
    fields = "[{name: a, logicalType: string, customProperties: [{property: lineage, value: []}]}]"
    with pytest.raises(ContractInvalid, match="the product has no derivation"):
        source("operations.flights", fields)


def test_source_objects_must_be_inputs_where_they_are_products() -> None:
    text = DELAYS.replace("MINUTES", "[{from: operations.flights.dep_delay, subtype: IDENTITY}]")
    text = text.replace("DERIVATION", "").replace(
        "[operations.flights.v1]", "[warehouse.public.flights, fleet.aircraft]"
    )
    with pytest.raises(ContractInvalid, match=r"fleet\.aircraft is not an input") as caught:
        Contract.parse(text)
    assert len(caught.value.problems) == 1


def test_a_mapping_that_keeps_to_the_inputs_is_let_pass(known: dict[ProductName, Contract]) -> None:
    assert list(check_inputs(derived(), known)) == []


def test_unknown_products_and_fields_of_inputs_are_told_with_line(known: dict[ProductName, Contract]) -> None:
    contract = derived("[{from: operations.flights.dep_dealy, subtype: IDENTITY}]")
    (told,) = check_inputs(contract, known)
    assert told == (
        "delays.odcs.yaml:24: schema[0].properties[0].customProperties[0].value[0]: "
        "operations.flights 1.0.0 has no field dep_dealy; did you mean dep_delay?"
    )
    (told,) = check_inputs(derived(), {FLIGHTS: known[FLIGHTS]})
    assert told.startswith("delays.odcs.yaml:15: schema[0].customProperties[0].value.inputs[1]: there is no product")
    assert list(check_inputs(derived(), {FLIGHTS: known[FLIGHTS]}, complete=False)) == []
    (told,) = check_inputs(derived(lists=", group: [operations.flights.orgin]"), known)
    assert "value.group[0]: operations.flights 1.0.0 has no field orgin; did you mean origin?" in told


PILOT = "from: operations.flights.pilot"


def test_a_class_does_not_fall_silently(known: dict[ProductName, Contract]) -> None:
    contract = derived(f"[{{{PILOT}, subtype: TRANSFORMATION}}]")
    (told,) = check_inputs(contract, known)
    assert "minutes is internal, but operations.flights.pilot, which becomes part of it, is restricted" in told
    assert list(check_inputs(derived(f"[{{{PILOT}, subtype: TRANSFORMATION, masking: true}}]"), known)) == []
    assert list(check_inputs(derived(f"[{{{PILOT}, subtype: JOIN}}]"), known)) == []


def test_a_class_may_fall_for_a_reason(known: dict[ProductName, Contract]) -> None:
    reason = "]}\n          - {property: declassified, value: only a number of letters"
    contract = derived(f"[{{{PILOT}, subtype: TRANSFORMATION}}{reason}")
    assert contract.mapping.declassified == {"minutes": "only a number of letters"}
    assert list(check_inputs(contract, known)) == []
    with pytest.raises(ContractInvalid, match="is the reason for it"):
        derived(f"[{{{PILOT}, subtype: TRANSFORMATION}}{reason.replace('only a number of letters', 'true')}")


def test_a_field_without_a_class_is_taken_for_an_internal_one(known: dict[ProductName, Contract]) -> None:
    text = DELAYS.replace("MINUTES", f"[{{{PILOT}, subtype: IDENTITY}}]").replace("DERIVATION", "")
    contract = Contract.parse(text.replace("        classification: internal\n", ""))
    (told,) = check_inputs(contract, known)
    assert "minutes is without a classification" in told
