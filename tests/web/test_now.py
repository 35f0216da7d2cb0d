"""A request has one now, however long it takes."""

from datetime import timedelta

import time_machine

from flask_app.web.now import now, today
from tests.conftest import NOW


def test_a_request_that_takes_long_has_the_time_at_which_it_came(app):
    with time_machine.travel(NOW, tick=False) as clock, app.test_request_context("/"):
        assert now() == NOW
        clock.shift(timedelta(days=1))
        assert (now(), today()) == (NOW, NOW.date())
    with time_machine.travel(NOW + timedelta(days=1), tick=False), app.test_request_context("/"):
        assert now() == NOW + timedelta(days=1)
