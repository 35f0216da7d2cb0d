"""What every table stands on: instants, commits, and the database's own guards, asked by raw SQL."""

import ssl
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import event, text
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError, StatementError

from flask_app.models import Job, Shift, User, committing, db
from flask_app.models.database import MAX_ATTEMPTS, breaks_rule, is_retryable, make_engine
from flask_app.models.errors import Busy, ConcurrentUpdate
from flask_app.models.types import plain
from flask_app.models.user import _BRIEF
from tests.conftest import NOW

pytestmark = pytest.mark.usefixtures("app_context")


def refused(statement: str, **values: object) -> DBAPIError:
    """Return the database's own refusal of a statement that no rule in Python has seen."""
    with pytest.raises(DBAPIError) as caught:
        db.session.execute(text(statement), values)
    db.session.rollback()
    return caught.value


def insert_shift(user_id: int, job_id: int, end: str | None = None, key: str | None = None) -> None:
    values = {"start": "2026-11-23 12:00:00", "end": end, "job": job_id, "user": user_id, "key": key}
    db.session.execute(text(SHIFT), values)
    db.session.commit()


SHIFT = (
    "INSERT INTO shifts (created_at, updated_at, job_id, user_id, note, punch_key)"
    " VALUES (:start, :end, :job, :user, '', :key)"
)


def test_an_instant_without_a_zone_is_refused(cast):
    ana = db.session.get_one(User, cast.ana)
    ana.updated_at = datetime(2026, 11, 23, 12)  # noqa: DTZ001  # that is the point
    with pytest.raises(StatementError, match="needs its zone"):
        db.session.flush()


def test_an_instant_comes_back_as_the_same_instant_in_utc(cast):
    ana = db.session.get_one(User, cast.ana)
    ana.updated_at = datetime(2026, 11, 23, 7, 2, 3, tzinfo=timezone(timedelta(hours=-5)))
    db.session.commit()
    db.session.refresh(ana)
    assert ana.updated_at == datetime(2026, 11, 23, 12, 2, 3, tzinfo=UTC)
    assert ana.updated_at.tzinfo is UTC


def test_a_fraction_of_a_second_is_cut_not_rounded(cast):
    ana = db.session.get_one(User, cast.ana)
    ana.updated_at = NOW.replace(second=0, microsecond=999_999)
    db.session.commit()
    db.session.refresh(ana)
    assert ana.updated_at == NOW.replace(second=0)


def test_an_end_before_the_start_is_refused_by_the_database(cast, add_job):
    job = add_job()
    values = {"start": "2026-11-23 12:00:00", "job": job, "user": cast.ana, "key": None}
    error = refused(SHIFT, **values, end="2026-11-23 11:59:59")
    assert isinstance(error, IntegrityError | OperationalError)
    assert breaks_rule(error)


def test_a_shift_that_ends_as_it_begins_is_no_error(cast, add_job):
    insert_shift(cast.ana, add_job(), end="2026-11-23 12:00:00")
    assert db.session.scalar(text("SELECT count(*) FROM shifts")) == 1


def test_a_second_open_shift_of_one_person_is_refused_by_the_database(cast, add_job):
    job = add_job()
    insert_shift(cast.ana, job)
    insert_shift(cast.luis, job)
    values = {"start": "2026-11-23 13:00:00", "end": None, "job": job, "user": cast.ana, "key": None}
    assert isinstance(refused(SHIFT, **values), IntegrityError)


def test_reopening_a_shift_beside_an_open_one_is_refused_by_the_database(cast, add_job):
    job = add_job()
    insert_shift(cast.ana, job, end="2026-11-23 12:30:00")
    insert_shift(cast.ana, job)
    assert isinstance(refused("UPDATE shifts SET updated_at = NULL"), IntegrityError)


def test_any_number_of_finished_shifts_may_stand_beside_an_open_one(cast, add_job):
    job = add_job()
    for end in ("2026-11-23 12:30:00", "2026-11-23 12:31:00", None):
        insert_shift(cast.ana, job, end=end)
    assert db.session.scalar(text("SELECT count(*) FROM shifts WHERE open_for IS NULL")) == 2


def test_a_punch_key_serves_once(cast, add_job):
    job = add_job()
    insert_shift(cast.ana, job, end="2026-11-23 12:30:00", key="k")
    values = {"start": "2026-11-23 12:40:00", "end": None, "job": job, "user": cast.luis, "key": "k"}
    assert isinstance(refused(SHIFT, **values), IntegrityError)


def test_a_shift_of_nobody_or_on_no_job_is_refused_by_the_database(cast, add_job):
    job = add_job()
    values = {"start": "2026-11-23 12:00:00", "end": None, "key": None}
    assert isinstance(refused(SHIFT, **values, job=job, user=9999), IntegrityError)
    assert isinstance(refused(SHIFT, **values, job=9999, user=cast.ana), IntegrityError)


