"""Who may read a product, for which purposes, and which subscribers already hold the grant."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mesh.contract.document import Place, Problems
from mesh.contract.fields import custom, custom_place

_PURPOSE = re.compile(r"[a-z][a-z0-9-]*")
# A principal is a subscription's or a domain's name; what begins with an underscore is the platform's own.
_PRINCIPAL = re.compile(r"[a-z][a-z0-9-]*")


@dataclass(frozen=True, slots=True)
class Role:
    """A way to use the product. ``principals`` hold it now; a grant lasts at most ``max_grant_days``."""

    name: str
    access: str
    purposes: tuple[str, ...] = ()
    principals: tuple[str, ...] = ()
    max_grant_days: int | None = None


def read_roles(nodes: Sequence[Mapping[str, Any]], problems: Problems) -> tuple[Role, ...]:
    """The roles of a document; what is wrong with them goes to ``problems``."""
    return tuple(_role(node, ("roles", index), problems) for index, node in enumerate(nodes))


def _role(node: Mapping[str, Any], place: Place, problems: Problems) -> Role:
    return Role(
        name=node["role"],
        access=node.get("access", "read"),
        purposes=_names(node, place, "purposes", _PURPOSE, problems),
        principals=_names(node, place, "principals", _PRINCIPAL, problems),
        max_grant_days=_days(node, place, problems),
    )


def _names(
    node: Mapping[str, Any], place: Place, key: str, shape: re.Pattern[str], problems: Problems
) -> tuple[str, ...]:
    value, here = custom(node).get(key, []), custom_place(node, place, key)
    if not isinstance(value, list):
        problems.add(here, f"{key} is a list of names")
        return ()
    for index, entry in enumerate(value):
        if not isinstance(entry, str) or not shape.fullmatch(entry):
            problems.add((*here, index), f"{entry!r} in {key} is not a name; use lower case, digits and hyphens")
    return tuple(str(entry) for entry in value)


def _days(node: Mapping[str, Any], place: Place, problems: Problems) -> int | None:
    value = custom(node).get("maxGrantDays")
    if value is None:
        return None
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return value
    problems.add(custom_place(node, place, "maxGrantDays"), f"maxGrantDays is {value!r}; write a number of days")
    return None
