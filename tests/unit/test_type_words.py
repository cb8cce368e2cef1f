"""Names and coordinates read and write as people write them, and nothing else is taken."""

from __future__ import annotations

import pytest

from mesh.errors import UsageError
from mesh.types import Coordinate, Finding, ProductName, ProductTopics, Reaction


@pytest.mark.parametrize("text", ["weather.observations", "a.b", "a1-x.b-2"])
def test_product_names_round_trip(text: str) -> None:
    assert str(ProductName.parse(text)) == text


@pytest.mark.parametrize("text", ["weather", "Weather.x", "a_b.c", "a.b.c", ".b", "a.", "_mesh.gate", "1a.b", "a b.c"])
def test_other_names_are_refused_with_the_way_out(text: str) -> None:
    with pytest.raises(UsageError, match=r"write <domain>\.<name>"):
        ProductName.parse(text)


def test_a_family_of_topics_derives_from_the_public_one() -> None:
    topics = ProductTopics.of_public("weather.observations.v10")
    assert (topics.product, topics.major) == (ProductName("weather", "observations"), 10)
    assert topics.ingress == "weather.observations.v10.ingress"
    for name in (topics.public, topics.ingress, topics.quarantine, topics.lineage, topics.commands, topics.state):
        assert ProductTopics.of_any(name) == topics


@pytest.mark.parametrize("topic", ["weather.observations", "weather.observations.v1.copy", "_schemas", "a.b.vx"])
def test_topics_of_no_product_are_refused(topic: str) -> None:
    with pytest.raises(UsageError):
        ProductTopics.of_any(topic)


def test_coordinates_round_trip_and_order_by_place() -> None:
    place = Coordinate.parse("a.b.v1.quarantine/3/17")
    assert str(place) == "a.b.v1.quarantine/3/17"
    assert place < Coordinate.parse("a.b.v1.quarantine/3/18")
    for text in ("a.b.v1/3", "a.b.v1/x/1", "a.b.v1/1/-1", "/1/1", "a b/1/1"):
        with pytest.raises(UsageError, match="not a coordinate"):
            Coordinate.parse(text)


def test_only_some_reactions_keep_a_record_off_the_public_topic() -> None:
    refusing = {reaction for reaction in Reaction if Finding("c", "p", "r", reaction).refuses}
    assert refusing == {Reaction.QUARANTINE, Reaction.HOLD_KEY, Reaction.HALT}
