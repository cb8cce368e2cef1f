"""Ids of runs and names of clusters in OpenLineage."""

from __future__ import annotations

from uuid import UUID

import pytest

from mesh.lineage.openlineage import Naming, run_id


def test_ids_of_runs_are_uuids_of_version_7_and_a_function_of_the_run() -> None:
    moment = 1_767_225_600_123
    found = UUID(run_id(moment, "d", "gate:d.c.v1", "1.0.0"))
    assert (found.version, found.variant) == (7, "specified in RFC 4122")
    assert found.int >> 80 == moment
    assert str(found) == run_id(moment, "d", "gate:d.c.v1", "1.0.0")
    others = {run_id(moment, "d", "gate:d.c.v1", "1.0.1"), run_id(moment + 1, "d", "gate:d.c.v1", "1.0.0")}
    assert len({str(found), *others, run_id(moment, "d", "gate:d.c.v11.0.0")}) == 4
    assert sorted([run_id(2_000, "b"), run_id(1_000, "z")])[0] == run_id(1_000, "z"), "they sort by time"


@pytest.mark.parametrize(
    ("bootstrap", "namespace", "others"),
    [
        ("a:9093,b:9094", "kafka://a:9093", ("kafka://b:9094", "kafka://c1")),
        ("a", "kafka://a:9092", ("kafka://c1",)),
        ("SASL_SSL://a:1, SASL_SSL://a:1", "kafka://a:1", ("kafka://c1",)),
        ("[::1]:9092", "kafka://[::1]:9092", ("kafka://c1",)),
        ("", "kafka://c1", ("kafka://c1",)),
    ],
)
def test_one_name_of_a_cluster_is_canonical(bootstrap: str, namespace: str, others: tuple[str, ...]) -> None:
    naming = Naming.of(bootstrap, "c1")
    assert (naming.namespace, naming.others) == (namespace, others)


def test_aliases_are_known_too() -> None:
    assert Naming.of("a:1", aliases=["proxy:2"]).others == ("kafka://proxy:2",)
