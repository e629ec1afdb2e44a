"""The rules of review: identifiers, names, two persons."""

from dataclasses import replace
from datetime import UTC, date, datetime
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shouwen.review.domain import listing
from shouwen.review.domain.identity import BadIdentifier, checked, is_valid
from shouwen.review.domain.listing import Entry, NotNow, SamePerson
from shouwen.review.domain.naming import comparable, is_near
from shouwen.review.domain.registration import Form, NoConsent, check, form_number
from shouwen.review.domain.screening import Candidate, SameIdentifier, hits

TODAY = date(2026, 11, 20)
NOON = datetime(2026, 11, 20, 4, tzinfo=UTC)
ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
# Published examples: GB 11643-1999 annex, and the code of GB 32100-2015 used in its explanations.
RESIDENT = "11010519491231002X"
COMPANY = "91350100M000100Y43"


@pytest.mark.req("V-01")
def test_the_examples_of_the_standards_are_valid() -> None:
    assert checked(RESIDENT, None, today=TODAY) == (RESIDENT, "individual")
    assert checked("440524188001010014", "individual", today=TODAY) == ("440524188001010014", "individual")
    assert checked(COMPANY, None, today=TODAY) == (COMPANY, "company")


@pytest.mark.req("V-01")
def test_an_identifier_is_read_as_people_type_it() -> None:
    assert checked(" 110105 19491231 002x ", None, today=TODAY) == (RESIDENT, "individual")
    assert checked("９１３５０１００-M000100Y43", "company", today=TODAY) == (COMPANY, "company")


@pytest.mark.req("V-01")
@pytest.mark.parametrize(
    ("identifier", "kind", "says"),
    [
        ("110105194912310021", "individual", "check digit"),
        ("11010519491331002X", "individual", "date of birth"),
        ("11010520491231002X", "individual", "future"),
        ("1101051949123100AX", "individual", "17 digits"),
        ("110105491231002", None, "18 characters, this one has 15"),
        ("91350100M000100Y44", "company", "GB 32100"),
        ("9135O100M000100Y43", None, "never I, O"),
        ("", None, "this one has 0"),
        ("²10105194912310021", None, "check digit"),
    ],
)
def test_a_wrong_identifier_is_told_what_is_wrong_with_it(identifier: str, kind: None, says: str) -> None:
    with pytest.raises(BadIdentifier) as refused:
        checked(identifier, kind, today=TODAY)
    assert says in refused.value.detail
    assert refused.value.field == "identifier"
    assert identifier == "" or identifier not in str(refused.value)


@given(st.text(alphabet=ALPHABET, min_size=17, max_size=17), st.integers(0, 17), st.sampled_from(ALPHABET))
def test_no_single_typing_error_in_a_credit_code_goes_through(start: str, place: int, typed: str) -> None:
    code = next(start + last for last in ALPHABET if _is_company(start + last))
    changed = code[:place] + typed + code[place + 1 :]
    assert changed == code or not _is_company(changed)


def _is_company(code: str) -> bool:
    try:
        checked(code, "company", today=TODAY)
    except BadIdentifier:
        return False
    return True


@given(st.text(max_size=40))
def test_any_text_gets_an_answer(text: str) -> None:
    assert is_valid(text, today=TODAY) in (True, False)
    comparable(text)


@pytest.mark.req("V-05")
@pytest.mark.parametrize(
    "name",
    [
        "广州诚鑫达商贸有限公司",
        "廣州誠鑫達商貿有限公司",
        "广州诚鑫达商贸有限责任公司",
        "广州诚鑫达商贸（集团）有限公司",
        " 广州 诚鑫达 商贸 有限公司 ",
        "广州诚鑫达商贸股份有限公司",
    ],
)
def test_variants_of_a_name_compare_as_one(name: str) -> None:
    assert comparable(name) == "广州诚鑫达商贸"


