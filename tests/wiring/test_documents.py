"""Generated files are up to date, links lead somewhere, and no file names a place that only one machine knows."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


def tracked(*patterns: str) -> list[Path]:
    git = shutil.which("git")
    if git is None or not (ROOT / ".git").exists():
        pytest.skip("the history is not here")
    names = subprocess.run(
        [git, "ls-files", "-z", "--", *patterns], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.split("\0")
    return [ROOT / name for name in names if name and (ROOT / name).is_file()]


def test_generated_files_are_what_the_generator_writes() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "docs.generator", "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_every_link_between_our_pages_leads_somewhere() -> None:
    broken: list[str] = []
    for page in tracked("*.md"):
        text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
        for target in LINK.findall(text):
            if re.match(r"[a-z]+:", target):
                continue
            path, _, anchor = target.partition("#")
            file = (page.parent / path).resolve() if path else page
            if not file.exists():
                broken.append(f"{page.relative_to(ROOT)}: {target}")
            elif anchor and file.suffix == ".md" and anchor not in anchors(file):
                broken.append(f"{page.relative_to(ROOT)}: {target} (no such heading)")
    assert not broken, "\n".join(broken)


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.replace("`", "")).strip().lower().replace(" ", "-") for heading in headings}


def test_every_decision_fits_one_screen_and_ends_with_what_enforces_it() -> None:
    pages = sorted((ROOT / "docs/adr").glob("[0-9]*.md"))
    assert len(pages) >= 12
    assert [int(page.name[:4]) for page in pages] == list(range(1, len(pages) + 1))
    index = (ROOT / "docs/adr/README.md").read_text(encoding="utf-8")
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assert page.name in index, f"{page.name} is not in docs/adr/README.md"
        assert len(text.splitlines()) <= 45, f"{page.name} does not fit one screen"
        headings = re.findall(r"^## (.+)$", text, re.MULTILINE)
        assert headings == ["Context", "Decision", "Consequences", "Alternatives", "Enforced by"], page.name
        for path in re.findall(r"`([\w./*-]+/[\w./*-]+)`", text[text.index("## Enforced by") :]):
            assert list(ROOT.glob(path)), f"{page.name} names {path}, which is not there"


def test_both_readmes_have_the_same_parts() -> None:
    english = (ROOT / "README.md").read_text(encoding="utf-8")
    chinese = (ROOT / "README.zh-CN.md").read_text(encoding="utf-8")
    for pattern in (r"^## ", r"^```", r"^\| "):
        counts = [len(re.findall(pattern, text, re.MULTILINE)) for text in (english, chinese)]
        assert counts[0] == counts[1], pattern
    for command in re.findall(r"^(?:make|curl|docker|uv|shouwen) .*$", english, re.MULTILINE):
        assert command in chinese, command


def test_the_commands_of_the_readme_exist() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))):
        text = page.read_text(encoding="utf-8")
        used = set(re.findall(r"(?:^|`)make ([a-z]+)", text, re.MULTILINE))
        assert used <= targets, f"{page.name}: make {used - targets}"


def test_no_file_names_a_machine_a_registry_or_a_secret() -> None:
    found: list[str] = []
    words = re.compile(
        r"/home/\w+/|/root/|(?:pypi|npmjs|crates|maven)\.(?:org|io|com)|proxy\.golang|"
        r"-----BEGIN [A-Z ]*PRIVATE KEY|AKIA[0-9A-Z]{16}|eyJhbGciOiJ[SR]S256"
    )
    # This file holds the words it looks for; the lock names where packages come from, by its format.
    exempt = {ROOT / "uv.lock", Path(__file__)}
    for file in tracked():
        if file in exempt or file.suffix in {".png", ".ico"}:
            continue
        for number, line in enumerate(file.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
            if words.search(line):
                found.append(f"{file.relative_to(ROOT)}:{number}: {line.strip()[:100]}")
    assert not found, "\n".join(found)


def test_the_asyncapi_document_holds_together() -> None:
    document = yaml.safe_load((ROOT / "docs/asyncapi.yaml").read_text(encoding="utf-8"))
    assert document["asyncapi"] == "3.0.0"
    assert {"info", "servers", "channels", "operations", "components"} <= set(document)
    references = list(_references(document))
    assert len(references) > 100
    for reference in references:
        assert reference.startswith("#/")
        node = document
        for part in reference[2:].split("/"):
            node = node[part]
    for name, channel in document["channels"].items():
        assert channel["address"] == name
        assert channel["messages"]
    for name, operation in document["operations"].items():
        assert operation["action"] in {"send", "receive"}, name
        channel = operation["channel"]["$ref"]
        assert all(message["$ref"].startswith(f"{channel}/messages/") for message in operation["messages"]), name
    for name, message in document["components"]["messages"].items():
        assert message["name"] == name
        assert message["headers"]
        assert message["payload"]


def _references(node: object) -> list[str]:
    if isinstance(node, dict):
        here = [node["$ref"]] if isinstance(node.get("$ref"), str) else []
        return here + [each for value in node.values() for each in _references(value)]
    return [each for value in node for each in _references(value)] if isinstance(node, list) else []
