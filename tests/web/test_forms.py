"""The one door for input: what texts mean, all problems at once, and nobody's change overwritten."""

import html
import re
from datetime import date, time
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.datastructures import MultiDict

from flask_app.models import Audit, DepartmentRule, Holiday, Job, User, committing, db
from flask_app.web import parse
from flask_app.web.job_form import NewJobForm
from flask_app.web.person_forms import NewPersonForm
from tests.conftest import NOW, PASSWORD

JOB = {"im_number": "7001", "general_contractor": "Turner", "job_scope": "Rail", "status": "1"}
PERSON = {
    "first_name": "Mei",
    "last_name": "Tan",
    "email": "mei@shop.example",
    "department": "CNC_SHOP",
    "password": PASSWORD,
}


@pytest.fixture
def grace(log_in: Any, cast: Any) -> FlaskClient:
    return log_in("grace")


def fields_of(page: str) -> dict[str, str]:
    """Return what a browser would send of the first form that has a version, if nothing were touched."""
    form = next(part for part in re.findall(r"<form.*?</form>", page, re.DOTALL) if 'version"' in part)
    sent: dict[str, str] = {}
    for tag in re.findall(r"<input[^>]*>", form):
        name, value, kind = (re.search(rf' {what}="([^"]*)"', tag) for what in ("name", "value", "type"))
        if name and (kind is None or kind[1] not in ("radio", "checkbox") or " checked" in tag):
            sent[name[1]] = html.unescape(value[1]) if value else ""
    for name, text in re.findall(r'<textarea[^>]* name="(\w+)"[^>]*>\n?(.*?)</textarea>', form, re.DOTALL):
        sent[name] = html.unescape(text)
    for name, options in re.findall(r'<select[^>]* name="(\w+)"[^>]*>(.*?)</select>', form, re.DOTALL):
        chosen = re.search(r'<option value="([^"]*)" selected', options)
        sent[name] = chosen[1] if chosen else ""
    return sent


# --- parsers


@pytest.mark.parametrize(
    "text", ["", "-1", "+1", " 1", "1e3", "x", "9" * 10, "-" + "9" * 30, "１", "1.0", "\0"]
)
def test_what_is_no_id_of_a_row_names_none(text):
    assert parse.row_id(text) is None


@pytest.mark.parametrize(
    ("text", "at"),
    [("15:30", time(15, 30)), ("23:59:59.9", time(23, 59)), (" 07:05 ", time(7, 5))],
)
def test_a_time_of_day_is_cut_to_its_minute(text, at):
    assert parse.time_of_day(text) == at


@pytest.mark.parametrize("text", ["24:00", "7", "7:5", "noon", "15:60", "-1:00"])
def test_what_is_no_time_of_day_is_refused(text):
    with pytest.raises(ValueError, match="can't be read"):
        parse.time_of_day(text)


@pytest.mark.parametrize(
    ("text", "hours"), [("40", 40), ("12.5", 12.5), ("0040", 40), (" 7 ", 7), ("12:30", 12.5), (".5", 0.5)]
)
def test_hours_are_read_as_people_write_them(text, hours):
    assert parse.hours(text) == hours


@pytest.mark.parametrize("text", ["forty", "1e300", "nan", "inf", "12,5", "1 000", "12:60", "0x10", "--1"])
def test_what_is_no_number_of_hours_is_refused(text):
    with pytest.raises(ValueError, match="number of hours"):
        parse.hours(text)


@pytest.mark.parametrize(
    ("text", "problem"), [("", "Enter"), ("11/23/2026", "like"), ("1999-12-31", "too far")]
)
def test_what_is_no_day_of_the_shop_is_refused(text, problem):
    with pytest.raises(ValueError, match=problem):
        parse.shop_day(text)
    assert parse.shop_day("2026-11-23") == date(2026, 11, 23)


@pytest.mark.usefixtures("cast")
@pytest.mark.parametrize("parameter", ["by", "person", "before"])
@pytest.mark.parametrize("number", ["-" + "9" * 30, "9" * 30, "-1", "0", "x"])
def test_a_number_that_no_row_has_is_answered_like_any_other(grace, parameter, number):
    assert grace.get(f"/admin/audit?{parameter}={number}").status_code == 200


@pytest.mark.parametrize("number", ["-" + "9" * 30, "9" * 30])
def test_a_shift_that_no_row_can_have_is_answered(log_in, cast, number):
    assert log_in("ana").get(f"/my/corrections/new?shift={number}").status_code in (200, 404)


# --- a new thing


