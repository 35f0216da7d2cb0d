"""Who was in which department from which day on. `users.department` is the one that somebody is in now."""

from datetime import date
from typing import Any

from sqlalchemy import Connection, ForeignKey, String, event, insert, select
from sqlalchemy.orm import Mapped, mapped_column

from flask_app.models.database import Base, db
from flask_app.models.dated import Dated
from flask_app.models.user import User

BEGINNING = date(1970, 1, 1)  # what holds from here on held always


class DepartmentStay(Base):
    """From `from_day` on a person is in `department`, until the next row. The first row is from BEGINNING."""

    __tablename__ = "user_departments"

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), primary_key=True)
    from_day: Mapped[date] = mapped_column(primary_key=True)
    department: Mapped[str] = mapped_column(String(40))

    @classmethod
    def of_movers(cls) -> dict[int, Dated[str]]:
        """Return the departments of everybody who was in more than one."""
        movers = select(cls.user_id).where(cls.from_day > BEGINNING)
        query = select(cls.user_id, cls.from_day, cls.department).where(cls.user_id.in_(movers))
        rows: dict[int, list[tuple[date, str]]] = {}
        for user_id, day, department in db.session.execute(query.order_by(cls.user_id, cls.from_day)):
            rows.setdefault(user_id, []).append((day, department))
        return {user_id: Dated(stays[0][1], stays[1:]) for user_id, stays in rows.items()}

    @classmethod
    def of(cls, person: User) -> Dated[str]:
        """Return one person's departments."""
        query = select(cls.from_day, cls.department).where(cls.user_id == person.id).order_by(cls.from_day)
        stays = db.session.execute(query).all()
        return Dated(stays[0][1] if stays else person.department, [(day, code) for day, code in stays[1:]])

    @classmethod
    def put(cls, person: User, department: str, day: date) -> None:
        """Let the person be in a department from that day on, until the next row."""
        if db.session.get(cls, (person.id, BEGINNING)) is None:  # a row that was written by hand has none yet
            db.session.add(cls(user_id=person.id, from_day=BEGINNING, department=cls.of(person).values[0]))
        row = db.session.get(cls, (person.id, day))
        if row is None:
            row = cls(user_id=person.id, from_day=day)
            db.session.add(row)
        row.department = department
        cls._merge(person)

    @classmethod
    def remove(cls, person: User, day: date) -> bool:
        """Take the move of that day back. Return False if there was none."""
        row = db.session.get(cls, (person.id, day)) if day > BEGINNING else None
        if row is None:
            return False
        db.session.delete(row)
        cls._merge(person)
        return True

    @classmethod
    def _merge(cls, person: User) -> None:
        """Take out the moves that move nobody."""
        db.session.flush()
        rows = db.session.scalars(select(cls).where(cls.user_id == person.id).order_by(cls.from_day)).all()
        before = None
        for row in rows:
            if row.department == before:
                db.session.delete(row)
            before = row.department
        db.session.flush()


@event.listens_for(User, "after_insert")
def _first_department(_mapper: Any, connection: Connection, person: User) -> None:
    row = {"user_id": person.id, "from_day": BEGINNING, "department": person.department}
    connection.execute(insert(DepartmentStay.__table__), row)  # it is a table
