"""A backup is one compressed file and one with its facts; restoring it into an empty database proves it."""

import gzip
import json
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO

from sqlalchemy import Engine, inspect

from flask_app.upkeep.facts import Facts, differences, facts

_CHUNK = 1 << 20
_DUMPERS, _CLIENTS = ("mariadb-dump", "mysqldump"), ("mariadb", "mysql")
_END = b"Dump completed"  # the last line of a whole dump
_SQLITE, _SQL = ".sqlite.gz", ".sql.gz"


class BackupFailed(Exception):
    """No backup was made, or it could not be restored; the text says why. Nothing half done is left."""


def back_up(engine: Engine, folder: Path, name: str, *, ca_bundle: str | None = None) -> Path:
    """Write a consistent backup while the program goes on; return its file. Raises BackupFailed."""
    is_sqlite = engine.dialect.name == "sqlite"
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{name}{_SQLITE if is_sqlite else _SQL}"
    with _finished(target) as file:
        before = _facts(engine)
        if is_sqlite:
            _copy_sqlite(engine, file)
        else:
            _dump(engine, file, ca_bundle)
        after = _facts(engine)
    # What changed while it was written can be either way in it.
    sure = {fact: value for fact, value in before.items() if after.get(fact) == value}
    facts_of(target).write_text(json.dumps(sure, indent=1))
    facts_of(target).chmod(0o600)
    return target


def restore(engine: Engine, source: Path, *, ca_bundle: str | None = None) -> list[str]:
    """Restore a backup into an empty database and return what differs from its facts. Raises BackupFailed."""
    if not source.is_file():
        raise BackupFailed(f"There is no backup {source.name}.")
    if inspect(engine).get_table_names():
        raise BackupFailed(
            "The database is not empty, and a restore writes over nothing. Give it an empty one."
        )
    if (engine.dialect.name == "sqlite") != source.name.endswith(_SQLITE):
        raise BackupFailed("This backup was made of another kind of database.")
    if source.name.endswith(_SQLITE):
        _restore_sqlite(engine, source)
    else:
        _load(engine, source, ca_bundle)
    kept = facts_of(source)
    return differences(json.loads(kept.read_text()), _facts(engine)) if kept.is_file() else []


def facts_of(backup: Path) -> Path:
    """Return the file beside a backup that tells its facts."""
    return backup.with_name(backup.name + ".json")


def forget_old(folder: Path, *, keep: int) -> list[Path]:
    """Remove all backups in the folder but the newest `keep`; return those removed."""
    found = sorted([*folder.glob(f"*{_SQLITE}"), *folder.glob(f"*{_SQL}")], key=lambda path: path.name)
    old = found[:-keep] if keep else []
    for path in old:
        path.unlink()
        facts_of(path).unlink(missing_ok=True)
    return old


def _facts(engine: Engine) -> Facts:
    with engine.connect().execution_options(reads_only=True) as connection:
        return facts(connection)


@contextmanager
def _finished(target: Path) -> Iterator[IO[bytes]]:
    """Open a file that takes its name only when it is whole and on the disk."""
    part = target.with_name(target.name + ".part")
    try:
        with part.open("wb") as raw:
            os.chmod(part, 0o600)  # people's hours and the hashes of their passwords
            with gzip.GzipFile(fileobj=raw, mode="wb", mtime=0) as file:
                yield file  # type: ignore[misc]  # a GzipFile writes bytes
            raw.flush()
            os.fsync(raw.fileno())
        part.rename(target)
    except OSError as error:
        raise BackupFailed(f"The backup could not be written: {error.strerror}.") from None
    finally:
        part.unlink(missing_ok=True)


def _copy_sqlite(engine: Engine, file: IO[bytes]) -> None:
    """Copy by SQLite's own backup interface, which is consistent whatever is written meanwhile."""
    path = Path(str(engine.url.database))
    with NamedTemporaryFile(dir=path.parent, prefix=".backup-") as copy:
        source, target = sqlite3.connect(path), sqlite3.connect(copy.name)
        try:
            source.backup(target)
        finally:
            target.close()
            source.close()
        with Path(copy.name).open("rb") as whole:
            shutil.copyfileobj(whole, file, _CHUNK)


