"""What is checked before a matter enters the register, without a database."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shouwen.contracts.case import CaseType
from shouwen.contracts.directory import DirectoryFile
from shouwen.intake.domain.directory import changes
from shouwen.intake.domain.registration import (
    ClientBlacklisted,
    Particulars,
    Registrar,
    Registration,
    check,
    first_owner,
    refuse_service,
)
from shouwen.runtime.errors import Invalid

NOW = datetime(2026, 11, 20, 4, 0, tzinfo=UTC)
WORDS = Particulars("subject", "description", None, None, None, None)


def matter(**differences: Any) -> Registration:
    usual: dict[str, Any] = {
        "type": "complaint",
        "channel": "letter",
        "branch": "beijing",
        "severity": None,
        "relation": "other",
        "received_at": None,
        "promised_at": None,
        "owner": None,
        "department": None,
        "particulars": WORDS,
    }
    return Registration(**usual | differences)


@pytest.mark.req("I-01")
def test_a_letter_of_yesterday_keeps_both_times() -> None:
    checked = check(matter(received_at=NOW - timedelta(days=1)), now=NOW)
    assert (checked.received_at, checked.registered_at) == (NOW - timedelta(days=1), NOW)


def test_without_a_time_of_receipt_it_is_now() -> None:
    assert check(matter(), now=NOW).received_at == NOW


@pytest.mark.req("I-01")
def test_a_matter_cannot_have_been_received_in_the_future() -> None:
    with pytest.raises(Invalid) as refused:
        check(matter(received_at=NOW + timedelta(minutes=1)), now=NOW)
    assert refused.value.field == "received_at"


@pytest.mark.req("I-07")
def test_a_promise_lies_after_the_receipt() -> None:
    promise = NOW + timedelta(hours=2)
    assert check(matter(promised_at=promise), now=NOW).registration.promised_at == promise
    with pytest.raises(Invalid) as refused:
        check(matter(received_at=NOW - timedelta(days=1), promised_at=NOW - timedelta(days=1)), now=NOW)
    assert refused.value.field == "promised_at"


@pytest.mark.req("I-03")
def test_only_a_complaint_has_a_severity_and_it_is_ordinary_unless_said() -> None:
    assert check(matter(), now=NOW).severity == "ordinary"
    assert check(matter(severity="major"), now=NOW).severity == "major"
    assert check(matter(type="inquiry"), now=NOW).severity is None
    with pytest.raises(Invalid) as refused:
        check(matter(type="inquiry", severity="major"), now=NOW)
    assert refused.value.field == "severity"


@pytest.mark.req("I-05")
def test_the_first_person_asked_is_responsible_unless_another_is_named() -> None:
    assert first_owner(matter(), Registrar("bj.clerk")) == "bj.clerk"
    assert first_owner(matter(owner="bj.clerk2"), Registrar("bj.clerk")) == "bj.clerk2"


def test_a_system_must_name_a_person() -> None:
    with pytest.raises(Invalid) as refused:
        first_owner(matter(), Registrar("crm", is_system=True))
    assert refused.value.field == "owner"


@pytest.mark.req("I-17")
@pytest.mark.parametrize("kind", ["inquiry", "suggestion", "complaint", "report"])
def test_only_service_is_refused_to_a_listed_client(kind: CaseType) -> None:
    refuse_service(kind, "forged_documents")
    refuse_service("service_request", None)
    with pytest.raises(ClientBlacklisted) as refused:
        refuse_service("service_request", "forged_documents")
    assert refused.value.members == {"reason_code": "forged_documents"}


def directory(*persons: dict[str, Any], packs: tuple[str, ...] = ()) -> DirectoryFile:
    branch = {"branch": "beijing", "name": "北京分公司", "number_prefix": "BJ", "packs": packs}
    return DirectoryFile.model_validate({"branches": [branch], "persons": persons})


def test_only_what_changed_in_the_directory_is_told() -> None:
    wang = {"person": "bj.clerk", "name": "王芳", "branch": "beijing", "roles": ["clerk"]}
    li = {"person": "bj.clerk2", "name": "李建国", "branch": "beijing", "roles": ["clerk"]}
    before = directory(wang, li)

    def against(after: DirectoryFile) -> tuple[list[str], list[tuple[str, bool]]]:
        found = changes(
            stored_branches=before.branches,
            stored_persons=before.persons,
            branches=after.branches,
            persons=after.persons,
        )
        return [each.branch for each in found.branches], [(each.person, each.active) for each in found.persons]

    assert against(before) == ([], [])
    assert against(directory(wang, li | {"roles": ["manager"]})) == ([], [("bj.clerk2", True)])
    assert against(directory(wang)) == ([], [("bj.clerk2", False)])
    assert against(directory(wang, li, packs=("labour-dispatch",))) == (["beijing"], [])
