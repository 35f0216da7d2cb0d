"""People: logging in and out, registering, and the admins' list of everybody."""

from datetime import date

from flask import Blueprint, flash, g, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from flask_app.config import settings
from flask_app.models import LoginAttempt, Shift, User, committing, db
from flask_app.models.errors import RuleViolation, ValidationError
from flask_app.models.login_attempt import REGISTRATION, TooManyAttempts
from flask_app.models.user import hash_password, password_matches
from flask_app.timeclock import people
from flask_app.utils.background_sync import sync_after_login
from flask_app.web import questions, undo
from flask_app.web.access import (
    admin_required,
    current_user,
    local_path,
    me,
    user_or_404,
)
from flask_app.web.asking import asks_first
from flask_app.web.devices import device_of, remember_device
from flask_app.web.drafts import draws_again, kept_page
from flask_app.web.forms import Form
from flask_app.web.now import now, today
from flask_app.web.parse import shop_day
from flask_app.web.person_forms import NewPersonForm, PersonForm, RegistrationForm
from flask_app.web.presenting import clock_rules, punch_rules
from flask_app.web.sessions import close_session, open_session
from flask_app.web.tries import count_try
from flask_app.words import _, lazy

bp = Blueprint("users", __name__)

WRONG_LOGIN = lazy("Wrong email or password.")
WAITING = lazy("Waiting for approval. Ask the office.")


@bp.get("/")
def login() -> ResponseReturnValue:
    target = local_path(request.args.get("next", "")) or ""
    if me():
        return redirect(target or url_for("jobs.dashboard"))
    return render_template("users/login.html", form={}, problem=None, next=target)


@bp.post("/login")
@draws_again
def enter() -> ResponseReturnValue:
    email, password = request.form.get("email", ""), request.form.get("password", "")
    target, kept = local_path(request.form.get("next", "")) or "", request.form.get("kept", "")
    if "draw_again" in g:
        return _login_page(email, g.draw_again, target, kept), 400
    try:
        user = _log_in(email, password)
    except RuleViolation as refusal:
        status = 429 if isinstance(refusal, TooManyAttempts) else 401
        return _login_page(email, str(refusal), target, kept), status
    open_session(user, now=now())
    sync_after_login()
    page = kept_page(kept, user.id) if kept else None
    answer = make_response(page or redirect(target or url_for("jobs.dashboard")))
    remember_device(answer, user.email)
    return answer


def _login_page(email: str, problem: str, target: str, kept: str) -> str:
    return render_template("users/login.html", form={"email": email}, problem=problem, next=target, kept=kept)


def _log_in(email: str, password: str) -> User:
    """Return the user, or raise RuleViolation. No transaction is open while bcrypt takes its time."""
    origin = count_try(email, device_of(email))
    user = User.by_email(email)
    db.session.commit()
    if not password_matches(user.password if user else None, password) or user is None:
        raise RuleViolation(WRONG_LOGIN)
    if user.is_waiting:
        raise RuleViolation(WAITING)
    if not user.is_active:
        raise RuleViolation(_("This account has been deactivated. Ask the office."))
    committing(lambda: LoginAttempt.forget(origin))
    return user


@bp.get("/register")
def register() -> ResponseReturnValue:
    if settings().registration == "closed":
        flash(_("Only the office creates accounts here. Ask them."), "info")
        return redirect(url_for("users.login"))
    return render_template("users/register.html", form=RegistrationForm())


@bp.post("/register")
@draws_again
def sign_up() -> ResponseReturnValue:
    if settings().registration == "closed":
        return register()
    form, opened = RegistrationForm(request.form), settings().registration == "open"
    if not form.validate():
        return render_template("users/register.html", form=form), form.code
    try:
        count_try("", REGISTRATION)
        values = {**form.values, "password": hash_password(form.values["password"])}
        committing(lambda: people.register(values, at=now(), approved=opened))
    except TooManyAttempts as refusal:
        form.refuse(ValidationError({"email": str(refusal)}))
        return render_template("users/register.html", form=form), 429
    except ValidationError as invalid:
        form.refuse(invalid)
        return render_template("users/register.html", form=form), form.code
    flash(_("Your account is ready. Log in.") if opened else str(WAITING), "success")
    return redirect(url_for("users.login"))


@bp.post("/logout")
def logout() -> ResponseReturnValue:
    close_session()
    flash(_("You're logged out. If you're on the clock, your shift goes on."), "info")
    return redirect(url_for("users.login"))


@bp.get("/manage_users")
@admin_required
def manage() -> ResponseReturnValue:
    return render_template("users/manage.html", people=User.everybody())


@bp.get("/new/user")
@admin_required
def new() -> ResponseReturnValue:
    return _form_page(None, NewPersonForm())


