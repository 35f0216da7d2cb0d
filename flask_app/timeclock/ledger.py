"""The shift ledger: the only way in which a shift is made, ended, changed, moved or deleted.

Every function locks the person, then reads once how things stand now, checks the rules, writes the shift and
its audit row, and returns what happened. None commits: callers run one in `committing` for each shift. Raised
are RuleViolation and ValidationError, sentences for whoever asked, and ConcurrentUpdate, which `committing`
answers by running it again.
"""

from flask_app.timeclock.edits import add, amend, assign, assume_end, change_note, confirm_end, delete
from flask_app.timeclock.entries import Actor
from flask_app.timeclock.punches import punch_in, punch_out
from flask_app.timeclock.shift_rows import Assigned, Changed, Punched, PunchedOut, Unchanged
from flask_app.timeclock.shift_rules import (
    AlreadyOn,
    JobClosed,
    NoSuchJob,
    Overlaps,
    PunchRefused,
    PunchRules,
    TooSoon,
)
from flask_app.timeclock.undoing import UNDONE, NothingToUndo, Undone, undo

__all__ = [
    "UNDONE", "Actor", "AlreadyOn", "Assigned", "Changed", "JobClosed", "NoSuchJob", "NothingToUndo",
    "Overlaps", "PunchRefused", "PunchRules", "Punched", "PunchedOut", "TooSoon", "Unchanged", "Undone",
    "add", "amend", "assign", "assume_end", "confirm_end", "delete", "change_note", "punch_in",
    "punch_out", "undo",
]  # fmt: skip
