"""What the first requests would otherwise do while people wait, done before the first of them."""

import gc

from flask import Flask
from sqlalchemy.orm import configure_mappers


def warm_up(app: Flask) -> None:
    """Compile the templates and tie the tables together; then leave all that to stay out of every collection.

    Otherwise Python's garbage collector walks through some hundred thousand objects that never go away, now
    and then in the middle of a request: that was two thirds of the slowest answers' time.
    """
    configure_mappers()
    for name in app.jinja_env.list_templates(extensions=["html"]):
        app.jinja_env.get_template(name)
    gc.collect()
    gc.freeze()
