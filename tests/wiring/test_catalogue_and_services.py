"""What the catalogue says of a service is what the service does."""

import base64
import importlib
import os
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from aiokafka.admin import AIOKafkaAdminClient

from shouwen.contracts.catalogue import BY_STREAM, BY_TYPE, SERVICES, TOPICS, audience, dead_letter_stream
from shouwen.embedded import topics
from shouwen.embedded.testing import Infrastructure
from shouwen.runtime.service import Service

EVERY_SERVICE = pytest.mark.parametrize("service", SERVICES)
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def key_set(tmp_path: Path) -> Path:
    path = tmp_path / "jwks.json"
    path.write_text('{"keys": []}')
    return path


@pytest.fixture
def create(key_set: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[object]:
    """Put a service together without starting it."""
    for name in list(os.environ):
        if name.startswith("SHOUWEN_"):
            monkeypatch.delenv(name)
    key = base64.b64encode(bytes(32)).decode()

    def made(service: str) -> Service:
        settings_module = importlib.import_module(f"shouwen.{service}.settings")
        settings = getattr(settings_module, f"{service.capitalize()}Settings")
        app = importlib.import_module(f"shouwen.{service}.app")
        return app.create(
            settings(
                database_url="postgresql://nobody@127.0.0.1:1/nothing",
                worker_database_url="postgresql://nobody@127.0.0.1:1/nothing",
                oidc_issuer="https://issuer.example.com",
                oidc_jwks_file=key_set,
                privacy_keys=f"k1:{key}",
                privacy_hash_key=key,
                seal_key=key,
            )
        )

    yield made


@pytest.mark.req("X-02")
@EVERY_SERVICE
def test_a_service_subscribes_to_exactly_what_the_catalogue_says_it_hears(create, service: str) -> None:  # pyright: ignore
    subscriptions = create(service).subscriptions
    said = {event for event in BY_TYPE.values() if service in audience(event).heard_by}
    assert set(subscriptions.streams) == {event.stream for event in said}
    singles = set(subscriptions.handlers)
    assert singles <= said, f"the docstrings of {singles - said} do not name {service} as a hearer"
    by_batch = {event for event in said if event.stream in subscriptions.batches}
    assert said == singles | by_batch, f"{service} does not hear {said - singles - by_batch}; correct the docstring"


@EVERY_SERVICE
def test_a_service_listens_on_its_own_port_by_default(create, service: str) -> None:  # pyright: ignore
    assert create(service).settings.http_port == 8101 + SERVICES.index(service)


@EVERY_SERVICE
def test_a_service_emits_only_what_the_catalogue_says_of_it(service: str) -> None:
    """By the source: every event class that handlers and tickers construct is the service's own."""
    own = {event.__name__ for event in BY_TYPE.values() if audience(event).emitted_by == service}
    # Intake is the door for other systems' facts: it passes them on unchanged, and makes none itself.
    foreign = {event.__name__ for event in BY_TYPE.values()} - own
    folder = ROOT / "services" / service / "src/shouwen" / service
    for file in folder.rglob("*.py"):
        text = file.read_text(encoding="utf-8")
        made = {name for name in foreign if f"emit({name}(" in text}
        assert not made, f"{file.relative_to(ROOT)} emits {made}"


async def test_the_launcher_creates_the_topics_of_the_catalogue(infrastructure: Infrastructure) -> None:
    assert {topic.name for topic in TOPICS} == {*BY_STREAM, *(dead_letter_stream(service) for service in SERVICES)}
    prefix = f"{uuid4().hex[:8]}."
    assert set(await topics.create(infrastructure.kafka_bootstrap, prefix)) == {prefix + topic.name for topic in TOPICS}
    assert await topics.create(infrastructure.kafka_bootstrap, prefix) == []
    client = AIOKafkaAdminClient(bootstrap_servers=infrastructure.kafka_bootstrap)
    await client.start()
    try:
        found = {each["topic"]: len(each["partitions"]) for each in await client.describe_topics()}
    finally:
        await client.close()
    assert {topic.name: found[prefix + topic.name] for topic in TOPICS} == {
        topic.name: topic.partitions for topic in TOPICS
    }
