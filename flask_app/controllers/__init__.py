"""The blueprints: parse the request, call one thing, answer."""

from flask_app.controllers.account import bp as account
from flask_app.controllers.assign import bp as assign
from flask_app.controllers.audit import bp as audit
from flask_app.controllers.corrections import bp as corrections
from flask_app.controllers.employment import bp as employment
from flask_app.controllers.health import bp as health
from flask_app.controllers.hours_out import bp as hours_out
from flask_app.controllers.imports import bp as imports
from flask_app.controllers.install import bp as install
from flask_app.controllers.jobs import bp as jobs
from flask_app.controllers.meals import bp as meals
from flask_app.controllers.missing_punch_outs import bp as missing_punch_outs
from flask_app.controllers.office import bp as office
from flask_app.controllers.old_shifts import bp as old_shifts
from flask_app.controllers.phases_out import bp as phases_out
from flask_app.controllers.reports import bp as reports
from flask_app.controllers.rules import bp as rules
from flask_app.controllers.setup import bp as setup
from flask_app.controllers.shift_office import bp as shift_office
from flask_app.controllers.shifts import bp as shifts
from flask_app.controllers.sync import bp as sync
from flask_app.controllers.sync_decisions import bp as sync_decisions
from flask_app.controllers.timesheets import bp as timesheets
from flask_app.controllers.today import bp as today
from flask_app.controllers.undo import bp as undo
from flask_app.controllers.users import bp as users
from flask_app.controllers.webhook import bp as webhook

blueprints = (
    users, employment, account, jobs, shifts, corrections, today, assign, shift_office, missing_punch_outs,
    office, audit, rules, meals, reports, timesheets, sync, sync_decisions, undo, hours_out, webhook,
    health, phases_out,
    install, old_shifts,
    imports,
    setup,
)  # fmt: skip