def _restore_sqlite(engine: Engine, source: Path) -> None:
    path = Path(str(engine.url.database))
    engine.dispose()
    part = path.with_name(path.name + ".part")
    try:
        with gzip.open(source, "rb") as packed, part.open("wb") as file:
            shutil.copyfileobj(packed, file, _CHUNK)
        _check_sqlite(part)
        for rest in ("-wal", "-shm"):
            path.with_name(path.name + rest).unlink(missing_ok=True)
        part.rename(path)
    except (OSError, EOFError) as error:  # gzip's own errors are OSErrors
        raise BackupFailed(f"The backup can't be read: {error}.") from None
    finally:
        part.unlink(missing_ok=True)


def _check_sqlite(path: Path) -> None:
    connection = sqlite3.connect(path)
    try:
        [answer] = connection.execute("PRAGMA integrity_check").fetchone()
    except sqlite3.DatabaseError as error:
        answer = str(error)
    finally:
        connection.close()
    if answer != "ok":
        raise BackupFailed(f"The backup is damaged: {answer}.")


def _dump(engine: Engine, file: IO[bytes], ca_bundle: str | None) -> None:
    with _options(engine, ca_bundle) as options:
        command = [
            _tool(_DUMPERS), f"--defaults-extra-file={options}", "--single-transaction", "--quick",
            "--hex-blob", "--triggers", "--no-tablespaces", "--default-character-set=utf8mb4",
            str(engine.url.database),
        ]  # fmt: skip
        tail = b""
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:  # noqa: S603
            for chunk in iter(lambda: _pipe(process.stdout).read(_CHUNK), b""):
                file.write(chunk)
                tail = (tail + chunk)[-200:]
            said = _pipe(process.stderr).read().decode(errors="replace")
        if process.returncode or _END not in tail:
            raise BackupFailed(f"The dump broke off: {said.strip() or 'it has no end'}")


def _load(engine: Engine, source: Path, ca_bundle: str | None) -> None:
    _check_whole(source)
    with _options(engine, ca_bundle) as options:
        command = [_tool(_CLIENTS), f"--defaults-extra-file={options}", "--default-character-set=utf8mb4"]
        process = subprocess.Popen(  # noqa: S603  # found on the PATH
            [*command, str(engine.url.database)], stdin=subprocess.PIPE, stderr=subprocess.PIPE
        )
        with process:
            with (
                gzip.open(source, "rb") as file,
                suppress(BrokenPipeError),
            ):  # a client that has ended says why
                shutil.copyfileobj(file, _pipe(process.stdin), _CHUNK)
            with suppress(BrokenPipeError):
                _pipe(process.stdin).close()
            said = _pipe(process.stderr).read().decode(errors="replace")
    if process.returncode:
        raise BackupFailed(f"The restore broke off: {said.strip()}. Empty the database before the next try.")


def _check_whole(source: Path) -> None:
    """Read a dump to its end before the first statement runs: half of one must not be loaded."""
    tail = b""
    try:
        with gzip.open(source, "rb") as file:
            while chunk := file.read(_CHUNK):
                tail = (tail + chunk)[-200:]
    except (OSError, EOFError) as error:
        raise BackupFailed(f"The backup can't be read: {error}.") from None
    if _END not in tail:
        raise BackupFailed("The backup is not whole: its end is missing.")


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    if pipe is None:
        raise RuntimeError("the process was started without this pipe")
    return pipe


@contextmanager
def _options(engine: Engine, ca_bundle: str | None) -> Iterator[str]:
    """Write how to reach the server to a file that only we can read: processes show their arguments."""
    url = engine.url
    lines = [
        "[client]",
        f"host={url.host or 'localhost'}",
        f"port={url.port or 3306}",
        f'user="{url.username}"',
    ]
    if url.password:
        lines.append('password="{}"'.format(str(url.password).replace("\\", "\\\\").replace('"', '\\"')))
    lines.append("protocol=tcp")
    if ca_bundle:
        lines += [f"ssl-ca={ca_bundle}", "ssl-verify-server-cert"]
    with NamedTemporaryFile("w", prefix="island-time-", suffix=".cnf") as file:  # made with mode 0600
        file.write("\n".join(lines) + "\n")
        file.flush()
        yield file.name


def _tool(names: tuple[str, ...]) -> str:
    for name in names:
        if path := shutil.which(name):
            return path
    raise BackupFailed(f"Neither {' nor '.join(names)} is installed: apt-get install mariadb-client.")
