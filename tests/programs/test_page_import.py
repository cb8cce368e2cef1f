"""docs/import.md does as it says, without a broker."""

from __future__ import annotations

from pathlib import Path

from tests.support.demo import ROOT
from tests.support.snippets import steps
from tests.support.walking import walking


def test_the_page_on_drafting_contracts(tmp_path: Path) -> None:
    with walking(tmp_path) as walk:
        assert walk.take(steps(ROOT / "docs" / "import.md", "import")) >= 3
