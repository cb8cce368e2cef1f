"""Fixtures for every suite."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.broker import Broker, running_broker


@pytest.fixture(scope="session")
def kafka() -> Iterator[Broker]:
    """A real Kafka for the whole session; tests keep apart by random names. Where none can start, tests fail."""
    with running_broker() as broker:
        yield broker
