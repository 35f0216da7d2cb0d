"""How fast are the pages of a big shop, beside a view that does one indexed SELECT?

    python -m tests.bench.pages_speed [--people 500] [--jobs 2000] [--shifts 500000] [--repeat 30]

Starts a MariaDB of its own and gunicorn with two workers, as the README runs it. Each page is warmed and then
asked `--repeat` times over one connection; printed are the median in milliseconds, its ratio to the floor of
the same round, the bytes of the page, how many SQL statements it sent, the 95th percentile and what it took
of the server's CPU; then files with every shift, with the memory by which a worker grew. A second round on a
tenth of the shifts tells how the board and a punch grow. At the end 20 clients punch, beside a bare view with
one SELECT and one INSERT (punch_load.py).
"""

import argparse
import contextlib
import os
import re
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from threading import Event
from time import perf_counter

import requests
from flask import Flask
from sqlalchemy import create_engine, event, text

from flask_app import create_app, migrations
from flask_app.config import Config
from flask_app.models.database import make_engine
from flask_app.warm_up import warm_up
from flask_app.web.access import current_user, login_required
from tests.bench import punch_load
from tests.bench.busy_shop import PASSWORD, fill
from tests.bench.punch_load import cpu_of
from tests.servers import free_port, private_mariadb

PAGES = {
    "floor": "/bench/floor",
    "job board": "/dashboard",
    "job board, page 30": "/jobs?page=30",
    "a job": "/show/job/7",
    "my hours": "/my/hours",
    "today": "/todays_activity",
    "shifts, this month": "/reports/shifts?preset=month",
    "shifts, last month": "/reports/shifts?preset=last_month",
    "hours, this month": "/reports/hours?preset=month",
    "quarterly": "/reports/quarterly",
    "jobs report": "/reports/jobs",
    "audit": "/admin/audit",
    "people": "/manage_users",
}
TARGETS = {
    "job board": 30,
    "today": 50,
    "shifts, this month": 100,
    "shifts, last month": 100,
    "quarterly": 150,
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for name, default in (("people", 500), ("jobs", 2000), ("shifts", 500_000), ("repeat", 30)):
        parser.add_argument(f"--{name}", type=int, default=default)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, private_mariadb(Path(folder)) as server:
        few = measure(server, "few", options, options.shifts // 10)
        many = measure(server, "many", options, options.shifts)
        with punch_load.gunicorn(punch_load.shop(server, 50_000), 2, 4) as (address, master):
            crew = punch_load.measure(address, master, 20, 6)
    report(few, options.shifts // 10, {})
    report(many, options.shifts, TARGETS)
    for name in ("job board", "punch"):
        growth = (many[name][0] / many["floor"][0]) / (few[name][0] / few["floor"][0])
        print(f"{name}: ten times the shifts, {growth:.2f} times the time (to the floor's)")
    punch_load.tell(crew)


def measure(server: str, name: str, options: argparse.Namespace, shifts: int) -> dict[str, tuple]:
    """Return milliseconds, bytes and statements of each page of a shop with so many shifts."""
    engine = create_engine(server, connect_args={"ssl_disabled": True}, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name} CHARACTER SET utf8mb4"))
    url = f"{server}/{name}"
    bench = make_engine(url)
    migrations.upgrade(bench)
    with bench.connect() as connection:
        zone = Config(database_url=url, secret_key="").shop_timezone
        fill(connection, zone=zone, people=options.people, jobs=options.jobs, shifts=shifts)
    with gunicorn(url) as (address, master):
        browser = requests.Session()
        log_in(browser, address)
        figures = {
            page: timed(browser, address + path, options.repeat, master) for page, path in PAGES.items()
        }
        figures["punch"] = punches(browser, address, options.repeat, master)
        for form in ("csv", "xlsx"):
            figures[f"every shift as {form}"] = exported(browser, address, form)
    return figures


def exported(browser: requests.Session, address: str, form: str) -> tuple[float, int, int]:
    """Return milliseconds and bytes of a file with every shift, and how the largest worker grew, in KiB."""
    before, size, begin = resident(), 0, perf_counter()
    path = f"{address}/reports/shifts?from=2020-01-01&to=2029-12-30&format={form}"
    with browser.get(path, stream=True) as answer:
        assert answer.ok, answer.status_code
        for piece in answer.iter_content(1 << 16):
            size += len(piece)
    return (1000 * (perf_counter() - begin), size, resident() - before)


def resident() -> int:
    """Return the largest memory that a process of this bench's gunicorn has had so far, in KiB (Linux)."""
    peaks = [0]
    for status in Path("/proc").glob("[0-9]*/status"):
        with contextlib.suppress(OSError):
            if b"pages_speed:bench_app" in status.with_name("cmdline").read_bytes():
                peaks += [
                    int(line.split()[1]) for line in status.read_text().splitlines() if line[:5] == "VmHWM"
                ]
    return max(peaks)


def log_in(browser: requests.Session, address: str, email: str = "p0@bench.example") -> None:
    form = {"csrf_token": token(browser.get(address).text), "email": email, "password": PASSWORD}
    assert browser.post(f"{address}/login", data=form).url.endswith("/dashboard")


def token(page: str) -> str:
    return re.search(r'name="csrf_token" value="([^"]+)"', page)[1]


def timed(browser: requests.Session, url: str, repeat: int, master: int) -> tuple:
    for _ in range(6):  # both workers
        answer = browser.get(url)
    if answer.status_code == 404:
        return (0.0, 0, 0, 0.0, 0.0)
    assert answer.status_code == 200, (url, answer.status_code)
    cpu = cpu_of(master)
    times = [once(lambda: browser.get(url)) for _ in range(repeat)]
    spent = 1000 * (cpu_of(master) - cpu) / repeat
    statements = int(answer.headers["X-Bench-Statements"])
    return (statistics.median(times), len(answer.content), statements, p95(times), spent)


def p95(times: list[float]) -> float:
    return sorted(times)[int(0.95 * len(times))]


def once(work) -> float:
    begin = perf_counter()
    answer = work()
    assert answer.ok, answer.status_code
    return 1000 * (perf_counter() - begin)


def punches(browser: requests.Session, address: str, repeat: int, master: int) -> tuple:
    """Return the figures of punching in, switching to and fro."""
    form = {"csrf_token": token(browser.get(f"{address}/dashboard").text)}
    times, cpu = [], cpu_of(master)
    for n in range(repeat):
        job = {**form, "job_id": str(2 + 4 * (n % 2))}
        post = lambda job=job: browser.post(f"{address}/create/shift", data=job, allow_redirects=False)  # noqa: E731
        times.append(once(post))
    return (statistics.median(times), 0, 0, p95(times), 1000 * (cpu_of(master) - cpu) / repeat)


def report(figures: dict[str, tuple], shifts: int, targets: Mapping[str, float]) -> None:
    floor = figures["floor"][0]
    print(f"\n{shifts:,} shifts          median ms   x floor     bytes  statements       p95    CPU ms")
    for page, (milliseconds, size, statements, *slow) in figures.items():
        if page.startswith("every"):
            grown = statements / 1024
            print(f"{page:22} {milliseconds / 1000:9.1f} s {size / 1e6:9.1f} MB, memory +{grown:.1f} MiB")
            continue
        target = f"   (target {targets[page]} ms)" if page in targets else ""
        shown = "no such page" if not milliseconds else f"{milliseconds:9.1f} {milliseconds / floor:9.1f}"
        print(f"{page:22} {shown} {size:11,} {statements:8} {slow[0]:12.1f} {slow[1]:9.1f}{target}")


@contextlib.contextmanager
def gunicorn(url: str) -> Iterator[tuple[str, int]]:
    port = free_port()
    environ = {**os.environ, "BENCH_DATABASE_URL": url}
    command = [sys.executable, "-m", "gunicorn", "-w", "2", "--threads", "4", "--no-control-socket",
               "--bind", f"127.0.0.1:{port}", "--log-level", "warning",
               "tests.bench.pages_speed:bench_app()"]  # fmt: skip
    process = subprocess.Popen(command, env=environ)
    try:
        address = f"http://127.0.0.1:{port}"
        wait_until_up(process, address)
        yield address, process.pid
    finally:
        process.terminate()
        process.wait(timeout=30)


def wait_until_up(process: subprocess.Popen, address: str) -> None:
    for _ in range(300):
        assert process.poll() is None, "gunicorn ended"
        try:
            requests.get(f"{address}/healthz", timeout=2)
            return
        except (requests.ConnectionError, requests.Timeout):
            Event().wait(0.1)
    raise RuntimeError("gunicorn did not come up in 30 seconds")


def bench_app() -> Flask:
    """The program, with a floor to compare to and a count of statements on each answer."""
    app = create_app(
        Config(database_url=os.environ["BENCH_DATABASE_URL"], secret_key="k" * 32, meal_minutes=30)
    )
    sent: list[str] = []
    event.listen(
        app.extensions["engine"], "before_cursor_execute", lambda _c, _cu, text, *_: sent.append(text)
    )
    app.before_request_funcs.setdefault(None, []).insert(0, sent.clear)

    @app.after_request
    def count(answer):
        answer.headers["X-Bench-Statements"] = str(len(sent))
        return answer

    @app.get("/bench/floor")
    @login_required
    def floor():
        return current_user().name  # who is logged in: one SELECT by the primary key

    warm_up(app)
    return app


if __name__ == "__main__":
    main()
