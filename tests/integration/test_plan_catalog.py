"""The catalog on a real Kafka: folded as it grows, open to every reader, closed to every writer but the platform."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from mesh.access import catalog_topic, domain_acls
from mesh.catalog import Catalog, Entry
from mesh.errors import NotAuthorised
from mesh.kafka import Acl, Admin, Producer
from mesh.types import ProductName, Topic
from tests.support.broker import Broker, eventually, permit
from tests.support.contracts import Draft

pytestmark = pytest.mark.broker


class FakeTime:
    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@dataclass
class Domain:
    """A domain with an empty catalog of its own on the broker the tests share."""

    kafka: Broker
    name: str

    @property
    def home(self) -> Topic:
        return catalog_topic(self.name)

    def create(self) -> None:
        with Admin(self.kafka.admin) as admin:
            admin.create_topic(self.home, 1, {"cleanup.policy": "compact"})
            permit(admin, domain_acls(self.name))

    def entry(self, version: str = "1.2.0", status: str = "active") -> Entry:
        draft = Draft(product=f"{self.name}.observations", version=version, status=status)
        return Entry.of(draft.contract(), "tests")

    @property
    def product(self) -> ProductName:
        return ProductName(self.name, "observations")

    def write(self, key: bytes, value: bytes | None) -> None:
        with Producer(self.kafka.admin) as producer:
            producer.write(self.home, key=key, value=value)


@pytest.fixture
def domain(kafka: Broker) -> Domain:
    one = Domain(kafka, f"c{secrets.token_hex(4)}")
    one.create()
    return one


@pytest.fixture
def catalog(kafka: Broker) -> Iterator[Catalog]:
    with Catalog(kafka.admin) as one:
        yield one


def test_what_is_written_is_there_at_the_next_refresh(domain: Domain, catalog: Catalog) -> None:
    before = catalog.refresh(relist=True)
    assert catalog.contract(domain.product) is None
    assert domain.product not in catalog.contracts()
    catalog.write(domain.entry())
    assert catalog.refresh() > before
    assert catalog.contracts()[domain.product].version == "1.2.0"
    again = catalog.refresh()
    assert catalog.refresh() == again


def test_the_newest_entry_counts_and_a_retired_one_is_out_of_force(domain: Domain, catalog: Catalog) -> None:
    catalog.write(domain.entry("1.3.0"))
    catalog.write(domain.entry("2.0.0"))
    catalog.refresh()
    one = catalog.contract(domain.product)
    assert catalog.contracts()[domain.product] == one
    assert one is not None
    assert one.version == "2.0.0"
    assert {f"{domain.product}.v1", f"{domain.product}.v2"} <= catalog.live().keys()
    catalog.write(domain.entry("2.0.1", "retired"))
    catalog.refresh()
    assert catalog.contracts()[domain.product].version == "1.3.0"
    assert catalog.contract(domain.product) == catalog.contracts()[domain.product]
    entry = catalog.entry(domain.product)
    assert entry is not None
    assert entry.retired


def test_a_later_catalog_sees_the_same(domain: Domain, catalog: Catalog) -> None:
    catalog.write(domain.entry())
    catalog.refresh()
    with Catalog(domain.kafka.admin) as later:
        later.refresh()
        assert later.entries() == catalog.entries()


def test_new_domains_are_looked_for_once_a_second(kafka: Broker) -> None:
    time = FakeTime()
    with Catalog(kafka.admin, time) as catalog:
        catalog.refresh()
        late = Domain(kafka, f"c{secrets.token_hex(4)}")
        late.create()
        catalog.write(late.entry())
        catalog.refresh()
        assert late.product not in catalog.contracts()
        time.seconds = 1.0
        catalog.refresh()
        assert late.product in catalog.contracts()


def test_what_cannot_be_read_stops_nobody_else(domain: Domain, catalog: Catalog) -> None:
    catalog.write(domain.entry())
    other = f"{domain.name}.broken.v1"
    domain.write(other.encode(), b"\xff\x00")
    domain.write(b"\xff", b"{}")
    catalog.refresh()
    assert domain.product in catalog.contracts()
    assert "not an entry" in catalog.unreadable[Topic(other)]
    domain.write(other.encode(), None)
    catalog.refresh()
    assert Topic(other) not in catalog.unreadable


def test_a_domains_catalog_cannot_speak_for_another(domain: Domain, catalog: Catalog) -> None:
    catalog.write(domain.entry())
    thief = Domain(domain.kafka, f"c{secrets.token_hex(4)}")
    thief.create()
    thief.write(*domain.entry("9.9.9").encode())
    thief.write(domain.entry().encode()[0], None)
    thief.write(domain.entry().encode()[0], domain.entry("1.9.9").encode()[1])
    catalog.refresh(relist=True)
    assert catalog.contracts()[domain.product].version == "1.2.0"
    assert any(name.startswith(thief.home) for name in catalog.unreadable)


def test_everybody_reads_and_only_the_platform_writes(domain: Domain, catalog: Catalog) -> None:
    catalog.write(domain.entry())
    stranger = domain.kafka.connection(f"s{secrets.token_hex(4)}")
    with Catalog(stranger) as seen:

        def found() -> bool:
            seen.refresh(relist=True)
            return domain.product in seen.contracts()

        eventually(found)
    own = domain.kafka.connection(domain.name)
    with Admin(domain.kafka.admin) as admin:
        permit(admin, [Acl(domain.name, "Write", "Topic", "its.own.ingress")])
    with Catalog(own) as mine, pytest.raises(NotAuthorised):
        mine.write(domain.entry("1.3.0"))
