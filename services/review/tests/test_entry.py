"""Two different persons put a client on the list, and two take it off; no step can be skipped."""

from datetime import UTC, datetime
from uuid import uuid4

import pytest

from shouwen.review.domain.entry import ListEntry, SamePerson, WrongState

NOW = datetime(2026, 11, 20, 9, tzinfo=UTC)
PROPOSED = ListEntry(
    id=uuid4(),
    branch="beijing",
    identifier_hash="h",
    reason_code="forged_documents",
    state="proposed",
    proposed_by="bj.clerk",
    proposed_at=NOW,
)


@pytest.mark.req("V-04")
def test_a_second_person_puts_the_client_on_the_list() -> None:
    listed = PROPOSED.confirm(by="bj.general", at=NOW)
    assert listed.is_in_force
    assert not PROPOSED.is_in_force


@pytest.mark.req("V-04")
def test_nobody_confirms_their_own_proposal() -> None:
    with pytest.raises(SamePerson):
        PROPOSED.confirm(by="bj.clerk", at=NOW)


@pytest.mark.req("V-05")
def test_an_appeal_changes_nothing_until_another_person_grants_it() -> None:
    appealed = PROPOSED.confirm(by="bj.general", at=NOW).appeal(by="bj.manager", at=NOW)
    assert appealed.is_in_force
    with pytest.raises(SamePerson):
        appealed.lift(by="bj.manager", at=NOW)
    assert not appealed.lift(by="bj.general", at=NOW).is_in_force


@pytest.mark.req("V-05")
def test_no_step_can_be_skipped_or_repeated() -> None:
    listed = PROPOSED.confirm(by="bj.general", at=NOW)
    for step in (PROPOSED.appeal, PROPOSED.lift, listed.confirm, listed.lift):
        with pytest.raises(WrongState):
            step(by="someone", at=NOW)
