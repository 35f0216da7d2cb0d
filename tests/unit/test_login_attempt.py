"""The login throttle's counting."""

from datetime import timedelta

import pytest
from sqlalchemy import func, select

from flask_app.models import LoginAttempt, committing, db
from flask_app.models.login_attempt import PER_ACCOUNT, PER_ADDRESS, WINDOW, TooManyAttempts
from tests.conftest import NOW

pytestmark = pytest.mark.usefixtures("app_context")
MINUTE = timedelta(minutes=1)


def attempt(email: str = "ana@shop.example", address: str = "10.0.0.1", at: timedelta = timedelta(0)) -> None:
    committing(lambda: LoginAttempt.record(email, address, at=NOW + at))
    LoginAttempt.check(email, address, at=NOW + at)


def test_an_accounts_tries_are_counted_whatever_the_address():
    for n in range(PER_ACCOUNT):
        attempt(address=f"10.0.0.{n}")
    with pytest.raises(TooManyAttempts):
        attempt(address="10.0.9.9")
    attempt(email="luis@shop.example")


def test_an_account_is_one_whatever_the_case_of_its_e_mail():
    for _ in range(PER_ACCOUNT):
        attempt(email=" ANA@shop.example")
    with pytest.raises(TooManyAttempts):
        attempt()


def test_an_addresss_tries_are_counted_whatever_the_account():
    for n in range(PER_ADDRESS):
        attempt(email=f"{n}@shop.example")
    with pytest.raises(TooManyAttempts):
        attempt(email="one-more@shop.example")
    attempt(email="ana@shop.example", address="10.0.0.2")


def test_an_old_try_counts_no_more_and_is_deleted():
    for _ in range(PER_ACCOUNT):
        attempt()
    attempt(at=WINDOW)
    assert db.session.scalar(select(func.count(LoginAttempt.id))) == 1


def test_the_wait_that_is_told_is_long_enough():
    for n in range(PER_ACCOUNT):
        attempt(at=n * MINUTE)
    with pytest.raises(TooManyAttempts, match="Wait 6 minutes, or ask the office"):
        attempt(at=10 * MINUTE)  # then the tries of minutes 2 to 10 are left: nine
    attempt(at=16 * MINUTE)


def test_a_wait_of_a_minute_is_told_in_the_singular():
    for _ in range(PER_ACCOUNT):
        attempt()
    with pytest.raises(TooManyAttempts, match="Wait 1 minute, or"):
        attempt(at=WINDOW - timedelta(seconds=59))


def test_a_login_that_succeeded_clears_its_account_and_no_other():
    for _ in range(PER_ACCOUNT):
        attempt()
        attempt(email="luis@shop.example")
    committing(lambda: LoginAttempt.forget("Ana@shop.example"))
    attempt()
    with pytest.raises(TooManyAttempts):
        attempt(email="luis@shop.example")


def test_what_was_typed_as_an_e_mail_is_not_kept():
    attempt(email="my-secret-password")
    kept = db.session.scalars(select(LoginAttempt)).one()
    assert "secret" not in repr(vars(kept))


@pytest.mark.parametrize("odd", ["", "x" * 60_000, "\0", "木@例.jp", "' OR 1=1 --"])
def test_any_text_can_be_counted(odd):
    attempt(email=odd, address=odd)
    assert db.session.scalar(select(func.count(LoginAttempt.id))) == 1
