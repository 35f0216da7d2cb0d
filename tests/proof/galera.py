"""Scale-out: three hosts of the program on three nodes of a Galera cluster with one writer, and failover.

    python -m tests.proof.galera [--phones 12] [--seconds 15]

Everything runs on loopback with ports and data directories of its own (needs Debian's galera-4 and rsync).
The program sees one address, as behind RDS or HAProxy: a forwarder that sends everything to one node and,
when that is gone, to the next that is ready. While people punch, an app host is killed, then the writing
node; both come back. An auditor compares every acknowledged punch with each of the three nodes.
"""

import argparse
import os
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from time import monotonic

import pymysql
from flask import Flask

from flask_app.models.database import make_engine
from tests.proof.forwarder import Forwarder
from tests.proof.load import tell
from tests.proof.mariadb import Database
from tests.proof.phones import Auditor, Phone
from tests.proof.shop import Server, make_shop, serving, wait_until, workers_and_jobs
from tests.servers import free_port, new_database

PROVIDER = Path("/usr/lib/galera/libgalera_smm.so")
NODES = 3


class Node(Database):
    """One MariaDB of the cluster."""

    def __init__(self, folder: Path, number: int, group: Sequence[int]) -> None:
        group_port, transfer, catch_up = group[number], free_port(), free_port()
        provider = (
            f"gmcast.listen_addr=tcp://127.0.0.1:{group_port};base_port={group_port};"
            f"ist.recv_addr=127.0.0.1:{catch_up};evs.keepalive_period=PT0.5S;evs.suspect_timeout=PT2S;evs.inactive_timeout=PT4S"
        )
        super().__init__(
            folder / f"node{number}",
            "--wsrep-on=ON", f"--wsrep-provider={PROVIDER}", f"--wsrep-provider-options={provider}",
            f"--wsrep-cluster-address=gcomm://{','.join(f'127.0.0.1:{port}' for port in group)}",
            f"--wsrep-node-address=127.0.0.1:{group_port}", f"--wsrep-node-name=node{number}",
            "--wsrep-sst-method=rsync", f"--wsrep-sst-receive-address=127.0.0.1:{transfer}",
            "--binlog-format=ROW", "--innodb-autoinc-lock-mode=2",
            "--wsrep-sync-wait=7",  # what is read has seen all that another node acknowledged before
            user_of_root="mysql",  # rsync's receiver gives up the rights of root
        )  # fmt: skip

    def is_ready(self, size: int | None = None) -> bool:
        """Whether it takes part in the cluster and has caught up; with `size`: in one of so many nodes."""
        try:
            with pymysql.connect(
                host="127.0.0.1", port=self.port, user="root", ssl_disabled=True, connect_timeout=2,
                read_timeout=2,
            ) as connection, connection.cursor() as cursor:  # fmt: skip
                cursor.execute("SHOW GLOBAL STATUS LIKE 'wsrep%'")
                status = dict(cursor.fetchall())
        except pymysql.Error:
            return False
        is_right = size is None or status["wsrep_cluster_size"] == str(size)
        return is_right and (status["wsrep_ready"], status["wsrep_local_state_comment"]) == ("ON", "Synced")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--phones", type=int, default=12)
    parser.add_argument("--seconds", type=float, default=15)
    options = parser.parse_args()
    if not PROVIDER.is_file():
        raise SystemExit("the package galera-4 is not installed")
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        folder.chmod(0o755)
        nodes = cluster(folder, stack)
        forwarder = stack.enter_context(Forwarder([(node.port, node.is_ready) for node in nodes]))
        url = new_database(f"mysql+pymysql://root@127.0.0.1:{forwarder.port}", "scale_out")
        app = make_shop(url, people=60, jobs=200, shifts=2000)
        hosts = [stack.enter_context(serving(url, folder, workers=1)) for _ in range(NODES)]
        problems = under_load(app, hosts, nodes, forwarder, options)
        app.extensions["engine"].dispose()
    print("load average:", *os.getloadavg())
    sys.exit(1 if problems else 0)


def cluster(folder: Path, stack: ExitStack) -> list[Node]:
    group = [free_port() for _ in range(NODES)]
    nodes = [Node(folder, number, group) for number in range(NODES)]
    for n, node in enumerate(nodes):
        node.start(*(["--wsrep-new-cluster"] if n == 0 else []))
        stack.push(node.__exit__)
        wait_until(lambda node=node, n=n: node.is_ready(n + 1), 120, f"node {n} has joined")
    return nodes


def under_load(
    app: Flask, hosts: list[Server], nodes: list[Node], forwarder: Forwarder, options: argparse.Namespace
) -> list[str]:
    """Let phones punch without a pause, kill a host and the writing node, and audit all three nodes."""
    auditor, stop = Auditor(), threading.Event()
    workers, jobs = workers_and_jobs(app, options.phones)
    phones = [Phone(app, person, jobs, auditor, n) for n, person in enumerate(workers)]

    def punch(phone: Phone, turn: int) -> None:
        while not stop.is_set():
            taken = phone.punch(hosts[turn % NODES].base)
            turn += 0 if taken else 1  # as a load balancer does that finds a host dead
            stop.wait(0.02 if taken else 0.2)

    threads = [threading.Thread(target=punch, args=[phone, n]) for n, phone in enumerate(phones)]
    for thread in threads:
        thread.start()
    for what, strike, mend in (
        ("kill -9 of an app host", hosts[0].kill, hosts[0].start),
        ("kill -9 of the writing node", nodes[0].kill, nodes[0].start),
    ):
        stop.wait(options.seconds / 3)
        _strike(auditor, what, strike, stop)
        mend()
    wait_until(lambda: all(node.is_ready(NODES) for node in nodes), 180, "all nodes are back")
    stop.wait(options.seconds / 3)
    stop.set()
    for thread in threads:
        thread.join()
    print(f"the writer was changed {forwarder.changes} times")
    return [problem for n in range(NODES) for problem in audit(app, auditor, nodes[n], n)]


def _strike(auditor: Auditor, what: str, strike: Callable[[], None], stop: threading.Event) -> None:
    strike()
    struck, before = monotonic(), len(auditor.taken())
    wait_until(lambda: len(auditor.taken()) > before + 20, 60, f"punches are taken after {what}")
    print(f"{what}: 20 more punches were acknowledged within {monotonic() - struck:.1f} s")
    stop.wait(1)


def audit(app: Flask, auditor: Auditor, node: Node, number: int) -> list[str]:
    own = app.extensions["engine"]
    app.extensions["engine"] = make_engine(f"{node.url}/scale_out")
    problems = tell(auditor, app, f"Galera, as node {number} has it")
    app.extensions["engine"].dispose()
    app.extensions["engine"] = own
    return problems


if __name__ == "__main__":
    main()
