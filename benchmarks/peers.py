"""What a user would write without the mesh: checks by hand, or CEL interpreted, over decoded records."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final

import celpy
from celpy.adapter import json_to_cel
from celpy.celtypes import BoolType, ListType, MapType, StringType, TimestampType

from mesh.contract import Contract

Flight = dict[str, Any]
Check = Callable[[Flight], bool]
"""Whether a decoded flight keeps every clause of the contract."""

_CARRIER: Final = re.compile(r"[A-Z0-9]{2}").fullmatch
_TAIL: Final = re.compile(r"N[0-9][0-9A-Z]{0,4}").fullmatch
_AIRPORT: Final = re.compile(r"[A-Z0-9]{3}").fullmatch
_ORIGINS: Final = frozenset(("EWR", "JFK", "LGA"))
# celpy does not compare a number with null, which CEL's definition does and the contract's rules need.
_EQUALITY: Final[Any] = {
    "_==_": lambda a, b: BoolType((a is None) == (b is None) and a == b),
    "_!=_": lambda a, b: BoolType((a is None) != (b is None) or a != b),
}


def check_of(minute: Any) -> Check:
    """The checks as one function; ``minute`` is 60,000 for times as plain numbers, a timedelta for datetimes."""

    def keeps(r: Flight) -> bool:
        return bool(
            r["year"] >= 1987
            and 1 <= r["month"] <= 12
            and 1 <= r["day"] <= 31
            and _clocks(r)
            and _delays(r)
            and _CARRIER(r["carrier"]) is not None
            and 1 <= r["flight"] <= 9999
            and (r["tailnum"] is None or _TAIL(r["tailnum"]) is not None)
            and r["origin"] in _ORIGINS
            and _AIRPORT(r["dest"]) is not None
            and r["origin"] != r["dest"]
            and (r["air_time"] is None or 1 <= r["air_time"] <= 1440)
            and 1 <= r["distance"] <= 12500
            and 0 <= r["hour"] <= 23
            and 0 <= r["minute"] <= 59
            and r["sched_dep_time"] == r["hour"] * 100 + r["minute"]
            and r["scheduled_at"] == r["time_hour"] + r["minute"] * minute
        )

    return keeps


PLAIN: Final = check_of(60_000)
DATED: Final = check_of(timedelta(minutes=1))


def _clocks(r: Flight) -> bool:
    dep, arr, sched_dep, sched_arr = r["dep_time"], r["arr_time"], r["sched_dep_time"], r["sched_arr_time"]
    return bool(
        (dep is None or (0 <= dep <= 2359 and dep % 100 < 60))
        and 0 <= sched_dep <= 2359
        and sched_dep % 100 < 60
        and (arr is None or (0 <= arr <= 2359 and arr % 100 < 60))
        and 0 <= sched_arr <= 2359
        and sched_arr % 100 < 60
    )


def _delays(r: Flight) -> bool:
    dep, arr, dep_delay, arr_delay = r["dep_time"], r["arr_time"], r["dep_delay"], r["arr_delay"]
    return bool(
        (arr is None or dep is not None)
        and (dep is None) == (dep_delay is None)
        and (dep is None or (_minutes(dep) - _minutes(r["sched_dep_time"]) - dep_delay) % 1440 == 0)
        and (
            arr is None or arr_delay is None or (_minutes(arr) - _minutes(r["sched_arr_time"]) - arr_delay) % 1440 == 0
        )
    )


def _minutes(clock: int) -> int:
    return clock // 100 * 60 + clock % 100


def interpreter(contract: Contract) -> Check:
    """The CEL rules of a contract as one expression that celpy interprets, over records with datetimes."""
    rules = [clause.expression.text for clause in contract.clauses if clause.expression is not None]
    environment = celpy.Environment()
    tree = environment.compile(" && ".join(f"({rule})" for rule in rules))
    program: Any = environment.program(tree, functions=_EQUALITY)

    def keeps(record: dict[str, Any]) -> bool:
        return bool(program.evaluate({"message": _to_cel(record)}))

    return keeps


def _to_cel(value: Any) -> Any:
    match value:
        case datetime():
            return TimestampType(value)
        case dict():
            return MapType({StringType(name): _to_cel(each) for name, each in value.items()})
        case list():
            return ListType([_to_cel(each) for each in value])
    return json_to_cel(value)
