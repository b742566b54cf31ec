"""A thin line in front of a server on loopback, where the machine cannot shape its own: a proxy that carries bytes the way
TCP would over a link of given rate, delay and loss.

The link's rate is shared by all connections. Each direction of a connection sends windows of packets: the window begins
at ten packets, doubles each round trip until the first loss, then grows by one packet each round trip and is halved at a
loss (RFC 5681); a lost packet holds back what follows it for one more round trip, or, in a window of fewer than four
packets, where no three duplicate acknowledgements come, for a retransmission timeout of two round trips and 200 ms at
least (RFC 6298). A packet that is sent again takes its place on the link again. Acknowledgements are not lost. No window is
larger than what is under way on the link and 64 KiB that wait in front of it.

A line can be cut (every connection is reset at both ends), go dark (what is sent vanishes and nobody is told; what TCP
would send again arrives when it is light), or refuse (who calls is hung up on).
"""

import asyncio
import random
import socket
import threading
from dataclasses import dataclass

PACKET = 1448
# What may wait in front of the link: a small modem's, not a server's.
QUEUE = 1 << 16


@dataclass(frozen=True)
class Shape:
    """Bits a second, seconds there and back, share of packets lost."""

    rate: float
    round_trip: float
    loss: float = 0.0

    def __str__(self):
        lost = f", {self.loss * 100:g} % loss" if self.loss else ""
        rate = f"{self.rate / 1e6:g} Mbit/s" if self.rate >= 1e6 else f"{self.rate / 1e3:g} kbit/s"
        return f"{rate}, {self.round_trip * 1000:g} ms{lost}"


