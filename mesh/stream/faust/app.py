"""A Faust application that makes one derived product: agents as Faust has them, everything else as the mesh has it."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from typing import Any, Final, NoReturn

import faust

from mesh.errors import UsageError
from mesh.kafka import Connection, Leaving
from mesh.lineage import Reference
from mesh.stream.binding import Binding
from mesh.stream.declared import OnError
from mesh.stream.faust.bridge import Bridge, Parent
from mesh.stream.faust.run import serve
from mesh.stream.faust.schema import Contracted, Framed
from mesh.stream.faust.sensor import Scopes
from mesh.stream.faust.topic import Descended
from mesh.stream.faust.transport import Transport
from mesh.stream.faust.wiring import Wiring
from mesh.types import ProductName, TopicPartition

# A killed worker's partitions are given to others after so long; a request must be allowed at least as much.
_SESSION_SECONDS: Final = 10.0
_COMMIT_SECONDS: Final = 0.5
_BUFFER: Final = 256
_NO_TABLES: Final = "Faust's tables discard what the broker says of their changelog; keep state with a mesh Processor"


class Application(faust.App):
    """Records arrive as ``mesh.Record``; what agents send goes to ``output``, by the contract and with its parents."""

    def __init__(self, wiring: Wiring, on_error: OnError = "halt") -> None:
        self.bridge = Bridge(wiring, on_error)
        self.driving: list[TopicPartition] = []
        """The partitions of the inputs that have an agent."""
        super().__init__(wiring.group, **_options(wiring.binding.connection))
        self.sensors.add(Scopes(self.bridge))
        self.output = self._named(self.bridge.topics.ingress, Contracted())

    @property
    def repartition(self) -> Any:
        """The topic of records keyed anew, for ``group_by(..., topic=app.repartition)``."""
        if not self.bridge.wiring.binding.repartition:
            raise UsageError(f"{self.conf.id} keys nothing anew: set repartition in its contract's derivation")
        return self._named(self.bridge.topics.repartition, Framed())

    def input(self, product: str) -> Any:
        """The public topic of an input; raises UsageError for a product that the contract does not name."""
        return self._named(self.bridge.wiring.bound(ProductName.parse(product)).topic, Framed())

    def derive(self, *parents: Parent) -> Any:
        """In this block, what is sent was made from these records: ``with app.derive(*records):``."""
        return self.bridge.derive(*parents)

    def agent(self, channel: Any = None, *, concurrency: int = 1, **options: Any) -> Callable[[Any], Any]:
        """An agent of an input; raises UsageError where outputs could not be named the same way again."""
        if channel is None or isinstance(channel, str):
            raise UsageError("an agent reads an input: @app.agent(app.input('domain.product'))")
        if concurrency != 1:
            raise UsageError("outputs of one partition leave in the order of their parents: concurrency is 1")
        topic = channel.get_topic_name()
        if any(place.topic == topic for place in self.driving):
            raise UsageError(f"{topic} has an agent already: two would number the outputs of one record each anew")
        self.driving += [place for place in self.bridge.wiring.places if place.topic == topic]
        found: Callable[[Any], Any] = super().agent(channel, **options)
        return found

    actor = agent

    def run(self, *, until_end: bool = False) -> None:
        """Process records until SIGTERM or SIGINT, or with ``until_end`` up to the end that the inputs have now.

        Raises ProcessorStopped for a program's own error, and whatever else leaves no way to go on; what is not
        committed comes again at the next start.
        """
        serve(self, Leaving.listen().asked.is_set, until_end=until_end)

    async def write(self, topic: str, partition: int, key: bytes | None, value: bytes | None) -> Reference:
        """Write beside the agents and wait for the broker."""
        producer = await self.maybe_start_producer()
        kept = await producer.send_and_wait(topic, key, value, partition=partition, timestamp=None, headers=None)
        return Reference(self.bridge.wiring.binding.parents_id, kept.partition, kept.offset)

    def Table(self, *_: Any, **__: Any) -> NoReturn:  # noqa: N802 - Faust's name
        """Refused."""
        raise UsageError(_NO_TABLES)

    GlobalTable = SetTable = SetGlobalTable = Table

    def topic(self, *topics: str, **options: Any) -> Any:
        """Refused: an input is named by its product."""
        raise UsageError(f"{', '.join(topics) or 'a pattern'}: inputs are named app.input('domain.product')")

    def _named(self, name: str, schema: Framed) -> Any:
        return Descended(self, topics=[name], schema=schema)

    async def _on_agent_error(self, agent: Any, error: BaseException) -> None:
        """Faust would commit past the record."""
        self.bridge.failed(error)

    def _new_transport(self) -> Any:
        return Transport(self.conf.broker_consumer, self)

    def _new_producer_transport(self) -> Any:
        return Transport(self.conf.broker_producer, self)

    def _create_directories(self) -> None:
        """Nothing is kept on disk."""


def application(binding: Binding, on_error: OnError) -> Application:
    """An application over the inputs of a derived product."""
    return Application(Wiring(binding), on_error)


def _options(connection: Connection) -> dict[str, Any]:
    servers = [f"kafka://{each.strip()}" for each in connection.bootstrap.split(",")]
    return {
        "broker": servers,
        "broker_credentials": _credentials(connection),
        "broker_client_id": f"mesh-{connection.principal}" if connection.principal else "mesh",
        "broker_session_timeout": _SESSION_SECONDS,
        "broker_request_timeout": 2 * _SESSION_SECONDS,
        "broker_heartbeat_interval": _SESSION_SECONDS / 5,
        "broker_commit_interval": _COMMIT_SECONDS,
        "stream_buffer_maxsize": _BUFFER,
        "stream_wait_empty": False,
        "processing_guarantee": "at_least_once",
        "topic_disable_leader": True,
        "topic_allow_declare": False,
        "web_enabled": False,
        "autodiscover": False,
        "Schema": Framed,
        "Topic": Descended,
    }


def _credentials(connection: Connection) -> Any:
    context = None
    if connection.security_protocol.endswith("SSL"):
        context = ssl.create_default_context(cafile=str(connection.ca_file) if connection.ca_file else None)
    if not connection.security_protocol.startswith("SASL"):
        return None if context is None else faust.SSLCredentials(context)
    if connection.password is None:
        raise UsageError(f"{connection.principal} has no password for {connection.bootstrap}")
    password = connection.password.get_secret_value()
    return faust.SASLCredentials(
        username=connection.principal, password=password, mechanism=connection.mechanism, ssl_context=context
    )
