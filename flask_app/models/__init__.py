"""The shop's entities, their rules and their named queries. Importing this package declares every table."""

from flask_app.models.adopted_row import AdoptedRow
from flask_app.models.audit import Audit
from flask_app.models.correction import Correction
from flask_app.models.database import Base, committing, db
from flask_app.models.department_stay import DepartmentStay
from flask_app.models.dismissal import Dismissal
from flask_app.models.employment import Employment
from flask_app.models.hooked_row import HookCount, HookedRow
from flask_app.models.job import Job
from flask_app.models.job_folder import JobFolder
from flask_app.models.job_phase import JobPhase, PhaseRule, PhaseSent, PhaseState
from flask_app.models.login_attempt import LoginAttempt
from flask_app.models.owed_hours import HoursSent, OwedHours
from flask_app.models.pinned_job import PinnedJob
from flask_app.models.setup_mark import SetupMark
from flask_app.models.shift import Shift
from flask_app.models.shop_rules import DepartmentRule, Holiday
from flask_app.models.sync_hold import SyncHold
from flask_app.models.sync_run import SyncRun, SyncSkip
from flask_app.models.task_run import TaskRun
from flask_app.models.time_rule import TimeRule
from flask_app.models.user import User
from flask_app.models.working_week import WorkingWeek
from flask_app.models.write_back import WriteBack

__all__ = [
    "AdoptedRow", "Audit", "Base", "Correction", "DepartmentRule", "DepartmentStay", "Dismissal",
    "Employment", "Holiday", "HookCount", "HookedRow", "HoursSent", "Job", "JobFolder", "JobPhase",
    "LoginAttempt", "OwedHours", "PhaseRule", "PhaseSent", "PhaseState", "PinnedJob", "SetupMark", "Shift",
    "SyncHold", "SyncRun", "SyncSkip", "TaskRun", "TimeRule", "User", "WorkingWeek", "WriteBack",
    "committing", "db",
]  # fmt: skip
