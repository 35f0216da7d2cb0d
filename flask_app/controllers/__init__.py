"""The blueprints: parse the request, call one thing, answer."""

from flask_app.controllers.health import bp as health
from flask_app.controllers.jobs import bp as jobs
from flask_app.controllers.shifts import bp as shifts
from flask_app.controllers.sync import bp as sync
from flask_app.controllers.users import bp as users

blueprints = (users, jobs, shifts, sync, health)
