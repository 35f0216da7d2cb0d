"""The forms of what holds from a day on: the meal rule, a person's department and working days."""

from flask_app.models.user import DEPARTMENTS
from flask_app.web.fields import Choice, Day, Hours, Whole
from flask_app.web.forms import Form


class MealForm(Form):
    minutes = Whole("Minutes taken off", missing="Fill in the minutes, 0 for none.", inputmode="numeric")
    after = Hours(
        "On days of more than (hours)", missing="Fill in the hours, such as 4.", inputmode="decimal",
        hint="Never so much that working longer would pay less.",
    )  # fmt: skip
    from_day = Day("From", missing="Fill in the day.", hint="Hours of earlier days stay as they are.")


class MoveForm(Form):
    department = Choice("Department", DEPARTMENTS, missing="Choose a department.")
    from_day = Day("From", missing="Fill in the day.", hint="Hours from this day on count there.")


class WeekForm(Form):
    from_day = Day("From", missing="Fill in the day.")
