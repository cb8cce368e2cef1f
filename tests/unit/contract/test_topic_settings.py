"""A contract's topic settings as Kafka's configuration."""

from __future__ import annotations

from typing import Any

import pytest

from mesh.contract import Contract
from tests.support.documents import Workbench


def with_topic(source: dict[str, Any], topic: Any, *sla: dict[str, Any]) -> None:
    source["schema"][0]["customProperties"] = [{"property": "topic", "value": topic}]
    source["slaProperties"] = list(sla)


def settled(bench: Workbench, topic: Any, *sla: dict[str, Any]) -> Contract:
    return bench.contract(lambda source: with_topic(source, topic, *sla))


def refused(bench: Workbench, topic: Any, *sla: dict[str, Any]) -> list[str]:
    return bench.problems(lambda source: with_topic(source, topic, *sla))


RETENTION = {"property": "retention", "value": 30, "unit": "d"}


def test_the_public_topic_leaves_room_for_the_gate_and_keeps_what_the_sla_promises(bench: Workbench) -> None:
    contract = settled(bench, {"partitions": 6, "cleanupPolicy": "delete", "maxMessageBytes": 2000}, RETENTION)
    assert contract.partitions == 6
    assert dict(contract.topic_config) == {
        "cleanup.policy": "delete",
        "max.message.bytes": str(2000 + 65536),
        "message.timestamp.type": "CreateTime",
        "retention.ms": "2592000000",
    }


def test_the_ingress_refuses_compression_and_keeps_a_week(bench: Workbench) -> None:
    assert dict(settled(bench, {}).ingress_config) == {
        "cleanup.policy": "delete",
        "compression.type": "uncompressed",
        "max.message.bytes": "1000000",
        "message.timestamp.type": "LogAppendTime",
        "retention.ms": "604800000",
    }


def test_a_compacted_topic_has_no_retention(bench: Workbench) -> None:
    config = settled(bench, {"cleanupPolicy": "compact"}, RETENTION).topic_config
    assert (config["cleanup.policy"], "retention.ms" in config) == ("compact", False)


def test_other_settings_pass_through_as_text(bench: Workbench) -> None:
    config = settled(bench, {"config": {"segment.bytes": 1048576, "preallocate": False}}).topic_config
    assert (config["segment.bytes"], config["preallocate"]) == ("1048576", "false")


@pytest.mark.parametrize(
    ("unit", "value", "expected"), [("h", 2, 7_200_000), ("days", 1, 86_400_000), ("y", 1, 31_536_000_000)]
)
def test_retention_is_read_in_its_unit(bench: Workbench, unit: str, value: int, expected: int) -> None:
    config = settled(bench, {}, {"property": "retention", "value": value, "unit": unit}).topic_config
    assert config["retention.ms"] == str(expected)


@pytest.mark.parametrize(
    ("topic", "sla", "told"),
    [
        ({"partitions": 0}, [], "partitions is 0; write a whole number from 1"),
        ({"partitions": True}, [], "partitions is True"),
        ({"partition": 3}, [], "'partition' is not a topic setting"),
        ({"cleanupPolicy": "compact,delete"}, [], "write delete or compact"),
        ({"ingressRetentionMs": 1000}, [], "ingressRetentionMs is 1000; write a whole number from 604800000"),
        ({"retentionMs": 5}, [RETENTION], "retentionMs 5 is not the retention of slaProperties (2592000000 ms)"),
        ({"config": {"cleanup.policy": "delete"}}, [], "cleanup.policy is decided by the mesh"),
        ({"config": {"Bad Key": 1}}, [], "Bad Key is decided by the mesh or is not a setting"),
        ({"config": 3}, [], "config is a mapping"),
        (3, [], "topic is a mapping"),
        ({}, [{"property": "retention", "value": "soon"}], "a retention of 'soon' without a unit is not a time"),
        ({}, [{"property": "retention", "value": 0, "unit": "d"}], "a retention of 0 d is not a time"),
    ],
)
def test_settings_that_make_no_sense_are_refused(bench: Workbench, topic: Any, sla: list[Any], told: str) -> None:
    problems = refused(bench, topic, *sla)
    assert [told in problem for problem in problems] == [True]
