"""The list of changes, and the shop's own rules."""

import re
from datetime import date, time, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from flask_app.models import Audit, DepartmentRule, Holiday, Job, Shift, User, committing, db
from flask_app.models.us_holidays import us_federal_holidays
from flask_app.timeclock import ledger
from flask_app.timeclock.ledger import Actor
from tests.conftest import NOW
from tests.connected import words
from tests.shop import punch_in

HOUR = timedelta(hours=1)


@pytest.fixture
def grace(app, cast, add_job, log_in):
    """An admin's browser; Luis has a shift that was added, and one person more was edited."""
    job_id = add_job("4512")
    with app.app_context():
        luis, by = (db.session.get_one(User, person) for person in (cast.luis, cast.grace))
        job = db.session.get_one(Job, job_id)
        how: dict[str, Any] = {"by": Actor(by), "at": NOW, "reason": "Phone was dead"}
        committing(lambda: ledger.add(luis, job, NOW - 9 * HOUR, NOW - HOUR, **how))
    browser = log_in("grace")
    browser.post(f"/roster/user/{cast.ana}", data={"sure": "yes", "on": "no"})
    return browser


def test_a_change_is_a_sentence_with_links_and_all_values_below(app, grace, cast):
    text = grace.get("/admin/audit").text
    page = words(text)
    assert "Mon 11/23/2026" in page
    assert (
        "Grace W. added a Sun Nov 22 shift on 4512 for Luis R. , 10:02 PM – Mon Nov 23 6:02 AM Phone was dead"
        in page
    )
    assert "In Before: nothing Now: Sun Nov 22 10:02 PM" in page
    assert "Grace W. removed Ana D. from the roster" in page
    with app.app_context():
        shift = db.session.scalar(select(Shift.id))
    for link in (f"/edit/shift/{shift}", f"/edit/user/{cast.luis}", f"/edit/user/{cast.ana}", "/show/job/"):
        assert link in text


def told(browser, query: str = "") -> str:
    """Return the first sentence of the list of changes."""
    return words(
        re.search(r'<li class="entry">\s*<p>(.*?)</p>', browser.get(f"/admin/audit?{query}").text)[1]
    )


SHIFT_TOLD = [
    (
        {"ended_at": NOW - 2 * HOUR},
        "changed Luis R. 's Sun Nov 22 shift: out Mon Nov 23 6:02 AM → Mon Nov 23 5:02 AM",
    ),
    ({"started_at": NOW - 10 * HOUR}, "changed Luis R. 's Sun Nov 22 shift: in 10:02 PM → 9:02 PM"),
    (
        {"note": "Sanding " * 20},
        "changed Luis R. 's Sun Nov 22 shift: Note Sanding Sanding Sanding Sanding Sanding…",
    ),
]


@pytest.mark.parametrize(("values", "says"), SHIFT_TOLD)
def test_a_change_of_a_shift_says_what_became_of_it(app, grace, cast, values, says):
    with app.app_context():
        shift, by = db.session.scalars(select(Shift)).one(), db.session.get_one(User, cast.grace)
        now = {"started_at": shift.started_at, "ended_at": shift.ended_at, "job": shift.job, **values}
        how: dict[str, Any] = {"by": Actor(by), "at": NOW, "reason": "Forgot to punch out"}
        committing(lambda: ledger.amend(shift, **now, **how))
    assert told(grace, "what=shift") == f"Grace W. {says} Forgot to punch out"


def test_a_deleted_shift_is_told_without_a_link_that_leads_nowhere(app, grace, cast):
    with app.app_context():
        shift, by = db.session.scalars(select(Shift)).one(), db.session.get_one(User, cast.grace)
        gone = shift.id
        committing(lambda: ledger.delete(shift, by=Actor(by), at=NOW, reason="Twice"))
    says = "Grace W. deleted Luis R. 's Sun Nov 22 shift on 4512, 10:02 PM – Mon Nov 23 6:02 AM Twice"
    assert told(grace, "what=shift") == says
    assert f"/edit/shift/{gone}" not in grace.get("/admin/audit").text


def test_an_assumed_end_and_its_confirmation_are_told(app, grace, cast, add_job):
    job = add_job("4600")
    with app.app_context():
        ana = db.session.get_one(User, cast.ana)
        shift = punch_in(ana, db.session.get_one(Job, job), NOW - 9 * HOUR)
        auto: dict[str, Any] = {"by": Actor(None), "at": NOW, "reason": ""}
        committing(lambda: ledger.assume_end(shift, NOW - HOUR, **auto))
    says = "Auto clock-out ended Ana D. 's Sun Nov 22 shift on 4600 at Mon Nov 23 6:02 AM (assumed)"
    assert told(grace, "what=shift") == says
    with app.app_context():
        shift, ana = db.session.get_one(Shift, shift.id), db.session.get_one(User, cast.ana)
        committing(lambda: ledger.confirm_end(shift, by=Actor(ana), at=NOW))
    assert told(grace, "what=shift").startswith("Ana D. confirmed the end of their Sun Nov 22 shift")


