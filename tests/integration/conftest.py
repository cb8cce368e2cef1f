"""Fixtures of the tests that publish and subscribe on a running mesh."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import Any

import pytest

from mesh import Mesh
from mesh.contract import Contract
from tests.support.contracts import Draft
from tests.support.mesh import RunningMesh
from tests.support.readings import SEEN_AT, Make, Thirty, publish


@pytest.fixture
def reader() -> str:
    """The name of a subscription nobody else has."""
    return "r" + secrets.token_hex(4)


@pytest.fixture
def make(mesh: RunningMesh, reader: str) -> Make:
    """Applies a product of a new domain, which ``reader`` may read."""

    def made(**changes: Any) -> Contract:
        domain = "p" + secrets.token_hex(4)
        contract = Draft(product=f"{domain}.readings", readers=[reader], extra=[SEEN_AT], **changes).contract()
        mesh.apply(contract)
        return contract

    return made


@pytest.fixture(scope="module")
def thirty(mesh: RunningMesh) -> Thirty:
    """A product of one partition that holds thirty readings, for tests that only read."""
    names = [f"q{secrets.token_hex(4)}" for _ in range(8)]
    domain = "p" + secrets.token_hex(4)
    topic = {"partitions": 1}
    contract = Draft(product=f"{domain}.readings", readers=names, extra=[SEEN_AT], topic=topic).contract()
    mesh.apply(contract)
    with Mesh.connect(mesh.folder.config) as way_in:
        publish(mesh, way_in, contract, 30)
    return Thirty(contract, iter(names))


@pytest.fixture(scope="module")
def untouched(mesh: RunningMesh) -> Contract:
    """A product that nothing is ever written to, for tests of refusals."""
    contract = Draft(product=f"p{secrets.token_hex(4)}.readings", extra=[SEEN_AT]).contract()
    mesh.apply(contract)
    return contract


@pytest.fixture
def way_in(mesh: RunningMesh) -> Iterator[Mesh]:
    with Mesh.connect(mesh.folder.config) as connected:
        yield connected
