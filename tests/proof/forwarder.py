"""One address for a cluster: every connection goes to one node, and to the next when that one is gone."""

import contextlib
import socket
import threading
from collections.abc import Callable, Sequence

CHECK_EVERY = 0.5  # seconds


class Forwarder:
    """Forwards to the first node until that isn't ready any more; then it cuts what is left of it and takes
    the next one that is. It never goes back by itself: one writer at a time."""

    def __init__(self, nodes: Sequence[tuple[int, Callable[[], bool]]]) -> None:
        self._nodes, self._writer, self.changes = nodes, 0, 0
        self._door = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._door.getsockname()[1]
        self._pairs: set[tuple[socket.socket, socket.socket]] = set()
        self._ended = threading.Event()

    def __enter__(self) -> "Forwarder":
        for work in (self._accept, self._watch):
            threading.Thread(target=work, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._door.close()
        self._cut()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                caller, _ = self._door.accept()
                try:
                    node = socket.create_connection(("127.0.0.1", self._nodes[self._writer][0]), 2)
                except OSError:
                    caller.close()
                    continue
                node.settimeout(None)
                for one in (caller, node):
                    one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._pairs.add((caller, node))
                for source, target in ((caller, node), (node, caller)):
                    threading.Thread(target=_pump, args=(source, target), daemon=True).start()

    def _watch(self) -> None:
        while not self._ended.wait(CHECK_EVERY):
            if self._nodes[self._writer][1]():
                continue
            for number, (_, is_ready) in enumerate(self._nodes):
                if number != self._writer and is_ready():
                    self._writer, self.changes = number, self.changes + 1
                    self._cut()
                    break

    def _cut(self) -> None:
        while self._pairs:
            for end in self._pairs.pop():
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)


def _pump(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    for end in (source, target):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
