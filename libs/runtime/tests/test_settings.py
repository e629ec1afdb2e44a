"""Settings: what is missing or wrong is named, with its remedy and without its value."""

import base64
import os
from pathlib import Path
from typing import Any

import pytest

from shouwen.runtime.settings import BadSettings, ServiceSettings, variable

KEY = base64.b64encode(b"k" * 32).decode()
GOOD: dict[str, Any] = {
    "database_url": "postgresql://app:geheim1@db/x",
    "worker_database_url": "postgresql://worker:geheim2@db/x",
    "oidc_issuer": "https://login.example.com",
    "oidc_jwks_file": "/etc/jwks.json",
    "privacy_keys": f"a:{KEY}",
    "privacy_hash_key": KEY,
    "seal_key": KEY,
}


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch):
    for name in list(os.environ):
        if name.startswith("SHOUWEN_"):
            monkeypatch.delenv(name)


def test_good_settings_are_read_from_the_environment(monkeypatch: pytest.MonkeyPatch):
    for name, value in GOOD.items():
        monkeypatch.setenv(variable(name), value)
    settings = ServiceSettings()
    assert settings.database_url.get_secret_value() == GOOD["database_url"]
    assert settings.keys.current == "a"
    assert settings.hash_key == b"k" * 32


def test_every_missing_setting_is_named_at_once():
    with pytest.raises(BadSettings) as caught:
        ServiceSettings()
    for name in ("SHOUWEN_DATABASE_URL", "SHOUWEN_OIDC_ISSUER", "SHOUWEN_PRIVACY_KEYS", "SHOUWEN_SEAL_KEY"):
        assert name in caught.value.detail


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"database_url": "mysql://app:geheim1@db/x"}, "SHOUWEN_DATABASE_URL"),
        ({"http_port": "achtzig"}, "SHOUWEN_HTTP_PORT"),
        ({"http_port": "70000"}, "SHOUWEN_HTTP_PORT"),
        ({"privacy_keys": "geheimgeheim"}, "SHOUWEN_PRIVACY_KEYS"),
        ({"privacy_hash_key": "Z2VoZWlt"}, "SHOUWEN_PRIVACY_HASH_KEY"),
        ({"seal_key": "Z2VoZWltZ2VoZWltZ2VoZWlt"}, "SHOUWEN_SEAL_KEY"),
        ({"oidc_jwks_file": None}, "SHOUWEN_OIDC_JWKS_URL"),
        ({"kafka_security_protocol": "SASL_SSL"}, "_USERNAME"),
        ({"kafka_security_protocol": "TLS"}, "SHOUWEN_KAFKA_SECURITY_PROTOCOL"),
        ({"stream_prefix": "with space"}, "SHOUWEN_STREAM_PREFIX"),
        ({"log_level": "LOUD"}, "SHOUWEN_LOG_LEVEL"),
    ],
)
def test_a_bad_setting_names_the_variable_and_not_the_value(change: dict[str, Any], named: str):
    with pytest.raises(BadSettings) as caught:
        ServiceSettings(**{**GOOD, **change})
    assert named in caught.value.detail
    for value in (*change.values(), "geheim"):
        assert not isinstance(value, str) or len(value) < 6 or value not in caught.value.detail
    assert all(each.remedy for each in caught.value.problems)


def test_secrets_come_from_files_named_as_the_variables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for name in ("database_url", "seal_key"):
        (tmp_path / variable(name)).write_text(GOOD[name] + "\n")
    monkeypatch.setenv("SHOUWEN_SECRETS_DIR", str(tmp_path))
    others = {name: value for name, value in GOOD.items() if name not in {"database_url", "seal_key"}}
    settings = ServiceSettings(**others)
    assert settings.database_url.get_secret_value() == GOOD["database_url"]


def test_a_missing_secrets_folder_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SHOUWEN_SECRETS_DIR", "/nowhere/secrets")
    with pytest.raises(BadSettings, match="SHOUWEN_SECRETS_DIR"):
        ServiceSettings(**GOOD)


def test_settings_do_not_show_their_secrets():
    shown = repr(ServiceSettings(**GOOD))
    assert "geheim" not in shown
    assert KEY not in shown


def test_every_setting_has_a_meaning():
    assert [name for name, field in ServiceSettings.model_fields.items() if not field.description] == []
