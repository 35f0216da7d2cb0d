"""The program's settings: read once from the environment, checked as a whole, never changed after."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, time, timedelta
from difflib import get_close_matches
from pathlib import Path
from ssl import create_default_context
from typing import TypeVar
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

T = TypeVar("T")

PUBLIC_CLOUD = "https://login.microsoftonline.com"
DEFAULT_DATABASE = "sqlite:///instance/island_time.db"
DEMO_DATABASE = "sqlite:///instance/demo/island_time.db"
REGISTRATION_CHOICES = ("approval", "open", "closed")
DATAVERSE_REQUIRED = (
    "DATAVERSE_BASE_URL", "DATAVERSE_TENANT_ID", "DATAVERSE_CLIENT_ID", "DATAVERSE_CLIENT_SECRET",
)  # fmt: skip
SETTINGS = (
    "DATABASE_URL", "SECRET_KEY", *DATAVERSE_REQUIRED, "DATAVERSE_AUTHORITY", "DATAVERSE_CA_BUNDLE",
    "DATAVERSE_SECRET_EXPIRES", "DATAVERSE_WRITE_BACK", "DATAVERSE_WRITE_ASSUMED",
    "DATAVERSE_WEBHOOK_KEY", "DATAVERSE_PHASE_RULES", "SHAREPOINT_LINKS",
    "USE_DATAVERSE", "SHOP_TIMEZONE", "SYNC_TIME", "POLL_MINUTES", "LOGIN_SYNC_MINUTES", "REGISTRATION",
    "MEAL_MINUTES", "MEAL_AFTER_HOURS", "LONGEST_SHIFT_HOURS",
    "HOST", "PORT", "TRUSTED_PROXIES", "TRUSTED_HOSTS", "DATABASE_CA_BUNDLE", "DATABASE_TLS",
    "LOG_FORMAT", "METRICS_TOKEN", "HEALTH_PORT",
)  # fmt: skip
# What may be read from a file instead, named by the same variable with _FILE at its end.
SECRETS = ("DATABASE_URL", "SECRET_KEY", "DATAVERSE_CLIENT_SECRET", "METRICS_TOKEN", "DATAVERSE_WEBHOOK_KEY")
OTHER_PROGRAMS = ("DATABASE_NAME", "DATABASE_HOST", "DATABASE_PORT", "DATABASE_USER", "DATABASE_PASSWORD")
RETIRED = {  # what these did is gone; a sentence that says what holds now
    "SPLIT_AT_MIDNIGHT": "SPLIT_AT_MIDNIGHT is no setting any more and has no effect: a shift counts whole "
    "on the day it started. Take it out of the environment or .env.",
}


class ConfigError(Exception):
    """The environment cannot be used; `problems` says why, one sentence per variable."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__("The configuration can't be used:\n" + "\n".join(f"  - {p}" for p in problems))


@dataclass(frozen=True, slots=True)
class DataverseSettings:
    """How to reach one Dataverse environment."""

    base_url: str
    tenant_id: str
    client_id: str
    client_secret: str = field(repr=False)
    authority: str = PUBLIC_CLOUD
    ca_bundle: str | None = None
    secret_expires: date | None = None  # as the operator has told it


