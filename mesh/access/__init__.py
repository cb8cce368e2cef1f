"""Who may do what: the broker's permissions and users that follow from contracts."""

from mesh.access.acls import (
    desired_acls,
    domain_acls,
    gate_acls,
    holds_keys,
    lineage_acls,
    operators,
    product_acls,
    readers,
    register_acls,
)
from mesh.access.platform import (
    ADMIN,
    AUDIT,
    EVERYBODY,
    GATE,
    GATE_PREFIX,
    LINEAGE,
    REGISTRY,
    SCHEMAS,
    catalog_topic,
    is_catalog,
    readers_topic,
)
from mesh.access.users import secret_for

__all__ = [
    "ADMIN",
    "AUDIT",
    "EVERYBODY",
    "GATE",
    "GATE_PREFIX",
    "LINEAGE",
    "REGISTRY",
    "SCHEMAS",
    "catalog_topic",
    "desired_acls",
    "domain_acls",
    "gate_acls",
    "holds_keys",
    "is_catalog",
    "lineage_acls",
    "operators",
    "product_acls",
    "readers",
    "readers_topic",
    "register_acls",
    "secret_for",
]
