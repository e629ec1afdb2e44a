"""The real Kafka and PostgreSQL for every test of the repository."""

from shouwen.runtime import logs

pytest_plugins = ["shouwen.embedded.testing"]

logs.setup_for_tests()
