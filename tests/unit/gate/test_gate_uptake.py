"""A product that cannot be served is set aside with a reason, looked at again, and let back in; the others are not."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, cast

import pytest

from mesh.errors import BrokerUnreachable, DeadlineExceeded, NotFound
from mesh.gate.product import GatedProduct
from mesh.gate.recovery import Recovered
from mesh.gate.uptake import Uptake
from mesh.types import TopicPartition
from tests.support.contracts import Draft

A, B = TopicPartition("a.t.v1.ingress", 0), TopicPartition("b.t.v1.ingress", 0)
PRODUCTS = {
    place.topic: GatedProduct(Draft(product=f"{place.topic[0]}.t").contract(), cast("Any", None)) for place in (A, B)
}
SERVED = {A: PRODUCTS[A.topic], B: PRODUCTS[B.topic]}


class Cluster:
    """A recovery for which some topics are missing and some denied, and a clock that is set."""

    def __init__(self) -> None:
        self.missing, self.closed = set[str](), set[str]()
        self.looks, self.time = list[float](), 0.0
        self.reachable = True
        self.open, self.waits = set[str](), list[float]()

    def recover(
        self,
        products: Mapping[TopicPartition, GatedProduct],
        offsets: Mapping[TopicPartition, int | None],
        until: float,
    ) -> Mapping[TopicPartition, Recovered]:
        if not self.reachable:
            raise BrokerUnreachable("nowhere")
        for product in products.values():
            if product.topics.public in self.open:
                self.waits.append(max(0.0, until - self.time))
                self.time = max(self.time, until)
                raise DeadlineExceeded(f"an open transaction on {product.topics.public}/0", 25)
            if product.topics.public in self.missing:
                raise NotFound("topic", product.topics.public)
        return dict.fromkeys(products, Recovered(cast("Any", None), expired=False))

    def obstacle(self, product: GatedProduct) -> str | None:
        self.looks.append(self.time)
        if not self.reachable:
            raise BrokerUnreachable("nowhere")
        return "still missing" if product.topics.public in self.missing else None

    def denied(self, products: Collection[GatedProduct]) -> list[str]:
        if not self.reachable:
            raise BrokerUnreachable("nowhere")
        return [product.topics.public for product in products if product.topics.public in self.closed]

    def now(self) -> float:
        return self.time

    def monotonic(self) -> float:
        return self.time


def uptake(cluster: Cluster) -> Uptake:
    return Uptake(cast("Any", cluster), cluster)


def one_aside() -> tuple[Cluster, Uptake]:
    """A topic of A is missing, and A has been set aside for it."""
    cluster = Cluster()
    cluster.missing = {"a.t.v1"}
    taking = uptake(cluster)
    taking.recover(SERVED, {})
    return cluster, taking


def test_one_product_that_cannot_be_taken_up_leaves_the_others() -> None:
    cluster = Cluster()
    cluster.missing = {"a.t.v1"}
    taking = uptake(cluster)
    assert taking.recover(SERVED, {}).keys() == {B}
    assert list(taking.aside) == [A.topic]
    assert "there is no topic a.t.v1" in taking.reasons()[A.topic]


def test_it_is_looked_at_less_and_less_often_and_let_back_in() -> None:
    cluster, taking = one_aside()
    taking.released(SERVED)
    while cluster.time < 100:
        cluster.time += 0.5
        taking.look(PRODUCTS)
    assert cluster.looks == [2.0, 6.0, 14.0, 30.0, 60.0, 90.0]
    assert taking.reasons() == {A.topic: "still missing"}
    cluster.missing.clear()
    cluster.time = 120.0
    taking.look(PRODUCTS)
    assert (list(taking.aside), taking.reasons()) == ([], {})


def test_a_denied_output_is_found_after_a_failure_and_asked_about_every_five_seconds() -> None:
    cluster = Cluster()
    taking = uptake(cluster)
    cluster.closed = {"b.t.v1"}
    taking.failed(PRODUCTS)
    assert (taking.closed(A.topic, SERVED[A]), taking.closed(B.topic, SERVED[B])) == (False, True)
    assert "may not write to b.t.v1;" in taking.reasons()[B.topic]
    cluster.closed.clear()
    cluster.time = 4.9
    assert taking.closed(B.topic, SERVED[B])
    cluster.time = 5.0
    assert not taking.closed(B.topic, SERVED[B])
    assert taking.reasons() == {}


def test_a_broker_that_cannot_be_asked_closes_nothing() -> None:
    cluster = Cluster()
    cluster.reachable = False
    taking = uptake(cluster)
    taking.failed(PRODUCTS)
    assert not taking.closed(A.topic, SERVED[A])


def test_products_that_are_applied_no_more_are_forgotten() -> None:
    cluster = Cluster()
    cluster.missing, cluster.closed = {"a.t.v1"}, {"b.t.v1"}
    taking = uptake(cluster)
    taking.recover(SERVED, {})
    taking.failed(PRODUCTS)
    taking.look({})
    assert (list(taking.aside), taking.reasons()) == ([], {})


def test_an_open_transaction_is_waited_for_once_and_then_stops_its_products_alone() -> None:
    cluster = Cluster()
    cluster.open = {"a.t.v1", "b.t.v1"}
    taking = uptake(cluster)
    assert taking.recover(SERVED, {}) == {}
    assert cluster.waits == [25.0, 0.0, 0.0]
    assert set(taking.aside) == set(PRODUCTS)
    cluster.open = {"a.t.v1"}
    assert taking.recover(SERVED, {}).keys() == {B}
    assert "an open transaction on a.t.v1/0" in taking.reasons()[A.topic]


def test_a_product_is_let_back_in_only_after_its_partitions_were_given_away() -> None:
    cluster = Cluster()
    cluster.open = {"a.t.v1"}
    taking = uptake(cluster)
    taking.recover(SERVED, {})
    cluster.open.clear()
    cluster.time += 60
    # The loop would see the same inputs as ever, and nothing would take it up again.
    taking.look(PRODUCTS)
    assert list(taking.aside) == [A.topic]
    taking.released([A])
    taking.look(PRODUCTS)
    assert not taking.aside


def test_a_product_whose_partitions_nobody_says_are_gone_is_let_back_in_all_the_same() -> None:
    cluster, taking = one_aside()
    cluster.missing.clear()
    taking.look(PRODUCTS)
    cluster.time += 9.9
    taking.look(PRODUCTS)
    assert list(taking.aside) == [A.topic]
    cluster.time += 0.1
    taking.look(PRODUCTS)
    assert not taking.aside


def test_a_cluster_that_is_away_is_no_products_fault_and_delays_the_next_look() -> None:
    cluster, taking = one_aside()
    taking.released(SERVED)
    cluster.reachable = False
    with pytest.raises(BrokerUnreachable):
        taking.recover(SERVED, {})
    taking.released(SERVED)
    cluster.time = 2.0
    taking.look(PRODUCTS)
    taking.look(PRODUCTS)
    assert cluster.looks == [2.0]
    assert list(taking.aside) == [A.topic]
