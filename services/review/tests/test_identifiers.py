"""Identifiers are checked to their last character before anything is put on file."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shouwen.review.domain.identifiers import BadIdentifier, checked_identifier

COMPANY = "91110108MA01A1B2C7"
PERSON = "11010519491231002X"  # the example of GB 11643


@pytest.mark.req("V-01")
def test_a_right_credit_code_is_accepted_as_typed_with_spaces_and_small_letters() -> None:
    assert checked_identifier(" 91110108 ma01a1b2c7 ", "company") == COMPANY


@pytest.mark.req("V-01")
def test_a_right_resident_number_is_accepted() -> None:
    assert checked_identifier("11010519491231002x", "individual") == PERSON


@pytest.mark.req("V-01")
@pytest.mark.parametrize(("kind", "right"), [("company", COMPANY), ("individual", PERSON)])
@given(data=st.data())
def test_one_mistyped_digit_is_found(kind: str, right: str, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, 17).filter(lambda i: right[i].isdigit()))
    wrong = data.draw(st.sampled_from("0123456789").filter(lambda digit: digit != right[place]))
    with pytest.raises(BadIdentifier):
        checked_identifier(right[:place] + wrong + right[place + 1 :], "company" if kind == "company" else "individual")


@pytest.mark.req("V-01")
@pytest.mark.parametrize(
    "text", ["", "123", "91110108MA01A1B2C", "I1110108MA01A1B2C7", "110105194913310029", "１" * 18]
)
def test_what_is_no_identifier_is_refused_with_a_remedy(text: str) -> None:
    with pytest.raises(BadIdentifier) as caught:
        checked_identifier(text)
    assert caught.value.field == "identifier"
    assert caught.value.remedy
