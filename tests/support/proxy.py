"""A link to a broker that a test can cut, stall and slow down: a TCP proxy that knows where Kafka's requests begin."""

from __future__ import annotations

import asyncio
import contextlib
import struct
import threading
from collections import Counter
from enum import Enum
from types import TracebackType
from typing import Self

END_TXN = 26
"""Kafka's number of the request that commits or aborts a transaction."""
TXN_OFFSET_COMMIT = 28
"""That of the request that puts offsets into a transaction; it goes to the group's coordinator."""

_LARGEST = 128 * 1024 * 1024


class Fault(Enum):
    """What happens to a request."""

    CUT_BEFORE = "the link is cut before the request reaches the broker"
    CUT_AFTER = "the broker acts on the request, and the link is cut before the answer"
    STALL = "the broker acts on the request, and no answer ever comes back on that link"


class Proxy:
    """Listens on ``port`` and passes everything on to ``target``, both on the loopback interface.

    ``fail`` tells what to do with the next requests of a kind; ``delay`` is how many seconds every answer waits.
    """

    def __init__(self, port: int, target: int) -> None:
        self._port, self._target = port, target
        self.delay = 0.0
        self.seen: Counter[tuple[int, Fault]] = Counter()
        self._faults: dict[int, list[Fault]] = {}
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._stop: asyncio.Event | None = None

    def fail(self, kind: int, *faults: Fault) -> None:
        """The next requests of this kind fail so, one after the other."""
        self._faults.setdefault(kind, []).extend(faults)

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._stop is not None
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    def _serve(self) -> None:
        with contextlib.closing(self._loop):
            self._loop.run_until_complete(self._main())

    async def _main(self) -> None:
        self._stop = asyncio.Event()
        links: set[asyncio.Task[None]] = set()

        async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            links.add(task)
            try:
                await self._link(reader, writer)
            finally:
                links.discard(task)

        server = await asyncio.start_server(accept, "127.0.0.1", self._port)
        self._ready.set()
        await self._stop.wait()
        server.close()
        for link in links:
            link.cancel()
        await asyncio.gather(*links, return_exceptions=True)

    async def _link(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One client's connection, until either side ends it or a fault does."""
        try:
            answers, requests = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            writer.close()
            return
        stalled = asyncio.Event()
        pumps = [
            asyncio.ensure_future(self._forward(reader, requests, stalled)),
            asyncio.ensure_future(self._answer(answers, writer, stalled)),
        ]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
            requests.close()
            writer.close()

    async def _forward(
        self, reader: asyncio.StreamReader, requests: asyncio.StreamWriter, stalled: asyncio.Event
    ) -> None:
        """Requests are framed: a length of four bytes, then two bytes for the kind of request."""
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while True:
                head = await reader.readexactly(4)
                (size,) = struct.unpack(">i", head)
                assert 0 < size < _LARGEST
                body = await reader.readexactly(size)
                fault = self._fault(struct.unpack_from(">h", body)[0])
                if fault is Fault.CUT_BEFORE:
                    return
                # From now on nothing comes back: an answer must not slip through before the cut.
                if fault is not None:
                    stalled.set()
                requests.write(head + body)
                await requests.drain()
                if fault is Fault.CUT_AFTER:
                    await asyncio.sleep(0.2)
                    return

    def _fault(self, kind: int) -> Fault | None:
        waiting = self._faults.get(kind)
        if not waiting:
            return None
        fault = waiting.pop(0)
        self.seen[kind, fault] += 1
        return fault

    async def _answer(
        self, answers: asyncio.StreamReader, writer: asyncio.StreamWriter, stalled: asyncio.Event
    ) -> None:
        with contextlib.suppress(OSError):
            while chunk := await answers.read(65_536):
                if self.delay:
                    await asyncio.sleep(self.delay)
                if not stalled.is_set():
                    writer.write(chunk)
                    await writer.drain()
