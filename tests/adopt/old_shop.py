"""The old program's database as a shop may have it: its tables in both versions, and rows given by a test."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Engine, text

USERS = """CREATE TABLE users (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, first_name VARCHAR(255),
    last_name VARCHAR(255), email VARCHAR(255), password VARCHAR(255), department VARCHAR(255),
    created_at DATETIME, updated_at DATETIME, deleted_date DATETIME{more})"""
JOBS = """CREATE TABLE jobs (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, im_number VARCHAR(60),
    general_contractor TEXT, job_scope TEXT, estimated_hours VARCHAR(45), context TEXT, status INT DEFAULT 1,
    created_at DATETIME, updated_at DATETIME, user_id INT NOT NULL{more})"""
SHIFTS = """CREATE TABLE shifts (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, created_at DATETIME,
    updated_at DATETIME, job_id INT NOT NULL, user_id INT NOT NULL, note TEXT)"""
DISMISSED = """CREATE TABLE dismissed_workers (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY,
    user_id INT NOT NULL, dismissed_date DATE NOT NULL, dismissed_by INT)"""


class OldShop:
    """Makes the tables in an empty MariaDB or MySQL database and puts rows in."""

    def __init__(self, engine: Engine, *, later_version: bool) -> None:
        self._engine = engine
        self.later_version = later_version
        on_users = ", on_active_roster TINYINT(1) DEFAULT 1" if later_version else ""
        on_jobs = ", visible_to_production TINYINT(1) DEFAULT 1, source VARCHAR(50)" if later_version else ""
        tables = [USERS.format(more=on_users), JOBS.format(more=on_jobs), SHIFTS]
        with engine.begin() as connection:
            for table in [*tables, DISMISSED] if later_version else tables:
                connection.execute(text(table))

    def add(self, table: str, rows: Sequence[Mapping[str, Any]]) -> None:
        names = list(rows[0])
        marks = ", ".join(f":{name}" for name in names)
        with self._engine.begin() as connection:
            statement = f"INSERT INTO {table} ({', '.join(names)}) VALUES ({marks})"  # noqa: S608
            connection.execute(text(statement), [dict(row) for row in rows])

    def run(self, statement: str) -> None:
        with self._engine.begin() as connection:
            connection.execute(text(statement))


def person(number: int, **fields: Any) -> dict[str, Any]:
    row = {"id": number, "first_name": "Ana", "last_name": f"Duarte {number}", "department": "CUT_SHOP"}
    row |= {"email": f"ana{number}@shop.example", "password": None, "created_at": "2023-01-02 09:00:00"}
    return {**row, "deleted_date": None, **fields}


def job(number: int, **fields: Any) -> dict[str, Any]:
    row = {"id": number, "im_number": str(4500 + number), "general_contractor": "Gilbane", "status": 1}
    row |= {"job_scope": "Reception desk", "estimated_hours": "0040", "context": None, "user_id": 1}
    return {**row, "created_at": "2023-01-03 09:00:00", **fields}


def shift(number: int, start: object, end: object, **fields: Any) -> dict[str, Any]:
    row = {"id": number, "created_at": start, "updated_at": end, "job_id": 1, "user_id": 1, "note": ""}
    return {**row, **fields}
