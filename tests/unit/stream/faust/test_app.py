"""What a Faust application of the mesh refuses before it runs."""

from __future__ import annotations

import asyncio
import importlib
import sys
from types import SimpleNamespace
from typing import Any

import pytest
from faust.topics import Topic

from mesh.errors import SettingsError, UsageError
from mesh.kafka import Connection
from mesh.lineage import PARENTS_HEADER, Descent
from mesh.stream.faust.app import Application, application
from mesh.stream.faust.schema import Framed
from tests.unit.stream.faust.test_bridge import MADE, at, binding


@pytest.fixture
def app() -> Application:
    return application(binding(), "halt")


async def agent(stream: Any) -> None:
    async for _ in stream:
        pass


def test_settings_make_no_topics_serve_no_web_and_allow_a_quick_restart(app: Application) -> None:
    assert not app.conf.topic_allow_declare
    assert app.conf.topic_disable_leader
    assert not app.conf.web_enabled
    assert app.conf.broker_request_timeout >= app.conf.broker_session_timeout
    assert app.conf.id == "b.made"


def test_credentials_are_the_connections() -> None:
    found = application(binding(connection=Connection("h:1,g:2").as_principal("b", "secret")), "halt")
    assert [str(url) for url in found.conf.broker] == ["kafka://h:1", "kafka://g:2"]
    assert (found.conf.broker_credentials.username, found.conf.broker_credentials.password) == ("b", "secret")
    assert str(found.conf.broker_credentials.mechanism.value) == "SCRAM-SHA-512"


@pytest.mark.parametrize("options", [{"value_serializer": "pickle"}, {"key_serializer": "json"}])
def test_serializers_are_refused(app: Application, options: dict[str, str]) -> None:
    with pytest.raises(UsageError, match=r"serializer (pickle|json) is refused"):
        Framed(**options)
    with pytest.raises(UsageError, match="is refused"):
        app.output.as_future_message(value={}, **options)


def test_a_model_that_brings_pickle_is_refused() -> None:
    class Carried:
        """As ``class Carried(faust.Record, serializer="pickle")`` is."""

        _options = SimpleNamespace(serializer="pickle")

    with pytest.raises(UsageError, match="a pickle runs code"):
        Framed(value_type=Carried)


def test_agents_read_inputs_one_each_and_one_at_a_time(app: Application) -> None:
    readings = app.input("a.readings")
    app.agent(readings)(agent)
    with pytest.raises(UsageError, match="has an agent already"):
        app.agent(readings)
    with pytest.raises(UsageError, match="concurrency is 1"):
        app.agent(app.input("a.readings"), concurrency=4)
    with pytest.raises(UsageError, match=r"app.input\('domain.product'\)"):
        app.agent("a.readings.v1")
    with pytest.raises(UsageError, match=r"is no input of b.made"):
        app.input("c.other")


def test_topics_and_tables_of_fausts_own_are_refused(app: Application) -> None:
    with pytest.raises(UsageError, match="inputs are named"):
        app.topic("anything")
    with pytest.raises(UsageError, match="keep state"):
        app.Table("counts")
    with pytest.raises(UsageError, match=r"topic=app.repartition"):
        app.input("a.readings").derive(suffix="-repartition")
    assert app.repartition.get_topic_name() == MADE.topics.repartition


def test_without_its_extra_the_runtime_says_which_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "faust", None)
    monkeypatch.delitem(sys.modules, "mesh.stream.faust")
    with pytest.raises(SettingsError, match=r"mesh-backbone\[faust\]"):
        importlib.import_module("mesh.stream.faust")


def test_what_was_made_first_leaves_first(app: Application, monkeypatch: pytest.MonkeyPatch) -> None:
    left: list[Any] = []

    async def publish(self: Topic, future: Any, wait: bool = False) -> None:
        left.append(future)

    monkeypatch.setattr(Topic, "publish_message", publish)

    async def swapped() -> list[Any]:
        with app.derive(at(1)):
            futures = [app.output.as_future_message(value={"station": "S", "speed": float(n)}) for n in range(3)]
        sent = [asyncio.create_task(app.output.publish_message(each)) for each in reversed(futures)]
        await asyncio.gather(*sent)
        return futures

    assert asyncio.run(swapped()) == left
    assert [Descent.decode(each.message.headers[PARENTS_HEADER]).index for each in left] == [0, 1, 2]


def test_a_record_that_could_not_leave_does_not_hold_up_the_next(
    app: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def publish(self: Topic, future: Any, wait: bool = False) -> None:
        raise OSError("gone")

    monkeypatch.setattr(Topic, "publish_message", publish)

    async def refused() -> None:
        with app.derive(at(1)):
            futures = [app.output.as_future_message(value={"station": "S", "speed": 1.0}) for _ in range(2)]
        for each in futures:
            with pytest.raises(OSError, match="gone"):
                await asyncio.wait_for(app.output.publish_message(each), 10)
        await asyncio.wait_for(app.bridge.outbox.settle("t"), 10)

    asyncio.run(refused())