class Line:
    """Listens on a port of its own and carries every connection to the server's port; used as a `with` statement.

    `tap` is called with (connection number, "up" or "down", bytes) as they set out, and gives the bytes that go on.
    """

    def __init__(self, shape, server_port, seed=1, cut_every=None, tap=None):
        self.shape, self.server_port, self.random = shape, server_port, random.Random(seed)
        self.cut_every, self.tap = cut_every, tap
        self.port = None
        self.carried = {"up": 0, "down": 0}  # bytes
        self.connections = self.cuts = 0
        self.is_refusing = False
        self._open = set()  # transports of both ends
        self._free = {"up": 0.0, "down": 0.0}  # when the link is free again
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self._thread.start()
        if not self._ready.wait(60):
            raise RuntimeError("the line did not start")
        return self

    def __exit__(self, *_):
        self._loop.call_soon_threadsafe(self._stop)
        self._thread.join(60)

    @property
    def octets(self):
        """Both ways."""
        return self.carried["up"] + self.carried["down"]

    # What happens to a line. May be called from any thread.

    def cut(self):
        """Resets whatever is connected now."""
        self._call(self._reset)

    def darken(self):
        self._call(self._light.clear)

    def lighten(self):
        self._call(self._light.set)

    def refuse(self, is_refusing=True):
        """Nobody gets through, and is told so at once."""
        self.is_refusing = is_refusing
        if is_refusing:
            self.cut()

    def _call(self, action):
        done = threading.Event()
        self._loop.call_soon_threadsafe(lambda: (action(), done.set()))
        if not done.wait(60):
            raise RuntimeError("the line does not answer")

    def _reset(self):
        if self._open:
            self.cuts += 1
        for transport in list(self._open):
            _reset(transport)

    # The loop.

    def _stop(self):
        self._server.close()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.call_later(0.05, self._loop.stop)

    def _run(self):
        asyncio.set_event_loop(self._loop)

        async def listen():
            self._light = asyncio.Event()
            self._light.set()
            listener = socket.create_server(("127.0.0.1", 0), backlog=128)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, QUEUE)  # of what it accepts, too
            self._server = await asyncio.start_server(self._connected, sock=listener, limit=QUEUE)
            self.port = listener.getsockname()[1]
            if self.cut_every:
                self._cutting = self._loop.create_task(self._cut_often())
            self._ready.set()

        self._loop.run_until_complete(listen())
        self._loop.run_forever()

    async def _cut_often(self):
        while True:
            await asyncio.sleep(self.cut_every)
            self._reset()

    async def _connected(self, reader, writer):
        try:
            await self._connect(reader, writer)
        except asyncio.CancelledError:
            pass  # the line is being taken down

    async def _connect(self, reader, writer):
        self.connections += 1
        number = self.connections
        self._open.add(writer.transport)
        far_writer = None
        try:
            if self.is_refusing:
                return
            await asyncio.sleep(self.shape.round_trip)  # SYN and its answer
            await self._light.wait()
            try:
                far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.server_port)
            except OSError:
                return
            self._open.add(far_writer.transport)
            if writer.is_closing():
                return
            await asyncio.gather(self._carry(reader, far_writer, "up", number),
                                 self._carry(far_reader, writer, "down", number), return_exceptions=True)
        finally:
            for one in (writer, far_writer):
                if one is not None:
                    self._open.discard(one.transport)
                    if self.is_refusing or far_writer is None:
                        _reset(one.transport)
                    one.close()

    async def _carry(self, reader, writer, way, number):
        """One direction of one connection: windows of packets, each delivered half a round trip after it left."""
        window, threshold, arrived = 10.0, float("inf"), 0.0
        road = asyncio.Queue()
        delivering = self._loop.create_task(self._deliver(road, writer))
        try:
            while data := await reader.read(int(window) * PACKET):
                if self.tap:
                    data = self.tap(number, way, data)
                shape, began = self.shape, self._loop.time()
                packets = -(-len(data) // PACKET)
                lost = sum(self.random.random() < shape.loss for _ in range(packets))
                left = self._leave(len(data) + lost * PACKET, way)
                late = 0.0
                if lost:
                    late = max(0.2, 2 * shape.round_trip) if window < 4 else shape.round_trip
                # In order: nothing is handed over before what was lost in front of it.
                arrived = max(arrived, left + shape.round_trip / 2 + late)
                road.put_nowait((arrived, data))
                self.carried[way] += len(data)
                # What fills the window waits for its acknowledgement before the next one leaves.
                if packets >= int(window):
                    await self._until(max(left, began + shape.round_trip) + late)
                else:
                    await self._until(left)
                if lost:
                    threshold = window = max(2.0, window / 2)
                elif packets >= int(window):
                    window = min(window * 2 if window < threshold else window + 1, self._widest())
                # What is not taken holds back what comes.
                while road.qsize() > 64 and not delivering.done():
                    await asyncio.sleep(0.001)
        finally:
            road.put_nowait((max(arrived, self._loop.time() + self.shape.round_trip / 2), b""))
            await delivering

    async def _deliver(self, road, writer):
        """Hands over what arrives, in order, while there is light; an empty piece is the end."""
        while True:
            moment, data = await road.get()
            await self._until(moment)
            await self._light.wait()
            if not data or writer.is_closing():
                writer.close()
                return
            writer.write(data)
            try:
                await writer.drain()
            except OSError:
                return

    def _widest(self):
        underway = min(self.shape.rate * self.shape.round_trip / 8, 1 << 22)
        return max(10.0, (underway + QUEUE) / PACKET)

    def _leave(self, count, way):
        """When the last of so many bytes has left for the link, which carries one after the other."""
        start = max(self._free[way], self._loop.time())
        self._free[way] = start + count * 8 / self.shape.rate
        return self._free[way]

    async def _until(self, moment):
        if (wait := moment - self._loop.time()) > 0:
            await asyncio.sleep(wait)


def _reset(transport):
    """RST instead of FIN: whoever waits is told."""
    try:
        end = transport.get_extra_info("socket")
        if end is not None and end.fileno() >= 0:
            end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    except OSError:
        pass
    transport.abort()