def test_all_problems_of_a_form_are_told_at_once_and_all_texts_kept(grace, add_job):
    add_job("4512")
    typed = {
        "im_number": "4512",
        "general_contractor": "",
        "job_scope": "x" * 2001,
        "estimated_hours": "a week",
    }
    page = html.unescape(grace.post("/create/job", data={**typed, "context": "Ask Luis"}).text)
    for sentence in (
        "Not saved. Fix the fields in red.",
        "There is already a job 4512.",
        "Enter the general contractor.",
        "This is too long",
        "Enter a number of hours",
    ):
        assert sentence in page
    assert all(text in page for text in ("x" * 2001, "a week", "Ask Luis"))


def test_a_registration_tells_all_its_problems_at_once(app, cast):
    form = {
        "first_name": "",
        "email": "ana@shop.example",
        "department": "ADMINISTRATIVE",
        "password": "short",
    }
    page = app.test_client().post("/register", data=form).text
    for sentence in (
        "Enter the first name.",
        "There is already an account with this email.",
        "Choose one of these departments.",
        "Use at least 8 characters.",
        "The passwords don't match.",
    ):
        assert sentence in html.unescape(page)
    assert "short" not in page


def test_a_problem_stands_beside_its_field_and_is_read_with_it(grace):
    page = grace.post("/create/job", data={**JOB, "im_number": ""}).text
    tag = re.search(r'<input[^>]*name="im_number"[^>]*>', page)[0]
    assert 'aria-invalid="true"' in tag
    assert 'aria-describedby="im_number-problem"' in tag
    assert '<p class="problem" id="im_number-problem">Enter the IM number.</p>' in page


@pytest.mark.usefixtures("app_context")
@pytest.mark.parametrize("unseen", ["\u200b", "\ufeff", "\u00ad", "\u202e", "\0", "\u2060", " \t"])
def test_what_nobody_sees_is_no_name_and_no_part_of_a_number(unseen):
    form = NewPersonForm(MultiDict({**PERSON, "first_name": unseen}))
    assert not form.validate()
    assert form.problems == {"first_name": "Enter the first name."}
    job = NewJobForm(MultiDict({**JOB, "im_number": f"45{unseen.strip()}12"}))
    assert job.validate()
    assert job.values["im_number"] == "4512"


@pytest.mark.usefixtures("app_context")
def test_a_joiner_between_letters_stays_in_a_name():
    form = NewPersonForm(MultiDict({**PERSON, "first_name": "\u0645\u06cc\u200c\u0646\u0627"}))
    assert form.validate()
    assert form.values["first_name"] == "\u0645\u06cc\u200c\u0646\u0627"


@pytest.mark.usefixtures("app_context")
def test_a_scope_may_be_as_long_as_the_browser_counts_it():
    scope = "a\r\n" * 999 + "ab"  # the browser sends two characters for each line end that it counts as one
    form = NewJobForm(MultiDict({**JOB, "job_scope": scope}))
    assert form.validate()
    assert form.values["job_scope"] == scope.replace("\r\n", "\n")


def test_a_single_name_is_a_name(app, grace):
    assert grace.post("/create/user", data={**PERSON, "last_name": ""}).status_code == 302
    page = grace.get("/manage_users").text
    assert "<strong>Mei</strong>" in page


# --- a change of what somebody else changes too


def test_a_form_of_a_job_that_was_closed_meanwhile_does_not_open_it_again(app, grace, add_job):
    address = f"/update/job/{add_job('4512')}"
    old_page = fields_of(grace.get(address.replace("update", "edit")).text)
    grace.post(address, data={"sure": "yes", "status": "0"})
    answer = grace.post(address, data={**old_page, "context": "Ask Luis"})
    page = html.unescape(answer.text)
    assert answer.status_code == 409
    assert "someone else changed this meanwhile" in page
    assert "Someone else changed this. It was “Active”." in page
    assert "Ask Luis" in page
    again = fields_of(answer.text)
    assert again["status"] == "0"
    assert grace.post(address, data=again).status_code == 302
    with app.app_context():
        job = Job.numbered("4512")
        assert (job.status, job.context) == (0, "Ask Luis")


def test_the_other_ones_text_is_shown_beside_ones_own_and_the_second_save_wins(app, grace, add_job):
    address = f"/update/job/{add_job('4512')}"
    old_page = fields_of(grace.get(address.replace("update", "edit")).text)
    grace.post(address, data={"general_contractor": "Suffolk"})
    answer = grace.post(address, data={**old_page, "general_contractor": "Turner"})
    assert answer.status_code == 409
    assert "Someone else changed this to “Suffolk”. Save again to use yours." in html.unescape(answer.text)
    again = fields_of(answer.text)
    assert again["general_contractor"] == "Turner"
    grace.post(address, data=again)
    with app.app_context():
        assert Job.numbered("4512").general_contractor == "Turner"


