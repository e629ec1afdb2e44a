"""The jars of Kafka, Zipkin and S3Proxy, fetched once per user and checked against `jars.lock`.

jgo resolved the dependencies when the lock was written (`python -m shouwen.embedded.maven > …/jars.lock`) and downloads
them here; a jar is renamed into the cache only after its SHA-256 is right, so a broken download is never started.
"""

import hashlib
import os
import shutil
import sys
import tempfile
import threading
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Literal

from shouwen.embedded.errors import LauncherError

Bundle = Literal["kafka", "zipkin", "s3proxy"]
Say = Callable[[str], None]

WANTED: dict[Bundle, tuple[tuple[str, bool], ...]] = {
    # coordinate, and whether what it needs belongs to the bundle
    "kafka": (
        ("org.apache.kafka:kafka_2.13:4.3.1", True),
        ("org.apache.kafka:kafka-tools:4.3.1", False),  # console producer and consumer
        ("org.apache.logging.log4j:log4j-slf4j-impl:2.25.4", False),  # without it the broker logs nothing
    ),
    "zipkin": (("io.zipkin:zipkin-server:3.6.1:exec", False),),
    "s3proxy": (("org.gaul:s3proxy:4.1.0:jar-with-dependencies", False),),
}
PARALLEL_DOWNLOADS = 6
TIMEOUT_SECONDS = 30
ATTEMPTS = 3
REMEDY: dict[Bundle, str] = {
    "kafka": "Check the network, name a mirror of Maven Central in SHOUWEN_MAVEN_REPOSITORY, "
    "or use a broker that runs already: --kafka HOST:PORT",
    "zipkin": "Check the network, name a mirror of Maven Central in SHOUWEN_MAVEN_REPOSITORY, "
    "or start without traces: --no-traces",
    "s3proxy": "Check the network, or name a mirror of Maven Central in SHOUWEN_MAVEN_REPOSITORY",
}


@dataclass(frozen=True, slots=True)
class Jar:
    """One file of a bundle, as locked."""

    group: str
    artifact: str
    version: str
    classifier: str
    sha256: str
    size: int

    @property
    def filename(self) -> str:
        """Name of the file in a Maven repository."""
        return f"{self.artifact}-{self.version}{f'-{self.classifier}' if self.classifier else ''}.jar"

    @property
    def path(self) -> Path:
        """Place of the file inside a Maven repository."""
        return Path(*self.group.split("."), self.artifact, self.version, self.filename)


def cache_folder() -> Path:
    """Where downloads of this user are kept: `SHOUWEN_CACHE`, else the XDG cache folder."""
    if own := os.environ.get("SHOUWEN_CACHE"):
        return Path(own)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "shouwen"


def locked(bundle: Bundle) -> list[Jar]:
    """The jars that the lock names for the bundle."""
    rows = (line.split() for line in files("shouwen.embedded").joinpath("jars.lock").read_text().splitlines())
    jars: list[Jar] = []
    for row in rows:
        if row and row[0] == bundle:
            group, artifact, version, *classifier = row[1].split(":")
            jars.append(Jar(group, artifact, version, "".join(classifier), row[2], int(row[3])))
    return jars


def jars(bundle: Bundle, say: Say) -> list[Path]:
    """Paths of the bundle's jars; what is not in the cache is downloaded first.

    Raises:
        LauncherError: a download failed; names it, and how to go on without it.
    """
    repository = cache_folder() / "maven"
    wanted = locked(bundle)
    missing = [jar for jar in wanted if not _is_there(repository / jar.path, jar.size)]
    if missing:
        _download(bundle, missing, repository, say)
    return [repository / jar.path for jar in wanted]


def _is_there(path: Path, size: int) -> bool:
    try:
        return path.stat().st_size == size
    except OSError:
        return False


