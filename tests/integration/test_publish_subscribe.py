"""Publishing by product name and reading it back, through a running registry and gate; and who may not."""

from __future__ import annotations

from pathlib import Path

import pytest

from mesh import ContractViolation, Mesh, NotAuthorised, NotFound
from mesh.contract import Contract
from mesh.errors import UsageError
from mesh.kafka import Admin, LogReader
from mesh.types import TopicPartition
from tests.support.mesh import RunningMesh
from tests.support.modules import models
from tests.support.readings import MOMENT, PARTITIONS, Make, Thirty, ends, publish

pytestmark = pytest.mark.broker


def test_a_record_arrives_as_it_was_published(mesh: RunningMesh, way_in: Mesh, make: Make, reader: str) -> None:
    contract = make()
    with way_in.producer(contract.product) as publisher:
        publisher.publish(
            {"station": "EWR", "speed": 12, "seen_at": MOMENT}, origin="weather.csv#7", headers=[("mine", b"1")]
        )
    assert publisher.published == 1
    mesh.await_gated(contract)
    with way_in.subscribe(contract.product, name=reader, purpose="testing", until_end=True) as subscription:
        (record,) = subscription
    with Admin(mesh.admin) as admin:
        topic_id = admin.topics([contract.topics.public])[contract.topics.public].topic_id
    assert record.value == {"station": "EWR", "speed": 12.0, "seen_at": MOMENT}
    assert (record.key, str(record.product)) == ("EWR", str(contract.product))
    assert list(record.headers) == [("mine", b"1"), ("mesh-origin", b"weather.csv#7")]
    assert (record.coordinate.topic, record.coordinate.topic_id) == (contract.topics.public, topic_id)


def test_what_breaks_the_contract_is_told_in_full_and_not_sent(
    mesh: RunningMesh, way_in: Mesh, untouched: Contract
) -> None:
    contract = untouched
    with way_in.producer(contract.product) as publisher:
        with pytest.raises(ContractViolation) as broken:
            publisher.publish({"station": "EWR", "speed": 400.0}, headers=[("mesh-verdict", b"mine")])
        assert {finding.clause for finding in broken.value.findings} == {"speed-possible", "header.reserved"}
        with pytest.raises(ContractViolation) as broken:
            publisher.publish({"station": "EWR", "speed": "fast"})
        assert [(finding.clause, finding.path) for finding in broken.value.findings] == [("schema.misfit", "speed")]
        with pytest.raises(ContractViolation) as broken:
            publisher.publish({"station": "EWR", "speed": 1.0}, key="JFK")
        assert [finding.clause for finding in broken.value.findings] == ["key.mismatch"]
    assert ends(mesh, contract.topics.ingress) == 0


def test_without_the_check_the_gate_alone_judges(mesh: RunningMesh, way_in: Mesh, make: Make) -> None:
    contract = make()
    with way_in.producer(contract.product, check=False) as publisher:
        publisher.publish({"station": "EWR", "speed": 400.0})
        with pytest.raises(ContractViolation, match="speed"):
            publisher.publish({"station": "EWR", "speed": None})
    mesh.await_gated(contract)
    assert ends(mesh, contract.topics.public) == 0
    assert ends(mesh, contract.topics.quarantine) > 0


def test_a_key_is_retracted_on_a_compacted_product_only(
    mesh: RunningMesh, way_in: Mesh, make: Make, reader: str, untouched: Contract
) -> None:
    contract = make(topic={"partitions": 1, "cleanupPolicy": "compact"})
    with way_in.producer(contract.product) as publisher:
        publisher.publish({"station": "EWR", "speed": 1.0})
        publisher.retract("EWR")
        with pytest.raises(UsageError, match="say which key"):
            publisher.publish(None)
    mesh.await_gated(contract)
    with way_in.subscribe(contract.product, name=reader, purpose="testing", until_end=True) as subscription:
        assert [(record.key, record.value is None) for record in subscription] == [("EWR", False), ("EWR", True)]
    with (
        way_in.producer(untouched.product) as publisher,
        pytest.raises(UsageError, match="is not compacted"),
    ):
        publisher.retract("EWR")


def test_keys_lie_where_javas_clients_put_them(mesh: RunningMesh, way_in: Mesh, make: Make) -> None:
    contract = make()
    publish(mesh, way_in, contract, 60)
    with LogReader(mesh.admin) as log:
        found = {
            (message.key(), message.partition())
            for partition in range(PARTITIONS)
            for message in log.read(TopicPartition(contract.topics.ingress, partition), 0, 1 << 60)
        }
    assert len(found) == 7
    assert all(partition == (murmur2(key or b"") & 0x7FFFFFFF) % PARTITIONS for key, partition in found)


