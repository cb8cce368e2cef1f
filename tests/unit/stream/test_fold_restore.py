"""States that come back: read when their key is met, under whatever spelling of the key, and as they were."""

from __future__ import annotations

from typing import Any, cast

import pytest

from mesh.errors import LineageBroken
from mesh.stream.arrival import Names
from mesh.stream.folds import KIND, Fold, Folds
from mesh.stream.scope import Scope
from mesh.stream.windows import Setting

SCOPE = Scope("a.events", 3)
KEY = b'"k"'


def folds(*entries: tuple[bytes, bytes]) -> Folds:
    made = Folds(Setting(Names("a.sums", "a.sums.v1"), SCOPE, (), cast(Any, None)))
    made.restore(entries)
    return made


@pytest.mark.parametrize("name", [SCOPE.key(KIND, b"," + KEY), b'["a.events", 3, "fold", "k"]'])
def test_a_state_comes_back_and_an_abort_undoes_what_followed(name: bytes) -> None:
    restored = folds((name, Fold({"sum": 7}).entry()))
    assert not list(restored.changes()), "nothing has changed"
    fold = restored.changing(KEY, dict)
    assert fold.state == {"sum": 7}
    fold.state["sum"] = 8
    assert [key for key, _ in restored.changes()] == [SCOPE.key(KIND, b"," + KEY)]
    restored.rolled_back()
    assert restored.changing(KEY, dict).state == {"sum": 7}


def test_a_damaged_state_stops_who_meets_it() -> None:
    restored = folds((SCOPE.key(KIND, b"," + KEY), b"{"))
    assert restored.changing(b'"other"', dict).state == {}
    with pytest.raises(LineageBroken, match="bytes are damaged"):
        restored.changing(KEY, dict)
