"""The main ways on WebKit, the iPhone's engine, in both languages."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from flask_app.clock import utc_now
from flask_app.models import Correction
from flask_app.words import _, speaking
from tests.browser.webkit import WebKit, driver, programs
from tests.conftest import PASSWORD, missing
from tests.connected import until
from tests.servers import free_port

pytestmark = pytest.mark.browser

_TOO_WIDE = "return document.documentElement.scrollWidth > innerWidth"
# An iPhone zooms into a field with smaller letters, and stays zoomed.
_SMALL_FIELDS = """
    const typed = 'input:not([type=hidden],[type=checkbox],[type=radio]),select,textarea'
    const fields = [...document.querySelectorAll(typed)]
    return fields.filter(one => one.checkVisibility() && parseFloat(getComputedStyle(one).fontSize) < 16)
                 .map(one => one.name)"""


@pytest.fixture(scope="session")
def webdriver() -> Iterator[str]:
    found = programs()
    if lacking := [name for name, path in found.items() if path is None]:
        missing("WebKit", f"{', '.join(lacking)}: install webkit2gtk-driver and xvfb")
    with driver(free_port(), str(found["Xvfb"]), str(found["WebKitWebDriver"])) as address:
        yield address


@pytest.fixture
def phone(webdriver) -> Iterator[WebKit]:
    browser = WebKit(webdriver, str(programs()["MiniBrowser"]))
    yield browser
    browser.end()


@pytest.fixture(autouse=True)
def no_second_tap(monkeypatch):
    monkeypatch.setattr("flask_app.timeclock.punches.DOUBLE_TAP", timedelta(0))


def log_in(phone: WebKit, address: str, language: str = "en") -> None:
    phone.open(address)
    if language != "en":
        phone.tap(f"button[name=language][value={language}]")
        phone.wait_for(f"html[lang={language}]")
    looks_right(phone, language)
    phone.type("#email", "ana@shop.example")
    phone.type("#password", PASSWORD)
    phone.tap("main form .btn.wide")
    phone.wait_for("#state")


def looks_right(phone: WebKit, language: str) -> None:
    """Nothing is wider than the phone, no field makes it zoom, and the page says its language."""
    assert phone.run("return document.documentElement.lang") == language
    assert not phone.run(_TOO_WIDE)
    assert phone.run(_SMALL_FIELDS) == []


@pytest.mark.parametrize("language", ["en", "es"])
def test_a_day_on_an_iphones_engine(phone, address, cast, add_job, language):
    add_job("4512", job_scope="Reception desk")
    log_in(phone, address, language)
    looks_right(phone, language)
    with speaking(language):
        on, off = _("On the clock"), _("You're not on the clock")
    for way_off in ("[data-toast] button[name=undo]", ".clock .btn.out"):
        phone.tap("#board form[action='/create/shift'] button")
        phone.wait_for("h1", on)
        looks_right(phone, language)
        phone.tap(way_off)
        phone.wait_for("h1", off)
    phone.open(f"{address}/my/hours")
    looks_right(phone, language)


def waiting(app) -> list[Correction]:
    with app.app_context():  # of its own each time: a transaction left open would see nothing new
        return list(Correction.waiting())


def test_what_an_iphones_date_and_time_fields_say_is_asked_of_the_office(phone, address, app, cast, add_job):
    job_id, day = add_job("4512"), f"{utc_now() - timedelta(days=1):%Y-%m-%d}"
    log_in(phone, address)
    phone.open(f"{address}/my/corrections/new")
    looks_right(phone, "en")
    fields = {"start_day": day, "start_time": "07:00", "end_day": day, "end_time": "15:30"}
    for name, value in fields.items():
        phone.run("document.getElementsByName(arguments[0])[0].value = arguments[1]", name, value)
    phone.run("document.getElementsByName('job')[0].value = '4512'")
    phone.run("document.querySelector(\"main form[action^='/my/corrections/new']\").requestSubmit()")
    until(lambda: waiting(app))
    [asked] = waiting(app)
    assert (asked.new_job_id, asked.new_ended_at - asked.new_started_at) == (job_id, timedelta(hours=8.5))


def test_after_the_logout_back_shows_nothing_of_ones_own(phone, address, cast):
    log_in(phone, address)
    assert "Ana" in phone.run("return document.body.textContent")
    phone.run("document.querySelector(\"form[action='/logout']\").submit()")
    phone.wait_for("#email")
    phone.back()
    phone.wait_for("#email")
    assert "Ana" not in phone.run("return document.body.textContent")


def test_the_tabs_stay_clear_of_an_iphones_home_bar(phone, address, cast):
    log_in(phone, address)
    assert "viewport-fit=cover" in phone.run("return document.querySelector('meta[name=viewport]').content")
    assert phone.run("return getComputedStyle(document.querySelector('.tabs')).paddingBottom") == "0px"
    rules = "return [...document.styleSheets].flatMap(s => [...s.cssRules]).map(r => r.cssText).join()"
    assert "env(safe-area-inset-bottom)" in phone.run(rules)
