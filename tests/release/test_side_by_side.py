"""The last release's punches on the schema of today: both run side by side while a release is rolled out."""

import json
from datetime import timedelta

import pytest
import time_machine
from sqlalchemy import select

from flask_app.models import Shift, db
from tests.release.record import LOGIN, START, STATEMENTS, STEPS, parameters_of, small_shop


@pytest.fixture(params=["sqlite", "mariadb"])
def engine_name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def app(engine_name, request, tmp_path):
    is_file = engine_name == "sqlite"
    url = f"sqlite:///{tmp_path}/shop.db" if is_file else request.getfixturevalue("new_mariadb")()
    app = small_shop(url)
    yield app
    app.extensions["engine"].dispose()


def test_the_last_releases_punches_work_on_the_schema_of_today(app, engine_name):
    recorded = json.loads(STATEMENTS.read_text())[engine_name]
    assert list(recorded) == list(STEPS)
    assert all("INSERT INTO shifts" in json.dumps(recorded[step]) for step in ("punch in", "switch"))

    for statements in recorded.values():
        with app.extensions["engine"].begin() as connection:
            for statement, sets in statements:
                for parameters in sets:
                    connection.exec_driver_sql(statement, parameters_of(parameters))

    hours = [START + timedelta(hours=hour) for hour in range(4)]
    with app.app_context():
        shifts = db.session.scalars(select(Shift).order_by(Shift.id)).all()
        assert [(s.user_id, s.job_id, s.started_at, s.ended_at) for s in shifts] == [
            (2, 1, hours[1], hours[2]), (2, 2, hours[2], hours[3]),
        ]  # fmt: skip


def test_what_the_last_release_has_punched_is_read_and_ended_by_this_one(app, engine_name):
    recorded = json.loads(STATEMENTS.read_text())[engine_name]
    with app.extensions["engine"].begin() as connection:
        for statement, sets in recorded["punch in"]:
            for parameters in sets:
                connection.exec_driver_sql(statement, parameters_of(parameters))

    browser = app.test_client()
    with time_machine.travel(START + timedelta(hours=5), tick=False):
        assert browser.post("/login", data=LOGIN).status_code == 302
        assert "4512" in browser.get("/dashboard").text
        assert browser.post("/punch_out/1").status_code == 302

    with app.app_context():
        assert db.session.get_one(Shift, 1).ended_at == START + timedelta(hours=5)
