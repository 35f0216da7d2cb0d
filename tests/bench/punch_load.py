"""A crew that punches all at once: 20 clients on gunicorn, beside a bare view with one SELECT and one INSERT.

    python -m tests.bench.punch_load [--clients 20] [--seconds 6] [--workers 2] [--threads 4]

Printed are answers per second of the floor and of punching (each a switch), what each answer costs the
server in CPU, median and 95th percentile; then the same of one client alone. It uses only what the program at
52a26c0 has as well: it runs in that tree too. Everything shares one machine: compare figures of one run only.
"""

import argparse
import contextlib
import http.cookiejar
import os
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import urllib.parse
import urllib.request
from collections.abc import Iterator
from itertools import cycle, repeat
from pathlib import Path
from threading import Event
from time import perf_counter

from flask import Flask, request
from sqlalchemy import create_engine, text
from werkzeug.middleware.dispatcher import DispatcherMiddleware

from flask_app import create_app, migrations
from flask_app.config import Config
from tests.bench.busy_shop import PASSWORD, fill
from tests.servers import free_port, private_mariadb

FLOOR = "/floor/punch"
TICKS = os.sysconf("SC_CLK_TCK")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for name, default in (
        ("clients", 20),
        ("seconds", 6),
        ("workers", 2),
        ("threads", 4),
        ("shifts", 50_000),
    ):
        parser.add_argument(f"--{name}", type=int, default=default)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, private_mariadb(Path(folder)) as server:
        url = shop(server, options.shifts)
        with gunicorn(url, options.workers, options.threads) as (address, master):
            tell(measure(address, master, options.clients, options.seconds))


def shop(server: str, shifts: int) -> str:
    """Make a shop whose first 40 people can log in; return its database's URL."""
    with create_engine(server, connect_args={"ssl_disabled": True}).connect() as connection:
        connection.execute(text("CREATE DATABASE crew CHARACTER SET utf8mb4"))
    url = f"{server}/crew"
    engine = create_app(Config(database_url=url, secret_key="k" * 32)).extensions["engine"]
    migrations.upgrade(engine)
    with engine.connect() as connection:
        zone = Config(database_url=url, secret_key="").shop_timezone
        fill(connection, zone=zone, people=200, jobs=500, shifts=shifts)
        known = connection.scalar(text("SELECT password FROM users WHERE email = 'p0@bench.example'"))
        connection.execute(text("UPDATE users SET password = :known WHERE id <= 40"), {"known": known})
        connection.commit()
    engine.dispose()
    return url


Figures = dict[str, dict[str, float]]


def measure(address: str, master: int, clients: int, seconds: int) -> Figures:
    """Return figures of floor and punches, by many clients and by one; each twice, the better counts."""
    people = [Client(address, n + 1) for n in range(clients)]
    works: dict[str, list[Iterator[bytes]]] = {
        "floor": [floor_request(address, n) for n in range(clients)],
        "punch": [p.punches for p in people],
    }
    figures: Figures = {}
    for crew, name in ((people, f"{clients} clients"), (people[:1], "alone")):
        for work, requests in works.items():
            load(address, requests[: len(crew)], 1, master)  # warm
            rounds = [load(address, requests[: len(crew)], seconds / 2, master) for _ in range(2)]
            figures[f"{work}, {name}"] = max(rounds, key=lambda figure: figure["per second"])
    return figures


def tell(figures: Figures) -> None:
    print(f"{'':20}{'per second':>12}{'CPU ms each':>13}{'median ms':>11}{'p95 ms':>9}")
    for name, figure in figures.items():
        print(f"{name:20}" + "".join(f"{figure[key]:>{width}.2f}" for key, width in COLUMNS))
    for name in {name.partition(", ")[2] for name in figures}:
        share = figures[f"punch, {name}"]["per second"] / figures[f"floor, {name}"]["per second"]
        cost = figures[f"floor, {name}"]["cpu"] / figures[f"punch, {name}"]["cpu"]
        print(f"{name}: {share:.0%} of the floor; by the server's CPU {cost:.0%}")


COLUMNS = (("per second", 12), ("cpu", 13), ("median", 11), ("p95", 9))


class Client:
    """One person's phone: logged in, and the bytes of two forms that switch to and fro."""

    def __init__(self, address: str, n: int) -> None:
        jar = http.cookiejar.CookieJar()
        browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))
        form = {"email": f"p{n}@bench.example", "password": PASSWORD, "csrf_token": token(browser, address)}
        browser.open(f"{address}/login", urllib.parse.urlencode(form).encode()).read()
        cookie = "; ".join(f"{one.name}={one.value}" for one in jar)
        csrf = token(browser, f"{address}/dashboard")
        cookie = "; ".join(f"{one.name}={one.value}" for one in jar) or cookie
        forms = [{"job_id": 2 + 4 * (n + k) % 400, "csrf_token": csrf} for k in range(2)]
        # Never to where one is already: it goes on with the next load where this one has ended.
        self.punches = cycle([post(address, "/create/shift", form, cookie) for form in forms])


def token(browser: urllib.request.OpenerDirector, address: str) -> str:
    page = browser.open(address).read().decode()
    return re.search(r'name="csrf_token" value="([^"]+)"', page)[1]


def floor_request(address: str, n: int) -> Iterator[bytes]:
    return repeat(post(address, FLOOR, {"user_id": n + 1, "job_id": 2}))


