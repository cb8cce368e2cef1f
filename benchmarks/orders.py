"""The second workload: orders made in code, 15 fields, ten rules, one order in fifty breaking exactly one of them."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from secrets import token_hex
from typing import Any, Final

from benchmarks.rivals.by_hand import CURRENCIES, keeps
from mesh.contract import Contract
from mesh.judge import RowCodec
from mesh.judge.frame import prefix
from mesh.types import SchemaId

_CONTRACT: Final = Path(__file__).with_name("orders.odcs.yaml")
VALUE: Final = SchemaId(1)
_ONE_IN: Final = 50
_CITIES: Final = (("Zürich", "CH"), ("Lyon", "FR"), ("Porto", "PT"), ("København", "DK"), ("Rotterdam", "NL"))
_TAGS: Final = ("new", "garden", "outdoor", "clearance", "fragile", "bulky goods", "kitchen")
_WORDS: Final = (
    "please",
    "leave",
    "it",
    "with",
    "the",
    "neighbours",
    "on",
    "second",
    "floor",
    "when",
    "nobody",
    "opens",
)

Order = dict[str, Any]

__all__ = ["VALUE", "Order", "keeps", "orders_contract", "records", "wire"]


def new_product(rules: int = 10, partitions: int = 1) -> Contract:
    """The contract for a product that nobody has met yet."""
    return orders_contract(rules, f"bench{token_hex(4)}.orders", partitions)


def orders_contract(rules: int = 10, product: str = "shop.orders", partitions: int = 1) -> Contract:
    """The contract, with the first so many of its rules only, for another product if need be."""
    domain, name = product.split(".")
    text = _CONTRACT.read_text(encoding="utf-8").replace("shop.orders.v1", f"{product}.v1")
    text = text.replace("domain: shop", f"domain: {domain}").replace("dataProduct: orders", f"dataProduct: {name}")
    text = text.replace("id: benchmark-orders", f"id: benchmark-{domain}-{name}")
    lines = text.replace("partitions: 1", f"partitions: {partitions}").splitlines()
    rule_lines = [line for line in lines if "engine: cel" in line]
    dropped = set(rule_lines[rules:])
    return Contract.parse("\n".join(line for line in lines if line not in dropped), _CONTRACT.name)


def records(most: int, *, wrong: bool = True) -> list[Order]:
    """So many orders, always the same; ``wrong``: one in fifty breaks one rule."""
    chance = random.Random(4)
    made = [_order(chance) for _ in range(most)]
    for number in range(7, most if wrong else 0, _ONE_IN):
        _BREAKS[number // _ONE_IN % len(_BREAKS)](made[number])
    return made


def _order(chance: random.Random) -> Order:
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    city, country = chance.choice(_CITIES)
    ordered = 1_700_000_000_000 + chance.randrange(10**10)
    return {
        "order_id": f"ORD-{chance.randrange(10**10):010d}",
        "article": f"{''.join(chance.choices(letters, k=3))}-{chance.randrange(10**4, 10**6)}",
        "currency": chance.choice(sorted(CURRENCIES)),
        "channel": chance.choice(("web", "app", "store", "telephone")),
        "ordered_at": ordered,
        "shipped_at": ordered + chance.randrange(10**9),
        "status": chance.choice(("PLACED", "PAID", "SHIPPED", "DELIVERED")),
        "customer": chance.randrange(10**5, 10**10),
        "quantity": chance.randrange(1, 200),
        "amount": round(chance.uniform(1, 5000), 2),
        "gift": chance.random() < 0.1,
        "coupon": f"SPRING-{chance.randrange(1000):03d}" if chance.random() < 0.3 else None,
        "note": " ".join(chance.choices(_WORDS, k=chance.randrange(10, 20))) if chance.random() < 0.75 else None,
        "address": {
            "street": f"{chance.choice(('Long', 'Station', 'Market', 'Mill'))} Street {chance.randrange(1, 300)}",
            "city": city,
            "zip": f"{chance.randrange(10**4, 10**5)}",
            "country": country,
        },
        "tags": chance.sample(_TAGS, chance.randrange(5)),
    }


_BREAKS: Final[tuple[Callable[[Order], None], ...]] = (
    lambda order: order.update(quantity=0),
    lambda order: order.update(amount=100_000.5, gift=False),
    lambda order: order.update(customer=99_999),
    lambda order: order.update(currency="XXX"),
    lambda order: order.update(order_id=order["order_id"][:-1] + "x"),
    lambda order: order.update(article=order["article"].lower()),
    lambda order: order.update(shipped_at=order["ordered_at"] - 1),
    lambda order: order.update(amount=5000.5, gift=True),
    lambda order: order["address"].update(country="CHE"),
    lambda order: order.update(tags=list(_TAGS)),
)


def wire(contract: Contract, most: int, *, wrong: bool = True) -> list[bytes]:
    """The same as they travel; the product has no key."""
    encode = RowCodec(contract.value_schema).encode
    return [prefix(VALUE) + encode(order) for order in records(most, wrong=wrong)]
