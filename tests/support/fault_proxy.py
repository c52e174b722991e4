"""A TCP proxy between a Redis client and a redis-server that makes the network, or the server, fail as it is told.

    with FaultProxy(redis.socket_path) as proxy:   # or (host, port)
        client connects to 127.0.0.1:proxy.port
        proxy.answer("LOADING Redis is loading the dataset in memory", "PING", "XADD")
        proxy.heal()

It follows the protocol (RESP2, commands as arrays) command by command and reply by reply, so that an answer of its own
takes its place in the order, and a transaction whose EXEC it refuses is discarded on the server. Faults add up until
heal(). Every method may be called from any thread. Standard library only.
"""

import asyncio
import collections
import concurrent.futures
import contextlib
import socket
import struct
import threading

RESET, FIN = "reset", "fin"
# What Redis answers also while it loads, is busy or lost its master. For answer(error, *ANY).
ALWAYS_ANSWERED = frozenset(("AUTH", "CLIENT", "DISCARD", "EXEC", "HELLO", "INFO", "MULTI", "RESET", "SELECT",
                             "UNWATCH", "WATCH"))
ANY = ("*",)
TURNED_AWAY = b"-ERR max number of clients reached\r\n"
EXECABORT = "EXECABORT Transaction discarded because of previous errors."
_READ_BYTES = 1 << 16
_IS_OVER = None  # in the queue of a direction: the end of the stream


class ReplyScanner:
    """Finds where a reply ends in what grows until it is all there, and looks at each byte of it once."""

    def __init__(self, at=0):
        self._at, self._missing = at, 1  # where the next element begins; how many there are still to be

    def end(self, data):
        """Where the reply ends; None: it is not all there."""
        at, missing, size = self._at, self._missing, len(data)
        while missing:
            line = data.find(b"\r\n", at)
            if line < 0:
                break
            kind, end = data[at], line + 2
            if kind == ord("$"):
                length = int(data[at + 1:line])
                if length >= 0:
                    end += length + 2
                    if end > size:
                        break
            elif kind == ord("*"):
                missing += max(int(data[at + 1:line]), 0)
            elif kind not in b"+-:":
                raise ValueError(f"not a Redis reply: {bytes(data[at:at + 32])!r}")
            at = end
            missing -= 1
        self._at, self._missing = at, missing
        return None if missing else at


def end_of_reply(data, at=0):
    """Where the reply that begins at `at` ends; None: it is not all there."""
    return ReplyScanner(at).end(data)


def first_command(data):
    """(words, end) of the command that `data` begins with; None: it is not all there."""
    end = end_of_reply(data)
    if end is None:
        return None
    words, at = [], data.find(b"\r\n") + 2
    while at < end:
        line = data.find(b"\r\n", at)
        length = int(data[at + 1:line])
        words.append(bytes(data[line + 2:line + 2 + length]))
        at = line + 4 + length
    return words, end


class Rule:
    """Commands that are answered here."""

    def __init__(self, error, names, times, then):
        self.wire = b"-" + error.encode() + b"\r\n"
        self.names, self.left, self.then = names, times, then

    def takes(self, name):
        named = name in self.names or ("*" in self.names and name not in ALWAYS_ANSWERED)
        if not named or self.left == 0:
            return False
        if self.left is not None:
            self.left -= 1
        return True


class Faults:
    """What goes wrong now."""

    def __init__(self):
        self.on_accept = None            # RESET, FIN or the bytes to say before FIN
        self.delay_s = (0.0, 0.0)        # to the server, to the client
        self.trickle = None              # (bytes, seconds)
        self.rules = []
        self.cut_reply = None            # [replies until it, bytes of it, how]
        self.cut_instead_of_reply = None  # [command, how, times, what its transaction has to have]
        self.garbage = None              # instead of the next reply
        self.cut_at_command = None       # [command, how many until it, how]


# How a command's place in the order of replies is filled.
Place = collections.namedtuple("Place", "name from_server wire then transaction", defaults=(None, None, frozenset()))