def murmur2(data: bytes) -> int:
    """The hash of Kafka's Java clients, written from its definition."""
    mask, m = 0xFFFFFFFF, 0x5BD1E995
    h = 0x9747B28C ^ len(data)
    whole = len(data) // 4 * 4
    for at in range(0, whole, 4):
        k = int.from_bytes(data[at : at + 4], "little") * m & mask
        k = (k ^ k >> 24) * m & mask
        h = h * m & mask ^ k
    if len(data) > whole:
        h = (h ^ int.from_bytes(data[whole:], "little")) * m & mask
    h = (h ^ h >> 13) * m & mask
    return h ^ h >> 15


def test_another_domain_may_not_publish(way_in: Mesh, untouched: Contract, thirty: Thirty) -> None:
    contract, other = untouched, thirty.contract
    with (
        pytest.raises(NotAuthorised) as refused,
        way_in.producer(contract.product, principal=other.product.domain) as publisher,
    ):
        publisher.publish({"station": "EWR", "speed": 1.0})
    assert (refused.value.principal, refused.value.code) == (other.product.domain, "TOPIC_AUTHORIZATION_FAILED")


def test_a_refusal_is_raised_before_everything_was_handed_over(
    way_in: Mesh, untouched: Contract, thirty: Thirty
) -> None:
    contract, other = untouched, thirty.contract
    with (
        pytest.raises(NotAuthorised),
        way_in.producer(contract.product, principal=other.product.domain) as publisher,
    ):
        for _ in range(2_000_000):
            publisher.publish({"station": "EWR", "speed": 1.0})
    assert publisher.published < 2_000_000


def test_a_reader_without_a_grant_is_refused_by_name(way_in: Mesh, untouched: Contract, thirty: Thirty) -> None:
    contract, other = untouched, thirty.contract
    with pytest.raises(NotAuthorised, match=f"may not read {contract.product}"):
        way_in.subscribe(contract.product, name=other.product.domain, purpose="testing")


def test_a_group_that_is_not_ones_own_is_refused(way_in: Mesh, thirty: Thirty) -> None:
    contract, reader = thirty.contract, next(thirty.names)
    with (
        way_in.subscribe(contract.product, name="somebody-else", purpose="testing", principal=reader) as subscription,
        pytest.raises(NotAuthorised, match="GROUP_AUTHORIZATION_FAILED"),
    ):
        next(subscription)


def test_a_purpose_that_the_contract_does_not_allow_is_refused(way_in: Mesh, thirty: Thirty) -> None:
    with pytest.raises(NotAuthorised, match="only for testing"):
        way_in.subscribe(thirty.contract.product, name=next(thirty.names), purpose="marketing")


def test_products_are_listed_and_unknown_ones_told(way_in: Mesh, untouched: Contract) -> None:
    contract = untouched
    assert contract.product in way_in.products()
    assert way_in.contract(str(contract.product)) == contract
    with pytest.raises(NotFound, match=r"mesh apply"):
        way_in.contract("nobody.nothing")


def test_a_record_is_traced_by_its_owner(mesh: RunningMesh, thirty: Thirty) -> None:
    contract = thirty.contract
    with Mesh.connect(mesh.folder.config, principal=contract.product.domain) as owner:
        assert owner.trace(f"{contract.topics.public}/0/17").origin == "readings#17"


def test_exported_models_are_published_and_read(
    mesh: RunningMesh, way_in: Mesh, make: Make, reader: str, tmp_path: Path
) -> None:
    contract = make()
    module = models(contract, tmp_path)
    sent = [module.Observation(station=f"S{number}", speed=float(number), seen_at=MOMENT) for number in range(3)]
    with way_in.producer(module.PRODUCT) as publisher:
        for observation in sent:
            publisher.publish(observation)
        with pytest.raises(ContractViolation, match="speed-possible"):
            publisher.publish(module.Observation(station="S9", speed=400.0))
    mesh.await_gated(contract)
    with way_in.subscribe(module.PRODUCT, name=reader, purpose="testing", until_end=True) as subscription:
        read = [record.as_model(module.Observation) for record in subscription]
    assert sorted(read, key=lambda each: str(each.station)) == sent