@bp.post("/create/user")
@admin_required
@draws_again
def create() -> ResponseReturnValue:
    form = NewPersonForm(request.form)
    if not form.validate():
        return _form_page(None, form), form.code
    try:
        values = {**form.values, "password": hash_password(form.values["password"])}
        person = committing(lambda: people.add(values, by=current_user(), at=now()))
    except ValidationError as invalid:
        form.refuse(invalid)
        return _form_page(None, form), form.code
    flash(_("%(name)s can log in now.", name=person.name), "success")
    return redirect(url_for("users.manage"))


@bp.get("/edit/user/<int:user_id>")
@admin_required
def edit(user_id: int) -> ResponseReturnValue:
    person = user_or_404(user_id)
    return _form_page(person, PersonForm(None, person))


@bp.post("/update/user/<int:user_id>")
@admin_required
@draws_again
@asks_first(questions.saving_person)
def update(user_id: int) -> ResponseReturnValue:
    person = user_or_404(user_id)
    form = PersonForm(request.form, person)
    if not form.validate():
        return _form_page(person, form), form.code
    try:
        committing(lambda: _save(person, form))
    except ValidationError as invalid:
        form.refuse(invalid)
        return _form_page(user_or_404(user_id), form), form.code
    _stay_logged_in(person)
    flash(_("%(name)s is saved.", name=person.name), "success")
    return redirect(url_for("users.manage"))


@bp.post("/password/user/<int:user_id>")
@admin_required
@asks_first(questions.resetting_password)
def new_password(user_id: int) -> ResponseReturnValue:
    """Show a one-time password, this once: it stands in no address, cookie or log."""
    person = user_or_404(user_id)
    if person.id == current_user().id:
        return redirect(url_for("account.show"))
    password = people.readable_password()
    hashed = hash_password(password)
    committing(lambda: people.give_new_password(person, hashed, by=current_user(), at=now()))
    return render_template("users/new_password.html", person=person, password=password)


@bp.post("/roster/user/<int:user_id>")
@admin_required
@asks_first(questions.removing_from_roster)
def roster(user_id: int) -> ResponseReturnValue:
    person, on = user_or_404(user_id), request.form.get("on") == "yes"
    committing(lambda: people.set_roster(person, on, by=current_user(), at=now()))
    if on:
        words = _("%(name)s is on the roster.", name=person.name)
    else:
        words = _("%(name)s is removed from the roster.", name=person.name)
    undo.says(words, undo=undo.of_account(person.id))
    return redirect(url_for("users.manage"))


@bp.post("/activate/user/<int:user_id>")
@admin_required
def activate(user_id: int) -> ResponseReturnValue:
    person = user_or_404(user_id)
    committing(lambda: people.activate(person, by=current_user(), at=now(), today=today()))
    flash(_("%(name)s can log in now.", name=person.name), "success")
    return redirect(url_for("users.manage"))


@bp.post("/deactivate/user/<int:user_id>")
@admin_required
@asks_first(questions.deactivating)
def deactivate(user_id: int) -> ResponseReturnValue:
    person = user_or_404(user_id)
    try:
        last = shop_day(request.form.get("last_day", str(person.leave_date or today())))
        by, at, rules = current_user(), now(), punch_rules()
        ended = committing(lambda: people.deactivate(person, by=by, at=at, rules=rules, last_day=last))
    except (RuleViolation, ValueError) as refusal:
        flash(str(refusal), "error")
    else:
        undo.says(
            _deactivated(person, ended), undo=undo.of_account(person.id, ended=[ended.id] if ended else ())
        )
    return redirect(url_for("users.manage"))


def _deactivated(person: User, ended: Shift | None) -> str:
    if ended is None:
        return _("%(name)s is deactivated.", name=person.name)
    number = ended.job.im_number
    return _("%(name)s is deactivated and was punched out of %(job)s.", name=person.name, job=number)


def _save(person: User, form: PersonForm) -> None:
    people.edit(person, form.changes(User.locked(person.id)), by=current_user(), at=now(), today=today())


def _stay_logged_in(person: User) -> None:
    """An admin who changes the own account keeps this session, the only one that goes on."""
    if person.id == current_user().id:
        open_session(person, now=now())


def _form_page(person: User | None, form: Form) -> str:
    open_shift = Shift.open_of(person) if person else None
    return render_template(
        "users/form.html", person=person, form=form, open_shift=open_shift,
        last_day=_proposed_last_day(person) if person else None,
    )  # fmt: skip


def _proposed_last_day(person: User) -> date:
    """The last day of work as far as it is known: as typed, else the day of the last shift, else today."""
    last = Shift.last_start_of(person)
    return person.leave_date or (clock_rules().day_of(last) if last else today())
