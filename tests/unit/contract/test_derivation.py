"""What a contract says of where a derived product comes from, and what follows for topics and permissions."""

from __future__ import annotations

import pytest

from mesh.access import product_acls
from mesh.contract import Contract
from mesh.errors import ContractInvalid
from mesh.plan.desired import desired
from mesh.types import ProductName

CONTRACT = """
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
        value: DERIVATION
    properties:
      - {name: minutes, logicalType: integer, physicalType: int, required: true}
"""


def _contract(derivation: str) -> Contract:
    return Contract.parse(CONTRACT.replace("DERIVATION", derivation))


def test_processor_and_inputs_are_read() -> None:
    derivation = _contract("{inputs: [operations.flights, weather.observations]}").derivation
    assert derivation is not None
    assert derivation.processor == "punctuality.delays"
    assert derivation.inputs == (ProductName("operations", "flights"), ProductName("weather", "observations"))


@pytest.mark.parametrize(
    ("derivation", "told"),
    [
        ("[]", "is a mapping"),
        ("{inputs: []}", "inputs names the products"),
        ("{inputs: [flights]}", "not a product name"),
        ("{inputs: [a.b, a.b]}", "twice"),
        ("{inputs: [punctuality.delays]}", "the product itself"),
        ("{inputs: [a.b], proccessor: x}", "says nothing about a derivation"),
        ("{inputs: [a.b], processor: A B}", "not the name of a processor"),
        ("{inputs: [a.b], repartition: 3}", "true or false"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(derivation: str, told: str) -> None:
    with pytest.raises(ContractInvalid, match=told) as caught:
        _contract(derivation)
    assert "customProperties" in str(caught.value)


def test_a_derived_product_has_topics_for_its_processor_which_runs_as_the_domain() -> None:
    contract = _contract("{inputs: [operations.flights], repartition: true}")
    wanted = {str(topic.name): topic for scope in desired([contract], "here", "{}").scopes for topic in scope.topics}
    assert wanted["punctuality.delays.v1.changelog"].config["cleanup.policy"] == "compact"
    assert wanted["punctuality.delays.v1.parents"].config["retention.ms"] == "-1"
    assert "punctuality.delays.v1.repartition" in wanted
    writers = {(acl.principal, acl.name) for acl in product_acls(contract) if acl.operation == "Write"}
    assert {
        ("punctuality", f"punctuality.delays.v1.{kind}") for kind in ("parents", "changelog", "repartition")
    } <= writers


def test_a_product_of_source_has_none_of_that() -> None:
    contract = Contract.parse(
        CONTRACT.replace("    customProperties:\n      - property: derivation\n        value: DERIVATION\n", "")
    )
    assert contract.derivation is None
    names = {topic.name for scope in desired([contract], "here", "{}").scopes for topic in scope.topics}
    assert not {name for name in names if name.endswith(("parents", "changelog", "repartition"))}


def test_the_partitions_of_a_derived_product_are_fixed_because_state_lies_in_them() -> None:
    wanted = desired([_contract("{inputs: [operations.flights]}")], "here", "{}")
    topics = {str(topic.name): topic.fixed for scope in wanted.scopes for topic in scope.topics}
    assert "state of its processor" in (topics["punctuality.delays.v1.changelog"] or "")
    assert topics["punctuality.delays.v1"] is not None
