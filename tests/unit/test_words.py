"""The language of sentences, and how days are written in each."""

from datetime import date, datetime
from threading import Thread

import pytest

from flask_app import formats, words
from flask_app.words import Lazy, _, lazy, ngettext, speak, speaking

CATALOG = """
msgid ""
msgstr ""
"Content-Type: text/plain; charset=utf-8\\n"
"Plural-Forms: nplurals=2; plural=(n != 1);\\n"

msgid "Log in"
msgstr "Iniciar sesión"

msgid "Punched out of %(job)s."
msgstr "Marcó la salida de %(job)s."

msgid "%(n)s shift"
msgid_plural "%(n)s shifts"
msgstr[0] "%(n)s turno"
msgstr[1] "%(n)s turnos"

#, fuzzy
msgid "Dismiss"
msgstr "Descartar"
"""


@pytest.fixture
def spanish(tmp_path, monkeypatch):
    """A small catalog in place of the real one."""
    path = tmp_path / "es" / "LC_MESSAGES" / "messages.po"
    path.parent.mkdir(parents=True)
    path.write_text(CATALOG)
    monkeypatch.setattr(words, "CATALOGS", tmp_path)
    words._catalog.cache_clear()
    yield
    words._catalog.cache_clear()


def test_a_sentence_is_english_until_somebody_chooses(spanish):
    assert _("Log in") == "Log in"
    with speaking("es"):
        assert _("Log in") == "Iniciar sesión"
    assert _("Log in") == "Log in"


def test_values_are_filled_into_the_translation(spanish):
    with speaking("es"):
        assert _("Punched out of %(job)s.", job="4512") == "Marcó la salida de 4512."


def test_a_number_takes_the_sentence_that_fits_it(spanish):
    english = [ngettext("%(n)s shift", "%(n)s shifts", n) for n in (0, 1, 2)]
    with speaking("es"):
        other = [ngettext("%(n)s shift", "%(n)s shifts", n) for n in (0, 1, 2)]
    assert english == ["0 shifts", "1 shift", "2 shifts"]
    assert other == ["0 turnos", "1 turno", "2 turnos"]


def test_a_constant_speaks_the_language_of_the_moment_in_which_it_is_read(spanish):
    label = lazy("Log in")
    with speaking("es"):
        assert f"{label}" == "Iniciar sesión"
    assert str(label) == "Log in"
    assert repr(label) == "lazy('Log in')"
    assert isinstance(label, Lazy)


def test_what_is_not_translated_or_doubtful_stays_english(spanish):
    with speaking("es"):
        assert [_("Dismiss"), _("Nobody wrote this"), _("")] == ["Dismiss", "Nobody wrote this", ""]


def test_a_language_that_is_none_of_ours_is_english(spanish):
    with speaking("fr"):
        assert _("Log in") == "Log in"


def test_another_thread_has_a_language_of_its_own(spanish):
    said = []
    with speaking("es"):
        thread = Thread(target=lambda: said.append(_("Log in")))
        thread.start()
        thread.join()
    assert said == ["Log in"]


def test_days_are_written_as_each_language_writes_them():
    monday, morning = date(2026, 11, 23), datetime(2026, 11, 23, 7, 2)  # noqa: DTZ001  # as the wall clock shows it
    ways = (formats.short_day, formats.day)
    assert [way(monday) for way in ways] == ["Mon Nov 23", "Mon 11/23/2026"]
    assert [formats.time_of_day(morning), formats.stamp(morning)] == ["7:02 AM", "11/23/2026 7:02 AM"]
    with speaking("es"):
        assert [way(monday) for way in ways] == ["lun 23 nov", "lun 23 nov 2026"]
        assert [formats.time_of_day(morning), formats.stamp(morning)] == ["7:02 AM", "23 nov 2026 7:02 AM"]


def test_every_day_and_month_has_a_name_in_every_language():
    for code in words.LANGUAGES:
        with speaking(code):
            days = {formats.day_name(date(2026, 11, day)) for day in range(1, 8)}
            months = {formats.month_name(date(2026, month, 1)) for month in range(1, 13)}
        assert [len(days), len(months)] == [7, 12]


def test_speaking_twice_goes_back_to_what_was_spoken_before(spanish):
    with speaking("es"):
        with speaking("en"):
            assert _("Log in") == "Log in"
        assert _("Log in") == "Iniciar sesión"
    speak("en")


def test_a_translation_has_the_placeholders_of_its_sentence_and_none_is_doubtful():
    catalog = words._read("es")
    known = [(one.id, one.string) for one in catalog if isinstance(one.id, str) and one.id and one.string]
    pairs = [
        (text, [sorted(words._PLACE.findall(str(each))) for each in (text, told)]) for text, told in known
    ]
    assert [text for text, (places, told) in pairs if places != told] == []
    assert [one.id for one in catalog if one.id and one.fuzzy] == []
    assert len(known) > 100
