"""What a contract says of its topics: partitions, clean-up, retention and sizes, as Kafka's own configuration."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from mesh.contract.document import Place, Problems
from mesh.contract.fields import custom, custom_place

Cleanup = Literal["delete", "compact"]

DEFAULT_MESSAGE_BYTES = 1_000_000
# The gate adds headers to what the ingress took, so the public topic must take a little more.
HEADROOM_BYTES = 64 * 1024
DAY_MS = 86_400_000
# A gate that stands still for less than this loses nothing; the alert comes at half of it.
INGRESS_RETENTION_MS = 7 * DAY_MS
MAX_PARTITIONS = 1_000

_UNITS_MS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": DAY_MS, "w": 7 * DAY_MS, "y": 365 * DAY_MS}
_UNITS_MS |= {"min": 60_000, "second": 1_000, "minute": 60_000, "hour": 3_600_000, "day": DAY_MS, "week": 7 * DAY_MS}
_UNITS_MS |= {"year": 365 * DAY_MS}
_KNOWN = ("partitions", "cleanupPolicy", "retentionMs", "ingressRetentionMs", "maxMessageBytes", "config")
_OURS = ("cleanup.policy", "retention.ms", "max.message.bytes", "message.timestamp.type")


@dataclass(frozen=True, slots=True)
class TopicSettings:
    """Partitions and configuration of a product's topics; times in milliseconds, sizes in bytes."""

    partitions: int = 1
    cleanup: Cleanup = "delete"
    retention_ms: int | None = None
    ingress_retention_ms: int = INGRESS_RETENTION_MS
    max_message_bytes: int = DEFAULT_MESSAGE_BYTES
    extra: Mapping[str, str] = field(default_factory=dict)

    @property
    def public(self) -> dict[str, str]:
        """The configuration of the public topic."""
        config = {
            "cleanup.policy": self.cleanup,
            "max.message.bytes": str(self.max_message_bytes + HEADROOM_BYTES),
            "message.timestamp.type": "CreateTime",
        }
        if self.retention_ms is not None and self.cleanup == "delete":
            config["retention.ms"] = str(self.retention_ms)
        return dict(sorted((config | dict(self.extra)).items()))

    @property
    def ingress(self) -> dict[str, str]:
        """The configuration of the ingress topic. The broker refuses compression there, hence compression bombs."""
        return {
            "cleanup.policy": "delete",
            "compression.type": "uncompressed",
            "max.message.bytes": str(self.max_message_bytes),
            "message.timestamp.type": "LogAppendTime",
            "retention.ms": str(self.ingress_retention_ms),
        }


def read_topic(record: Mapping[str, Any], sla: Iterable[Mapping[str, Any]], problems: Problems) -> TopicSettings:
    """The settings of the schema object, with the retention its SLA promises."""
    place = custom_place(record, ("schema", 0), "topic")
    node = custom(record).get("topic", {})
    if not isinstance(node, dict):
        problems.add(place, "topic is a mapping: {partitions, cleanupPolicy, ...}")
        node = {}
    for key in node:
        if key not in _KNOWN:
            problems.add((*place, key), f"{key!r} is not a topic setting; write one of {', '.join(_KNOWN)}")
    reading = _Reading(node, place, problems)
    return TopicSettings(
        partitions=reading.number("partitions", 1, 1, MAX_PARTITIONS),
        cleanup=reading.cleanup(),
        retention_ms=reading.retention(sla),
        ingress_retention_ms=reading.number("ingressRetentionMs", INGRESS_RETENTION_MS, INGRESS_RETENTION_MS, 1 << 62),
        max_message_bytes=reading.number("maxMessageBytes", DEFAULT_MESSAGE_BYTES, 1_024, 1 << 29),
        extra=reading.extra(),
    )


class _Reading:
    """The ``topic`` custom property, key by key."""

    def __init__(self, node: Mapping[str, Any], place: Place, problems: Problems) -> None:
        self._node, self._place, self._problems = node, place, problems

    def number(self, key: str, default: int, least: int, most: int) -> int:
        value = self._node.get(key, default)
        if isinstance(value, int) and not isinstance(value, bool) and least <= value <= most:
            return value
        self._problems.add((*self._place, key), f"{key} is {value!r}; write a whole number from {least} to {most}")
        return default

    def cleanup(self) -> Cleanup:
        value = self._node.get("cleanupPolicy", "delete")
        if value not in ("delete", "compact"):
            self._problems.add((*self._place, "cleanupPolicy"), f"cleanupPolicy is {value!r}; write delete or compact")
        return "compact" if value == "compact" else "delete"

    def retention(self, sla: Iterable[Mapping[str, Any]]) -> int | None:
        promised = self._promised(sla)
        if "retentionMs" not in self._node:
            return promised
        own = self.number("retentionMs", -1, -1, 1 << 62)
        if promised is not None and promised != own:
            self._problems.add(
                (*self._place, "retentionMs"),
                f"retentionMs {own} is not the retention of slaProperties ({promised} ms)",
            )
        return own

    def extra(self) -> dict[str, str]:
        config = self._node.get("config", {})
        if not isinstance(config, dict):
            self._problems.add((*self._place, "config"), "config is a mapping of Kafka's topic settings")
            return {}
        for key, value in config.items():
            if key in _OURS or not re.fullmatch(r"[a-z]+(\.[a-z]+)*", key) or isinstance(value, dict | list):
                self._problems.add(
                    (*self._place, "config", key), f"{key} is decided by the mesh or is not a setting of Kafka's topics"
                )
        return {key: str(value).lower() if isinstance(value, bool) else str(value) for key, value in config.items()}

    def _promised(self, sla: Iterable[Mapping[str, Any]]) -> int | None:
        for index, entry in enumerate(sla):
            if entry["property"] == "retention":
                return self._milliseconds(entry, ("slaProperties", index))
        return None

    def _milliseconds(self, entry: Mapping[str, Any], place: Place) -> int | None:
        milliseconds = sla_milliseconds(entry)
        if milliseconds is None:
            value, unit = entry["value"], str(entry.get("unit", "")).lower()
            self._problems.add(
                place, f"a retention of {value!r} {unit or 'without a unit'} is not a time; write value: 30, unit: d"
            )
        return milliseconds


def sla_milliseconds(entry: Mapping[str, Any]) -> int | None:
    """The time that an entry of ``slaProperties`` says by value and unit; None where it says none."""
    value, unit = entry.get("value"), str(entry.get("unit", "")).lower()
    scale = _UNITS_MS.get(unit) or _UNITS_MS.get(unit.removesuffix("s"))
    if scale is None or isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
        return None
    return round(value * scale)
