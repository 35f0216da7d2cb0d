"""gunicorn's settings for production: gunicorn -c deploy/gunicorn.conf.py 'server:app'"""

import os
import runpy
import signal
from pathlib import Path
from typing import Any

from prometheus_client.multiprocess import mark_process_dead

bind = os.environ.get("BIND", "127.0.0.1:8000")
workers = int(os.environ.get("WEB_WORKERS", "2"))
threads = int(os.environ.get("WEB_THREADS", "4"))
# Longer than the load balancer keeps an idle connection (ALB: 60 s): else it may send a request down one that
# is being closed, and answers 502.
keepalive = 75
# A request in hand may finish; the longest statement takes 10 s.
graceful_timeout = 25
timeout = 60
# A worker is replaced now and then, never all at once, so that a leak could not grow for months.
max_requests = 20_000
max_requests_jitter = 4_000
# Workers touch a file to say that they live: not on a disk.
worker_tmp_dir = "/dev/shm"  # noqa: S108  # gunicorn makes an unlinked file of its own there
control_socket_disable = True
accesslog = None  # LOG_FORMAT=json has a line per request
_health_port = int(os.environ.get("HEALTH_PORT") or 0)
_HEALTH_DOOR = str(Path(__file__).parents[1] / "flask_app" / "upkeep" / "health_door.py")
_door: list[Any] = []


def when_ready(server: Any) -> None:
    """In the master, which serves no request: /healthz answers whatever the workers wait for."""
    if _health_port:
        host = bind.rpartition(":")[0]
        # That file alone, and not by import: HUP leaves at the old code what the master has imported.
        open_door = runpy.run_path(_HEALTH_DOOR)["open_health_door"]
        _door.append(open_door(host, _health_port, lambda: bool(server.WORKERS)))


def post_fork(_server: Any, _worker: Any) -> None:
    """The door is the master's; a worker that inherits its socket must not keep it open."""
    while _door:
        _door.pop().socket.close()


def post_worker_init(_worker: Any) -> None:
    """In a worker that is ready: a stop ends its sync at once, then waits for the requests in hand."""
    from flask_app.upkeep.stopping import interrupt_syncs_at  # the master must not import it, see above

    interrupt_syncs_at(signal.SIGTERM)


def child_exit(_server: Any, worker: Any) -> None:
    if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        mark_process_dead(worker.pid)
