"""The demo's shop works at any hour of trying."""

from datetime import UTC, datetime

import pytest

from flask_app.demo_shifts import add_shifts
from flask_app.models import Shift, User, committing


@pytest.mark.parametrize(
    "now",
    [
        datetime(2026, 11, 23, 12, 10, tzinfo=UTC),  # a Monday, 7:10 AM in the shop
        datetime(2026, 11, 24, 18, 0, tzinfo=UTC),  # Tuesday, in the afternoon
        datetime(2026, 11, 25, 4, 50, tzinfo=UTC),  # the night after it
        datetime(2026, 11, 28, 20, 0, tzinfo=UTC),  # a Saturday
    ],
)
def test_somebody_is_on_the_clock(app_context, cast, add_job, now):
    for n in range(5):
        add_job(str(4512 + n))
    committing(lambda: add_shifts(User.everybody(), now=now))
    present, count = Shift.longest_open(limit=20)
    assert count > 0
    assert all(shift.started_at <= now for shift in present)