def test_a_form_that_is_sent_twice_is_saved_once(app, grace, add_job):
    job_id = add_job("4512")
    typed = {**fields_of(grace.get(f"/edit/job/{job_id}").text), "general_contractor": "Turner"}
    answers = [grace.post(f"/update/job/{job_id}", data=typed).status_code for _ in range(2)]
    assert answers == [302, 302]
    with app.app_context():
        assert [row.action for row in Audit.of("job", job_id)] == ["changed", "added"]


@pytest.mark.parametrize("version", ["", "x", "status.", "status.00000000 im_number", "\0" * 9, "a.b" * 5000])
def test_a_damaged_version_is_no_error(grace, add_job, version):
    job_id = add_job("4512")
    answer = grace.post(f"/update/job/{job_id}", data={"version": version, "context": "Ask Luis"})
    assert answer.status_code == 302


@pytest.mark.parametrize("hours", ["10000", "12345.67", "100000", "999999"])
def test_an_edited_estimate_of_any_size_is_saved(app, grace, add_job, hours):
    job_id = add_job("4512", estimated_hours=hours)
    typed = fields_of(grace.get(f"/edit/job/{job_id}").text)
    assert float(typed["estimated_hours"]) == float(hours)
    for change in (-0.5, 1):
        typed["estimated_hours"] = f"{float(hours) + change:.2f}" if float(hours) + change <= 999_999 else "1"
        typed.pop("version", None)
        grace.post(f"/update/job/{job_id}", data=typed)
        with app.app_context():
            assert Job.numbered("4512").estimated_hours == float(typed["estimated_hours"])


def test_a_demotion_is_not_undone_by_an_old_page_with_another_surname(app, grace, cast):
    with app.app_context():
        tom = {**PERSON, "first_name": "Tom", "email": "tom@shop.example", "department": "ADMINISTRATIVE"}
        tom_id = committing(lambda: User.create(tom, at=NOW, approved=True)).id
    old_page = fields_of(grace.get(f"/edit/user/{tom_id}").text)
    grace.post(f"/update/user/{tom_id}", data={"sure": "yes", "department": "CUT_SHOP"})
    answer = grace.post(f"/update/user/{tom_id}", data={**old_page, "last_name": "Ibarra"})
    assert answer.status_code == 409
    assert "It was “Administrative”" in html.unescape(answer.text)
    with app.app_context():
        assert db.session.get_one(User, tom_id).department == "CUT_SHOP"
    assert fields_of(answer.text)["department"] == "CUT_SHOP"


def test_a_rule_that_was_changed_meanwhile_is_shown_and_not_overwritten(app, grace):
    old_page = fields_of(grace.get("/admin/rules").text)
    grace.post("/admin/rules", data={"CUT_SHOP-clock_out_at": "19:00"})
    answer = grace.post("/admin/rules", data={**old_page, "CUT_SHOP-assumed_end": "15:00"})
    assert answer.status_code == 409
    assert "It was “18:00”" in html.unescape(answer.text)
    with app.app_context():
        rule = DepartmentRule.all()["CUT_SHOP"]
        assert (rule.clock_out_at, rule.assumed_end) == (time(19), time(15, 30))


@pytest.mark.parametrize("at", ["23:59:59.9", "23:59:59.999999"])
def test_a_fraction_of_a_second_is_no_part_of_a_rule(app, grace, at):
    grace.post("/admin/rules", data={"CUT_SHOP-clock_out_at": at})
    with app.app_context():
        assert DepartmentRule.all()["CUT_SHOP"].clock_out_at == time(23, 59)


def test_a_rule_that_cannot_be_taken_keeps_what_was_typed(app, grace):
    answer = grace.post(
        "/admin/rules",
        data={
            "CUT_SHOP-clock_out_at": "14:00",
            "CUT_SHOP-assumed_end": "15:45",
            "CUT_SHOP-clocks_out": "on",
        },
    )
    assert (answer.status_code, 'value="15:45"' in answer.text) == (422, True)
    assert "after the time it runs" in html.unescape(answer.text)
    empty = grace.post("/admin/rules", data={"CUT_SHOP-clock_out_at": ""})
    assert (empty.status_code, "Enter the time." in empty.text) == (422, True)


def test_a_holiday_that_cannot_be_taken_keeps_what_was_typed(app: Flask, grace):
    answer = grace.post("/admin/rules/holiday", data={"day": "2026-13-01", "name": "Inventory"})
    assert (answer.status_code, 'value="Inventory"' in answer.text) == (422, True)
    answer = grace.post("/admin/rules/holiday", data={"day": "2026-12-28", "name": " "})
    assert (answer.status_code, 'value="2026-12-28"' in answer.text) == (422, True)
    with app.app_context():
        assert Holiday.between(date(2026, 1, 1), date(2026, 12, 31)) == []