def post(address: str, path: str, form: dict[str, object], cookie: str = "") -> bytes:
    body = urllib.parse.urlencode(form)
    head = [
        f"POST {path} HTTP/1.1",
        f"Host: {address.removeprefix('http://')}",
        f"Content-Length: {len(body)}",
    ]
    head += ["Content-Type: application/x-www-form-urlencoded", *([f"Cookie: {cookie}"] if cookie else [])]
    return ("\r\n".join(head) + "\r\n\r\n" + body).encode()


def load(address: str, works: list[Iterator[bytes]], seconds: float, master: int) -> dict[str, float]:
    """Let one client each send its requests, one after the other, for so long; return what came of it."""
    times: list[list[float]] = [[] for _ in works]
    stop, go = Event(), threading.Barrier(len(works) + 1)
    crew = [
        threading.Thread(target=send, args=(address, work, mine, go, stop))
        for work, mine in zip(works, times, strict=True)
    ]
    for one in crew:
        one.start()
    go.wait()
    begin, cpu = perf_counter(), cpu_of(master)
    Event().wait(seconds)
    stop.set()
    for one in crew:
        one.join()
    passed, cpu = perf_counter() - begin, cpu_of(master) - cpu
    every = sorted(time for mine in times for time in mine)
    assert every, "no answer"
    return {
        "per second": len(every) / passed,
        "cpu": 1000 * cpu / len(every),
        "median": 1000 * statistics.median(every),
        "p95": 1000 * every[int(0.95 * len(every))],
    }


def send(address: str, work: Iterator[bytes], times: list[float], go: threading.Barrier, stop: Event) -> None:
    host, _, port = address.removeprefix("http://").partition(":")
    connection = None
    go.wait()
    while not stop.is_set():
        begin = perf_counter()
        if connection is None:
            connection = socket.create_connection((host, int(port)))
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sendall(next(work))
        head, closes = answer(connection)
        times.append(perf_counter() - begin)
        assert head.split(None, 2)[1] in (b"200", b"302"), head
        if closes:
            connection.close()
            connection = None


def answer(connection: socket.socket) -> tuple[bytes, bool]:
    """Read one whole answer; return its first line, and whether the connection is at its end."""
    data = connection.recv(65536)
    while b"\r\n\r\n" not in data:
        data += connection.recv(65536)
    head, _, body = data.partition(b"\r\n\r\n")
    length = int(re.search(rb"(?i)content-length: (\d+)", head)[1])
    while len(body) < length:
        body += connection.recv(65536)
    return head.split(b"\r\n", 1)[0], b"connection: close" in head.lower()


def cpu_of(master: int) -> float:
    """Return the seconds that gunicorn's workers have had so far (Linux)."""
    total = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = stat.read_text().rpartition(") ")[2].split()
            if int(fields[1]) == master:
                total += int(fields[11]) + int(fields[12])
    return total / TICKS


@contextlib.contextmanager
def gunicorn(url: str, workers: int, threads: int) -> Iterator[tuple[str, int]]:
    port = free_port()
    command = [sys.executable, "-m", "gunicorn", "-w", str(workers), "--threads", str(threads), "--bind",
               f"127.0.0.1:{port}", "--log-level", "warning", "--keep-alive", "75", "--no-control-socket",
               "tests.bench.punch_load:bench_app()"]  # fmt: skip
    process = subprocess.Popen(command, env={**os.environ, "BENCH_DATABASE_URL": url})
    try:
        address = f"http://127.0.0.1:{port}"
        for _ in range(300):
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"{address}/healthz", timeout=2).read()  # noqa: S310  # our own
                break
            assert process.poll() is None, "gunicorn ended"
            Event().wait(0.1)
        yield address, process.pid
    finally:
        process.terminate()
        process.wait(timeout=30)


def bench_app() -> object:
    """The program, and beside it the floor."""
    url = os.environ["BENCH_DATABASE_URL"]
    app = create_app(Config(database_url=url, secret_key="k" * 32))
    try:
        from flask_app.warm_up import warm_up
    except ImportError:  # an earlier version
        pass
    else:
        warm_up(app)
    return DispatcherMiddleware(app, {"/floor": floor_app(url)})


def floor_app(url: str) -> Flask:
    """A bare view: one SELECT by a primary key, one INSERT and a commit, on SQLAlchemy's own defaults."""
    arguments = {"ssl_disabled": True}
    engine = create_engine(
        url, connect_args=arguments, pool_size=8, pool_pre_ping=True, isolation_level="READ COMMITTED"
    )
    bare = Flask("floor")
    person = text("SELECT id, first_name, last_name, epoch FROM users WHERE id = :user_id")
    row = text(
        "INSERT INTO shifts (created_at, updated_at, job_id, user_id, note)"
        " VALUES ('2020-01-01 12:00:00', '2020-01-01 13:00:00', :job_id, :user_id, '')"
    )

    @bare.post("/punch")
    def punch() -> str:
        form = request.form
        with engine.begin() as connection:
            found = connection.execute(person, {"user_id": form["user_id"]}).one()
            connection.execute(row, {"user_id": form["user_id"], "job_id": form["job_id"]})
        return f"{found.first_name} is in."

    return bare


if __name__ == "__main__":
    main()
