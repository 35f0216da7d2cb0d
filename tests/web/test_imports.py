"""People and jobs from CSV files: shown first, every wrong line named, all or nothing, twice as once."""

import re
from html import unescape
from io import BytesIO

import pytest
from sqlalchemy import select

from flask_app.models import Audit, Job, User, db

PEOPLE = "First name,Last name,Email,Department,Employee number\n"
JOBS = "IM number;General contractor;Scope;Estimated hours;Status\n"


def show(browser, kind, content):
    """Choose a file; return the page that says what it would do."""
    content = content.encode() if isinstance(content, str) else content
    file = {"file": (BytesIO(content), "list.csv")}
    return browser.post(f"/admin/import/{kind}", data=file, content_type="multipart/form-data")


def take(browser, kind, page):
    """Press the button of a preview."""
    token = re.search(r'name="import" value="([^"]+)"', page.text)
    assert token, page.text
    return browser.post(f"/admin/import/{kind}/apply", data={"import": unescape(token[1])})


def everybody(app):
    with app.app_context():
        return {user.email: user for user in db.session.scalars(select(User))}


def test_people_are_shown_then_added_with_passwords_that_work_once(app, cast, log_in):
    browser = log_in("grace")
    page = show(
        browser, "people", PEOPLE + "José,Núñez,JOSE@Shop.example,Paint shop,77\nPrince,,p@x.io,cnc_shop,\n"
    )
    assert "Add 2 people" in page.text
    assert "jose@shop.example" not in everybody(app)
    shown = take(browser, "people", page)
    added = everybody(app)["jose@shop.example"]
    assert (added.first_name, added.department, added.employee_number) == ("José", "PAINT_SHOP", "77")
    assert added.is_active
    assert added.must_change_password
    password = re.findall(r'class="password">([^<]+)<', shown.text)[0]
    answer = app.test_client().post("/login", data={"email": "jose@shop.example", "password": password})
    assert answer.status_code == 302
    with app.app_context():
        entries = db.session.scalars(select(Audit).where(Audit.person_id == added.id)).all()
        assert [entry.by_id for entry in entries] == [cast.grace]


def test_the_same_file_again_adds_nobody_and_gives_no_new_passwords(app, cast, log_in):
    browser, file = log_in("grace"), PEOPLE + "Bo,Lee,bo@shop.example,CUT_SHOP,\n"
    page = show(browser, "people", file)
    take(browser, "people", page)
    before = everybody(app)["bo@shop.example"].password
    again = take(browser, "people", page)
    assert again.location == "/manage_users"
    assert "Nothing in this file is new." in show(browser, "people", file).text
    assert everybody(app)["bo@shop.example"].password == before


def test_every_wrong_line_is_named_at_once_and_nothing_is_saved(app, cast, log_in):
    file = PEOPLE + (
        "Bo,Lee,bo@shop.example,CUT_SHOP,\n"
        '"A\nB",Lee,nonsense,CUT_SHOP,\n'
        ",Lee,c@shop.example,Bakery,\n"
        "\n"
        "Bo,Twice,BO@shop.example,CUT_SHOP,\n"
    )
    page = unescape(show(log_in("grace"), "people", file).text)
    named = re.findall(r"Line (\d+)</span></p><p class=\"problem\">([^<]+)<", page)
    assert [line for line, _ in named] == ["3", "5", "7"]
    assert "email" in named[0][1].lower()
    assert "department" in named[1][1].lower()
    assert "first name" in named[1][1].lower()
    assert named[2][1] == "The same as line 2."
    assert 'name="import"' not in page
    assert "bo@shop.example" not in everybody(app)


def test_what_is_here_with_other_values_is_a_conflict_and_stays(app, cast, log_in):
    file = PEOPLE + "Ana,Duarte,ana@shop.example,CNC_SHOP,\nLuis,Romero,luis@shop.example,CNC_SHOP,\n"
    page = show(log_in("grace"), "people", file).text
    assert "with another Department" in page
    assert "1 line is here already" in page
    assert everybody(app)["ana@shop.example"].department == "CUT_SHOP"


