"""Logins: verified by the broker, remembered for a while, never kept."""

from __future__ import annotations

import base64
import threading

import pytest

from mesh.errors import BrokerUnreachable
from mesh.registry.credentials import Credentials
from mesh.registry.refusal import Refusal


def basic(principal: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{principal}:{password}".encode()).decode()


class Broker:
    """Counts how often it was asked."""

    def __init__(self) -> None:
        self.good = {("weather", "right")}
        self.asked = 0
        self.now = 0.0

    def verify(self, principal: str, password: str) -> bool:
        self.asked += 1
        return (principal, password) in self.good

    def credentials(self) -> Credentials:
        return Credentials(self.verify, monotonic=lambda: self.now)


def test_the_right_password_is_asked_for_once_a_minute() -> None:
    broker = Broker()
    credentials = broker.credentials()
    for _ in range(3):
        assert credentials.caller(basic("weather", "right"), required=True).principal == "weather"
    assert broker.asked == 1
    broker.now = 61
    broker.good.clear()
    with pytest.raises(Refusal):
        credentials.caller(basic("weather", "right"), required=True)
    assert broker.asked == 2


def test_a_wrong_password_is_remembered_briefly_and_hides_no_right_one() -> None:
    broker = Broker()
    credentials = broker.credentials()
    for _ in range(3):
        with pytest.raises(Refusal) as caught:
            credentials.caller(basic("weather", "wrong"), required=False)
        assert caught.value.code == 40101
    assert broker.asked == 1
    assert credentials.caller(basic("weather", "right"), required=True).principal == "weather"
    broker.good.add(("weather", "wrong"))
    broker.now = 3
    assert credentials.caller(basic("weather", "wrong"), required=True).principal == "weather"


def test_where_the_name_ends_is_part_of_what_is_remembered() -> None:
    broker = Broker()
    broker.good = {("a", "b:c")}
    credentials = broker.credentials()
    assert credentials.caller(basic("a", "b:c"), required=True).principal == "a"
    with pytest.raises(Refusal):
        credentials.caller(basic("a", "b"), required=True)


def test_only_the_platform_s_principal_is_the_platform() -> None:
    broker = Broker()
    broker.good |= {("_mesh.admin", "x"), ("_mesh.admin2", "x")}
    credentials = broker.credentials()
    assert credentials.caller(basic("_mesh.admin", "x"), required=True).platform
    assert not credentials.caller(basic("_mesh.admin2", "x"), required=True).platform


def test_an_unreachable_broker_is_no_answer() -> None:
    def verify(principal: str, password: str) -> bool:
        raise BrokerUnreachable("b:1")

    with pytest.raises(BrokerUnreachable):
        Credentials(verify).caller(basic("weather", "right"), required=True)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Basic",
        "Basic !",
        "Basic " + base64.b64encode(b"nocolon").decode(),
        "Bearer x",
        basic("", "x"),
        "Basic /w==",
    ],
)
def test_what_is_no_login_is_refused_without_asking(header: str) -> None:
    broker = Broker()
    with pytest.raises(Refusal) as caught:
        broker.credentials().caller(header, required=False)
    assert (caught.value.code, broker.asked) == (40101, 0)


def test_nobody_is_somebody_only_where_that_is_enough() -> None:
    assert Broker().credentials().caller(None, required=False).principal is None
    with pytest.raises(Refusal, match="HTTP Basic"):
        Broker().credentials().caller(None, required=True)


def test_the_password_is_nowhere_in_what_is_kept() -> None:
    credentials = Broker().credentials()
    credentials.caller(basic("weather", "right"), required=True)
    assert "right" not in repr(vars(credentials))


def test_what_is_remembered_has_a_bound() -> None:
    credentials = Credentials(lambda principal, password: True)
    for number in range(1100):
        credentials.caller(basic("weather", str(number)), required=True)
    assert len(credentials._answers) == 1000


def test_guessing_occupies_the_broker_a_few_times_at_once_only() -> None:
    busy, most, lock, enough = 0, 0, threading.Lock(), threading.Event()

    def verify(principal: str, password: str) -> bool:
        nonlocal busy, most
        with lock:
            busy, most = busy + 1, max(most, busy + 1)
            if busy == 4:
                enough.set()
        enough.wait(5)
        with lock:
            busy -= 1
        return True

    credentials = Credentials(verify)

    def guess(number: int) -> None:
        credentials.caller(basic("weather", str(number)), required=True)

    threads = [threading.Thread(target=guess, args=(number,)) for number in range(12)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert most == 4
