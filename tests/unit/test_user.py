"""People's rules: what a form must have, who is in, how a password is kept."""

from typing import Any

import pytest

from flask_app.models import User, committing, db
from flask_app.models.errors import ValidationError
from flask_app.models.user import password_matches, password_problem
from tests.conftest import NOW, PASSWORD, Cast

pytestmark = pytest.mark.usefixtures("app_context")

FORM = {
    "first_name": "Mei",
    "last_name": "Tan",
    "email": "mei@shop.example",
    "department": "CNC_SHOP",
    "password": PASSWORD,
}


def hire(**changes: str) -> User:
    return committing(lambda: User.create({**FORM, **changes}, at=NOW, approved=True))


def problems(**changes: str) -> dict[str, str]:
    with pytest.raises(ValidationError) as caught:
        hire(**changes)
    assert User.everybody() == []
    return caught.value.problems


def person(user_id: int) -> User:
    return db.session.get_one(User, user_id)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("first_name", ""),
        ("first_name", "x" * 101),
        ("last_name", "木" * 101),
        ("email", ""),
        ("email", "mei"),
        ("email", "mei@shop"),
        ("email", "mei @shop.example"),
        ("email", "mei@tan@shop.example"),
        ("email", "mei@shop..example"),
        ("email", "mei@.shop.example"),
        ("email", "Mei <mei@shop.example"),
        ("email", "mei@shop.example, ana@shop.example"),
        ("email", "m" * 250 + "@shop.example"),
        ("department", ""),
        ("department", "BOSS"),
        ("department", "cnc_shop"),
        ("password", ""),
        ("password", "seven77"),
        ("password", "x" * 73),
        ("password", "ä" * 37),
        ("password", "dusty\0hands"),
    ],
)
def test_a_form_that_cannot_be_taken_names_the_field_and_adds_nobody(field, value):
    assert list(problems(**{field: value})) == [field]


def test_every_problem_of_a_form_is_told_at_once():
    empty = dict.fromkeys(FORM, "")
    assert set(problems(**empty)) == FORM.keys() - {"last_name"}


def test_the_longest_that_fits_is_taken():
    longest = {"first_name": "木" * 100, "last_name": "🔨" * 100, "email": "m" * 242 + "@shop.example"}
    mei = hire(**longest, password="ä" * 36)
    db.session.refresh(mei)
    assert {field: getattr(mei, field) for field in longest} == longest


def test_an_e_mail_is_one_whatever_its_case_and_the_blanks_around_it():
    hire(email="  Mei@SHOP.example ")
    assert User.by_email("MEI@shop.EXAMPLE") is not None
    with pytest.raises(ValidationError, match="already an account"):
        hire(email="mei@shop.example")


def test_e_mails_that_differ_in_an_accent_are_two():
    assert hire(email="jose@shop.example").id != hire(email="josé@shop.example").id


def test_an_edit_to_somebody_elses_e_mail_is_refused(cast):
    with pytest.raises(ValidationError, match="already an account"):
        committing(lambda: person(cast.ana).edit({**FORM, "email": "luis@shop.example"}, at=NOW))
    assert person(cast.ana).email == "ana@shop.example"


def test_a_password_is_kept_as_a_hash_that_only_it_matches():
    mei = hire()
    assert PASSWORD not in mei.password
    assert password_matches(mei.password, PASSWORD)
    assert not password_matches(mei.password, PASSWORD + "!")


def test_a_password_is_compared_to_its_last_byte():
    mei = hire(password="x" * 71 + "a")
    assert not password_matches(mei.password, "x" * 71 + "b")


@pytest.mark.parametrize("damaged", [None, "", "plain", "$2b$12$short", "\0"])
def test_a_hash_that_is_none_matches_nothing(damaged):
    assert not password_matches(damaged, PASSWORD)


@pytest.mark.parametrize("typed", ["", "x" * 73, "nul\0nul\0", "nobody's password"])
def test_nothing_that_can_be_typed_matches_nobody(typed):
    assert not password_matches(None, typed)


def test_a_password_of_72_bytes_is_taken_and_one_more_is_not():
    assert password_problem("x" * 72) is None
    assert "72 bytes" in (password_problem("x" * 73) or "")


def states(cast: Cast) -> dict[str, tuple[bool, bool]]:
    people: dict[str, Any] = {"ana": cast.ana, "zoe": cast.zoe, "otis": cast.otis}
    return {name: (person(i).is_active, person(i).is_waiting) for name, i in people.items()}


def test_who_waits_and_who_was_deactivated_is_not_in(cast):
    assert states(cast) == {"ana": (True, False), "zoe": (False, True), "otis": (False, False)}


def test_activating_lets_in_who_waits_and_who_was_deactivated(cast):
    committing(lambda: [person(i).activate(at=NOW) for i in (cast.zoe, cast.otis)])
    assert set(states(cast).values()) == {(True, False)}


def test_deactivating_ends_every_session(cast):
    before = person(cast.ana).epoch
    committing(lambda: person(cast.ana).deactivate(at=NOW))
    assert not person(cast.ana).is_active
    assert person(cast.ana).epoch > before


def test_a_new_password_and_a_new_department_end_every_session_a_new_name_does_not(cast):
    ana = person(cast.ana)
    same = {**FORM, "department": "CUT_SHOP"}
    committing(lambda: ana.edit(same, at=NOW))
    assert ana.epoch == 0
    committing(lambda: ana.edit({**same, "department": "CNC_SHOP"}, at=NOW))
    assert ana.epoch == 1
    committing(lambda: ana.set_password("another-board-9", at=NOW))
    assert ana.epoch == 2


def test_the_only_admin_can_neither_go_nor_become_a_worker(cast):
    grace = person(cast.grace)
    with pytest.raises(ValidationError, match="only admin"):
        committing(lambda: grace.deactivate(at=NOW))
    with pytest.raises(ValidationError, match="only admin"):
        committing(lambda: grace.edit(FORM, at=NOW))
    assert grace.is_active
    assert grace.is_admin


def test_a_deactivated_or_waiting_admin_is_no_other_admin(cast):
    committing(lambda: User.create({**FORM, "department": "ADMINISTRATIVE"}, at=NOW, approved=False))
    with pytest.raises(ValidationError, match="only admin"):
        committing(lambda: person(cast.grace).deactivate(at=NOW))


def test_one_of_two_admins_may_go(cast):
    hire(department="ADMINISTRATIVE")
    committing(lambda: person(cast.grace).deactivate(at=NOW))
    assert not person(cast.grace).is_active


def test_the_list_begins_with_who_waits_and_ends_with_who_was_deactivated(cast):
    names = [user.first_name for user in User.everybody()]
    assert names == ["Zoe", "Ana", "Grace", "Luis", "Otis"]


def test_a_single_name_is_a_name_and_an_unknown_department_can_be_shown(cast):
    ana = person(cast.ana)
    ana.last_name, ana.department = "", "LASER"
    assert (ana.name, ana.short_name, ana.department_name) == ("Ana", "Ana", "LASER")


@pytest.mark.parametrize(
    "typed",
    [
        "mailto:mei@shop.example",
        "<mei@shop.example>",
        "mei@shop.example.",
        " mei@shop.example;",
        "MEI@shop.example,",
    ]
    + [f"mei{unseen}@shop.example" for unseen in "\u200b\u00ad\ufeff\u202e\u2060"],
)
def test_what_a_copied_address_brings_along_is_left_out(typed):
    assert hire(email=typed).email == "mei@shop.example"
    assert User.by_email(typed) is not None
