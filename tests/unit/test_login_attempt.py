"""The login throttle's counting."""

from datetime import timedelta

import pytest
from sqlalchemy import func, select

from flask_app.models import LoginAttempt, committing, db
from flask_app.models.login_attempt import (
    PER_ACCOUNT,
    PER_ACCOUNT_AND_PLACE,
    PER_PLACE,
    REGISTRATION,
    REGISTRATIONS_PER_PLACE,
    WINDOW,
    Origin,
    TooManyAttempts,
)
from tests.conftest import NOW

pytestmark = pytest.mark.usefixtures("app_context")
MINUTE = timedelta(minutes=1)


def attempt(
    email: str = "ana@shop.example", address: str = "10.0.0.1", device: str = "", at: timedelta = timedelta(0)
) -> Origin:
    origin = Origin.of(email, address, device)
    LoginAttempt.check(origin, at=NOW + at)
    committing(lambda: LoginAttempt.record(origin, at=NOW + at))
    return origin


def kept() -> int:
    return db.session.scalar(select(func.count(LoginAttempt.id)))


def is_refused(email: str = "ana@shop.example", address: str = "10.0.0.1", device: str = "") -> bool:
    with pytest.raises(TooManyAttempts):
        attempt(email, address, device)
    return True


def test_an_accounts_tries_from_one_place_keep_nobody_out_elsewhere():
    for _ in range(PER_ACCOUNT_AND_PLACE):
        attempt()
    assert is_refused()
    attempt(address="10.0.0.2")
    attempt(email="luis@shop.example")


def test_strangers_everywhere_together_have_so_many_tries_on_an_account():
    for n in range(PER_ACCOUNT):
        attempt(address=f"10.0.{n}.1")
    assert is_refused(address="10.1.0.1")


def test_a_known_device_has_its_own_tries_whatever_strangers_use_up():
    for n in range(PER_ACCOUNT):
        attempt(address=f"10.0.{n // 10}.1")
    for n in range(PER_PLACE - 10):
        attempt(email=f"{n}@shop.example", address="10.0.0.1")
    assert is_refused()
    for _ in range(PER_ACCOUNT_AND_PLACE):
        attempt(device="a1b2")
    assert is_refused(device="a1b2")


def test_a_known_devices_tries_use_up_nobody_elses():
    for n in range(PER_ACCOUNT_AND_PLACE):
        attempt(device="a1b2", address=f"10.0.0.{n}")
    assert is_refused(device="a1b2")
    attempt()


def test_an_account_is_one_whatever_the_case_of_its_e_mail():
    for _ in range(PER_ACCOUNT_AND_PLACE):
        attempt(email=" ANA@shop.example")
    assert is_refused()


def test_a_places_tries_are_counted_whatever_the_account():
    for n in range(PER_PLACE):
        attempt(email=f"{n}@shop.example")
    assert is_refused(email="one-more@shop.example")
    attempt(email="ana@shop.example", address="10.0.0.2")


def test_all_addresses_of_one_ipv6_customer_are_one_place():
    for n in range(PER_ACCOUNT_AND_PLACE):
        attempt(address=f"2001:db8:1:2::{n:x}")
    assert is_refused(address="2001:db8:1:2:ffff::9")
    attempt(address="2001:db8:1:3::1")


def test_an_address_written_as_ipv6_is_the_same_place():
    assert Origin.of("", "::ffff:10.0.0.1") == Origin.of("", "10.0.0.1")


def test_registrations_are_counted_by_place_and_apart_from_logins():
    for _ in range(REGISTRATIONS_PER_PLACE):
        attempt(email="", device=REGISTRATION)
    with pytest.raises(TooManyAttempts, match="Too many new accounts from here. Wait 15 minutes"):
        attempt(email="", device=REGISTRATION)
    attempt(email="", device=REGISTRATION, address="10.0.0.2")
    attempt()


def test_an_old_try_counts_no_more_and_is_deleted():
    for _ in range(PER_ACCOUNT_AND_PLACE):
        attempt()
    attempt(at=WINDOW)
    assert kept() == 1


def test_the_wait_that_is_told_is_long_enough():
    for n in range(PER_ACCOUNT_AND_PLACE):
        attempt(at=n * MINUTE)
    with pytest.raises(TooManyAttempts, match="Wait 5 minutes, or ask the office"):
        attempt(at=10 * MINUTE)
    attempt(at=15 * MINUTE)


def test_a_try_that_is_refused_makes_nobody_wait_longer():
    for n in range(PER_ACCOUNT_AND_PLACE):
        attempt(at=n * MINUTE)
    for n in range(10, 15):
        with pytest.raises(TooManyAttempts):
            attempt(at=n * MINUTE)
    assert kept() == PER_ACCOUNT_AND_PLACE
    attempt(at=15 * MINUTE)


def test_a_wait_of_a_minute_is_told_in_the_singular():
    for _ in range(PER_ACCOUNT_AND_PLACE):
        attempt()
    with pytest.raises(TooManyAttempts, match="Wait 1 minute, or"):
        attempt(at=WINDOW - timedelta(seconds=59))


def test_a_login_that_succeeded_clears_its_own_tries_and_no_others():
    for _ in range(PER_ACCOUNT_AND_PLACE):
        mine = attempt(device="a1b2")
        attempt()
    committing(lambda: LoginAttempt.forget(mine))
    attempt(device="a1b2")
    assert is_refused()


def test_an_account_that_is_unlocked_has_every_try_again():
    for _ in range(PER_ACCOUNT_AND_PLACE):
        attempt()
        attempt(email="luis@shop.example")
    committing(lambda: LoginAttempt.unlock("Ana@shop.example"))
    attempt()
    assert is_refused(email="luis@shop.example")


def test_what_was_typed_as_an_e_mail_is_not_kept():
    attempt(email="my-secret-password")
    kept = db.session.scalars(select(LoginAttempt)).one()
    assert "secret" not in repr(vars(kept))


@pytest.mark.parametrize("odd", ["", "x" * 60_000, "\0", "木@例.jp", "' OR 1=1 --"])
def test_any_text_can_be_counted(odd):
    attempt(email=odd, address=odd)
    assert kept() == 1
