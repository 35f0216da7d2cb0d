"""IM numbers: which are one, how they are kept, in which order they stand."""

import re
from unicodedata import normalize

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flask_app.im_number import LONGEST, LONGEST_ORDER, digits_of, im_key, order_key, tidy, twin_key

any_text = st.text(max_size=60)
# What people and programs put between and around the signs of a number without its being seen.
unseen = st.text(
    st.sampled_from(" \t\n\u00a0\u2009\u3000\u200b\u2060\ufeff\u00ad\u200e\u2066\ufe0f\u3164\u2800\x00"),
    max_size=3,
)


@pytest.mark.parametrize(
    ("one", "same"),
    [
        ("IM-7a", "im-7A"),
        ("4512", " 45 12\t"),
        ("4512", "4512\u00a0"),
        ("4512", "45\u200b12"),
        ("4512", "\ufeff4512"),
        ("4512", "４５１２"),
        ("2458 (4391)", "2458（4391）"),
        ("Müller 4", "Mu\u0308ller\u20094"),
        ("straße", "STRASSE"),
    ],
)
def test_what_cannot_be_told_apart_is_one_number(one, same):
    assert im_key(one) == im_key(same)


@pytest.mark.parametrize("other", ["4512A", "04512", "4512-1", "4512.", "４５１３", "2458 (4512)"])
def test_numbers_that_can_be_told_apart_are_two(other):
    assert im_key(other) != im_key("4512")


@pytest.mark.parametrize("nothing", ["", " ", "\u00a0\u3000", "\u200b", "\u3164\u2800", "\x00"])
def test_what_cannot_be_seen_is_no_number(nothing):
    assert (im_key(nothing), tidy(nothing)) == ("", "")


@given(any_text)
def test_a_key_is_its_own_key_and_one_for_all_ways_to_write_it(text):
    key = im_key(text)
    written = (
        key,
        text.upper(),
        text.lower(),
        tidy(text),
        *(normalize(form, text) for form in ("NFC", "NFD", "NFKC", "NFKD")),
    )
    assert {im_key(way) for way in written} == {key}


@given(st.lists(st.sampled_from("4512ÉaZ-（"), max_size=12), st.lists(unseen, min_size=12, max_size=12))
def test_nothing_unseen_makes_another_number(signs, between):
    strewn = "".join(sign + blank for sign, blank in zip(signs, between, strict=False))
    assert im_key(between[0] + strewn) == im_key("".join(signs))


@given(any_text)
def test_no_key_is_one_that_the_shop_makes_up_for_a_twin(text):
    assert im_key(text) != twin_key(im_key(text), 7)
    assert len(twin_key(im_key(text)[:LONGEST], 2**31)) <= LONGEST


def test_a_number_is_kept_as_it_was_written_but_for_what_cannot_be_seen():
    assert tidy(" 2458 \u00a0(4391)\u200b ") == "2458 (4391)"
    assert tidy("Im-7a") == "Im-7a"


def as_people_count(key):
    return [int(part) if part.isdigit() else part for part in re.findall(r"[0-9]+|[^0-9]+", key)]


@given(st.lists(st.from_regex(r"[0-9]{1,7}(-[0-9]{1,3})?", fullmatch=True), max_size=12))
def test_job_numbers_stand_in_the_order_of_the_numbers(numbers):
    assert [as_people_count(one) for one in sorted(numbers, key=order_key)] == sorted(
        map(as_people_count, numbers)
    )


def test_4512_stands_before_10023_and_the_shops_letters_after():
    numbers = ["10023", "A10", "4512", "a9", "2458 (10000)", "2458 (4391)", "2458", "９"]
    assert sorted(numbers, key=order_key) == [
        "９", "2458", "2458 (4391)", "2458 (10000)", "4512", "10023", "a9", "A10",
    ]  # fmt: skip


@given(st.text(st.sampled_from("19a-"), max_size=LONGEST))
def test_every_order_fits_its_column(number):
    assert len(order_key(number)) <= LONGEST_ORDER


@pytest.mark.parametrize(
    ("number", "digits"),
    [(4512, "4512"), (4512.0, "4512"), (12.5, "12.5"), (-3, "-3"), (10**30, "1" + 30 * "0")],
)
def test_a_number_that_came_as_one_is_its_digits(number, digits):
    assert digits_of(number) == digits


@pytest.mark.parametrize("number", [float("nan"), float("inf"), 1e300, float(2**60)])
def test_a_number_whose_digits_are_not_certain_is_none(number):
    with pytest.raises(ValueError, match="too large"):
        digits_of(number)
