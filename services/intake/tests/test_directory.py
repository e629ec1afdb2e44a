"""The directory: loaded from its file, told once, shown without contact."""

from pathlib import Path

import pytest
import yaml

from shouwen.contracts.directory import BranchDescribed, DirectoryFile, PersonDescribed
from shouwen.embedded.testing import Infrastructure
from shouwen.intake.app import create
from shouwen.intake.settings import IntakeSettings
from shouwen.runtime.directory_file import read_directory
from shouwen.runtime.settings import BadSettings
from shouwen.runtime.testing import Running, grounds


async def test_the_directory_is_shown_by_branch_and_without_contact(intake: Running) -> None:
    answer = await intake.http.get("/api/directory", headers=intake.token("bj.clerk"))
    assert answer.status_code == 200
    directory = answer.json()
    assert [(each["branch"], each["number_prefix"]) for each in directory["branches"]] == [("beijing", "BJ")]
    people = {each["person"]: each for each in directory["persons"]}
    assert set(people) == {"bj.clerk", "bj.clerk2", "bj.coordinator", "bj.manager", "bj.general"}
    assert people["bj.general"]["roles"] == ["general_manager"]
    assert "@" not in answer.text
    assert "5550" not in answer.text
    departments = {each["department"]: each["name"] for each in directory["departments"]}
    assert departments["labour-relations"] == "劳动关系部"
    everyone = await intake.http.get("/api/directory", headers=intake.token("auditor", [], ["group_auditor"]))
    assert {each["branch"] for each in everyone.json()["branches"]} >= {"beijing", "chengdu", "shenzhen"}


@pytest.fixture
def changed_file(directory_file: Path, tmp_path: Path) -> Path:
    """The directory of the evaluation after a person left and a branch dropped a pack."""
    content = yaml.safe_load(directory_file.read_text(encoding="utf-8"))
    content["persons"] = [each for each in content["persons"] if each["person"] != "bj.clerk2"]
    content["branches"][0]["packs"] = ["labour-dispatch"]
    changed = tmp_path / "directory.yaml"
    changed.write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")
    return changed


async def test_a_start_tells_only_what_changed_in_the_file(
    infrastructure: Infrastructure, directory_file: Path, changed_file: Path
) -> None:
    async with grounds(infrastructure, "intake") as ground:
        async with ground.running(create, IntakeSettings, directory_file=directory_file) as first:
            persons = await first.emitted(PersonDescribed, count=15)
            assert len(await first.emitted(BranchDescribed, count=3)) == 3
            [manager] = [each for each in persons if each.data.person == "bj.manager"]
            assert manager.key == b"person:bj.manager"
            assert manager.data.contact is not None
            opened = first.service.seal.open(manager.data.contact)
            assert opened == {"name": "张伟", "email": "bj.manager@example.com", "phone": "010 5550 0004"}
            for record in await first.records("directory.v1"):
                assert "张伟" not in (record.value or b"").decode()
                assert b"@example.com" not in (record.value or b"")
            stored = await first.fetch("SELECT name, email FROM person")
            assert all(b"example" not in row["email"] for row in stored)

        async with ground.running(create, IntakeSettings, directory_file=changed_file) as second:
            await second.settled()
            assert len(await second.emitted(BranchDescribed, count=4)) == 4
            persons = await second.emitted(PersonDescribed, count=16)
            assert len(persons) == 16
            told = [each.data.active for each in persons if each.data.person == "bj.clerk2"]
            assert told == [True, False]


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("branches: []", "branches"),
        ("branches: [", "YAML"),
        ("branches: [{branch: beijing, name: B, number_prefix: bj}]", "number_prefix"),
        ("branches: [{branch: beijing, name: B, number_prefix: BJ, time_zone: Mars/Base}]", "time_zone"),
        (
            "branches: [{branch: beijing, name: B, number_prefix: BJ}]\n"
            "persons: [{person: x, name: X, branch: chengdu, roles: [clerk]}]",
            "chengdu",
        ),
        (
            "branches: [{branch: beijing, name: B, number_prefix: BJ}]\n"
            "departments: [{branch: beijing, department: a, name: A, duties: [{topic: t}, {topic: t}]}]",
            "topic",
        ),
        (
            "branches: [{branch: beijing, name: B, number_prefix: BJ}]\n"
            "departments: [{branch: beijing, department: a, name: A}]\n"
            "persons: [{person: x, name: X, branch: beijing, department: b, roles: [clerk]}]",
            "department",
        ),
    ],
)
def test_a_wrong_directory_file_stops_the_start_and_names_the_entry(tmp_path: Path, text: str, word: str) -> None:
    file = tmp_path / "directory.yaml"
    file.write_text(text)
    with pytest.raises(BadSettings, match=word) as refused:
        read_directory(file)
    assert "SHOUWEN_DIRECTORY_FILE" in str(refused.value)


def test_a_missing_directory_file_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(BadSettings, match="SHOUWEN_DIRECTORY_FILE"):
        read_directory(tmp_path / "absent.yaml")


def test_the_evaluation_has_every_role_in_every_branch(directory_file: Path) -> None:
    file = DirectoryFile.model_validate(yaml.safe_load(directory_file.read_text()))
    for branch in file.branches:
        roles = [role for person in file.persons if person.branch == branch.branch for role in person.roles]
        assert sorted(roles) == ["clerk", "clerk", "coordinator", "general_manager", "manager"]