class Connection:
    def __init__(self, proxy, reader, writer):
        self._proxy, self._reader, self._writer = proxy, reader, writer
        self._up_reader = self._up_writer = None
        self._places = collections.deque()
        self._in_multi = self._refused_in_multi = False
        self._transaction = set()  # names of commands since MULTI
        self._tasks = []

    async def run(self):
        try:
            await self._proxy.flow.wait()
            self._up_reader, self._up_writer = await self._proxy.connect_upstream()
        except OSError:
            return self.cut(RESET)
        to_server, to_client = asyncio.Queue(), asyncio.Queue()
        self._tasks = [asyncio.ensure_future(each) for each in (
            self._listen(self._reader, to_server), self._listen(self._up_reader, to_client),
            self._each_command(to_server), self._each_reply(to_client))]
        with contextlib.suppress(ConnectionError, asyncio.CancelledError):
            # The end of either direction is the end of both.
            await asyncio.wait(self._tasks[2:], return_when=asyncio.FIRST_COMPLETED)
        self.cut(FIN)

    def cut(self, how):
        for task in self._tasks:
            task.cancel()
        if how == RESET:
            with contextlib.suppress(OSError):
                self._writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                                                 struct.pack("ii", 1, 0))
            self._writer.transport.abort()
        else:
            self._writer.close()
        if self._up_writer is not None:
            self._up_writer.close()

    async def _listen(self, reader, queue):
        """Reads also while nothing flows, so that the sender believes it was sent."""
        loop = asyncio.get_running_loop()
        try:
            while data := await reader.read(_READ_BYTES):
                queue.put_nowait((loop.time(), data))
        except ConnectionError:
            pass
        queue.put_nowait((loop.time(), _IS_OVER))

    async def _arrivals(self, queue, direction):
        loop = asyncio.get_running_loop()
        while True:
            at, data = await queue.get()
            await asyncio.sleep(max(at + self._proxy.faults.delay_s[direction] - loop.time(), 0))
            await self._proxy.flow.wait()
            if data is _IS_OVER:
                return
            yield data

    async def _each_command(self, queue):
        data = bytearray()
        async for piece in self._arrivals(queue, 0):
            data += piece
            while data and (command := first_command(data)):
                words, end = command
                raw = bytes(data[:end])
                del data[:end]
                await self._take_command(words[0].decode().upper(), raw)
            await self._up_writer.drain()

    async def _take_command(self, name, raw):
        if self._up_writer.is_closing():
            return
        self._proxy.commands[name] += 1
        cut = self._proxy.faults.cut_at_command
        if cut and cut[0] == name:
            cut[1] -= 1
            if cut[1] == 0:
                self._proxy.faults.cut_at_command = None
                await self._up_writer.drain()
                self._end(cut[2])
        rule = next((rule for rule in self._proxy.faults.rules if rule.takes(name)), None)
        refusal, then = (rule.wire, rule.then) if rule else (None, None)
        if name == "EXEC" and self._refused_in_multi and not refusal:
            refusal = b"-" + EXECABORT.encode() + b"\r\n"
        ends_multi = name in ("EXEC", "DISCARD")
        if refusal is None:
            self._up_writer.write(raw)
            self._places.append(Place(name, True, transaction=frozenset(self._transaction) if ends_multi else ()))
        elif ends_multi and self._in_multi:
            self._up_writer.write(b"*1\r\n$7\r\nDISCARD\r\n")
            self._places.append(Place(name, True, refusal, then))
        else:
            self._refused_in_multi = self._refused_in_multi or self._in_multi
            self._places.append(Place(name, False, refusal, then))
            await self._say_what_is_known()
        self._transaction.add(name)
        if name == "MULTI" and refusal is None:
            self._in_multi, self._refused_in_multi, self._transaction = True, False, set()
        if ends_multi:
            self._in_multi = self._refused_in_multi = False

    async def _each_reply(self, queue):
        data, next_reply = bytearray(), ReplyScanner()
        async for piece in self._arrivals(queue, 1):
            data += piece
            while data and (end := next_reply.end(data)):
                reply = bytes(data[:end])
                del data[:end]
                next_reply = ReplyScanner()
                place = self._places.popleft()
                await self._say(place, reply if place.wire is None else place.wire)
                await self._say_what_is_known()

    async def _say_what_is_known(self):
        while self._places and not self._places[0].from_server:
            place = self._places.popleft()
            await self._say(place, place.wire)

    async def _say(self, place, wire):
        faults = self._proxy.faults
        self._proxy.replies += 1
        cut = faults.cut_instead_of_reply
        if cut and cut[0] == place.name and cut[2] > 0 and cut[3] in (None, *place.transaction):
            cut[2] -= 1
            return self._end(cut[1])
        if faults.garbage is not None:
            wire, faults.garbage = faults.garbage, None
        if faults.cut_reply:
            faults.cut_reply[0] -= 1
            if faults.cut_reply[0] == 0:
                _, size, how = faults.cut_reply
                faults.cut_reply = None
                await self._send(wire[:size])
                return self._end(how)
        await self._send(wire)
        if place.then:
            self._end(place.then)

    async def _send(self, wire):
        if self._writer.is_closing():
            return  # the client is gone; what it said is still carried out
        if not self._proxy.faults.trickle:
            self._writer.write(wire)
            return await self._writer.drain()
        self._proxy.trickled += len(wire) > self._proxy.faults.trickle[0]
        while wire:
            size, pause_s = self._proxy.faults.trickle or (len(wire), 0)
            if self._writer.is_closing():
                return
            self._writer.write(wire[:size])
            wire = wire[size:]
            await asyncio.sleep(pause_s)

    def _end(self, how):
        self._proxy.cuts += 1
        self.cut(how)
        raise asyncio.CancelledError