@dataclass(frozen=True, slots=True)
class Config:
    """Every setting of the program. `dataverse` is None when Dataverse is not connected."""

    database_url: str = field(repr=False)  # carries the database password
    secret_key: str = field(repr=False)
    dataverse: DataverseSettings | None = None
    use_dataverse: bool = True
    shop_timezone: ZoneInfo = field(default_factory=lambda: ZoneInfo("America/New_York"))
    write_back: str = ""  # "hours": worked hours go back to Dataverse, once an admin has started it
    writes_assumed_hours: bool = False  # whether ends that were only assumed count there
    phase_rules: bool = False  # phases may be written, by rules that an admin makes
    sharepoint_links: bool = False
    webhook_keys: tuple[str, ...] = field(default=(), repr=False)  # none: no webhook is taken
    sync_time: time = time(6, 0)
    poll_minutes: int = 10  # 0: no sync between the daily ones by itself
    login_sync_minutes: int = 5
    registration: str = "approval"
    meal_minutes: int = 0  # 0: no meal rule
    meal_after: int = 4 * 60  # minutes
    longest_shift: timedelta = timedelta(hours=16)  # a punch that ends a longer one is not believed
    host: str = "127.0.0.1"
    port: int = 5000
    trusted_proxies: int = 0
    trusted_hosts: tuple[str, ...] = ()  # none: any Host header is taken
    database_ca_bundle: str | None = None
    database_tls: str = "verify"
    log_format: str = "text"
    metrics_token: str = field(default="", repr=False)  # "": no /metrics
    health_port: int = 0  # 0: no door of its own for /healthz
    demo: bool = False
    bcrypt_rounds: int = 12

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> "Config":
        """Return the settings of `environ`, or raise ConfigError naming every problem at once.

        An unset variable and an empty one are the same. Without DATABASE_URL, SECRET_KEY and DATAVERSE_*
        the result is the demo, whose secret key and Dataverse are made at its start (flask_app.demo).
        """
        reader = _Reader({name: environ.get(name, "").strip() for name in SETTINGS})
        reader.read_secrets(environ)
        demo = not any(reader.values[name] for name in ("DATABASE_URL", "SECRET_KEY", *DATAVERSE_REQUIRED))
        config = cls(
            database_url=reader.read(
                "DATABASE_URL", _database_url, DEMO_DATABASE if demo else DEFAULT_DATABASE
            ),
            secret_key="" if demo else reader.read("SECRET_KEY", _secret_key),
            dataverse=None if demo else reader.dataverse(),
            use_dataverse=reader.read("USE_DATAVERSE", _switch, True),
            shop_timezone=reader.read("SHOP_TIMEZONE", _zone, ZoneInfo("America/New_York")),
            write_back=reader.read("DATAVERSE_WRITE_BACK", _one_of("hours"), ""),
            writes_assumed_hours=reader.read("DATAVERSE_WRITE_ASSUMED", _switch, False),
            phase_rules=reader.read("DATAVERSE_PHASE_RULES", _switch, False),
            sharepoint_links=reader.read("SHAREPOINT_LINKS", _switch, False),
            webhook_keys=reader.read("DATAVERSE_WEBHOOK_KEY", _keys, ()),
            sync_time=reader.read("SYNC_TIME", _time_of_day, time(6, 0)),
            # The demo's Sync button should have something to bring.
            poll_minutes=reader.read("POLL_MINUTES", _number(0, 1440), 0 if demo else 10),
            login_sync_minutes=reader.read("LOGIN_SYNC_MINUTES", _number(0, 1440), 5),
            registration=reader.read("REGISTRATION", _one_of(*REGISTRATION_CHOICES), "approval"),
            meal_minutes=reader.read("MEAL_MINUTES", _number(0, 240), 30 if demo else 0),
            meal_after=reader.read("MEAL_AFTER_HOURS", _minutes_of_hours, 4 * 60),
            longest_shift=timedelta(hours=reader.read("LONGEST_SHIFT_HOURS", _number(8, 24), 16)),
            host=reader.values["HOST"] or "127.0.0.1",
            port=reader.read("PORT", _number(1, 65535), 5000),
            trusted_proxies=reader.read("TRUSTED_PROXIES", _number(0, 5), 0),
            trusted_hosts=tuple(reader.values["TRUSTED_HOSTS"].replace(",", " ").split()),
            database_ca_bundle=reader.file("DATABASE_CA_BUNDLE"),
            database_tls=reader.read("DATABASE_TLS", _one_of("verify", "encrypt", "off"), "verify"),
            log_format=reader.read("LOG_FORMAT", _one_of("text", "json"), "text"),
            metrics_token=reader.read("METRICS_TOKEN", _metrics_token, ""),
            health_port=reader.read("HEALTH_PORT", _number(0, 65535), 0),
            demo=demo,
        )
        if reader.problems:
            raise ConfigError(reader.problems)
        return config

    @property
    def syncs(self) -> bool:
        """Whether jobs come from Dataverse at all: it is connected and not switched off."""
        return self.use_dataverse and self.dataverse is not None

    @property
    def writes_hours(self) -> bool:
        """Whether the hours of jobs are to go back to Dataverse."""
        return self.dataverse is not None and self.write_back == "hours"

    @property
    def writes_phases(self) -> bool:
        """Whether the production phase of jobs may be written to Dataverse."""
        return self.dataverse is not None and self.phase_rules


