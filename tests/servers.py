"""The database servers that the tests run on: the one they are given, or a private one that they start."""

import os
import random
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event

import pymysql
from sqlalchemy import create_engine, text

# Seconds within which what has a deadline of its own, of a second or less, is over on the busiest machine.
PROMPT = 60

ENGINE_PATHS = ("/usr/sbin", "/usr/local/sbin", "/usr/libexec", "/usr/local/bin", "/usr/bin")

# No test pulls the plug. "loose": MySQL doesn't know all of them.
NOTHING_HAS_TO_REACH_THE_DISK = (
    "--loose-debug-no-sync",
    "--loose-innodb-flush-method=nosync",
    "--skip-innodb-doublewrite",
)


def find_mariadbd() -> str | None:
    path = os.pathsep.join((os.environ.get("PATH", ""), *ENGINE_PATHS))
    return shutil.which("mariadbd", path=path) or shutil.which("mysqld", path=path)


@contextmanager
def private_mariadb(folder: Path) -> Iterator[str]:
    """Start a server with a data directory and a port of its own; yield a URL without a database name."""
    server = find_mariadbd()
    assert server, "no mariadbd or mysqld on this machine"
    data, port = folder / "data", free_port()
    user = ["--user=root"] if os.geteuid() == 0 else []
    _install(server, data, user)
    process = subprocess.Popen(
        [server, "--no-defaults", *user, f"--datadir={data}", f"--socket={folder}/s.sock", f"--port={port}",
         "--bind-address=127.0.0.1", f"--pid-file={folder}/pid", "--innodb-log-file-size=16M",
         "--innodb-flush-log-at-trx-commit=0", "--skip-log-bin", f"--log-error={folder}/error.log",
         "--innodb-file-per-table=0",  # the audit is emptied by TRUNCATE, which would make a file anew
         f"--tmpdir={folder}",  # from a shared one a server that starts removes the others' tables
         *NOTHING_HAS_TO_REACH_THE_DISK],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        _wait_until_up(process, port, folder)
        yield f"mysql+pymysql://root@127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(timeout=120)


def _install(server: str, data: Path, user: list[str]) -> None:
    installer = shutil.which("mariadb-install-db")
    if installer and "mariadb" in Path(server).name:
        command = [installer, "--no-defaults", *user, f"--datadir={data}", "--skip-test-db",
                   "--auth-root-authentication-method=normal", "--innodb-log-file-size=16M",
                   *NOTHING_HAS_TO_REACH_THE_DISK]  # fmt: skip
    else:
        command = [server, "--no-defaults", *user, f"--datadir={data}", "--initialize-insecure"]
    subprocess.run(command, check=True, capture_output=True)


def _wait_until_up(process: subprocess.Popen[bytes], port: int, folder: Path) -> None:
    for _ in range(1200):
        if process.poll() is not None:
            raise RuntimeError(f"the database server ended: {(folder / 'error.log').read_text()[-2000:]}")
        with suppress(pymysql.OperationalError):
            pymysql.connect(host="127.0.0.1", port=port, user="root", ssl_disabled=True).close()
            return
        Event().wait(0.1)
    raise RuntimeError("the database server did not come up in two minutes")


def free_port() -> int:
    """Return a port that nobody listens on, of those that no outgoing connection takes meanwhile."""
    while True:
        port = random.randrange(10_000, 32_000)  # noqa: S311  # not a secret
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def new_database(server: str, name: str) -> str:
    """Make an empty database on a server; return its address."""
    engine = create_engine(server, connect_args={"ssl_disabled": True}, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name} CHARACTER SET utf8mb4"))
    engine.dispose()
    return f"{server}/{name}"
