"""What is written into a node's configuration: pure functions from a cluster's layout to Kafka's own words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mesh.access import ADMIN

_INTERNAL = "_internal"
_HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Node:
    """One combined broker and controller; ports on the loopback interface."""

    id: int
    client: int
    internal: int
    controller: int
    directory_id: str


@dataclass(frozen=True, slots=True)
class Layout:
    """All that must stay the same over the restarts of a cluster."""

    cluster_id: str
    nodes: tuple[Node, ...]
    internal_password: str = field(repr=False)

    @property
    def bootstrap(self) -> str:
        """Where clients connect."""
        return ",".join(f"{_HOST}:{node.client}" for node in self.nodes)

    @property
    def initial_controllers(self) -> str:
        """The first quorum, as the formatting tool wants it."""
        return ",".join(f"{node.id}@{_HOST}:{node.controller}:{node.directory_id}" for node in self.nodes)


def server_properties(layout: Layout, node: Node, data: Path, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The configuration of one node that keeps its logs in ``data``; ``extra`` wins over everything here."""
    return (
        _roles(layout, node, data)
        | _security(layout)
        | _replication(len(layout.nodes))
        | _SMALL
        | (_FAST_FAILOVER if len(layout.nodes) > 1 else {})
        | dict(extra or {})
    )


def _roles(layout: Layout, node: Node, data: Path) -> dict[str, str]:
    client, internal = f"CLIENT://{_HOST}:{node.client}", f"INTERNAL://{_HOST}:{node.internal}"
    return {
        "process.roles": "broker,controller",
        "node.id": str(node.id),
        "log.dirs": str(data),
        "listeners": f"{client},{internal},CONTROLLER://{_HOST}:{node.controller}",
        "advertised.listeners": f"{client},{internal}",
        "listener.security.protocol.map": "CLIENT:SASL_PLAINTEXT,INTERNAL:SASL_PLAINTEXT,CONTROLLER:SASL_PLAINTEXT",
        "controller.listener.names": "CONTROLLER",
        "inter.broker.listener.name": "INTERNAL",
        "controller.quorum.bootstrap.servers": ",".join(f"{_HOST}:{each.controller}" for each in layout.nodes),
    }


def _security(layout: Layout) -> dict[str, str]:
    """SCRAM for clients, a random shared password between nodes: an open listener would make anybody a super user."""
    password = layout.internal_password
    plain = (
        "org.apache.kafka.common.security.plain.PlainLoginModule required "
        f'username="{_INTERNAL}" password="{password}" user_{_INTERNAL}="{password}";'
    )
    scram = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
    return {
        "sasl.enabled.mechanisms": "SCRAM-SHA-512,PLAIN",
        "sasl.mechanism.inter.broker.protocol": "PLAIN",
        "sasl.mechanism.controller.protocol": "PLAIN",
        "listener.name.client.sasl.enabled.mechanisms": "SCRAM-SHA-512",
        "listener.name.client.scram-sha-512.sasl.jaas.config": scram,
        "listener.name.internal.sasl.enabled.mechanisms": "PLAIN",
        "listener.name.internal.plain.sasl.jaas.config": plain,
        "listener.name.controller.sasl.enabled.mechanisms": "PLAIN",
        "listener.name.controller.plain.sasl.jaas.config": plain,
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "allow.everyone.if.no.acl.found": "false",
        "super.users": f"User:{ADMIN};User:{_INTERNAL}",
        # A deleted user keeps its open connections until it must log in again.
        "connections.max.reauth.ms": "60000",
    }


def _replication(nodes: int) -> dict[str, str]:
    replicas, in_sync = ("3", "2") if nodes >= 3 else (str(nodes), "1")
    return {
        "default.replication.factor": replicas,
        "min.insync.replicas": in_sync,
        "offsets.topic.replication.factor": replicas,
        "transaction.state.log.replication.factor": replicas,
        "transaction.state.log.min.isr": in_sync,
        "share.coordinator.state.topic.replication.factor": replicas,
        "share.coordinator.state.topic.min.isr": in_sync,
    }


_SMALL = {
    "auto.create.topics.enable": "false",
    "group.initial.rebalance.delay.ms": "0",
    # Under the protocol of KIP-848 these are the broker's; a gate that was killed is missed after the same 15 s.
    "group.consumer.min.session.timeout.ms": "6000",
    "group.consumer.session.timeout.ms": "15000",
    "group.consumer.min.heartbeat.interval.ms": "500",
    "group.consumer.heartbeat.interval.ms": "1000",
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.num.partitions": "4",
    "share.coordinator.state.topic.num.partitions": "1",
    "num.network.threads": "2",
    "num.io.threads": "4",
    # The default takes 128 MiB of heap for each cleaner.
    "log.cleaner.dedupe.buffer.size": "4194304",
    # The first entry into an index of the default's 10 MiB costs 3 ms of a core, 30 times as much as into one of this
    # size, and topics that are alike come to it together: seconds, with hundreds. A segment ends after some 90 MB.
    "log.index.size.max.bytes": "262144",
    "log.cleaner.backoff.ms": "200",
    "log.retention.check.interval.ms": "1000",
    "log.segment.delete.delay.ms": "1000",
    "log.initial.task.delay.ms": "500",
    # The default holds every change of topics, users and permissions back for 25 ms, for others to share its write.
    "controller.quorum.append.linger.ms": "0",
    # A killed node is let in again only when its old session is over: with the default of 9 s a restart takes 12 s.
    "broker.session.timeout.ms": "5000",
    "broker.heartbeat.interval.ms": "500",
    # A publisher that opens a transaction and goes away must not blind the gate for longer.
    "transaction.max.timeout.ms": "60000",
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": "1000",
}

# With the defaults a killed partition leader stops transactions for 9 s, with these for 4 s.
_FAST_FAILOVER = {
    "broker.session.timeout.ms": "3000",
    "controller.quorum.fetch.timeout.ms": "1000",
    "controller.quorum.election.timeout.ms": "500",
}


def rendered(properties: Mapping[str, str]) -> str:
    """A Java properties file; values may hold anything but line ends."""
    return "".join(f"{key}={value.replace(chr(92), chr(92) * 2)}\n" for key, value in properties.items())


def argument_file(arguments: Iterable[str]) -> str:
    """A file for ``java @file``: keeps passwords and a long class path out of the process list."""
    escaped = (argument.replace("\\", "\\\\").replace('"', '\\"') for argument in arguments)
    return "".join(f'"{argument}"\n' for argument in escaped)