def test_a_second_job_with_an_im_number_is_refused_by_the_database(add_job):
    add_job("4512")
    statement = (
        "INSERT INTO jobs (im_number, im_key, general_contractor, job_scope, job_name_address, context,"
        " status, source, created_at) VALUES ('4512', '4512', '', '', '', '', 1, 'manual', :now)"
    )
    assert isinstance(refused(statement, now="2026-11-23 12:00:00"), IntegrityError)


def test_a_second_account_with_an_e_mail_is_refused_by_the_database(cast):
    statement = (
        "INSERT INTO users (first_name, last_name, email, password, department, created_at, epoch)"
        " VALUES ('A', 'D', 'ana@shop.example', '', 'CUT_SHOP', :now, 0)"
    )
    assert isinstance(refused(statement, now="2026-11-23 12:00:00"), IntegrityError)


def times_out(times: int, problem: Callable[[], Exception], calls: list[int]) -> Callable[[], str]:
    def work() -> str:
        calls.append(1)
        if len(calls) <= times:
            raise problem()
        return "done"

    return work


def deadlock(code: int = 1213) -> OperationalError:
    return OperationalError("UPDATE x", {}, Exception(code, "Deadlock found when trying to get lock"))


@pytest.mark.parametrize("problem", [lambda: ConcurrentUpdate("again"), deadlock, lambda: deadlock(1020)])
def test_work_that_was_in_anothers_way_is_run_again(problem):
    calls: list[int] = []
    assert committing(times_out(MAX_ATTEMPTS - 1, problem, calls)) == "done"
    assert len(calls) == MAX_ATTEMPTS


def test_work_that_never_gets_through_gives_up():
    calls: list[int] = []
    with pytest.raises(ConcurrentUpdate):
        committing(times_out(99, lambda: ConcurrentUpdate("again"), calls))
    assert len(calls) == MAX_ATTEMPTS


IN_VAIN = (deadlock(1205), OperationalError("BEGIN", {}, Exception("database is locked")))


@pytest.mark.parametrize("problem", IN_VAIN)
def test_a_lock_that_was_waited_for_in_vain_is_not_waited_for_again(problem):
    calls: list[int] = []
    with pytest.raises(Busy, match="Try again"):
        committing(times_out(99, lambda: problem, calls))
    assert len(calls) == 1


def test_a_lost_connection_is_not_tried_again():
    calls: list[int] = []
    with pytest.raises(OperationalError):
        committing(times_out(99, lambda: deadlock(2013), calls))
    assert len(calls) == 1


def test_what_failed_leaves_nothing_behind_and_what_is_run_again_is_saved_once(cast):
    calls: list[int] = []
    again = times_out(2, lambda: ConcurrentUpdate("again"), calls)

    def work() -> str:
        db.session.get_one(User, cast.ana).epoch += 1
        db.session.flush()
        return again()

    committing(work)
    db.session.expire_all()
    assert db.session.get_one(User, cast.ana).epoch == 1


def test_a_programs_own_error_rolls_back_and_is_raised(cast):
    def work() -> None:
        db.session.get_one(User, cast.ana).epoch += 1
        db.session.flush()
        raise KeyError("bug")

    with pytest.raises(KeyError):
        committing(work)
    assert db.session.get_one(User, cast.ana).epoch == 0


@pytest.mark.parametrize("database_url", ["mariadb"], indirect=True)  # SQLite lets one write at a time
def test_a_real_deadlock_is_run_again(database_url, cast):
    """Two transactions lock Ana and Luis in opposite order."""
    engine = make_engine(database_url)
    both_hold_one = threading.Barrier(2, timeout=120)
    bump = text("UPDATE users SET epoch = epoch + 1 WHERE id = :id")
    calls: list[int] = []

    def other() -> None:
        with engine.begin() as connection:
            for person in (
                cast.luis,
                cast.grace,
                cast.otis,
                cast.zoe,
            ):  # the one with fewer changes is the victim
                connection.execute(bump, {"id": person})
            both_hold_one.wait()
            connection.execute(bump, {"id": cast.ana})

    def work() -> None:
        calls.append(1)
        db.session.execute(bump, {"id": cast.ana})
        if len(calls) == 1:
            both_hold_one.wait()
        db.session.execute(bump, {"id": cast.luis})

    db.session.rollback()
    thread = threading.Thread(target=other)
    thread.start()
    committing(work)
    thread.join()
    engine.dispose()
    db.session.expire_all()
    assert len(calls) == 2
    assert [db.session.get_one(User, person).epoch for person in (cast.ana, cast.luis)] == [2, 2]


@pytest.mark.parametrize("database_url", ["mariadb"], indirect=True)  # SQLite shuts out the others anyway
def test_a_row_read_again_in_one_transaction_is_read_as_it_is_now(database_url, cast):
    """Whoever has waited for a lock must see what the one before has saved."""
    engine = make_engine(database_url)
    db.session.rollback()
    db.reads_only()
    ana = db.session.get_one(User, cast.ana)
    with engine.begin() as other:
        other.execute(text("UPDATE users SET epoch = 7 WHERE id = :id"), {"id": cast.ana})
    db.session.refresh(ana)
    engine.dispose()
    assert ana.epoch == 7


