"""MySQL keeps each piece of DDL at once: a step that broke off is run again and skips what is there."""

from typing import Any

from alembic.ddl.mysql import MariaDBImpl, MySQLImpl
from sqlalchemy import Column, Connection, Constraint, Index, Table, inspect


def has_column(connection: Connection, table: str, column: str) -> bool:
    """Whether a table has that column: for data steps, which have to look by themselves."""
    return column in {found["name"] for found in inspect(connection).get_columns(table)}


class _Resumable(MySQLImpl):
    """Looks before each piece of DDL. SQLite needs none of this: there a whole upgrade is one transaction."""

    def create_table(self, table: Table, **kw: Any) -> None:
        if not self._inspector.has_table(table.name):
            super().create_table(table, **kw)
            return
        for index in table.indexes:
            self.create_index(index)

    def drop_table(self, table: Table, **kw: Any) -> None:
        if self._inspector.has_table(table.name):
            super().drop_table(table, **kw)

    def add_column(self, table_name: str, column: Column[Any], **kw: Any) -> None:
        if column.name not in self._columns(table_name):
            super().add_column(table_name, column, **kw)

    def drop_column(self, table_name: str, column: Column[Any], **kw: Any) -> None:
        if column.name in self._columns(table_name):
            super().drop_column(table_name, column, **kw)

    def alter_column(self, table_name: str, column_name: str, **kw: Any) -> None:
        """A rename that was done leaves nothing to do; any other change may be made twice."""
        if column_name in self._columns(table_name):
            super().alter_column(table_name, column_name, **kw)

    def create_index(self, index: Index, **kw: Any) -> None:
        if index.name not in self._named(_table_of(index)):
            super().create_index(index, **kw)

    def drop_index(self, index: Index, **kw: Any) -> None:
        if index.name in self._named(_table_of(index)):
            super().drop_index(index, **kw)

    def add_constraint(self, const: Any, **kw: Any) -> None:
        if const.name not in self._named(const.table.name):
            super().add_constraint(const, **kw)

    def drop_constraint(self, const: Constraint, **kw: Any) -> None:
        if const.name in self._named(const.table.name):
            super().drop_constraint(const, **kw)

    @property
    def _inspector(self) -> Any:
        return inspect(self.connection)  # anew each time: an inspector remembers

    def _columns(self, table: str) -> set[str]:
        return {column["name"] for column in self._inspector.get_columns(table)}

    def _named(self, table: str) -> set[str | None]:
        """The names of a table's indexes and constraints."""
        look = self._inspector
        kinds = (
            look.get_indexes,
            look.get_unique_constraints,
            look.get_foreign_keys,
            look.get_check_constraints,
        )
        return {found["name"] for kind in kinds for found in kind(table)}


class ResumableMySQL(_Resumable):
    __dialect__ = "mysql"  # Alembic takes the class that was declared last for a dialect


class ResumableMariaDB(_Resumable, MariaDBImpl):
    __dialect__ = "mariadb"


def _table_of(index: Index) -> str:
    if index.table is None:
        raise ValueError(f"the index {index.name} has no table")
    return str(index.table.name)
