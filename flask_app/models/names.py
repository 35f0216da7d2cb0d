"""People's names: how they are sorted and found, and how namesakes are told apart."""

import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

KEY_MAX = 255
# Letters that Unicode does not take apart into a plain one and a mark.
_LETTERS = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ħ": "h", "ŧ": "t", "ı": "i", "æ": "ae", "œ": "oe", "þ": "th", "ð": "d",
     "ŋ": "n", "ĸ": "k", "’": "'", "ʼ": "'", "`": "'"}
)  # fmt: skip


def folded(text: str) -> str:
    """Return `text` without accents and case: "José Núñez" and "JOSE NUNEZ" are both "jose nunez"."""
    apart = unicodedata.normalize("NFKD", text.casefold())
    plain = "".join(character for character in apart if not unicodedata.combining(character))
    return " ".join(plain.translate(_LETTERS).casefold().split())


def name_key(first_name: str, last_name: str) -> str:
    """Return what people are sorted by and found by, the same on every engine."""
    return folded(f"{first_name} {last_name}")[:KEY_MAX]


def shown_name(first_name: str, last_name: str, told_apart_by: str, departments: Mapping[str, str]) -> str:
    """Return a name as it is shown, with what tells its bearer from a namesake: a department, an e-mail."""
    name = f"{first_name} {last_name}".strip()
    return f"{name} ({departments.get(told_apart_by, told_apart_by)})" if told_apart_by else name


def tell_apart(namesakes: Sequence[Any]) -> None:
    """Set `told_apart_by` of all who bear one name: "" of one alone, else the department's code, and the
    e-mail of those who share the department too."""
    departments = [person.department for person in namesakes]
    for person in namesakes:
        if len(namesakes) == 1:
            told_apart_by = ""
        else:
            is_only_one_there = departments.count(person.department) == 1
            told_apart_by = person.department if is_only_one_there else person.email
        if person.told_apart_by != told_apart_by:
            person.told_apart_by = told_apart_by
