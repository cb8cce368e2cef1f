"""What a product may be read for."""

from __future__ import annotations

import pytest

from mesh.consumer.purpose import check_purpose, client_id
from mesh.contract import Contract
from mesh.errors import NotAuthorised, UsageError
from tests.support.contracts import Draft


def contract(*roles: tuple[str, list[str], list[str]]) -> Contract:
    """A contract with reading roles: name, purposes, principals."""
    text = Draft().text.partition("roles:")[0]
    lines = [
        f"- {{role: {name}, access: read, customProperties: [{{property: purposes, value: {purposes}}},"
        f" {{property: principals, value: {principals}}}]}}"
        for name, purposes, principals in roles
    ]
    return Contract.parse("\n".join([text, "roles:", *lines]) if lines else text)


def test_a_purpose_of_the_role_that_holds_the_principal_will_do() -> None:
    product = contract(("desk", ["delay-analysis"], ["delay-desk"]), ("lab", ["research"], ["lab"]))
    check_purpose(product, "delay-desk", "delay-analysis")
    with pytest.raises(NotAuthorised) as refused:
        check_purpose(product, "delay-desk", "research")
    assert refused.value.exit_code == 5
    assert str(refused.value).startswith(
        "delay-desk may not read weather.observations for 'research', only for delay-analysis (PURPOSE_NOT_ALLOWED)"
    )


def test_whoever_holds_no_role_is_told_every_purpose_and_left_to_the_broker() -> None:
    product = contract(("desk", ["delay-analysis"], ["delay-desk"]), ("lab", ["research"], ["lab"]))
    check_purpose(product, "weather", "research")
    with pytest.raises(NotAuthorised, match="only for delay-analysis or research"):
        check_purpose(product, "weather", "marketing")


@pytest.mark.parametrize("roles", [[], [("desk", [], ["delay-desk"])]])
def test_a_contract_without_purposes_takes_every_purpose(roles: list[tuple[str, list[str], list[str]]]) -> None:
    check_purpose(contract(*roles), "delay-desk", "anything at all")


def test_the_client_id_shows_name_and_purpose_plainly() -> None:
    assert client_id("delay-desk", "delay-analysis") == "mesh-delay-desk.delay-analysis"
    assert client_id("delay-desk", "why are\nthey late?") == "mesh-delay-desk.why-are-they-late"
    assert len(client_id("delay-desk", "x" * 1000)) <= 120


@pytest.mark.parametrize("purpose", ["", "  ", "??"])
def test_a_purpose_that_says_nothing_is_refused(purpose: str) -> None:
    with pytest.raises(UsageError, match="say what the subscription is for"):
        client_id("delay-desk", purpose)
