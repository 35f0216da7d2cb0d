"""The settings: everything wrong with them at once, by name, and never a secret's value."""

import re
from dataclasses import FrozenInstanceError
from datetime import time
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from sqlalchemy import make_url

from flask_app.config import Config, ConfigError, retired_settings, strange_settings
from flask_app.config.config import DATAVERSE_REQUIRED, PUBLIC_CLOUD, SETTINGS
from flask_app.models.database import PROJECT, _tls

KEY = "3f9c1d7e" * 4
REAL = {"DATABASE_URL": "mysql+pymysql://clock:pw@db.example.com/man_hours", "SECRET_KEY": KEY}
DATAVERSE = {
    "DATAVERSE_BASE_URL": "https://shop.crm.dynamics.com/",
    "DATAVERSE_TENANT_ID": "tenant",
    "DATAVERSE_CLIENT_ID": "client",
    "DATAVERSE_CLIENT_SECRET": "the-client-secret",
}


def problems(**environ: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        Config.from_env(environ)
    return caught.value.problems


def named(found: list[str]) -> list[str]:
    return [problem.split()[0] for problem in found]


def test_nothing_configured_is_the_demo():
    config = Config.from_env({})
    assert (config.demo, config.dataverse, config.registration) == (True, None, "approval")
    assert "demo" in config.database_url


@pytest.mark.parametrize("name", ["DATABASE_URL", "SECRET_KEY", *DATAVERSE_REQUIRED])
def test_one_real_setting_is_no_demo_any_more(name):
    found = problems(**{name: {**REAL, **DATAVERSE}[name], "SECRET_KEY": ""}) if name != "SECRET_KEY" else []
    assert named(found)[:1] == ["SECRET_KEY"] or not Config.from_env({"SECRET_KEY": KEY}).demo


def test_what_only_shapes_the_demo_leaves_it_a_demo():
    config = Config.from_env({"PORT": "8080", "USE_DATAVERSE": "false", "SHOP_TIMEZONE": "America/Denver"})
    assert (config.demo, config.port, config.syncs) == (True, 8080, False)


def test_the_defaults_are_the_documented_ones():
    config = Config.from_env(REAL)
    assert config.shop_timezone == ZoneInfo("America/New_York")
    assert (config.sync_time, config.login_sync_minutes, config.use_dataverse) == (time(6, 0), 5, True)
    assert (config.host, config.port, config.trusted_proxies) == ("127.0.0.1", 5000, 0)
    assert (config.dataverse, config.database_ca_bundle, config.demo) == (None, None, False)


def test_an_empty_variable_is_an_unset_one():
    assert Config.from_env({**dict.fromkeys(SETTINGS, "  "), **REAL}) == Config.from_env(REAL)


def test_a_whole_dataverse_is_connected():
    config = Config.from_env({**REAL, **DATAVERSE})
    assert config.syncs
    assert config.dataverse is not None
    assert config.dataverse.base_url == "https://shop.crm.dynamics.com"
    assert config.dataverse.authority == PUBLIC_CLOUD


def test_the_kill_switch_keeps_the_connection_but_stops_the_sync():
    config = Config.from_env({**REAL, **DATAVERSE, "USE_DATAVERSE": "false"})
    assert config.dataverse is not None
    assert not config.syncs


@pytest.mark.parametrize("missing", DATAVERSE_REQUIRED)
def test_half_a_dataverse_names_what_is_missing(missing):
    found = problems(**{**REAL, **DATAVERSE, missing: ""})
    assert named(found) == [missing]


def test_every_problem_is_told_at_once():
    bad = {
        "DATABASE_URL": "postgresql://db/man_hours",
        "SECRET_KEY": "short",
        **DATAVERSE,
        "DATAVERSE_BASE_URL": "http://shop.crm.dynamics.com",
        "DATAVERSE_AUTHORITY": "login",
        "DATAVERSE_CA_BUNDLE": "no/such/file.pem",
        "DATABASE_CA_BUNDLE": "no/such/file.pem",
        "USE_DATAVERSE": "maybe",
        "SHOP_TIMEZONE": "Mars/Olympus",
        "SYNC_TIME": "25:00",
        "LOGIN_SYNC_MINUTES": "-1",
        "REGISTRATION": "everybody",
        "PORT": "70000",
        "TRUSTED_PROXIES": "all",
    }
    wrong = set(bad) - {"DATAVERSE_TENANT_ID", "DATAVERSE_CLIENT_ID", "DATAVERSE_CLIENT_SECRET"}
    assert set(named(problems(**bad))) == wrong


@pytest.mark.parametrize(
    "url",
    [
        "man_hours",
        "postgresql://db/man_hours",
        "mysql://clock:pw@db/man_hours",
        "mysql+mysqldb://clock:pw@db/man_hours",
        "mysql+pymysql://clock:pw@db",
        "mysql+pymysql://clock:pw@db:port/man_hours",
        "sqlite://",
        "sqlite:///:memory:",
        "sqlite+pysqlcipher:///x.db",
    ],
)
def test_a_database_that_cannot_keep_hours_is_refused(url):
    found = problems(DATABASE_URL=url, SECRET_KEY=KEY)
    assert named(found) == ["DATABASE_URL"]
    assert "mysql+pymysql://" in found[0]


@pytest.mark.parametrize(
    "address", ["https://", "https://[", "https://u:p@host", "https://:p@host", "https://h:99999", "ftp://h"]
)
def test_an_address_that_is_none_is_refused_in_our_own_words(address):
    found = problems(**{**REAL, **DATAVERSE, "DATAVERSE_BASE_URL": address})
    assert named(found) == ["DATAVERSE_BASE_URL"]
    assert "should be an https:// address" in found[0]


@pytest.mark.parametrize("value", ["9" * 5000, "５", "5.0", "1e3", "0x10"])
def test_a_number_is_plain_digits_within_its_range(value):
    assert problems(**REAL, PORT=value) == ["PORT should be a whole number from 1 to 65535"]


@pytest.mark.parametrize("value", ["6", "6 AM", "24:00", "06:60", ":", "06:00:00", "9" * 5000 + ":00"])
def test_a_time_of_day_is_hours_and_minutes(value):
    assert problems(**REAL, SYNC_TIME=value) == ["SYNC_TIME should be a time of day such as 06:00"]


@pytest.mark.parametrize("zone", ["America", "../../../etc/passwd", "a\0b", "x" * 300])
def test_a_zone_that_is_none_is_refused(zone):
    assert named(problems(**REAL, SHOP_TIMEZONE=zone)) == ["SHOP_TIMEZONE"]


SECRET = st.text("qzjx79@:/[]?#%+", min_size=6, max_size=27)  # no letters that make a word of ours


@given(secret=SECRET)
@example(secret="qx@zz:jqxz@qjqj")
@example(secret="[qxzj/jj:zzxx")
def test_no_secret_is_ever_in_the_complaint(secret):
    secret = f"zq{secret}qz"
    environ = {
        "DATABASE_URL": f"mysql+pymysql://clock:{secret}@db:x{secret}/man_hours",
        "SECRET_KEY": secret,
        **DATAVERSE,
        "DATAVERSE_BASE_URL": f"https://u:{secret}@host",
        "DATAVERSE_AUTHORITY": f"https://[{secret}",
        "DATAVERSE_CLIENT_SECRET": secret,
        "PORT": secret,
        "SYNC_TIME": secret,
    }
    with pytest.raises(ConfigError) as caught:
        Config.from_env(environ)
    words = str(caught.value)
    assert len(caught.value.problems) >= 4
    for piece in re.split(r"[^a-z0-9]", secret):
        assert len(piece) < 4 or piece not in words


def test_no_secret_is_in_the_settings_printed_form():
    config = Config.from_env({**REAL, **DATAVERSE, "DATABASE_URL": "mysql+pymysql://c:dbpass@h/man_hours"})
    for secret in (KEY, "dbpass", "the-client-secret"):
        assert secret not in repr(config)


def test_settings_do_not_change():
    with pytest.raises(FrozenInstanceError):
        Config.from_env(REAL).port = 80


@given(st.dictionaries(st.sampled_from(SETTINGS), st.text(max_size=40), max_size=8))
def test_any_environment_gives_settings_or_sentences(environ):
    found: list[str] = []
    try:
        Config.from_env(environ)
    except ConfigError as error:
        found = error.problems
    assert set(named(found)) <= set(SETTINGS)
    assert all(re.match(r"[A-Z_]+ (should|is missing)", problem) for problem in found)


@pytest.mark.parametrize("name", SETTINGS)
def test_every_setting_stands_in_the_example_and_the_readme(name):
    example_file, readme = (Path(PROJECT, file).read_text() for file in (".env.example", "README.md"))
    assert re.search(rf"^#? ?{name}=", example_file, re.MULTILINE)
    assert re.search(rf"^\| *`{name}`", readme, re.MULTILINE)


def test_the_example_names_no_setting_that_does_not_exist():
    names = re.findall(r"^([A-Z_]+)=", (PROJECT / ".env.example").read_text(), re.MULTILINE)
    assert set(names) <= set(SETTINGS)


@pytest.mark.parametrize("value", ["true", "false", "nonsense"])
def test_a_setting_that_is_gone_is_told_and_stops_nothing(value):
    environ = {**REAL, "SPLIT_AT_MIDNIGHT": value}
    (sentence,) = retired_settings(environ)
    assert sentence.startswith("SPLIT_AT_MIDNIGHT is no setting any more and has no effect")
    assert Config.from_env(environ) == Config.from_env(REAL)
    assert retired_settings({**REAL, "SPLIT_AT_MIDNIGHT": " "}) == []


@pytest.mark.parametrize("password", ["p@ss", "p#ss", "p/ss", "@#"])
def test_a_password_that_an_address_cannot_hold_gets_a_sentence_and_no_echo(password):
    url = f"mysql+pymysql://clock:{password}@db.example.com/man_hours"
    [problem] = problems(DATABASE_URL=url, SECRET_KEY=KEY)
    assert "write @ as %40" in problem
    assert password not in problem.replace("@ as", "").replace("# as", "").replace("/ as", "")


def test_an_encoded_password_is_taken():
    url = "mysql+pymysql://clock:p%40ss%23%2F@db.example.com/man_hours?ssl_ca=x"
    assert Config.from_env({**REAL, "DATABASE_URL": url}).database_url == url


def test_secrets_are_read_from_files(tmp_path):
    (tmp_path / "key").write_text(KEY + "\n")
    environ = {**REAL, "SECRET_KEY": "", "SECRET_KEY_FILE": str(tmp_path / "key")}
    assert Config.from_env(environ).secret_key == KEY
    assert problems(**{**environ, "SECRET_KEY": KEY}) == [
        "SECRET_KEY_FILE is set, and so is SECRET_KEY: give one of them"
    ]
    environ["SECRET_KEY_FILE"] = str(tmp_path)
    assert "SECRET_KEY_FILE names a file that can't be read" in problems(**environ)


def test_a_ca_file_that_is_no_pem_is_said(tmp_path):
    (tmp_path / "ca.pem").write_text("no certificate")
    [problem] = problems(**REAL, DATABASE_CA_BUNDLE=str(tmp_path / "ca.pem"))
    assert problem == "DATABASE_CA_BUNDLE should be the path of a file with certificates (PEM)"


def test_a_misspelt_name_is_told_and_others_are_left_alone():
    environ = {
        **REAL,
        "DATABSE_URL": "x",
        "DATAVERSE_TENNANT": "x",
        "DATAVERSE_URL": "x",
        "HOME": "/",
        "PORTS": "1",
    }
    environ |= {"HOSTNAME": "x", "DATABASE_NAME": "x", "SECRET_KEY_FILE": "", "LOGNAME": "x", "HOSTTYPE": "x"}
    told = strange_settings(environ)
    assert [sentence.split()[0] for sentence in told] == [
        "DATABSE_URL", "DATAVERSE_TENNANT", "DATAVERSE_URL", "PORTS",
    ]  # fmt: skip
    assert told[0].endswith("Is it DATABASE_URL?")
    assert "x" not in " ".join(told).split()


@pytest.mark.parametrize(
    ("url", "bundle", "tls", "expected"),
    [
        ("mysql+pymysql://u@db.example.com/m", None, "verify", "verified"),
        ("mysql+pymysql://u@db.example.com/m", None, "encrypt", "encrypted"),
        ("mysql+pymysql://u@db.example.com/m", None, "off", "plain"),
        ("mysql+pymysql://u@db.example.com/m?ssl_disabled=true", None, "verify", "plain"),
        ("mysql+pymysql://u@127.0.0.1/m", None, "verify", "plain"),
        ("mysql+pymysql://u@127.0.0.1/m", "ca", "verify", "verified"),
        ("mysql+pymysql://u@127.0.0.1/m?ssl_ca=CA", None, "verify", "verified"),
    ],
)
def test_the_way_to_the_database_is_verified_unless_switched_off_by_name(standin, url, bundle, tls, expected):
    ca = str(standin.ca_bundle)
    arguments = _tls(make_url(url.replace("CA", ca)), ca if bundle else None, tls)
    context = arguments.get("ssl")
    kind = "plain" if context is None else "verified" if context.check_hostname else "encrypted"
    assert kind == expected
