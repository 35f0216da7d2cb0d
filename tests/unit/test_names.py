"""Names are sorted and found without regard to accents and case, and namesakes are told apart everywhere."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import insert, select

from flask_app.models import User, committing, db
from flask_app.models.names import folded
from tests.conftest import NOW, PASSWORD

pytestmark = pytest.mark.usefixtures("app_context")


def hire(first: str, last: str, department: str = "CUT_SHOP", **more: str) -> User:
    """Add somebody with an e-mail that says who and where."""
    email = f"{folded(first)}.{len(User.everybody())}@shop.example"
    form = {"first_name": first, "last_name": last, "email": email, "department": department, **more}
    return committing(lambda: User.create({**form, "password": PASSWORD}, at=NOW, approved=True))


def found(search: str) -> list[str]:
    return list(
        db.session.scalars(select(User.first_name).where(*User.having(search)).order_by(User.name_key))
    )


@pytest.mark.parametrize("search", ["jose nunez", "JOSÉ", "núñez jose", "  nuñ ", "Jose\u0301"])
def test_a_name_is_found_whatever_its_accents_and_case(search):
    hire("José", "Núñez")
    hire("Łukasz", "Sørensen")
    assert found(search) == ["José"]
    assert found("lukasz sorensen") == ["Łukasz"]


def test_a_search_with_signs_of_its_own_language_finds_nothing_more():
    hire("José", "Núñez")
    assert [found(search) for search in ("%", "_", "jos_")] == [[], [], []]


def test_names_are_sorted_alike_on_both_engines():
    for first, last in (
        ("Zoë", "Abel"),
        ("émile", "Roy"),
        ("Eva", "Ort"),
        ("ángel", "Paz"),
        ("Andy", "Berg"),
    ):
        hire(first, last)
    assert list(User.names().values()) == ["Andy Berg", "ángel Paz", "émile Roy", "Eva Ort", "Zoë Abel"]


@given(st.text(max_size=60))
def test_folding_twice_is_folding_once(text):
    assert folded(folded(text)) == folded(text)


def test_a_key_follows_a_name_that_changes_and_rows_that_are_written_without_the_entity(cast):
    ana = db.session.get_one(User, cast.ana)
    form = {"first_name": "Aña", "last_name": "Duarte", "email": ana.email, "department": "CUT_SHOP"}
    committing(lambda: ana.edit(form, at=NOW))
    row = {
        "first_name": "Élan",
        "last_name": "X",
        "email": "e@shop.example",
        "password": "",
        "created_at": NOW,
    }
    committing(lambda: db.session.execute(insert(User.__table__), [{**row, "department": "CUT_SHOP"}]))
    keys = db.session.scalars(select(User.name_key).where(User.email.in_([ana.email, "e@shop.example"])))
    assert sorted(keys) == ["ana duarte", "elan x"]


def test_namesakes_are_told_apart_by_their_department_then_by_their_e_mail():
    first, second = hire("José", "Núñez"), hire("jose", "nunez", "PAINT_SHOP")
    assert (first.name, second.name) == ("José Núñez (Cut shop)", "jose nunez (Paint shop)")
    third = hire("José", "Nunez")
    names = {first.name, second.name, third.name}
    assert names == {
        "José Núñez (jose.0@shop.example)", "jose nunez (Paint shop)", "José Nunez (jose.2@shop.example)",
    }  # fmt: skip
    assert first.short_name == "José N. (jose.0@shop.example)"


def test_whoever_is_left_alone_with_a_name_bears_it_plainly_again():
    first, second = hire("Luis", "Roy"), hire("Luis", "Roy", "PAINT_SHOP")
    form = {"first_name": "Luis", "last_name": "Ray", "email": second.email, "department": "PAINT_SHOP"}
    committing(lambda: second.edit(form, at=NOW))
    assert (first.name, second.name) == ("Luis Roy", "Luis Ray")


def test_an_employee_number_belongs_to_one_person_and_may_be_missing(cast):
    first = hire("Mei", "Tan", employee_number="007")
    assert (first.employee_number, hire("Jo", "Ek", employee_number="").employee_number) == ("007", None)
    with pytest.raises(Exception, match="Someone else has this employee number."):
        hire("Bo", "Ek", employee_number="007")
    with pytest.raises(Exception, match="There is already an account with this email."):
        hire("Bo", "Ek", email=first.email)
    with pytest.raises(Exception, match="too long: at most 20"):
        hire("Bo", "Ek", employee_number="7" * 21)
