"""Whether a sync would work: the way to Dataverse, step by step, and what would come of it."""

from collections.abc import Iterable, Iterator
from datetime import date, datetime

from flask_app.config import settings
from flask_app.dataverse.diagnosis import diagnose
from flask_app.dataverse.errors import DataverseClientError
from flask_app.dataverse.probe import FAILED, OK, WARNING, Probe, Step
from flask_app.dataverse.retries import CallStatistics
from flask_app.dataverse.service import DataverseService
from flask_app.models import db
from flask_app.sync.plan import known, plan_for
from flask_app.sync.reading import ChangeSet, read_everything
from flask_app.words import noted

__all__ = ["FAILED", "OK", "WARNING", "Step", "board_step", "check", "would_work"]


def check(*, today: date) -> Iterator[Step]:
    """Yield the steps to Dataverse's rows, whether they work as things are or what to do."""
    config = settings()
    db.session.commit()  # nobody waits for the database while we wait for Dataverse
    if config.dataverse is None:
        yield Step(
            noted("Settings"),
            FAILED,
            noted("Dataverse is not connected. Set the DATAVERSE_ variables to connect it."),
        )
        return
    if not config.use_dataverse:
        yield Step(noted("Settings"), FAILED, noted("Job sync is switched off (USE_DATAVERSE=false)."))
    yield from diagnose(
        config.dataverse, today=today, writes_hours=config.writes_hours, writes_phases=config.writes_phases
    )


def would_work(steps: Iterable[Step]) -> bool:
    """Say whether a sync would work, by the steps that were taken."""
    return all(step.outcome != FAILED for step in steps)


def board_step(*, now: datetime) -> Step:
    """Read everything and set it against the board, as a sync would: how many would be new."""
    config = settings()
    if config.dataverse is None:
        raise ValueError("there is nothing to read")
    try:
        with Probe(config.dataverse) as probe:
            before = known()
            db.session.commit()
            news = read_everything(DataverseService(probe), before, CallStatistics())
    except DataverseClientError as error:
        return Step(noted("Board"), FAILED, str(error))
    try:
        return Step(noted("Board"), WARNING if news.warnings else OK, _told(news, now))
    finally:
        db.session.rollback()


def _told(news: ChangeSet, now: datetime) -> str:
    plan = plan_for(news, now=now)
    told = [
        noted("Approved rows: %(count)s.", count=f"{len(news.approved):,}"),
        noted("New jobs among them: %(count)s.", count=f"{len(plan.new):,}"),
    ]
    if plan.skipped:
        skipped = f"{len(plan.skipped):,}"
        told.append(noted("Rows that can't be taken: %(count)s; a sync says why.", count=skipped))
    return " ".join([*told, *news.warnings])
