"""The topics of the suite, made as the catalogue says before any service starts."""

from typing import Any, cast

from shouwen.contracts.catalogue import TOPICS

MOST_REPLICAS = 3
REQUEST_TIMEOUT_MS = 15_000


async def create(bootstrap: str, prefix: str = "") -> list[str]:
    """Create the topics that are missing. Returns their names.

    Raises:
        aiokafka.errors.KafkaError: the broker cannot be reached or refuses.
    """
    from aiokafka.admin import AIOKafkaAdminClient, NewTopic
    from aiokafka.errors import TopicAlreadyExistsError, for_code

    client = AIOKafkaAdminClient(bootstrap_servers=bootstrap, request_timeout_ms=REQUEST_TIMEOUT_MS)
    await client.start()
    try:
        existing = set(await client.list_topics())
        replicas = min(len((await client.describe_cluster())["brokers"]), MOST_REPLICAS)
        missing = [
            NewTopic(prefix + topic.name, topic.partitions, replicas, topic_configs=dict(topic.config))
            for topic in TOPICS
            if prefix + topic.name not in existing
        ]
        if not missing:
            return []
        answer = await client.create_topics(missing)
        for _, code, *_ in cast(Any, answer).topic_errors:
            error = for_code(code)
            if code and error is not TopicAlreadyExistsError:
                raise error
        return [topic.name for topic in missing]
    finally:
        await client.close()
