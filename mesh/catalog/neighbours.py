"""What lies on other clusters than the first one, for a gate that is asked whether a parent may lie there."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from mesh.access import GATE
from mesh.errors import NotFound, UsageError
from mesh.kafka import Admin, Connection
from mesh.settings import Settings
from mesh.types import ProductName, ProductTopics


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
        connection = Connection.of(self._settings, GATE, product.domain)
        with Admin(connection) as admin:
            states = admin.topics([name for name in admin.topic_names() if _is_public(name, product)])
        if not states:
            hint = f"is it applied on {connection.bootstrap}, for {GATE} to see?"
            raise NotFound("public topic of", str(product), hint)
        return {each.topic_id: each.partitions for each in states.values()}


def _is_public(topic: str, product: ProductName) -> bool:
    """Whether it is the public topic of some major of a product."""
    try:
        family = ProductTopics.of_any(topic)
    except UsageError:
        return False
    return family.product == product and family.public == topic
