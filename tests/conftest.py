"""Fixtures for every suite."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from tests.support.broker import Broker, running_broker
from tests.support.mesh import RunningMesh, running_mesh
from tests.support.toll import Toll

# No test is timed: on busy cores an example takes as long as it takes.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

_TOLL = Toll()


@pytest.fixture(scope="session")
def toll() -> Toll:
    """Where a test says how many rounds and records it went through, and how many kills."""
    return _TOLL


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One line for each test that said something; under xdist the workers keep theirs to themselves."""
    for line in _TOLL.lines:
        terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def kafka() -> Iterator[Broker]:
    """A real Kafka for the whole session; tests keep apart by random names. Where none can start, tests fail."""
    with running_broker() as broker:
        yield broker


@pytest.fixture(scope="session")
def mesh(kafka: Broker) -> Iterator[RunningMesh]:
    """Registry and gate on that Kafka, for the whole session."""
    with running_mesh(kafka) as running:
        yield running
