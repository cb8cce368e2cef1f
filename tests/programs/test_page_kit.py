"""The page on the offline contract kit: what its reader does, done."""

from __future__ import annotations

from pathlib import Path

from tests.support.demo import ROOT
from tests.support.snippets import steps
from tests.support.walking import walking


def test_the_page_on_the_kit(tmp_path: Path) -> None:
    with walking(tmp_path) as walk:
        assert walk.take(steps(ROOT / "docs" / "kit.md", "kit")) >= 6