class FaultProxy:
    """See above. `upstream` is the path of a Unix socket or (host, port)."""

    def __init__(self, upstream):
        self._upstream = upstream
        self.faults = Faults()
        self.flow = None
        self.connections = 0                    # accepted so far, turned away or not
        self.commands = collections.Counter()   # seen so far, by name
        self.replies = 0                        # passed on or made here so far
        self.cuts = 0                           # connections cut at a command, in a reply or instead of one
        self.trickled = 0                       # replies that came in pieces
        self._open = set()
        self._listener = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        # Bound and never listening: it keeps the port ours while refuse() has the listener closed.
        self._guard = self._bound(0)
        self.port = self._guard.getsockname()[1]

    @property
    def url(self):
        return f"redis://127.0.0.1:{self.port}/0"

    def __enter__(self):
        self._thread.start()
        self._run(self._begin())
        return self

    def __exit__(self, *_):
        self._run(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._guard.close()

    def lead_to(self, upstream):
        """From now on new connections go there, as after a failover; those that stand are cut."""
        self._call(lambda: setattr(self, "_upstream", upstream))
        self.cut()

    # faults

    def heal(self):
        """Nothing is wrong any more; what was held is delivered."""
        self._run(self._heal())

    def cut(self, how=RESET):
        """The connections that stand, now."""
        self._call(lambda: [connection.cut(how) for connection in list(self._open)])

    def refuse(self, how=RESET):
        """The port is closed; connections that stand are cut."""
        self._call(self._stop_listening)
        self.cut(how)

    def accept_and(self, how):
        """New connections are accepted and ended: RESET, FIN, or bytes to be said first (TURNED_AWAY)."""
        self._call(lambda: setattr(self.faults, "on_accept", how))

    def blackhole(self):
        """Nothing gets through, in neither direction, not even the end of a connection; heal() delivers it all."""
        self._call(self.flow.clear)

    def delay(self, to_server_ms=0, to_client_ms=0):
        self._call(lambda: setattr(self.faults, "delay_s", (to_server_ms / 1000, to_client_ms / 1000)))

    def trickle(self, size, every_ms):
        """Replies come in pieces of `size` bytes."""
        self._call(lambda: setattr(self.faults, "trickle", (size, every_ms / 1000)))

    def cut_in_reply(self, number, after_bytes, how=RESET):
        """In the middle of the number-th reply from now on (1: the next), of all connections together."""
        self._call(lambda: setattr(self.faults, "cut_reply", [number, after_bytes, how]))

    def cut_instead_of_reply(self, name, how=RESET, times=1, having=None):
        """The server has done what `name` told it, but the client gets the end of the connection for an answer. `having`:
        only of an EXEC whose transaction has that command."""
        self._call(lambda: setattr(self.faults, "cut_instead_of_reply", [name, how, times, having]))

    def cut_at_command(self, name, number=1, how=RESET):
        """At the number-th command `name` from now on, of all connections together: the server gets what was before
        it, and the end of the connection instead of it."""
        self._call(lambda: setattr(self.faults, "cut_at_command", [name, number, how]))

    def garbage(self, wire=b"HTTP/1.1 400 Bad Request\r\n\r\n"):
        """Instead of the next reply."""
        self._call(lambda: setattr(self.faults, "garbage", wire))

    def answer(self, error, *names, times=None, then=None):
        """Commands of these names are not passed on but answered with -error, `times` times or until heal(). ANY is
        all but those that Redis always answers. `then` RESET or FIN ends the connection behind it."""
        self._call(lambda: self.faults.rules.append(Rule(error, names, times, then)))

    # for connections

    def connect_upstream(self):
        if isinstance(self._upstream, tuple):
            return asyncio.open_connection(*self._upstream)
        return asyncio.open_unix_connection(str(self._upstream))

    # on the loop

    @staticmethod
    def _bound(port):
        made = socket.socket()
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        made.bind(("127.0.0.1", port))
        return made

    async def _begin(self):
        self.flow = asyncio.Event()
        self.flow.set()
        await self._listen()

    async def _listen(self):
        self._listener = await asyncio.start_server(self._accepted, sock=self._bound(self.port))

    def _stop_listening(self):
        if self._listener:
            self._listener.close()
            self._listener = None

    async def _heal(self):
        self.faults = Faults()
        self.flow.set()
        if self._listener is None:
            await self._listen()

    async def _accepted(self, reader, writer):
        self.connections += 1
        connection = Connection(self, reader, writer)
        on_accept = self.faults.on_accept
        if on_accept in (RESET, FIN):
            return connection.cut(on_accept)
        if on_accept:
            writer.write(on_accept)
            return connection.cut(FIN)
        self._open.add(connection)
        try:
            await connection.run()
        finally:
            self._open.discard(connection)

    async def _end(self):
        self._stop_listening()
        self.flow.set()
        for connection in list(self._open):
            connection.cut(RESET)
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    # from other threads

    def _run(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(10)

    def _call(self, function):
        done = concurrent.futures.Future()

        def call():
            try:
                done.set_result(function())
            except BaseException as failed:  # the caller's to see
                done.set_exception(failed)
        self._loop.call_soon_threadsafe(call)
        return done.result(10)
