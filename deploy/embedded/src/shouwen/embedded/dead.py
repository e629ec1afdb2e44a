"""`shouwen dead`: look at what a service set aside because it could not handle it, and hand it back once mended.

A dead letter is named SERVICE/ID, as sla/17.
"""

import json
from collections.abc import Iterable, Sequence
from typing import Any

import httpx

from shouwen.embedded.access import Access
from shouwen.embedded.errors import LauncherError

TIMEOUT_SECONDS = 30.0
PAGE = "200"
OPERATOR = "evaluation.operator"
ROLES = ("operator", "group_auditor")

Item = dict[str, Any]


class DeadLetters:
    """The dead letters of the running services."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._headers = access.headers(OPERATOR, [], ROLES)

    def show_list(self, services: Sequence[str]) -> None:
        """Print one line per dead letter, or say that there is none."""
        found = list(self._all(services or self._access.services))
        for name, item in found:
            print(f"{name:<16} {item.get('failed_at', ''):<32} {_about(item)}")
        print(f"{len(found)} dead letters" if found else "No dead letters: every event was handled")
        if found:
            print("See one with `shouwen dead show NAME`; hand it back with `shouwen dead replay NAME` or `… --all`")

    def show(self, name: str) -> None:
        """Print everything known about one."""
        print(json.dumps(self._ask("GET", *_split(name)), indent=2, ensure_ascii=False))

    def replay(self, names: Sequence[str], services: Sequence[str], *, everything: bool) -> None:
        """Hand dead letters back to their service.

        Raises:
            LauncherError: none was named, or some failed again.
        """
        chosen = [name for name, _ in self._all(services or self._access.services)] if everything else list(names)
        if not chosen and not everything:
            raise LauncherError("No dead letter was named", "Name them, as `shouwen dead replay sla/17`, or give --all")
        failed = 0
        for name in chosen:
            service, identifier = _split(name)
            try:
                self._ask("POST", service, f"{identifier}/replay")
                print(f"{name} was handled by {service}")
            except LauncherError as error:
                failed += 1
                print(f"{name}: {error}")
        if failed:
            raise LauncherError(
                f"{failed} of {len(chosen)} dead letters stay", "Remove the cause, then replay them again"
            )

    def _all(self, services: Iterable[str]) -> Iterable[tuple[str, Item]]:
        for service in services:
            after: str | None = ""
            while after is not None:
                page = self._ask("GET", service, "", limit=PAGE, **({"after": after} if after else {}))
                for item in page["items"]:
                    yield f"{service}/{item['id']}", item
                after = page["next"]

    def _ask(self, method: str, service: str, rest: str, **parameters: str) -> Any:
        if service not in self._access.services:
            raise LauncherError(f"The service {service} is not running", "`shouwen status` lists what runs")
        url = f"{self._access.url(service)}/api/dead-letters" + (f"/{rest}" if rest else "")
        try:
            answer = httpx.request(method, url, params=parameters, headers=self._headers, timeout=TIMEOUT_SECONDS)
        except httpx.HTTPError as error:
            raise LauncherError(f"{service} does not answer: {error}", "See its log with `shouwen status`") from None
        if answer.is_success:
            return answer.json() if answer.content else None
        try:
            problem: Item = answer.json()
        except ValueError:
            problem = {}
        raise LauncherError(
            f"{service} answered {answer.status_code}: {problem.get('detail') or problem.get('title') or answer.text}",
            str(problem.get("remedy") or ""),
        )


def _split(name: str) -> tuple[str, str]:
    service, slash, identifier = name.partition("/")
    if not slash or not identifier:
        raise LauncherError(f"{name!r} does not name a dead letter", "Write SERVICE/ID, as `shouwen dead list` does")
    return service, identifier


def _about(item: Item) -> str:
    where = f"{item.get('topic') or item.get('stream') or '?'}[{item.get('partition')}]@{item.get('offset')}"
    kind = item.get("type") or item.get("event_type") or "unreadable"
    why = item.get("detail") or item.get("error") or ""
    # The text of a broken event may hold anything, also what would steer a terminal.
    return "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in f"{kind} {where} {why}")
