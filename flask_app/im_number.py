"""IM numbers: what a job is known by. When two of them are the same, how they are kept, their order."""

import re
from collections.abc import Iterator
from math import isfinite
from unicodedata import category, normalize

LONGEST = 50  # characters, of the number and of its key
LONGEST_ORDER = 2 * LONGEST  # an order key puts two digits before each group of digits
_EXACT = 2**53  # a float above this has lost digits
_ASCII_UNSEEN = dict.fromkeys((*range(33), 127))
# Default_Ignorable_Code_Point of Unicode's DerivedCoreProperties beyond what has the category Cf, and the
# blank pattern of Braille.
_UNSEEN = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2065\u2800\u3164\ufe00-\ufe0f\uffa0\ufff0-\ufff8"
    "\U000e0000-\U000e0fff]"
)
_DIGITS = re.compile("[0-9]+")
_ONE_GROUP = re.compile("([^0-9]*)([0-9]+)")
_TWO_NUMBERS = re.compile(r"([^()]+)\(([^()]+)\)")
_TWIN = " #"  # no key has a blank in it, so this can't be one


def im_key(text: str) -> str:
    """Return what makes two IM numbers the same: not case, blanks of any kind, or what can't be seen.

    Characters that Unicode calls compatible (NFKC: full-width digits, accents composed or combining) are one.
    "" if there is nothing to be seen.
    """
    if text.isascii():  # nearly all are, and a sync asks for 20,000 at once
        key = text.upper()
        return key if key.isalnum() else key.translate(_ASCII_UNSEEN)
    key = _folded(text)
    while (again := _folded(key)) != key:  # upper case may bring characters that can be composed
        key = again
    return key


def _folded(text: str) -> str:
    text = normalize("NFKC", text).casefold().upper()
    return normalize("NFKC", "".join(character for character in text if not _is_unseen(character)))


def _is_unseen(character: str) -> bool:
    return character.isspace() or category(character) in ("Cc", "Cf") or _UNSEEN.match(character) is not None


def tidy(text: str) -> str:
    """Return a number as it is kept and shown: single blanks, none at the ends, nothing unseen."""
    if text.isascii() and text.isprintable():
        return " ".join(text.split()) if " " in text else text
    seen = (" " if one.isspace() else "" if _is_unseen(one) else one for one in text)
    return " ".join("".join(seen).split())


def digits_of(number: float) -> str:
    """Return a number that came as one (4512, 4512.0) as the text that it would be typed as.

    Raises ValueError if its digits are not certain.
    """
    if isinstance(number, int):
        return str(number)
    if not isfinite(number) or abs(number) > _EXACT:
        raise ValueError("The IM number is a number too large to be read exactly.")
    return str(int(number)) if number.is_integer() else str(number)


def order_key(text: str) -> str:
    """Return what sorts IM numbers as people count (4512 before 10023, A9 before A10), byte by byte."""
    return order_of(im_key(text))


def order_of(key: str) -> str:
    """Return the same of a key."""
    if found := _ONE_GROUP.fullmatch(key):  # faster, and nearly all are so
        return found[1] + _counted(found[2])
    return _DIGITS.sub(lambda found: _counted(found[0]), key)


def _counted(digits: str) -> str:
    """Put how many digits there are before them: the longer number is the larger one."""
    digits = digits.lstrip("0") or "0"
    return f"{len(digits):02}{digits}"


def numbers_in(key: str) -> Iterator[str]:
    """Yield the two numbers of a key such as 2458(4391), the shop's old way of writing a job with two."""
    if found := _TWO_NUMBERS.fullmatch(key):
        yield from found.groups()


def twin_key(key: str, job_id: int) -> str:
    """Return a key for a job whose own is another job's already, as a new rule for keys may find it."""
    return f"{key[:36]}{_TWIN}{job_id}"


def is_twin_key(key: str) -> bool:
    return _TWIN in key
