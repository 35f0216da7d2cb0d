"""Addresses of the Web API: the origin, names of tables, query options."""

import re
from collections.abc import Mapping
from urllib.parse import quote, urlencode

from flask_app.dataverse.errors import DataverseRefused
from flask_app.dataverse.transport import origin_of
from flask_app.words import noted

_NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)


def plain_name(text: str) -> str:
    if not _NAME.fullmatch(text):
        raise ValueError(f"{text!r} is no name of a table or an entity set")
    return text


def query_of(options: Mapping[str, str]) -> str:
    """Return the query with the options that are given; spaces as %20, since OData knows no "+"."""
    given = {name: text for name, text in options.items() if text}
    return "?" + urlencode(given, quote_via=quote, safe="$,()'") if given else ""


def https_origin(address: str) -> str:
    origin = origin_of(address)
    if not origin:
        raise DataverseRefused(
            noted(
                "%(address)s is no address of the form https://host; check the configuration.",
                address=address,
            )
        )
    return origin