def retired_settings(environ: Mapping[str, str]) -> list[str]:
    """Return a sentence for each variable that is set though the program does not know it any more."""
    return [sentence for name, sentence in RETIRED.items() if environ.get(name, "").strip()]


def strange_settings(environ: Mapping[str, str]) -> list[str]:
    """Return a sentence for each variable that looks like one of ours and is none: a misspelt name would
    otherwise be silently without effect."""
    known = {*SETTINGS, *RETIRED, *(f"{name}_FILE" for name in SECRETS), *OTHER_PROGRAMS}
    sentences = []
    for name in sorted(environ.keys() - known):
        alike = get_close_matches(name, SETTINGS, n=1, cutoff=0.8)
        if alike and len(name) > 4:
            sentences.append(f"{name} is no setting of this program and has no effect. Is it {alike[0]}?")
        elif name.startswith(("DATAVERSE_", "DATABASE_")):
            sentences.append(f"{name} is no setting of this program and has no effect.")
    return sentences


class _Reader:
    """Parses variables one by one and collects what is wrong with them."""

    def __init__(self, values: dict[str, str]) -> None:
        self.values = values
        self.problems: list[str] = []

    def read(self, name: str, parse: Callable[[str], T], default: T | None = None) -> T:
        text = self.values[name]
        try:
            return default if not text and default is not None else parse(text)
        except ValueError as problem:
            # The sentence names the variable and what it should be, never what it is: it may be a secret.
            # So a parser lets no library's own ValueError through: those quote what they could not read.
            self.problems.append(f"{name} {problem}")
            return default  # type: ignore[return-value]  # never seen: from_env raises

    def read_secrets(self, environ: Mapping[str, str]) -> None:
        """Take each secret that is given as a file (NAME_FILE), as Docker and ECS hand them over."""
        for name in SECRETS:
            path = environ.get(f"{name}_FILE", "").strip()
            if path and self.values[name]:
                self.problems.append(f"{name}_FILE is set, and so is {name}: give one of them")
            elif path:
                try:
                    self.values[name] = Path(path).read_text().strip()
                except (OSError, ValueError):
                    self.problems.append(f"{name}_FILE names a file that can't be read")

    def file(self, name: str) -> str | None:
        return self.read(name, _file) if self.values[name] else None

    def day(self, name: str) -> date | None:
        return self.read(name, _day) if self.values[name] else None

    def dataverse(self) -> DataverseSettings | None:
        missing = [name for name in DATAVERSE_REQUIRED if not self.values[name]]
        if len(missing) == len(DATAVERSE_REQUIRED):
            return None
        self.problems += [
            f"{name} is missing: Dataverse needs all of {', '.join(DATAVERSE_REQUIRED)}, or none of them"
            for name in missing
        ]
        given = {name: self.values[name] for name in DATAVERSE_REQUIRED}
        base_url = self.read("DATAVERSE_BASE_URL", _https_url) if given["DATAVERSE_BASE_URL"] else ""
        return DataverseSettings(
            base_url=base_url,
            tenant_id=given["DATAVERSE_TENANT_ID"],
            client_id=given["DATAVERSE_CLIENT_ID"],
            client_secret=given["DATAVERSE_CLIENT_SECRET"],
            authority=self.read("DATAVERSE_AUTHORITY", _https_url, PUBLIC_CLOUD),
            ca_bundle=self.file("DATAVERSE_CA_BUNDLE"),
            secret_expires=self.day("DATAVERSE_SECRET_EXPIRES"),
        )


