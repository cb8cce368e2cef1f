from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from mesh.embedded.layout import planned, remembered
from mesh.errors import PlatformFailure


def test_a_layout_is_remembered(tmp_path: Path) -> None:
    first = remembered(tmp_path / "kafka", 1, None)
    assert remembered(tmp_path / "kafka", 1, None) == first
    assert (tmp_path / "kafka" / "cluster.json").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "kafka").stat().st_mode & 0o777 == 0o700


def test_the_port_of_clients_may_move_and_nothing_else(tmp_path: Path) -> None:
    first = remembered(tmp_path, 1, None)
    moved = remembered(tmp_path, 1, 19092)
    assert moved.bootstrap == "127.0.0.1:19092"
    assert (moved.cluster_id, moved.nodes[0].controller) == (first.cluster_id, first.nodes[0].controller)
    assert remembered(tmp_path, 1, None) == moved


def test_a_cluster_does_not_change_its_size(tmp_path: Path) -> None:
    remembered(tmp_path, 1, None)
    with pytest.raises(PlatformFailure, match=r"holds a cluster of 1 node\(s\), not 3"):
        remembered(tmp_path, 3, None)


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", json.dumps({"cluster_id": "x", "nodes": [{}]})])
def test_a_damaged_file_is_not_planned_over(tmp_path: Path, content: str) -> None:
    (tmp_path / "cluster.json").write_text(content)
    with pytest.raises(PlatformFailure, match="is damaged"):
        remembered(tmp_path, 1, None)
    assert (tmp_path / "cluster.json").read_text() == content


def test_ids_are_kafka_uuids_and_ports_differ() -> None:
    layout = planned(3, None)
    ids = [layout.cluster_id, *(node.directory_id for node in layout.nodes)]
    assert all(re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_-]{21}", each) for each in ids)
    assert len(set(ids)) == 4
    assert len({port for node in layout.nodes for port in (node.client, node.internal, node.controller)}) == 9
