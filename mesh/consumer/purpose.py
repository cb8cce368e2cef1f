"""What a product may be read for: the purposes of its contract's roles."""

from __future__ import annotations

import re
from typing import Final

from mesh.contract import Contract
from mesh.errors import NotAuthorised, UsageError

_CODE: Final = "PURPOSE_NOT_ALLOWED"
# Brokers keep a metric and a quota by client id, so it stays short and plain.
_LONGEST_ID: Final = 120


def check_purpose(contract: Contract, principal: str, purpose: str) -> None:
    """Raise NotAuthorised, naming the allowed purposes, unless the contract lets the product be read for this one.

    The roles that hold the principal decide, or all reading roles where none holds it; without any purpose in them,
    every purpose will do. This keeps honest programs honest: the boundary is the broker, which knows principals only.
    """
    reading = [role for role in contract.roles if role.access == "read"]
    holding = [role for role in reading if principal in role.principals] or reading
    allowed = sorted({each for role in holding for each in role.purposes})
    if allowed and purpose not in allowed:
        operation = f"read {contract.product} for {purpose!r}, only for {' or '.join(allowed)}"
        raise NotAuthorised(principal, operation, _CODE)


def client_id(name: str, purpose: str) -> str:
    """What the broker's logs show of a subscription; raises UsageError for a purpose that says nothing."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", purpose).strip("-")
    if not plain:
        raise UsageError("say what the subscription is for: purpose='delay-analysis'")
    return f"mesh-{name}.{plain}"[:_LONGEST_ID]