@pytest.mark.parametrize(
    ("path", "form", "says"),
    [
        ("/deactivate/user/{ana}", {"sure": "yes"}, "Grace W. deactivated Ana D."),
        ("/roster/user/{ana}", {"on": "yes"}, "Grace W. put Ana D. on the roster"),
        (
            "/password/user/{ana}",
            {"sure": "yes"},
            "Grace W. reset Ana D. 's password An admin gave a one-time password.",
        ),
        ("/activate/user/{otis}", {}, "Grace W. activated Otis G."),
        ("/admin/rules/holiday", {"day": "2027-07-02", "name": "<b>Closed"},
         "Grace W. added Holiday <b>Closed : Day Fri 07/02/2027, Name <b>Closed"),
    ],
)  # fmt: skip
def test_what_is_done_to_people_and_rules_is_told(grace, cast, path, form, says):
    grace.post(path.format(ana=cast.ana, otis=cast.otis), data=form)
    assert told(grace) == says
    assert "<b>" not in grace.get("/admin/audit").text


@pytest.mark.parametrize(
    ("query", "luis", "ana"),
    [
        ("", True, True),
        ("what=shift", True, False),
        ("what=user", False, True),
        ("what=nonsense", True, True),
        ("q=phone+dead", True, False),
        ("q=DUARTE", False, True),
        ("q=100%25", False, False),
        ("person={luis}", True, False),
        ("by={grace}", True, True),
        ("by={ana}", False, False),
        ("from=2026-11-23&to=2026-11-23", True, False),
        ("to=2026-11-22", False, False),
        ("before=1", False, False),
        ("before=99999999999999999999", True, True),
    ],
)
def test_changes_are_found_by_what_who_when_and_words(grace, cast, query, luis, ana):
    page = words(grace.get("/admin/audit?" + query.format(**vars_of(cast))).text)
    assert ("Phone was dead" in page, "removed Ana D. from the roster" in page) == (luis, ana)


def vars_of(cast) -> dict[str, int]:
    return {"luis": cast.luis, "ana": cast.ana, "grace": cast.grace}


def test_an_address_puts_nothing_of_its_own_into_the_links(grace):
    answer = grace.get("/admin/audit?endpoint=x&_scheme=javascript&_external=1")
    assert (answer.status_code, "javascript:" in answer.text) == (200, False)


def test_a_day_that_cannot_be_read_is_said(grace):
    answer = grace.get("/admin/audit?from=yesterday")
    assert (answer.status_code, "can't be read" in words(answer.text)) == (400, True)


def test_many_changes_come_by_pages(app, grace, cast):
    with app.app_context():
        by = db.session.get_one(User, cast.grace)

        def write() -> None:
            for n in range(60):
                Audit.record(
                    "changed", "job", n, subject=f"Job {n}.", by=by, at=NOW, changes={"status": (0, 1)}
                )

        committing(write)
    page = grace.get("/admin/audit?what=job")
    assert ("Job 59." in page.text, "Job 9." in page.text) == (True, False)
    earlier = page.text.split('rel="next" href="')[1].split('"')[0].replace("&amp;", "&")
    text = grace.get(earlier).text
    assert ("Job 9." in text, "Job 59." in text, 'rel="next"' in text) == (True, False, False)


def test_what_an_admin_does_to_a_job_is_written_down(app, grace, add_job):
    job = add_job("4600")
    grace.post(f"/update/job/{job}", data={"sure": "yes", "status": "0"})
    with app.app_context():
        latest, first = Audit.of("job", job)
    assert (latest.changes, latest.by.first_name) == ({"status": ["1", "0"]}, "Grace")
    assert (first.action, first.changes["im_number"]) == ("added", [None, "4600"])


RULE = {"clocks_out": "on", "clock_out_at": "23:30", "assumed_end": "23:00"}


def of(department: str, values: dict[str, str]) -> dict[str, str]:
    """The fields of one department's row in the table."""
    return {f"{department}-{field}": text for field, text in values.items()}


