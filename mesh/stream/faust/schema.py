"""Records on the wire as Faust's serializers see them: framed Avro by the product's registry, and nothing else."""

from __future__ import annotations

from typing import Any

import faust

from mesh.errors import UsageError


class Framed(faust.Schema):
    """Reads records of inputs exactly, writes records by the contract of the derived product.

    Serializers by name are refused: pickle runs whatever code a record brings, and the others write what the gate
    would refuse.
    """

    def update(self, **options: Any) -> None:
        """Take part in a topic; raises UsageError for a serializer of Faust's own."""
        refuse_serializers(options.get("key_serializer"), options.get("value_serializer"))
        for kind in (options.get("key_type"), options.get("value_type")):
            refuse_serializers(getattr(getattr(kind, "_options", None), "serializer", None))
        super().update(**options)

    def loads_key(self, app: Any, message: Any, **_: Any) -> Any:
        """The key: of a record keyed anew the bytes it was given."""
        record = app.bridge.record(message)
        return message.key if app.bridge.keyed_anew(message.topic) else record.key

    def loads_value(self, app: Any, message: Any, **_: Any) -> Any:
        """The record, as subscribers get it; a mesh.Record, also for one that retracts its key."""
        return app.bridge.record(message)

    def dumps_key(self, app: Any, key: Any, *, serializer: Any = None, headers: Any) -> tuple[Any, Any]:
        """Bytes pass as they are: they come from a record that is forwarded."""
        refuse_serializers(serializer)
        return (key if key is None or isinstance(key, bytes) else _text(key)), headers

    def dumps_value(self, app: Any, value: Any, *, serializer: Any = None, headers: Any) -> tuple[Any, Any]:
        """Bytes pass as they are, else ``forward`` and ``group_by`` would encode what is encoded."""
        refuse_serializers(serializer)
        return (value if value is None or isinstance(value, bytes) else app.bridge.wiring.encoder.value(value)), headers


class Contracted(Framed):
    """The same for the derived product's ingress, whose keys are its contract's."""

    def dumps_key(self, app: Any, key: Any, *, serializer: Any = None, headers: Any) -> tuple[Any, Any]:
        """A key by the contract."""
        refuse_serializers(serializer)
        return (key if key is None or isinstance(key, bytes) else app.bridge.wiring.encoder.key(key)), headers


def refuse_serializers(*named: Any) -> None:
    """Raises UsageError for any serializer."""
    for each in named:
        if each is not None:
            why = "a pickle runs code that a record brings" if "pickle" in str(each) else "the contract says the form"
            raise UsageError(f"the serializer {each} is refused: {why}; leave serializers out")


def _text(key: Any) -> bytes:
    if isinstance(key, str):
        return key.encode()
    raise UsageError(f"a record is keyed anew by text or bytes, not by {type(key).__name__}")