def _database_url(text: str) -> str:
    before_path = text.partition("://")[2].rpartition("/")[0]
    if before_path.count("@") > 1 or "#" in before_path or "/" in before_path.rpartition("@")[0]:
        raise ValueError(
            "has a character in its password that has another meaning in an address: "
            "write @ as %40, # as %23, / as %2F, : as %3A and % as %25"
        )
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):  # ValueError: a port that is no number
        url = None
    if url is None or url.drivername.partition("+")[0] not in ("sqlite", "mysql", "mariadb"):
        raise ValueError(
            "should look like mysql+pymysql://user:password@host/man_hours or sqlite:///path/to/file.db"
        )
    if url.drivername not in ("sqlite", "sqlite+pysqlite", "mysql+pymysql", "mariadb+pymysql"):
        raise ValueError("should use the PyMySQL driver: mysql+pymysql://user:password@host/man_hours")
    if url.database in (None, "", ":memory:"):
        raise ValueError(
            "should name a database, as mysql+pymysql://user:password@host/man_hours does, "
            "or a file: sqlite:///path/to/file.db"
        )
    return text


def _secret_key(text: str) -> str:
    if len(text) < 32:
        raise ValueError(
            "is missing or too short: at least 32 random characters, "
            "such as `python -c 'import secrets; print(secrets.token_hex(32))'` prints"
        )
    return text


def _https_url(text: str) -> str:
    try:
        parts = urlsplit(text)
        usable = parts.scheme == "https" and parts.hostname and parts.port != 0
    except ValueError:  # brackets that are no IPv6 address, a port that is none
        usable = False
    if not usable or parts.query or parts.fragment or "@" in parts.netloc:
        raise ValueError("should be an https:// address such as https://yourorg.crm.dynamics.com")
    return text.rstrip("/")


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ValueError("should be a day such as 2027-03-01") from None


def _file(text: str) -> str:
    try:
        create_default_context(cafile=text)
    except (OSError, ValueError):  # no such file, not to be read, no PEM (an SSLError is an OSError)
        raise ValueError("should be the path of a file with certificates (PEM)") from None
    return text


def _switch(text: str) -> bool:
    if text.lower() in ("true", "yes", "on", "1"):
        return True
    if text.lower() in ("false", "no", "off", "0"):
        return False
    raise ValueError("should be true or false")


def _zone(text: str) -> ZoneInfo:
    try:
        return ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("should be a time zone's name such as America/New_York") from None


def _time_of_day(text: str) -> time:
    if not re.fullmatch(r"([01]?[0-9]|2[0-3]):[0-5][0-9]", text):
        raise ValueError("should be a time of day such as 06:00")
    return time.fromisoformat(text.zfill(5))


def _one_of(*choices: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in choices:
            raise ValueError(f"should be one of {', '.join(choices)}")
        return text

    return parse


def _keys(text: str) -> tuple[str, ...]:
    keys = tuple(text.replace(",", " ").split())
    if len(keys) > 2 or any(len(key) < 24 for key in keys):
        raise ValueError("should be a key of at least 24 characters, or two while you change it")
    return keys


def _metrics_token(text: str) -> str:
    if len(text) < 16:
        raise ValueError("should have at least 16 characters")
    return text


def _minutes_of_hours(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,2}(\.[0-9]{1,2})?", text) or float(text) > 24:
        raise ValueError("should be a number of hours from 0 to 24, such as 4 or 4.5")
    return round(float(text) * 60)


def _number(least: int, most: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not (re.fullmatch("[0-9]{1,9}", text) and least <= int(text) <= most):
            raise ValueError(f"should be a whole number from {least} to {most}")
        return int(text)

    return parse