def _download(bundle: Bundle, missing: list[Jar], repository: Path, say: Say) -> None:
    try:
        repository.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LauncherError(
            f"The cache folder {repository} cannot be written: {error.strerror}", "Name another in SHOUWEN_CACHE"
        ) from None
    total = sum(jar.size for jar in missing)
    progress = _Progress(f"{bundle}: {len(missing)} jars from Maven Central", total, say)
    # Inside the cache, so that the last step is a rename on one file system.
    with tempfile.TemporaryDirectory(prefix=".partial-", dir=repository) as partial:
        pool = ThreadPoolExecutor(PARALLEL_DOWNLOADS, thread_name_prefix="download")
        try:
            tasks = {pool.submit(_fetch, jar, repository, Path(partial), progress): jar for jar in missing}
            for task in as_completed(tasks):
                if error := task.exception():
                    raise LauncherError(
                        f"Download of {tasks[task].filename} for {bundle} failed: {_reason(error)}", REMEDY[bundle]
                    ) from None
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _fetch(jar: Jar, repository: Path, partial: Path, progress: "_Progress") -> None:
    from jgo.maven import MavenContext, PythonResolver

    mirror = os.environ.get("SHOUWEN_MAVEN_REPOSITORY", "").rstrip("/")
    failure: Exception | None = None
    for attempt in range(ATTEMPTS):
        staging = partial / f"{jar.filename}.{attempt}"
        context = MavenContext(
            repo_cache=staging,
            resolver=PythonResolver(progress_callback=progress.of_file),
            remote_repos={"mirror": mirror} if mirror else None,
            timeout=TIMEOUT_SECONDS,
        )
        try:
            found = context.project(jar.group, jar.artifact).at_version(jar.version).artifact(jar.classifier).resolve()
            _verify(found, jar)
            target = repository / jar.path
            target.parent.mkdir(parents=True, exist_ok=True)
            found.replace(target)
            return
        except (OSError, RuntimeError, ValueError) as error:
            failure = error
            shutil.rmtree(staging, ignore_errors=True)
    raise failure or RuntimeError("no attempt was made")


def _verify(path: Path, jar: Jar) -> None:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != jar.sha256:
        raise ValueError(f"its SHA-256 is {digest}, the lock says {jar.sha256}")


def _reason(error: BaseException) -> str:
    if "not found in remote repositories" in str(error):
        return "the repository does not have it"
    text = str(error) or type(error).__name__
    return f"{type(error).__name__}: {text[:200]}"


class _Progress:
    """Says how far the downloads are, at most every two seconds and at the end."""

    def __init__(self, what: str, total: int, say: Say) -> None:
        self._what, self._total, self._say = what, total, say
        self._done = 0
        self._said = -1
        self._lock = threading.Lock()
        say(f"{what}, {total / 1e6:.0f} MB, once per user")

    @contextmanager
    def of_file(self, _name: str, _size: int) -> Generator[Callable[[int], None]]:
        """Count the bytes of one file (the callback that jgo asks for)."""
        yield self._add

    def _add(self, count: int) -> None:
        with self._lock:
            self._done += count
            tenth = self._done * 10 // max(self._total, 1)
            if tenth > self._said:
                self._said = tenth
                self._say(f"{self._what}: {self._done / 1e6:.0f} of {self._total / 1e6:.0f} MB")


def write_lock() -> None:
    """Resolve what is wanted and print a new lock (a maintainer's step, after a change of `WANTED`)."""
    from jgo.maven import Dependency, MavenContext, PythonResolver

    resolver = PythonResolver()
    context = MavenContext(repo_cache=cache_folder() / "lock", resolver=resolver)
    lines: set[str] = set()
    for bundle, coordinates in WANTED.items():
        for coordinate, transitive in coordinates:
            group, artifact, version, *classifier = coordinate.split(":")
            root = Dependency(context.project(group, artifact).at_version(version).artifact("".join(classifier)))
            needed = [root]
            if transitive:
                inputs, others = resolver.resolve([root])
                needed = [d for d in [*inputs, *others] if d.scope in ("compile", "runtime", None) and not d.optional]
            for one in needed:
                path = one.artifact.resolve()
                name = ":".join(filter(None, [one.groupId, one.artifactId, one.version, one.classifier]))
                digest = hashlib.sha256(path.read_bytes()).hexdigest()
                lines.add(f"{bundle} {name} {digest} {path.stat().st_size}")
    sys.stdout.write("\n".join(["# bundle coordinate sha256 bytes", *sorted(lines), ""]))


if __name__ == "__main__":
    write_lock()
