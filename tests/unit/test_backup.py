"""Backups are proved by restoring them, on each engine and with its real tools."""

import gzip
import json
import sqlite3
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select, text

from flask_app import create_app
from flask_app.models import Job, Shift, User, committing, db
from flask_app.models.audit import ADDED, SETTING, Audit
from flask_app.upkeep.backup import facts_of
from tests.conftest import NOW


@pytest.fixture
def busy(app, cast, add_job):
    """Some shifts over two months, and something in the audit."""
    job_id = add_job()

    def fill() -> None:
        for day in range(60):
            start = NOW - timedelta(days=day)
            shift = Shift(user_id=cast.ana, job_id=job_id, note=f"Day {day}; 'quoted' \\ é")
            shift.started_at, shift.ended_at = start, start + timedelta(minutes=90 + day)
            db.session.add(shift)
        db.session.add(Shift(user_id=cast.luis, job_id=job_id, started_at=NOW, note=""))

    with app.app_context():
        committing(fill)
    return app


@pytest.fixture
def empty(request, tmp_path, make_app, busy):
    """An application on an empty database of the same kind."""
    if busy.extensions["settings"].database_url.startswith("sqlite"):
        url = f"sqlite:///{tmp_path / 'restored.db'}"
    else:
        make: Callable[[], str] = request.getfixturevalue("new_mariadb")
        url = make()
    app = create_app(replace(busy.extensions["settings"], database_url=url))
    yield app
    app.extensions["engine"].dispose()


def run(app, *arguments: str):
    return app.test_cli_runner().invoke(args=list(arguments))


def made(app, folder):
    result = run(app, "backup", "--to", str(folder))
    assert result.exit_code == 0, result.output
    return next(path for path in folder.iterdir() if path.suffix == ".gz")


def test_a_backup_restored_into_an_empty_database_is_as_it_was(busy, empty, tmp_path):
    file = made(busy, tmp_path / "backups")
    assert file.stat().st_mode & 0o777 == facts_of(file).stat().st_mode & 0o777 == 0o600
    result = run(empty, "restore", str(file))
    assert (result.exit_code, result.output) == (0, f"Restored {file.name}. It is as it was.\n")
    said = [run(app, "verify").output for app in (busy, empty)]
    assert said[0] == said[1]
    assert "month.2026-10" in said[0]
    assert "BAD" not in said[0]
    with empty.app_context():
        notes = db.session.scalars(select(Shift.note)).all()
        assert "Day 0; 'quoted' \\ é" in notes
        with pytest.raises(Exception, match="stays as it is"):  # the audit's triggers came along
            db.session.execute(text("DELETE FROM audit"))


def test_a_backup_is_consistent_while_people_punch(busy, empty, cast, tmp_path):
    """Each pair of jobs and entries in the audit is in it wholly or not at all."""
    stop, pairs = threading.Event(), []

    def write() -> None:
        with busy.app_context():
            grace = db.session.get_one(User, cast.grace)
            while not stop.is_set():
                number = f"P{len(pairs)}"
                committing(lambda number=number: _pair(number, grace))
                pairs.append(number)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        file = made(busy, tmp_path / "backups")
    finally:
        stop.set()
        thread.join()
    assert run(empty, "restore", str(file)).exit_code == 0
    with empty.app_context():
        query = "SELECT COUNT(*) FROM {} WHERE {} LIKE 'P%'"
        jobs = db.session.scalar(text(query.format("jobs", "im_number")))
        entries = db.session.scalar(text(query.format("audit", "subject")))
        assert jobs == entries


def _pair(number: str, by: User) -> None:
    job = Job(im_number=number, general_contractor="G", job_scope="S", created_at=NOW, user_id=by.id)
    db.session.add(job)
    Audit.record(ADDED, SETTING, None, subject=number, by=by, at=NOW)


def test_a_restore_into_a_database_with_tables_is_refused(busy, tmp_path):
    file = made(busy, tmp_path / "backups")
    result = run(busy, "restore", str(file))
    assert result.exit_code == 1
    assert "The database is not empty" in result.output


def test_half_a_backup_is_refused_before_anything_is_written(busy, empty, tmp_path):
    file = made(busy, tmp_path / "backups")
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    result = run(empty, "restore", str(file))
    assert result.exit_code == 1
    assert "can't be read" in result.output
    with empty.app_context():
        assert db.engine.dialect.get_table_names(db.session.connection()) == []


def test_a_dump_that_lost_its_end_is_refused(busy, empty, tmp_path):
    file = made(busy, tmp_path / "backups")
    content = gzip.decompress(file.read_bytes())
    file.write_bytes(gzip.compress(content[: len(content) * 2 // 3]))
    result = run(empty, "restore", str(file))
    assert result.exit_code == 1
    assert "not whole" in result.output or "damaged" in result.output


def test_what_differs_from_the_backup_is_said(busy, empty, tmp_path):
    file = made(busy, tmp_path / "backups")
    facts = json.loads(facts_of(file).read_text())
    facts_of(file).write_text(json.dumps({**facts, "rows.shifts": 7}))
    result = run(empty, "restore", str(file))
    assert result.exit_code == 1
    assert "rows.shifts: 7 before, 61 now" in result.output


def test_only_the_newest_backups_are_kept(app, tmp_path):
    for name in ("20260101", "20260102", "20260103"):
        (tmp_path / f"island-time-{name}-000000.sql.gz").write_bytes(b"x")
    result = run(app, "backup", "--to", str(tmp_path), "--keep", "2")
    assert "Removed island-time-20260102-000000.sql.gz." in result.output
    assert len(list(tmp_path.glob("*.gz"))) == 2


def test_a_folder_that_cannot_be_written_is_one_sentence_and_leaves_nothing(app, tmp_path, monkeypatch):
    monkeypatch.setattr(
        "os.fsync", lambda _file: (_ for _ in ()).throw(OSError(28, "No space left on device"))
    )
    result = run(app, "backup", "--to", str(tmp_path))
    assert result.output == "Error: The backup could not be written: No space left on device.\n"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "database_url", ["sqlite"], indirect=True
)  # another program may leave its checks off
def test_verify_finds_what_breaks_a_rule(app, cast, add_job, database_url):
    add_job()
    path = database_url.removeprefix("sqlite:///")
    connection = sqlite3.connect(path)
    connection.execute(
        "INSERT INTO shifts (created_at, updated_at, job_id, user_id, note)"
        " VALUES ('2026-11-23 12:00:00', '2026-11-23 13:00:00', 999, 1, '')"
    )
    connection.commit()
    connection.close()
    result = run(app, "verify")
    assert result.exit_code == 1
    assert "BAD Every shift has its job: 1 do" in result.output


@pytest.mark.parametrize("url", ["mysql+pymysql://root:hunter2@127.0.0.1:1/none"])
def test_a_server_that_is_away_is_one_sentence_without_the_password(app, url, tmp_path):
    away = create_app(replace(app.extensions["settings"], database_url=url))
    for command in (["backup", "--to", str(tmp_path)], ["verify"], ["restore", "x.sql.gz"]):
        result = run(away, *command)
        assert result.exit_code == 1
        assert result.output.count("\n") == 1
        assert "hunter2" not in result.output
    away.extensions["engine"].dispose()