def test_a_departments_rule_is_its_own_and_written_down(app, grace):
    grace.post("/admin/rules", data=of("CUT_SHOP", RULE))
    grace.post("/admin/rules", data=of("CUT_SHOP", {**RULE, "clocks_out": "", "assumed_end": "22:00"}))
    with app.app_context():
        rules = DepartmentRule.all()
        assert (rules["CUT_SHOP"].clock_out_at, rules["CUT_SHOP"].assumed_end) == (time(23, 30), time(22, 0))
        assert (rules["CNC_SHOP"].clock_out_at, rules["CNC_SHOP"].assumed_end) == (time(18, 0), time(15, 30))
    page = words(grace.get("/admin/audit?what=setting").text)
    assert "Auto clock-out of Cut shop" in page
    assert "Record end as 11:00 PM → 10:00 PM" in page


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"assumed_end": "23:45"}, "be after the time it runs"),
        ({"clock_out_at": "late"}, "This time can't be read. Write it like 15:30."),
        ({"clock_out_at": "15:00+01:00"}, "be after the time it runs"),
    ],
)
def test_a_rule_that_cannot_be_changes_nothing(app, grace, changes, says):
    page = grace.post("/admin/rules", data=of("CUT_SHOP", {**RULE, **changes}), follow_redirects=True)
    assert says in words(page.text)
    with app.app_context():
        assert DepartmentRule.all()["CUT_SHOP"].clock_out_at == time(18, 0)


def test_a_department_that_is_none_has_no_rule(grace):
    page = grace.post("/admin/rules", data=of("BOSS", RULE), follow_redirects=True)
    assert "no such department" in page.text


def test_the_rules_are_saved_together_or_not_at_all_with_every_problem_beside_its_field(app, grace):
    good = of("CNC_SHOP", {**RULE, "assumed_end": "20:00"})
    wrong = of("CUT_SHOP", {**RULE, "assumed_end": "23:45"}) | of("PAINT_SHOP", {**RULE, "clock_out_at": ""})
    answer = grace.post("/admin/rules", data=good | wrong)
    page = words(answer.text)
    assert answer.status_code == 422
    assert page.count("Not saved. Fix the fields in red.") == 1
    assert "Enter the time." in page
    answer = grace.post("/admin/rules", data=good | wrong | of("PAINT_SHOP", RULE))
    assert "CUT_SHOP-assumed_end-problem" in answer.text
    assert 'value="23:45"' in answer.text
    with app.app_context():
        assert {rule.clock_out_at for rule in DepartmentRule.all().values()} == {time(18, 0)}
    assert grace.post("/admin/rules", data=good | of("CUT_SHOP", RULE)).status_code == 302
    with app.app_context():
        rules = DepartmentRule.all()
        assert {rules[code].clock_out_at for code in ("CNC_SHOP", "CUT_SHOP")} == {time(23, 30)}


def test_holidays_are_added_once_and_taken_away(app, grace):
    form = {"day": "2027-07-02", "name": "Shop closed"}
    for _ in range(2):
        grace.post("/admin/rules/holiday", data=form)
    with app.app_context():
        assert [holiday.name for holiday in Holiday.between(date(2027, 1, 1), date(2027, 12, 31))] == [
            "Shop closed"
        ]
    for _ in range(2):
        grace.post("/admin/rules/holiday/remove", data={"day": "2027-07-02"})
    with app.app_context():
        assert Holiday.between(date(2027, 1, 1), date(2027, 12, 31)) == []
    changes = words(grace.get("/admin/audit?what=setting").text)
    assert (changes.count("added Holiday"), changes.count("removed Holiday")) == (1, 1)


def test_the_federal_holidays_are_added_beside_the_shops_own(app, grace):
    grace.post("/admin/rules/holiday", data={"day": "2026-12-25", "name": "Our own Christmas"})
    page = grace.post("/admin/rules/federal", data={"year": "2026"}, follow_redirects=True)
    assert "Added 10 federal holidays of 2026." in page.text
    assert ("Our own Christmas" in page.text, "Christmas Day" in page.text) == (True, False)


def test_federal_holidays_are_those_of_the_governments_list():
    assert [str(day) for day in us_federal_holidays(2026)] == [
        "2026-01-01", "2026-01-19", "2026-02-16", "2026-05-25", "2026-06-19", "2026-07-03", "2026-09-07",
        "2026-10-12", "2026-11-11", "2026-11-26", "2026-12-25",
    ]  # fmt: skip
    # New Year's Day of 2022 was a Saturday: observed in 2021.
    assert date(2021, 12, 31) in us_federal_holidays(2021)
    assert date(2022, 1, 1) not in us_federal_holidays(2022)
    assert us_federal_holidays(2022)[date(2022, 12, 26)] == "Christmas Day"
    assert "Juneteenth" not in us_federal_holidays(2020).values()


def test_punches_are_told_when_asked_for_and_not_among_the_changes(app, grace, cast, add_job, log_in):
    job = add_job("4600")
    log_in("ana").post("/create/shift", data={"job_id": job, "note": "Edge banding"})
    changes, punches = (words(grace.get(f"/admin/audit{asked}").text) for asked in ("", "?what=punch"))
    assert ("Edge banding" in changes, "Phone was dead" in changes) == (False, True)
    assert ("Ana D. punched in on 4600" in punches, "Phone was dead" in punches) == (True, False)
    assert "Edge banding" in punches
