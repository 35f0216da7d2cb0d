"""What browsers load stays small: there is no build step that would make it so."""

from pathlib import Path

STATIC = Path(__file__).parents[2] / "flask_app" / "static"


def test_the_style_sheets_have_20_kb_at_most():
    assert sum(sheet.stat().st_size for sheet in STATIC.glob("*.css")) <= 20 * 1024
