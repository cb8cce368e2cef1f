"""Writing to an ingress as tests need it: good records, and every kind of bad one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from mesh.contract import Contract
from mesh.judge.frame import frame
from mesh.judge.rows import RowCodec
from mesh.types import SchemaId
from tests.support.mesh import RunningMesh


class Framing:
    """Makes framed keys and values of a contract of ``tests.support.contracts``."""

    def __init__(self, mesh: RunningMesh, contract: Contract) -> None:
        self.contract = contract
        with mesh.registry() as registry:
            self.key_id = max(registry.ids(f"{contract.topics.ingress}-key"))
            self.value_id = max(registry.ids(f"{contract.topics.ingress}-value"))
        self._key = RowCodec(contract.key_schema)
        self._value = RowCodec(contract.value_schema)

    def key(self, station: str) -> bytes:
        return frame(self.key_id, self._key.encode(station))

    def value(self, station: str, speed: float, schema_id: SchemaId | None = None, **extra: object) -> bytes:
        body = self._value.encode({"station": station, "speed": speed, **extra})
        return frame(self.value_id if schema_id is None else schema_id, body)

    def decoded(self, payload: bytes) -> dict[str, Any]:
        """The record of a payload."""
        record = self._value.decode(payload[5:])
        assert isinstance(record, dict)
        return record

    def many(self, begin: int, end: int) -> Iterable[tuple[bytes, bytes, int]]:
        """Keys, values and numbers; every tenth breaks the speed limit."""
        for number in range(begin, end):
            station = f"S{number % 7}"
            yield self.key(station), self.value(station, 400.0 if number % 10 == 0 else float(number % 300)), number
