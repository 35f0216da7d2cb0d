"""What is asked before people are logged out, removed or deactivated, and jobs closed: see web/asking.py."""

from dataclasses import replace

from flask import request

from flask_app.models import Job, Shift, User
from flask_app.models.job import INACTIVE
from flask_app.models.user import DEPARTMENTS
from flask_app.web.access import current_user, job_or_404, user_or_404
from flask_app.web.asking import Question
from flask_app.web.dated_forms import MoveForm
from flask_app.web.job_form import JobForm
from flask_app.web.now import today
from flask_app.web.person_forms import PersonForm
from flask_app.web.presenting import stamp
from flask_app.words import _, ngettext


def deactivating(user_id: int) -> Question:
    person = user_or_404(user_id)
    says = [
        _("%(name)s is logged out everywhere and can't log in any more. The hours stay.", name=person.name)
    ]
    if open_shift := Shift.open_of(person):
        job, time = open_shift.job.im_number, stamp(open_shift.started_at)
        says.append(
            _(
                "%(name)s is on %(job)s since %(time)s: that shift ends now.",
                name=person.name,
                job=job,
                time=time,
            )
        )
    return Question(_("Deactivate %(name)s?", name=person.name), says, _("Deactivate"))


def resetting_password(user_id: int) -> Question | None:
    person = user_or_404(user_id)
    if person.id == current_user().id:
        return None  # leads to one's own page for it
    says = _(
        "%(name)s is logged out everywhere. The old password stops working, and you get a one-time password "
        "to pass on. A running shift goes on.",
        name=person.name,
    )
    return Question(_("Reset the password of %(name)s?", name=person.name), [says], _("Reset password"))


def removing_from_roster(user_id: int) -> Question | None:
    person = user_or_404(user_id)
    is_on = request.form.get("on") == "yes" or not person.on_active_roster
    return None if is_on else _off_the_roster(person)


def saving_person(user_id: int) -> Question | None:
    """What the form of a person may do besides: move them to another department, take them off the roster."""
    person = user_or_404(user_id)
    moving, form = changing_department(user_id), PersonForm(request.form, person)
    is_off = form.values.get("on_active_roster") is False and person.on_active_roster and form.validate()
    if moving is None:
        return _off_the_roster(person) if is_off else None
    return replace(moving, says=[*moving.says, *_off_the_roster(person).says]) if is_off else moving


def _off_the_roster(person: User) -> Question:
    says = _(
        "%(name)s is not expected on Today any more, but can still log in and punch.",
        name=person.name,
    )
    return Question(_("Remove %(name)s from the roster?", name=person.name), [says], _("Remove from roster"))


def changing_department(user_id: int) -> Question | None:
    """A move to another department ends every session of the person, unless it holds from a later day on."""
    person = user_or_404(user_id)
    form = MoveForm(request.form) if "from_day" in request.form else PersonForm(request.form, person)
    if not form.validate():
        return None
    department = form.values.get("department") or person.department
    if department == person.department or form.values.get("from_day", today()) > today():
        return None
    to = DEPARTMENTS[department]
    says = _(
        "%(name)s is logged out everywhere and has to log in again. A running shift goes on.",
        name=person.name,
    )
    title = _("Move %(name)s to %(department)s?", name=person.name, department=to)
    return Question(title, [says], _("Move"))


def closing_job(job_id: int) -> Question | None:
    job = job_or_404(job_id)
    form = JobForm(request.form, job)
    if form.values.get("status") != INACTIVE or not job.is_active or not form.validate():
        return None
    return Question(_("Deactivate job %(job)s?", job=job.im_number), _closed(job), _("Deactivate"))


def _closed(job: Job) -> list[str]:
    says = [_("It leaves the active board and nobody can punch in on it any more. Its hours stay.")]
    people: list[User] = Shift.people_on([job]).get(job.id, [])
    if people:
        says.append(
            ngettext(
                "%(n)s person is on it now and stays on the clock.",
                "%(n)s people are on it now and stay on the clock.",
                len(people),
            )
        )
    return says
