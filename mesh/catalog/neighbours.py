"""What lies on other clusters than the first one, for a gate that is asked whether a parent may lie there."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from mesh.access import GATE
from mesh.errors import NotFound
from mesh.kafka import Admin, Connection
from mesh.settings import Settings
from mesh.types import ProductName


class Neighbours:
    """The other clusters of a configuration, each asked as its own gates' principal, which may see all public topics.

    Safe for use by several threads: each question has a connection of its own.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def elsewhere(self, product: ProductName) -> bool:
        """Whether a product lives on another cluster than the first; raises SettingsError."""
        return self._settings.cluster_of(product.domain) != self._settings.home

    def topics(self, product: ProductName) -> Mapping[UUID, int]:
        """The ids of a product's public topics, of every major that is there, with their numbers of partitions.

        Raises NotFound where there is none that may be described, BrokerUnreachable, NotAuthorised, SettingsError.
        """
        connection, before = Connection.of(self._settings, GATE, product.domain), f"{product}.v"
        with Admin(connection) as admin:
            majors = (name for name in admin.topic_names() if name.startswith(before))
            states = admin.topics([name for name in majors if name.removeprefix(before).isdigit()])
        if not states:
            hint = f"is it applied on {connection.bootstrap}, for {GATE} to see?"
            raise NotFound("public topic of", str(product), hint)
        return {each.topic_id: each.partitions for each in states.values()}
