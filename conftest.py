"""The real Kafka and PostgreSQL for every test of the repository."""

pytest_plugins = ["shouwen.embedded.testing"]
