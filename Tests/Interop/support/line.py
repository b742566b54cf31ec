"""A thin line in front of a server on loopback, where the machine cannot shape its own: a proxy that carries bytes the way
TCP would over a link of given rate, delay and loss.

The link's rate is shared by all connections. Each direction of a connection sends windows of packets: the window begins
at ten packets, doubles each round trip until the first loss, then grows by one packet each round trip and is halved at a
loss (RFC 5681); a lost packet holds back what follows it for one more round trip. Acknowledgements are not lost.
"""

import asyncio
import random
import threading
from dataclasses import dataclass

PACKET = 1448


@dataclass(frozen=True)
class Shape:
    """Bits a second, seconds there and back, share of packets lost."""

    rate: float
    round_trip: float
    loss: float = 0.0

    def __str__(self):
        lost = f", {self.loss * 100:g} % loss" if self.loss else ""
        return f"{self.rate / 1e6:g} Mbit/s, {self.round_trip * 1000:g} ms{lost}"


class Line:
    """Listens on a port of its own and carries every connection to the server's port; used as a `with` statement."""

    def __init__(self, shape, server_port, seed=1):
        self.shape, self.server_port, self.random = shape, server_port, random.Random(seed)
        self.port = None
        self.carried = {"up": 0, "down": 0}  # bytes
        self._free = {"up": 0.0, "down": 0.0}  # when the link is free again
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self._thread.start()
        if not self._ready.wait(10):
            raise RuntimeError("the line did not start")
        return self

    def __exit__(self, *_):
        self._loop.call_soon_threadsafe(self._stop)
        self._thread.join(10)

    def _stop(self):
        self._server.close()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.call_later(0.05, self._loop.stop)

    def _run(self):
        asyncio.set_event_loop(self._loop)

        async def listen():
            self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
            self.port = self._server.sockets[0].getsockname()[1]
            self._ready.set()

        self._loop.run_until_complete(listen())
        self._loop.run_forever()

    async def _connected(self, reader, writer):
        try:
            await self._connect(reader, writer)
        except asyncio.CancelledError:
            pass  # the line is being taken down

    async def _connect(self, reader, writer):
        await asyncio.sleep(self.shape.round_trip)  # SYN and its answer
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.server_port)
        except OSError:
            writer.close()
            return
        await asyncio.gather(self._carry(reader, far_writer, "up"), self._carry(far_reader, writer, "down"),
                             return_exceptions=True)

    async def _carry(self, reader, writer, way):
        """One direction of one connection: windows of packets, each delivered half a round trip after it left."""
        window, threshold, arrived = 10.0, float("inf"), 0.0
        try:
            while data := await reader.read(int(window) * PACKET):
                began = self._loop.time()
                left = self._leave(len(data), way)
                packets = -(-len(data) // PACKET)
                lost = sum(self.random.random() < self.shape.loss for _ in range(packets))
                # In order: nothing is handed over before what was lost in front of it.
                arrived = max(arrived, left + self.shape.round_trip * (1.5 if lost else 0.5))
                self._loop.call_at(arrived, self._deliver, writer, data)
                self.carried[way] += len(data)
                # What fills the window waits for its acknowledgement before the next one leaves.
                if packets >= int(window):
                    await self._until(max(left, began + self.shape.round_trip))
                else:
                    await self._until(left)
                if lost:
                    threshold = window = max(2.0, window / 2)
                elif packets >= int(window):
                    window = window * 2 if window < threshold else window + 1
                await writer.drain()
        finally:
            self._loop.call_at(max(arrived, self._loop.time() + self.shape.round_trip / 2), writer.close)

    def _leave(self, count, way):
        """When the last of so many bytes has left for the link, which carries one after the other."""
        start = max(self._free[way], self._loop.time())
        self._free[way] = start + count * 8 / self.shape.rate
        return self._free[way]

    async def _until(self, moment):
        await asyncio.sleep(max(0.0, moment - self._loop.time()))

    @staticmethod
    def _deliver(writer, data):
        if not writer.is_closing():
            writer.write(data)
