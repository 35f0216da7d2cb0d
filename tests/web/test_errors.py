"""What people see when something is wrong: a sentence, never the program's insides."""

import pytest
from flask import Flask
from sqlalchemy import text

from flask_app.models import Job, db
from flask_app.models.database import make_engine
from tests.conftest import PASSWORD

LOGIN = {"email": "ana@shop.example", "password": PASSWORD}
SECRETS = ("Traceback", "sqlalchemy", "sqlite", "pymysql", "SELECT", "127.0.0.1", "secret-word", ".py")
DOWN = {
    "sqlite": "sqlite:////tmp",
    "mysql": "mysql+pymysql://u:secret-word@127.0.0.1:9/x",
}  # a folder; no server


def leaks(page: str) -> list[str]:
    return [word for word in SECRETS if word in page]


@pytest.mark.parametrize(
    "address", ["/nowhere", "/show/job/x", "/.env", "/../server.py", "/%00", "/" + "x" * 5000]
)
def test_an_address_that_does_not_exist_is_a_page_that_says_so(app, address):
    answer = app.test_client().get(address)
    assert answer.status_code == 404
    assert "There is no page at this address." in answer.text
    assert leaks(answer.text) == []


@pytest.mark.parametrize(
    ("method", "address"), [("GET", "/logout"), ("PUT", "/dashboard"), ("DELETE", "/show/job/1")]
)
def test_an_address_used_in_the_wrong_way_is_a_page_that_says_so(app, method, address):
    answer = app.test_client().open(address, method=method)
    assert answer.status_code == 405
    assert "Go back and use the buttons on the page." in answer.text


def test_a_form_that_is_too_large_is_refused_in_a_sentence(log_in, cast, app):
    answer = log_in("ana").post("/create/shift", data={"job_id": "1", "note": "x" * 65_600})
    assert answer.status_code == 413
    assert "What you sent is too large." in answer.text


def test_a_form_of_very_many_fields_is_refused_in_a_sentence(app):
    answer = app.test_client().post(
        "/login", data={f"f{n}": "x" for n in range(1500)}, content_type="multipart/form-data"
    )
    assert answer.status_code == 413


@pytest.mark.parametrize("body", [b"", b"\xff\xfe", b"=&=&%%%", b"email=%ED%A0%80&password=%00"])
def test_a_form_that_is_none_is_a_wrong_login(app, body):
    answer = app.test_client().post("/login", data=body, content_type="application/x-www-form-urlencoded")
    assert answer.status_code == 401


def test_a_json_body_is_no_form(app, cast):
    assert app.test_client().post("/login", json=LOGIN).status_code == 401


def broken(*_args, **_values):
    raise RuntimeError("secret-word")


def test_a_bug_is_a_page_without_its_insides_and_stands_in_the_log(app, log_in, cast, monkeypatch, caplog):
    browser = log_in("ana")
    app.testing = False
    monkeypatch.setattr(Job, "board", broken)
    answer = browser.get("/dashboard")
    assert answer.status_code == 500
    assert "Something went wrong" in answer.text
    assert leaks(answer.text) == []
    assert "secret-word" in caplog.text


def lose_database(app: Flask) -> None:
    """As if it had gone since the program started."""
    engine = app.extensions["engine"]
    engine.dispose()
    app.extensions["engine"] = make_engine(DOWN[engine.dialect.name])


@pytest.mark.parametrize("address", ["/login", "/register"])
def test_without_its_database_the_clock_says_so_and_leaks_nothing(app, address):
    lose_database(app)
    form = {**LOGIN, "first_name": "A", "last_name": "B", "department": "CUT_SHOP"}
    answer = app.test_client().post(address, data={**form, "confirm_password": PASSWORD})
    assert answer.status_code == 503
    assert "Nothing was saved." in answer.text
    assert leaks(answer.text) == []


def test_who_is_logged_in_is_told_when_the_database_goes_away(app, log_in, cast, add_job):
    browser, job_id = log_in("ana"), add_job()
    app.testing = False
    lose_database(app)
    for method, address in (("GET", "/dashboard"), ("POST", "/create/shift"), ("GET", f"/show/job/{job_id}")):
        answer = browser.open(address, method=method, data={"job_id": job_id})
        assert answer.status_code == 503
        assert "Nothing was saved." in answer.text
        assert leaks(answer.text) == []


def test_a_script_is_told_in_json(app, log_in, cast):
    browser = log_in("grace")
    app.testing = False
    lose_database(app)
    answer = browser.post("/api/process-approved-jobs")
    assert answer.status_code == 503
    assert answer.json == {
        "error": "The clock can't reach its database",
        "message": "Nothing was saved. Wait a minute and try again; if it goes on, tell an admin.",
    }


def test_an_empty_database_is_told_like_one_that_is_away(make_app, tmp_path):
    app = make_app(database_url=f"sqlite:///{tmp_path / 'empty.db'}")
    app.testing = False
    assert app.test_client().post("/login", data=LOGIN).status_code == 503


def test_a_rule_of_the_database_that_was_broken_is_a_bug_not_an_outage(
    app, log_in, cast, monkeypatch, add_job
):
    """MariaDB reports a failed CHECK as it reports an outage: OperationalError."""
    browser, job_id = log_in("ana"), add_job()
    app.testing = False
    statement = text(
        "INSERT INTO shifts (created_at, updated_at, job_id, user_id, note)"
        " VALUES ('2026-11-23 12:00:00', '2026-11-23 11:00:00', :job, :user, '')"
    )

    def bad_work(*_args, **_values):
        db.session.execute(statement, {"job": job_id, "user": cast.ana})

    monkeypatch.setattr("flask_app.timeclock.ledger.punch_in", bad_work)
    answer = browser.post("/create/shift", data={"job_id": job_id})
    assert answer.status_code == 500
    assert leaks(answer.text) == []


def test_the_process_answers_whatever_became_of_its_database(app):
    lose_database(app)
    assert app.test_client().get("/healthz").json == {"status": "ok"}


def test_a_host_that_is_not_trusted_is_refused_and_no_bug(make_app):
    app = make_app(trusted_hosts=("clock.example.com",))
    browser = app.test_client()
    assert browser.get("/", headers={"Host": "clock.example.com"}).status_code == 200
    for host in ("elsewhere.example", "a b", "[::1"):
        assert browser.get("/", headers={"Host": host}).status_code == 400, host
        assert browser.post("/login", headers={"Host": host}).status_code == 400, host