def test_a_number_that_somebody_else_has_is_a_wrong_line(app, cast, log_in):
    browser = log_in("grace")
    take(browser, "people", show(browser, "people", PEOPLE + "Bo,Lee,bo@shop.example,CUT_SHOP,12\n"))
    page = show(browser, "people", PEOPLE + "Cy,Lee,cy@shop.example,CUT_SHOP,12\n").text
    assert "Bo Lee has this employee number." in page


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252"])
def test_jobs_come_in_any_encoding_with_semicolons(app, cast, log_in, encoding):
    browser = log_in("grace")
    file = JOBS + '"4512";Gilbane;"Café ""North"", desk";12.5;Inactive\n4513;KAST;Trim;;\n'
    page = show(browser, "jobs", file.encode(encoding))
    assert take(browser, "jobs", page).location == "/dashboard"
    with app.app_context():
        jobs = {job.im_number: job for job in db.session.scalars(select(Job))}
        assert (jobs["4512"].job_scope, jobs["4512"].estimated_hours) == ('Café "North", desk', 12.5)
        assert [jobs[number].is_active for number in ("4512", "4513")] == [False, True]


def test_jobs_that_are_here_are_left_alone(app, cast, log_in, add_job):
    add_job("4512", estimated_hours="40")
    page = show(log_in("grace"), "jobs", JOBS + " 4512 ;Gilbane;Reception desk;40;\n4512a;X;Y;;\n").text
    assert "Add 1 job" in page
    changed = show(log_in("grace"), "jobs", JOBS + "4512;Gilbane;Reception desk;41;\n").text
    assert "with another Estimated hours" in changed


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "This file is empty."),
        (b"PK\x03\x04xx", "This is an Excel file."),
        ("a,b\n".encode("utf-16"), "This is no CSV text."),
        (b"First name,Email\nBo,b@x.io\n", "Missing: Department."),
        (b"Email,Email,First name,Department\n", "The column Email stands there twice."),
        (PEOPLE.encode() + b'"Bo,Lee\n', "Line 2 can't be read"),
        (PEOPLE.encode() + b"Bo,Lee,b@x.io,CUT_SHOP,\n" * 201, "at most 200 at a time"),
        (b"x" * (201 * 1024), "This file is too large"),
    ],
)
def test_what_is_no_such_table_is_refused_in_a_sentence(cast, log_in, content, says):
    answer = show(log_in("grace"), "people", content)
    assert answer.status_code == 422
    assert says in unescape(answer.text)


def test_columns_that_nobody_asked_for_are_named(cast, log_in):
    page = show(log_in("grace"), "people", "Email,Phone,FIRST_NAME,department\nb@x.io,1,Bo,Cut shop\n").text
    assert "Not read: Phone." in page
    assert "Add 1 person" in page


def test_a_preview_of_somebody_elses_making_is_refused(app, cast, log_in):
    answer = log_in("grace").post("/admin/import/people/apply", data={"import": "x.y.z"})
    assert (answer.status_code, "out of date" in answer.text) == (422, True)


def test_the_template_can_be_imported_as_it_is(app, cast, log_in):
    browser = log_in("grace")
    for kind, button in (("people", "Add 1 person"), ("jobs", "Add 2 jobs")):
        assert button in show(browser, kind, browser.get(f"/admin/import/{kind}/template.csv").data).text


def test_a_formula_in_a_file_stays_text(app, cast, log_in):
    browser = log_in("grace")
    take(browser, "jobs", show(browser, "jobs", JOBS + "4512;=1+1;<b>x</b>;;\n"))
    with app.app_context():
        [job] = db.session.scalars(select(Job))
        assert (job.general_contractor, job.job_scope) == ("=1+1", "<b>x</b>")


def test_there_is_no_other_kind(cast, log_in):
    assert log_in("grace").get("/admin/import/shifts").status_code == 404


def test_nothing_is_added_if_one_of_them_cannot_be(app, cast, log_in, monkeypatch):
    browser = log_in("grace")
    page = show(browser, "people", PEOPLE + "Bo,Lee,b@x.io,CUT_SHOP,\nCy,Lee,c@x.io,CUT_SHOP,\n")
    create = User.create

    def refuse_the_second(values, **how):
        wrong = {"department": "NONE"} if values["first_name"] == "Cy" else {}
        return create({**values, **wrong}, **how)

    monkeypatch.setattr(User, "create", refuse_the_second)
    assert take(browser, "people", page).status_code == 422
    assert not {"b@x.io", "c@x.io"} & everybody(app).keys()
