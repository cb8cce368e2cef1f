"""The workbench every test of contracts works at."""

from __future__ import annotations

import pytest

from tests.support.documents import Workbench


@pytest.fixture
def bench() -> Workbench:
    return Workbench()
