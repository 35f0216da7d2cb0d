"""Believable millwork jobs, the same for the same seed."""

import random
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from . import clock
from .schema import APPROVED, KEY, PHASES, SUBMITTAL, Row

FIRST_NUMBER = 4101
START = datetime(2025, 1, 6, 13, tzinfo=UTC)  # fixed, so that a seed gives the same jobs on every day
SPAN = timedelta(days=600)


def _words(text: str) -> tuple[str, ...]:
    return tuple(" ".join(piece.split()) for piece in text.split(";"))


CONTRACTORS = _words("""
Harbor & Pine Builders; Whitlock Construction Group; Tidewater General Contractors; Marlowe
Brothers; Keystone Interiors; O'Hara & Sons; Granite Bay Construction; Northgate Building Company;
Castellan Contracting; Blue Heron Builders; Alder Street Construction; Fenwick-Doyle Inc.; Summit
Ridge Contractors; Lantern Hill Building Co.; Corvane Construction Management
""")
PIECES = _words("""
Reception desk; Nurse station; Conference room credenza; Break room casework; Executive office
built-ins; Lobby feature wall; Library shelving; Restroom vanities; Bar and back bar; Judge's bench;
Display cases; Teller line
""")
EXTRAS = _words("""
wall panels; wood doors; window sills; acoustic baffles; base cabinets; locker fronts; column
covers; floating shelves; bench seats; stair treads
""")
FINISHES = _words("""
a stone-top transaction counter; solid-surface tops; white oak veneer; plastic laminate throughout;
a walnut handrail; quartz tops; back-painted glass; field-scribed fillers; LED-ready valances; a
fire-rated enclosure
""")
PLACES = _words("""
level 1; level 2; level 3; level 5; ground floor; mezzanine; north wing; suite 410; lobby
""")
OWNERS = _words("""
Riverside; St. Brendan's; Maple Grove; Eastfield; Whitman; Cedar Point; Lakeshore; Kingsbridge; Old
Mill; Bayview; Hawthorne; Stonegate; Westbrook; Fairmount
""")
BUILDINGS = _words("""
Medical Center; Middle School; Credit Union; Courthouse Annex; Public Library; Office Tower; Hotel;
Community College; Dental Clinic; Fire Station; Senior Living; Brewery
""")
STREETS = _words("""
Main Street; Canal Road; Foundry Avenue; Harbor Drive; Elm Street; Industrial Parkway; 2nd Ave
""")
TOWNS = _words("""
Port Alder, NY; Millbrook, NY; Stanwich, CT; Ashford, NJ; Granville, PA; Eastport, NY
""")
OTHER_STATUSES = tuple(status for status in SUBMITTAL if status != APPROVED)


def generate(count: int, seed: int) -> Iterator[Row]:
    """Yield `count` jobs, oldest first: IM numbers ascending, some 60 % approved and active."""
    chance = random.Random(seed)  # noqa: S311 - wanted to be the same every time
    step = SPAN / max(count, 1)
    for position in range(count):
        yield _job(chance, FIRST_NUMBER + position, START + step * position)


def _job(chance: random.Random, number: int, created: datetime) -> Row:
    approved = chance.random() < 0.65
    state = 1 if chance.random() < 0.06 else 0
    return {
        KEY: str(uuid.UUID(int=chance.getrandbits(128), version=4)),
        "imi_imnumber": str(number),
        "imi_gc": chance.choice(CONTRACTORS),
        "imi_scopesummary": _scope(chance),
        "imi_jobnameaddress": _name_and_address(chance),
        "imi_submittalstatus": APPROVED if approved else chance.choice(OTHER_STATUSES),
        "imi_productionphase": chance.choice(tuple(PHASES)),
        "statecode": state,
        "statuscode": state + 1,
        "createdon": clock.as_text(created),
        "modifiedon": clock.as_text(created + timedelta(hours=chance.randint(1, 200))),
    }


def _name_and_address(chance: random.Random) -> str:
    """Write, say: Riverside Medical Center, 12 Canal Road, Port Alder, NY."""
    street = f"{chance.randint(1, 980)} {chance.choice(STREETS)}"
    return f"{chance.choice(OWNERS)} {chance.choice(BUILDINGS)}, {street}, {chance.choice(TOWNS)}"


def _scope(chance: random.Random) -> str:
    """Write, say: Reception desk, 14 wall panels and a stone-top transaction counter, level 3."""
    extras = f"{chance.randint(2, 48)} {chance.choice(EXTRAS)}"
    return f"{chance.choice(PIECES)}, {extras} and {chance.choice(FINISHES)}, {chance.choice(PLACES)}"
