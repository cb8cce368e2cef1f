"""The schema registry: Confluent's HTTP over the ``_schemas`` topic, and a client for it."""

from mesh.registry.client import RegisteredSchema, RegistryClient

__all__ = ["RegisteredSchema", "RegistryClient"]
