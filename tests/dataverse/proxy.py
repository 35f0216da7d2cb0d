"""A small CONNECT proxy on this machine, whose names all lead to 127.0.0.1."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Event, Thread

LINE_END = b"\r\n\r\n"


class Proxy:
    """What it was asked for (`asked`: host and port, `credentials`), and how it answers."""

    def __init__(self, answer: bytes = b"HTTP/1.1 200 OK", pace: float = 0) -> None:
        self.asked: list[str] = []
        self.credentials: list[str] = []
        self._answer, self._pace = answer + LINE_END, pace
        self._stopped = Event()
        self._door = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._door.getsockname()[1]

    @contextmanager
    def running(self) -> Iterator["Proxy"]:
        Thread(target=self._accept, daemon=True).start()
        try:
            yield self
        finally:
            self._stopped.set()
            self._door.shutdown(socket.SHUT_RDWR)
            self._door.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                visitor, _ = self._door.accept()
                Thread(target=self._serve, args=[visitor], daemon=True).start()

    def _serve(self, visitor: socket.socket) -> None:
        with visitor, suppress(OSError):
            head = b""
            while LINE_END not in head:
                head += visitor.recv(1)
            first, *headers = head.decode().splitlines()
            self.asked.append(first.split()[1])
            self.credentials += [line for line in headers if line.lower().startswith("proxy-authorization")]
            for byte in self._answer:
                if self._pace and self._stopped.wait(self._pace):
                    return
                visitor.sendall(bytes([byte]))
            if b" 200 " in self._answer:
                self._join(visitor, int(self.asked[-1].rpartition(":")[2]))

    def _join(self, visitor: socket.socket, port: int) -> None:
        with socket.create_connection(("127.0.0.1", port)) as there:
            back = Thread(target=_pump, args=(there, visitor), daemon=True)
            back.start()
            _pump(visitor, there)
            back.join()


def _pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(1 << 16):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)
