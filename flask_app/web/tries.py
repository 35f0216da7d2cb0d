"""Counting tries at a door: of the login, of one's own old password, of registrations."""

from flask import request

from flask_app.models import LoginAttempt, committing, db
from flask_app.models.login_attempt import Origin, TooManyAttempts
from flask_app.web.now import now


def count_try(email: str, device: str) -> Origin:
    """Count a try before anything is compared or hashed, or raise TooManyAttempts and write nothing."""
    origin = Origin.of(email, request.remote_addr or "", device)
    LoginAttempt.check(origin, at=now())
    db.session.commit()
    attempt_id = committing(lambda: LoginAttempt.record(origin, at=now()).id)
    try:  # of several at once, who comes after the last one allowed is refused as well
        LoginAttempt.check(origin, at=now(), counted=True)
    except TooManyAttempts:
        committing(lambda: LoginAttempt.take_back(attempt_id))
        raise
    return origin