def test_a_name_that_is_only_a_legal_form_is_kept() -> None:
    assert comparable("公司") == "公司"
    assert comparable("ACME Co., Ltd.") == "ACME"


def test_names_of_persons_are_near_only_when_they_are_the_same() -> None:
    assert is_near("王小明", "王小明", similarity=1.0, kind="individual")
    assert not is_near("王小明", "王小明明", similarity=0.6, kind="individual")


def test_names_of_companies_are_near_by_trigrams_or_as_a_part() -> None:
    assert is_near("诚鑫达商贸", "广州诚鑫达商贸", similarity=0.4, kind="company")
    assert is_near("广州诚鑫达贸易", "广州诚鑫达商贸", similarity=0.5, kind="company")
    assert not is_near("广州新达商贸", "广州诚鑫达商贸", similarity=0.4, kind="company")


def test_an_entry_is_hit_once_and_proof_comes_first() -> None:
    one, two, three = uuid4(), uuid4(), uuid4()
    near = [
        Candidate(two, "company", "广州诚鑫达", "b", 0.6),
        Candidate(three, "company", "广州诚鑫达商贸", "c", 1.0),
        Candidate(one, "company", "广州诚鑫达商贸", "a", 1.0),
    ]
    found = hits("广州诚鑫达商贸", [SameIdentifier(one, "a")], near)
    assert [(hit.list_entry_id, hit.match) for hit in found] == [(one, "identifier"), (three, "name"), (two, "name")]


def proposed() -> Entry:
    return Entry(
        id=uuid4(),
        branch="beijing",
        kind="company",
        identifier_hash="00",
        reason_code="forged_documents",
        state="proposed",
        proposed_by="bj.clerk",
        proposed_at=NOON,
    )


@pytest.mark.req("V-04", "V-05")
def test_nobody_puts_a_client_on_the_list_or_takes_one_off_alone() -> None:
    with pytest.raises(SamePerson):
        listing.confirm(proposed(), person="bj.clerk", now=NOON)
    listed, blacklisted = listing.confirm(proposed(), person="bj.manager", now=NOON)
    assert (blacklisted.proposed_by, blacklisted.confirmed_by) == ("bj.clerk", "bj.manager")
    appealed = listing.appeal(listed, person="bj.manager", now=NOON)
    with pytest.raises(SamePerson):
        listing.lift(appealed, person="bj.manager", now=NOON)
    delisted, fact = listing.lift(appealed, person="bj.general", now=NOON)
    assert delisted.state == "delisted"
    assert (fact.proposed_by, fact.confirmed_by) == ("bj.manager", "bj.general")


def test_a_step_out_of_order_says_what_would_be_possible() -> None:
    with pytest.raises(NotNow, match="only while it is appealed"):
        listing.lift(proposed(), person="bj.general", now=NOON)
    with pytest.raises(NotNow):
        listing.appeal(proposed(), person="bj.general", now=NOON)
    rejected = listing.reject(proposed(), person="bj.manager")
    with pytest.raises(NotNow):
        listing.confirm(rejected, person="bj.manager", now=NOON)


def test_a_rejected_appeal_leaves_the_client_on_the_list() -> None:
    appealed = listing.appeal(replace(proposed(), state="listed"), person="bj.clerk", now=NOON)
    with pytest.raises(SamePerson):
        listing.reject(appealed, person="bj.clerk")
    assert listing.reject(appealed, person="bj.manager").state == "listed"


@pytest.mark.req("V-01", "V-02")
def test_nobody_is_put_on_file_without_consent() -> None:
    form = Form("beijing", "company", " 北京  星河 ", COMPANY.lower(), consent=True)
    assert check(form, today=TODAY) == Form("beijing", "company", "北京 星河", COMPANY, consent=True)
    with pytest.raises(NoConsent):
        check(replace(form, consent=False), today=TODAY)


def test_form_numbers_name_branch_and_year() -> None:
    assert form_number("beijing", 2026, 7) == "DJ-BEIJING-2026-000007"
