"""Being told to go: in order while there is time, and at once when there is none left."""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
from collections.abc import Callable
from typing import Final, Self

from mesh.errors import BrokerUnreachable

logger = logging.getLogger(__name__)

LEAVE_SECONDS: Final = 4.5
"""From being told until the process is gone: a supervisor that waits five seconds would kill it without a word."""

UNSETTLED: Final = BrokerUnreachable.exit_code
"""Of a process whose time was over: Kafka had not answered to what was open."""


class Leaving:
    """Hears SIGTERM and Ctrl-C on a thread of its own, whatever the main thread waits for.

    ``asked`` is set by the first signal; the process then has ``seconds`` to end by itself. When they are over, or with
    another signal, it ends as it is. That loses nothing: an open transaction is aborted by whoever takes the identity
    over next, or by the broker when it times out, and its records are read again.
    """

    def __init__(self, seconds: float = LEAVE_SECONDS, end: Callable[[int], object] = os._exit) -> None:
        self.asked = threading.Event()
        self.signal: signal.Signals | None = None
        self._seconds, self._end = seconds, end
        self._heard, self._told = socket.socketpair()
        self._told.setblocking(False)

    @classmethod
    def listen(cls) -> Self:
        """From now on until the process ends; for the main thread of a program."""
        leaving = cls()
        # Python runs a handler when the main thread is back from the client, which may wait for a broker that is gone.
        signal.set_wakeup_fd(leaving._told.fileno(), warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: None)
        leaving.start()
        return leaving

    def start(self) -> None:
        """Begin to listen to what ``tell`` and the signals say."""
        threading.Thread(target=self._listen, name="leaving", daemon=True).start()

    def tell(self, number: signal.Signals) -> None:
        """As the signal would."""
        self._told.send(bytes([number]))

    def _listen(self) -> None:
        with self._heard, self._told:
            self.signal = signal.Signals(self._heard.recv(1)[0])
            self.asked.set()
            self._heard.settimeout(self._seconds)
            try:
                self._heard.recv(1)
                logger.warning("told again to end: leaving at once, what is open is left to be aborted")
            except TimeoutError:
                logger.warning(
                    "Kafka did not let go within %g s: what is open is left to be aborted, and is done again",
                    self._seconds,
                )
            for handler in logging.getLogger().handlers:
                handler.flush()
            self._end(UNSETTLED)
