"""What a topic would lose by another configuration."""

from __future__ import annotations

# What Kafka does where neither the topic nor, as far as can be seen, the cluster says otherwise.
_DEFAULTS = {"cleanup.policy": "delete", "max.message.bytes": "1048588", "retention.bytes": "-1"}


def loss(key: str, old: str | None, new: str | None, held: int | None) -> str | None:
    """What changing ``key`` from ``old`` to ``new`` would destroy, or None; None as a value is the cluster's default.

    ``held`` is how many records the topic holds, if that is known.
    """
    before, after = old or _DEFAULTS.get(key), new or _DEFAULTS.get(key)
    of = "records" if held is None else f"some of {held:,} records"
    if key == "cleanup.policy":
        return _by_policy(before or "", after or "", of)
    if key in ("retention.ms", "retention.bytes") and _shrinks(before, after):
        return f"{of} beyond {key}={after or '(default)'}"
    if key == "max.message.bytes" and _shrinks(before, after):
        return f"the room for records over {after} bytes: publishers of larger ones are refused"
    return None


def _by_policy(before: str, after: str, of: str) -> str | None:
    gained = set(after.replace(" ", "").split(",")) - set(before.replace(" ", "").split(","))
    if "compact" in gained:
        return f"{of}: all but the last of each key"
    if "delete" in gained:
        return f"{of}: those beyond the retention"
    return None


def _shrinks(before: str | None, after: str | None) -> bool:
    """Whether a limit becomes tighter; -1 is none, and an unknown default counts as the looser one."""
    if after == "-1":
        return False
    if before is None or after is None or before == "-1":
        return True
    return int(after) < int(before)
