"""What Prometheus reads: the counters of all processes, and how the shop's database is right now."""

import os
from collections.abc import Iterator
from datetime import datetime

from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector
from sqlalchemy import func, select

from flask_app.models import Correction, OwedHours, Shift, SyncRun, db
from flask_app.models.sync_run import SUCCEEDED
from flask_app.sync.health import timed_tasks

CONTENT_TYPE = CONTENT_TYPE_LATEST
FOLDER = "PROMETHEUS_MULTIPROC_DIR"  # set: each process keeps its counters there, and one answers for all


class _Shop:
    """Gauges that are read from the database at each visit: they are the same whichever process answers."""

    def __init__(self, now: datetime) -> None:
        self._now = now

    def collect(self) -> Iterator[Metric]:
        open_shifts = select(func.count()).select_from(Shift).where(Shift.open_for > 0)
        assumed = select(func.count()).select_from(Shift).where(Shift.assumed_at.is_not(None))
        yield _gauge("open_shifts", "Shifts that are open", db.session.scalar(open_shifts))
        yield _gauge("assumed_ends", "Ends that nobody has confirmed", db.session.scalar(assumed))
        yield _gauge("waiting_corrections", "Corrections that wait", Correction.waiting_count())
        success, [*runs] = SyncRun.last_success(), SyncRun.latest(limit=1)
        if success is not None:
            age = (self._now - success.started_at).total_seconds()
            yield _gauge("sync_age_seconds", "Since the last good sync began", age)
        if runs:
            worked = runs[0].outcome == SUCCEEDED
            yield _gauge("sync_last_succeeded", "1 if the last sync worked", worked)
        yield _gauge("owed_hours", "Jobs whose hours Dataverse is owed", OwedHours.count(now=self._now))
        missed = sum(task.missed is not None for task in timed_tasks(now=self._now))
        yield _gauge("missed_tasks", "Timed tasks that were due and did not run", missed)


def exposition(*, now: datetime) -> bytes:
    """Return everything in Prometheus' text format."""
    counters: CollectorRegistry = REGISTRY
    if os.environ.get(FOLDER):
        counters = CollectorRegistry()
        MultiProcessCollector(counters)  # type: ignore[no-untyped-call]
    shop = CollectorRegistry()
    shop.register(_Shop(now))
    return generate_latest(counters) + generate_latest(shop)


def _gauge(name: str, text: str, value: float | None) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"island_time_{name}", text, value=float(value or 0))
