"""Being told to go: asked once there is time, asked twice or out of time there is none."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading

import pytest

from mesh.kafka.leaving import UNSETTLED, Leaving


class Ends(list[int]):
    """Exit codes, in place of ends of the process."""

    def __init__(self) -> None:
        self.ended = threading.Event()

    def __call__(self, code: int) -> None:
        self.append(code)
        self.ended.set()


def test_the_first_signal_asks_and_ends_nothing() -> None:
    ends = Ends()
    leaving = Leaving(60, ends)
    leaving.start()
    leaving.tell(signal.SIGINT)
    assert leaving.asked.wait(10)
    assert leaving.signal == signal.SIGINT
    assert not ends


@pytest.mark.parametrize(("seconds", "signals"), [(0.01, 1), (60, 2)])
def test_the_process_ends_when_its_time_is_over_or_it_is_told_again(
    seconds: float, signals: int, caplog: pytest.LogCaptureFixture
) -> None:
    ends = Ends()
    leaving = Leaving(seconds, ends)
    leaving.start()
    for _ in range(signals):
        leaving.tell(signal.SIGTERM)
    assert ends.ended.wait(10)
    assert ends == [UNSETTLED]
    assert "left to be aborted" in caplog.text


STUCK = """
import ctypes, sys
from mesh.kafka import Leaving
Leaving.listen()
print("stuck", flush=True)
ctypes.CDLL(None).pause()
ctypes.CDLL(None).sleep(600)
"""


def test_a_main_thread_that_never_comes_back_from_a_library_does_not_keep_the_process() -> None:
    with subprocess.Popen([sys.executable, "-c", STUCK], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "stuck\n"
        process.terminate()
        assert process.wait(30) == UNSETTLED
