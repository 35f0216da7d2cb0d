"""Whatever happens on the way, no hours that Dataverse is owed are lost, and nothing older wins."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from flask import Flask
from hypothesis import given

from flask_app.standin import Standin
from tests.conftest import Cast
from tests.connected import connect
from tests.examples import examples
from tests.sync.two_way_world import HISTORIES, World


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_in_any_history_nothing_owed_is_lost_and_nothing_older_wins(
    make_app: Callable[..., Flask], standin: Standin, cast: Cast
) -> None:
    """A thousand and more are played by tests/proof/two_way.py, on both engines."""
    app = connect(make_app, standin, settings={"write_back": "hours"})
    world = World(app, standin, worker=cast.ana, admin=cast.grace)

    @examples(25)
    @given(HISTORIES)
    def play(history: Sequence[tuple[Any, ...]]) -> None:
        world.play(history)

    play()