@pytest.mark.parametrize(("message", "again"), [("database is locked", True), ("disk I/O error", False)])
def test_a_locked_sqlite_file_is_worth_another_try(message, again):
    assert is_retryable(OperationalError("BEGIN", {}, Exception(message))) is again


def test_a_get_reads_while_another_process_writes(database_url, cast):
    """On SQLite a reader that takes the write lock would wait ten seconds for the writer."""
    engine = make_engine(database_url)
    db.session.rollback()
    with engine.begin() as writer:
        writer.execute(text("UPDATE users SET epoch = 7 WHERE id = :id"), {"id": cast.ana})
        db.reads_only()
        assert db.session.get_one(User, cast.ana).epoch == 0
    engine.dispose()


def test_sqlite_loses_no_update_between_two_connections(tmp_path):
    """pysqlite's own default begins too late: two connections would read 0 and both write 1."""
    engine = make_engine(f"sqlite:///{tmp_path / 'count.db'}")
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE count (n INTEGER)"))
        connection.execute(text("INSERT INTO count VALUES (0)"))

    def add() -> None:
        for _ in range(100):
            with engine.begin() as connection:
                n = connection.scalar(text("SELECT n FROM count"))
                connection.execute(text("UPDATE count SET n = :n"), {"n": n + 1})

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT n FROM count")) == 400
    engine.dispose()


class Dialled(Exception):
    """Carries what the driver would have been called with."""


def dialled(url: str) -> dict[str, object]:
    engine = make_engine(url)

    @event.listens_for(engine, "do_connect")
    def keep(_dialect: object, _record: object, _args: object, arguments: dict[str, object]) -> None:
        raise Dialled(arguments)

    with pytest.raises(Dialled) as caught:
        engine.connect()
    arguments: dict[str, object] = caught.value.args[0]
    return arguments


def test_a_connection_to_another_machine_is_encrypted_one_on_this_machine_is_not():
    assert isinstance(dialled("mysql+pymysql://u:p@db.example.com/man_hours")["ssl"], ssl.SSLContext)
    assert "ssl" not in dialled("mysql+pymysql://u:p@127.0.0.1/man_hours")


def test_a_database_that_does_not_answer_is_given_up_in_seconds():
    assert dialled("mysql+pymysql://u:p@db.example.com/man_hours")["connect_timeout"] == 5


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("  Ana \t", "Ana"),
        ("A\0na\x07", "Ana"),
        ("two\r\nlines", "two lines"),
        ("Zoë 木", "Zoë 木"),
        ("\ud800", ""),
    ],
)
def test_what_is_typed_loses_what_no_screen_can_show(typed, kept):
    assert plain(typed) == kept


def test_a_text_of_several_lines_keeps_them_counted_as_the_browser_counts():
    assert plain("one\r\ntwo\n\tthree\0 ", lines=True) == "one\ntwo\n\tthree"


def test_the_im_key_follows_the_im_number(app_context, add_job):
    job = db.session.get_one(Job, add_job("im-7a"))
    job.im_number = " im-9b"
    assert job.im_key == "IM-9B"


@pytest.mark.parametrize("note", ["", 'It\'s "done" \\ 100 %', "Zoë · mañana 🔧 {1} %(x)s"])
def test_a_row_that_is_read_as_one_value_is_what_it_was(cast, add_job, note):
    """The last shift as a punch reads it: texts, instants to the second, NULL."""
    job, start = add_job("4512"), datetime(2026, 11, 23, 12, 2, 40, tzinfo=UTC)
    insert_shift(cast.ana, job)
    db.session.execute(
        text("UPDATE shifts SET note = :n, created_at = :at"), {"n": note, "at": "2026-11-23 12:02:40"}
    )
    db.session.commit()
    found, last, known = Shift.around_punch(db.session.get_one(User, cast.ana), job, None)
    assert (found.im_number, found.is_active, known) == ("4512", True, 0)
    assert (last.note, last.started_at, last.ended_at, last.job) == (note, start, None, found)


def test_a_person_read_in_brief_is_whom_a_query_finds(cast):
    brief = User.in_brief(cast.grace)
    names = (*_BRIEF, "email", "created_at")  # the last two are fetched when they are asked for
    there = [getattr(brief, name) for name in names]
    db.session.expunge_all()
    whole = db.session.get_one(User, cast.grace)
    assert there == [getattr(whole, name) for name in names]
    assert brief.must_change_password is False


def test_what_was_read_in_brief_is_changed_like_any_other_row(cast):
    committing(lambda: setattr(User.in_brief(cast.ana), "first_name", "Annabel"))
    db.session.expunge_all()
    assert db.session.get_one(User, cast.ana).first_name == "Annabel"
