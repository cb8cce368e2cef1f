"""The fault suite says at the end of a run what its rounds came to."""

from __future__ import annotations

import pytest

from tests.support.toll import Toll

_TOLL = Toll()


@pytest.fixture(scope="session")
def toll() -> Toll:
    """Where a test says how many rounds and records it went through, and how many kills."""
    return _TOLL


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One line for each test that said something; under xdist the workers keep theirs to themselves."""
    for line in _TOLL.lines:
        terminalreporter.write_line(line)
