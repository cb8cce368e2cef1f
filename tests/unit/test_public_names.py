"""What programs may import: few names, sorted, all there, and nothing heavy until one is used."""

from __future__ import annotations

import subprocess
import sys

import pytest

import mesh


def test_the_list_is_short_and_sorted() -> None:
    assert list(mesh.__all__) == sorted(mesh.__all__)
    assert len(mesh.__all__) <= 24


@pytest.mark.parametrize("name", mesh.__all__)
def test_every_name_is_there_and_documented(name: str) -> None:
    found = getattr(mesh, name)
    assert found.__name__ == name
    assert found.__doc__


def test_the_list_is_complete() -> None:
    assert dir(mesh) == mesh.__all__


def test_what_type_checkers_see_is_what_there_is() -> None:
    source = mesh.__file__
    assert source is not None
    with open(source, encoding="utf-8") as text:  # noqa: PTH123
        declared = text.read().partition("if TYPE_CHECKING:")[2].partition("__all__")[0]
    assert all(name in declared for name in mesh.__all__)


def test_other_names_are_not_there() -> None:
    with pytest.raises(AttributeError, match="Nothing"):
        _ = mesh.Nothing  # type: ignore[attr-defined]


def test_importing_the_mesh_imports_no_client_and_no_schemas() -> None:
    heavy = "confluent_kafka fastavro httpx pydantic typer rich yaml mesh.kafka mesh.contract"
    code = f"import sys, mesh; sys.exit(' '.join(set('{heavy}'.split()) & set(sys.modules)) or 0)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
