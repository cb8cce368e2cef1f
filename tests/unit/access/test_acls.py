"""The permissions contracts give: the whole set for one product, and what it must never hold."""

from __future__ import annotations

from mesh.access import GATE, SCHEMAS, desired_acls, product_acls
from mesh.registry.log import TOPIC
from tests.support.contracts import Draft

PUBLIC = "weather.observations.v1"

EXPECTED = """
Allow _mesh.gate Describe Topic weather.observations.v1
Allow _mesh.gate Read Topic weather.observations.v1
Allow _mesh.gate Write Topic weather.observations.v1
Allow _mesh.gate Describe Topic weather.observations.v1.quarantine
Allow _mesh.gate Read Topic weather.observations.v1.quarantine
Allow _mesh.gate Write Topic weather.observations.v1.quarantine
Allow _mesh.gate Describe Topic weather.observations.v1.lineage
Allow _mesh.gate Read Topic weather.observations.v1.lineage
Allow _mesh.gate Write Topic weather.observations.v1.lineage
Allow _mesh.gate Describe Topic weather.observations.v1.state
Allow _mesh.gate Read Topic weather.observations.v1.state
Allow _mesh.gate Write Topic weather.observations.v1.state
Allow _mesh.gate Describe Topic weather.observations.v1.ingress
Allow _mesh.gate Read Topic weather.observations.v1.ingress
Allow _mesh.gate Describe Topic weather.observations.v1.commands
Allow _mesh.gate Read Topic weather.observations.v1.commands
Allow _mesh.gate Describe Topic _mesh.audit
Allow _mesh.gate Write Topic _mesh.audit
Allow _mesh.gate Describe Topic _schemas
Allow _mesh.gate Read Topic _schemas
Allow _mesh.gate Describe Topic _mesh.weather.catalog
Allow _mesh.gate Read Topic _mesh.weather.catalog
Allow _mesh.gate Read Group _mesh.gate.*
Allow _mesh.gate Describe TransactionalId _mesh.gate.*
Allow _mesh.gate Write TransactionalId _mesh.gate.*
Allow _mesh.lineage Describe Topic _mesh.audit
Allow _mesh.lineage Read Topic _mesh.audit
Allow _mesh.lineage Write Topic _mesh.audit
Allow _mesh.lineage Describe Topic weather.observations.v1.lineage
Allow _mesh.lineage Read Topic weather.observations.v1.lineage
Allow weather Describe Topic weather.observations.v1.ingress
Allow weather Read Topic weather.observations.v1.ingress
Allow weather Write Topic weather.observations.v1.ingress
Allow weather Describe Topic weather.observations.v1
Allow weather Read Topic weather.observations.v1
Allow weather Describe Topic weather.observations.v1.quarantine
Allow weather Read Topic weather.observations.v1.quarantine
Allow weather Describe Topic weather.observations.v1.lineage
Allow weather Read Topic weather.observations.v1.lineage
Allow weather Describe Topic weather.observations.v1.commands
Allow weather Read Topic weather.observations.v1.commands
Allow weather Read Group weather.*
Allow weather Describe TransactionalId weather.*
Allow weather Write TransactionalId weather.*
Allow delay-desk Describe Topic weather.observations.v1
Allow delay-desk Read Topic weather.observations.v1
Allow delay-desk Read Group delay-desk
Allow * Describe Topic _mesh.weather.catalog
Allow * Read Topic _mesh.weather.catalog
""".strip().splitlines()


def test_the_whole_set_of_one_product() -> None:
    assert sorted(map(str, desired_acls([Draft(readers=["delay-desk"]).contract()]))) == sorted(EXPECTED)


def test_what_is_parked_is_seen_by_those_who_see_the_quarantine_and_always_leaves_through_the_gate() -> None:
    def on_state(draft: Draft) -> set[tuple[str, str]]:
        given = product_acls(draft.contract())
        return {(acl.principal, acl.operation) for acl in given if acl.name == f"{PUBLIC}.state"}

    gate = {(GATE, "Read"), (GATE, "Write"), (GATE, "Describe")}
    assert on_state(Draft(operators=["desk"])) == gate
    assert on_state(Draft(reaction="hold-key", operators=["desk"], readers=["delay-desk"])) == gate | {
        (who, what) for who in ("weather", "desk") for what in ("Read", "Describe")
    }


def test_only_the_gate_writes_what_it_answers_for() -> None:
    everything = desired_acls([Draft(readers=["fleet"]).contract(), Draft(product="fleet.aircraft").contract()])
    writers = {acl.principal for acl in everything if acl.operation == "Write" and acl.name.endswith(("v1", "ine"))}
    assert writers == {GATE}


def test_topics_are_literal_and_nobody_administers() -> None:
    everything = desired_acls([Draft(readers=["fleet"]).contract(), Draft(product="fleet.aircraft").contract()])
    assert {acl.pattern for acl in everything if acl.resource == "Topic"} == {"LITERAL"}
    assert {acl.operation for acl in everything} == {"Read", "Write", "Describe"}
    assert "Cluster" not in {acl.resource for acl in everything}


def test_only_a_role_that_reads_grants_reading() -> None:
    document = Draft(readers=["delay-desk"]).text.replace("access: read", "access: admin")
    contract = type(Draft().contract()).parse(document)
    assert not {acl for acl in product_acls(contract) if acl.principal == "delay-desk"}


def test_only_operators_write_commands_and_they_write_nothing_else() -> None:
    given = product_acls(Draft(readers=["delay-desk"], operators=["night-shift", "weather"]).contract())
    commanding = {acl.principal for acl in given if acl.operation == "Write" and acl.name == f"{PUBLIC}.commands"}
    assert commanding == {"night-shift", "weather"}
    assert {(acl.operation, acl.name) for acl in given if acl.principal == "night-shift"} == {
        ("Write", f"{PUBLIC}.commands"),
        *(("Read", f"{PUBLIC}.{kind}") for kind in ("commands", "quarantine", "lineage")),
        *(("Describe", f"{PUBLIC}.{kind}") for kind in ("commands", "quarantine", "lineage", "ingress")),
        ("Describe", PUBLIC),
    }


def test_the_registry_s_log_is_read_by_gates_alone() -> None:
    assert SCHEMAS == TOPIC
    everything = desired_acls([Draft(readers=["fleet"], operators=["desk"]).contract()])
    assert {acl.principal for acl in everything if acl.name == SCHEMAS} == {GATE}
