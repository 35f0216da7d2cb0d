"""IM numbers: a key that ignores more (flask_app/im_number.py), and one to sort by.

No two jobs are made one. Of those that have the same key by the new rule one gets it (an approved one first, then an
active one, then the oldest), the others a key of their own that no number can have; /sync lists them.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op

from flask_app.im_number import im_key, order_key, twin_key

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None


def exact(length: int) -> sa.String:
    """Text that compares byte by byte on every engine."""
    return sa.String(length).with_variant(sa.String(length, collation="utf8mb4_bin"), "mysql", "mariadb")


def upgrade() -> None:
    op.add_column("jobs", sa.Column("im_order", exact(100), nullable=False, server_default=""))
    connection = op.get_bind()
    jobs = connection.execute(
        sa.text("SELECT id, im_number, im_key, dataverse_standing, status FROM jobs")
    ).all()
    set_many(
        connection,
        "UPDATE jobs SET im_order = :value WHERE id = :id",
        {job.id: order_key(job.im_number) for job in jobs},
    )
    keys = new_keys(jobs)
    changed = {job.id: keys[job.id] for job in jobs if keys[job.id] != job.im_key}
    # First out of each other's way: a key may still be another job's.
    set_key = "UPDATE jobs SET im_key = :value WHERE id = :id"
    set_many(connection, set_key, {job_id: twin_key("", job_id) for job_id in changed})
    set_many(connection, set_key, changed)


def new_keys(jobs: Sequence[sa.Row[Any]]) -> dict[int, str]:
    """Return the new key of each job by its id."""
    same = defaultdict(list)
    for job in jobs:
        same[im_key(job.im_number)[:50]].append(job)
    keys = {}
    for key, twins in same.items():
        twins.sort(key=lambda job: (job.dataverse_standing != "approved", -job.status, job.id))
        keys.update({job.id: twin_key(key, job.id) for job in twins})
        if key:
            keys[twins[0].id] = key
    return keys


def set_many(connection: sa.Connection, statement: str, values: Mapping[int, str]) -> None:
    if values:
        connection.execute(sa.text(statement), [{"id": i, "value": value} for i, value in values.items()])


def downgrade() -> None:
    # What the keys were made from is still there.
    connection = op.get_bind()
    jobs = connection.execute(sa.text("SELECT id, im_number FROM jobs")).all()
    set_key = "UPDATE jobs SET im_key = :value WHERE id = :id"
    set_many(connection, set_key, {job.id: twin_key("", job.id) for job in jobs})
    set_many(connection, set_key, {job.id: job.im_number.strip().upper()[:50] for job in jobs})
    op.drop_column("jobs", "im_order")
