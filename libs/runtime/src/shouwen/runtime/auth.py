"""Who asks, and what they may do: bearer tokens of any OIDC provider, roles and branches from their claims.

A token is a signed JWT (RS256, ES256 or EdDSA) with ``iss``, ``aud``, ``exp``, ``sub``, and our claims ``name`` (text),
``branches`` (list of branch codes) and ``roles`` (list). Group roles (``group_…``) see all branches.
"""

import asyncio
import hashlib
import json
import time
import warnings
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Protocol, cast

import httpx
from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from joserfc import jwt
from joserfc.errors import ExpiredTokenError, InvalidClaimError, JoseError, MissingClaimError, SecurityWarning
from joserfc.jwk import KeySet
from joserfc.jws import JWSRegistry

from shouwen.runtime.errors import Forbidden, Transient, Unauthenticated

ALGORITHMS = ("RS256", "ES256", "EdDSA", "Ed25519")
"""Asymmetric only. EdDSA is the older name of Ed25519 (RFC 9864), which most providers still write."""
REFRESH_AFTER_SECONDS = 3600.0
REFRESH_AT_MOST_EVERY_SECONDS = 10.0
_MAX_TOKEN_CHARACTERS = 16_000
_MOST_VERIFIED = 4096
"""Checked tokens that are remembered."""
_SIGN_IN = "Sign in again to get a new token"

warnings.filterwarnings("ignore", message=".*EdDSA is deprecated.*", category=SecurityWarning)


@dataclass(frozen=True, slots=True)
class Principal:
    """The person or system that asks: ``person`` is its id, ``name`` what colleagues call it."""

    person: str
    name: str
    branches: frozenset[str]
    roles: frozenset[str]

    @property
    def sees_all(self) -> bool:
        """Whether a group role opens all branches."""
        return any(role.startswith("group_") for role in self.roles)

    def require_branch(self, branch: str) -> None:
        """Raise Forbidden, naming the branch, unless this principal may act for it."""
        if not self.sees_all and branch not in self.branches:
            raise Forbidden(
                f"Your token does not open branch {branch}.",
                field="branch",
                remedy="Ask for the branch to be added to your account, or act for one of your own branches.",
            )

    def require_role(self, *roles: str) -> None:
        """Raise Forbidden, naming the roles that would do, unless this principal has one of them."""
        if self.roles.isdisjoint(roles):
            raise Forbidden(
                f"This needs one of the roles {', '.join(roles)}.",
                field="roles",
                remedy="Ask for one of these roles, or hand the matter to somebody who has it.",
            )


class KeySource(Protocol):
    """Where the issuer's public keys come from."""

    async def keys(self, kid: str | None) -> KeySet:
        """The key set; it is read again when ``kid`` is not in it."""
        ...


class FileKeys:
    """Keys of a JWKS file, read again when the file changes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read: tuple[int, KeySet] | None = None

    async def keys(self, kid: str | None) -> KeySet:
        """See KeySource. Raises Transient when the file cannot be read."""
        try:
            changed = self._path.stat().st_mtime_ns
            if self._read is None or self._read[0] != changed:
                self._read = (changed, _key_set(self._path.read_bytes()))
        except (OSError, ValueError, JoseError) as error:
            raise Transient(
                f"The key set file cannot be read ({type(error).__name__}).",
                remedy="The operator checks the file named by SHOUWEN_OIDC_JWKS_FILE.",
            ) from error
        return self._read[1]


class UrlKeys:
    """Keys of a JWKS URL, kept for an hour, fetched anew for an unknown key at most every ten seconds."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._keys: KeySet | None = None
        self._fetched = float("-inf")
        self._lock = asyncio.Lock()

    async def keys(self, kid: str | None) -> KeySet:
        """See KeySource. Raises Transient when no key set can be had."""
        if self._is_good(kid) and self._keys is not None:
            return self._keys
        async with self._lock:
            if not self._is_good(kid):
                await self._fetch()
        if self._keys is None:
            raise Transient(
                "The issuer's key set cannot be fetched.",
                remedy="Try again shortly; the operator checks SHOUWEN_OIDC_JWKS_URL.",
            )
        return self._keys

    def _is_good(self, kid: str | None) -> bool:
        age = time.monotonic() - self._fetched
        if age < REFRESH_AT_MOST_EVERY_SECONDS:
            return True
        known = self._keys is not None and (kid is None or any(key.kid == kid for key in self._keys.keys))
        return known and age < REFRESH_AFTER_SECONDS

    async def _fetch(self) -> None:
        self._fetched = time.monotonic()
        try:
            async with httpx.AsyncClient(timeout=5.0) as client:
                answer = await client.get(self._url)
                answer.raise_for_status()
            self._keys = _key_set(answer.content)
        except (httpx.HTTPError, ValueError, JoseError):
            # Keys fetched before stay good: a provider that is down for an hour signs nobody in, but signs nobody out.
            return


@dataclass(frozen=True, slots=True)
class _Verified:
    """A token whose signature was checked with these keys."""

    principal: Principal
    kid: str | None
    keys: KeySet
    until: float

    def holds(self, keys: KeySet) -> bool:
        """Whether the token is still good: the issuer's keys are the same ones, and it has not expired."""
        return keys is self.keys and time.time() < self.until


class Authenticator:
    """Turns a bearer token into a Principal."""

    def __init__(self, keys: KeySource, *, issuer: str, audience: str, leeway_seconds: int = 30) -> None:
        self._keys = keys
        self._audience = audience
        self._issuer = issuer
        self._claims = jwt.JWTClaimsRegistry(
            leeway=leeway_seconds,
            iss={"essential": True, "value": issuer},
            aud={"essential": True, "value": audience},
            exp={"essential": True},
            sub={"essential": True},
        )
        self._registry = JWSRegistry(algorithms=list(ALGORITHMS))
        self._leeway = leeway_seconds
        self._verified: OrderedDict[bytes, _Verified] = OrderedDict()

    async def principal(self, token: str) -> Principal:
        """Verify the token.

        Raises:
            Unauthenticated: it is malformed, expired, of another issuer or audience, signed by an unknown key, or
                lacks a claim; the remedy says what to do.
            Transient: the issuer's keys cannot be had.
        """
        digest = hashlib.sha256(token.encode()).digest()
        known = self._verified.get(digest)
        if known is not None and known.holds(await self._keys.keys(known.kid)):
            self._verified.move_to_end(digest)
            return known.principal
        kid = _kid(token)
        keys = await self._keys.keys(kid)
        try:
            claims = jwt.decode(token, keys, registry=self._registry).claims
            self._claims.validate(claims)
        except ExpiredTokenError:
            raise _refused("The token has expired.", f"{_SIGN_IN}.") from None
        except MissingClaimError as error:
            raise _refused(
                f"The token lacks the claim {error.claim}.", "The provider must put it into access tokens."
            ) from None
        except InvalidClaimError as error:
            raise self._wrong_claim(error.claim) from None
        except (JoseError, ValueError):
            raise self._unverifiable(kid, keys) from None
        principal = _principal(claims)
        # Checked signatures are kept by their digest, so that each request need not pay for one.
        self._verified[digest] = _Verified(principal, kid, keys, float(claims["exp"]) + self._leeway)
        self._verified.move_to_end(digest)
        if len(self._verified) > _MOST_VERIFIED:
            self._verified.popitem(last=False)
        return principal

    def _wrong_claim(self, claim: str) -> Unauthenticated:
        if claim == "iss":
            return _refused("The token was issued by somebody else.", f"Use a token of {self._issuer}.")
        if claim == "aud":
            return _refused(
                "The token was made for another service.", f"Ask the provider for audience {self._audience}."
            )
        return _refused(f"The token's claim {claim} is not valid (now).", f"{_SIGN_IN}; check the clocks.")

    @staticmethod
    def _unverifiable(kid: str | None, keys: KeySet) -> Unauthenticated:
        if kid is not None and all(key.kid != kid for key in keys.keys):
            return _refused("The token was signed by a key the issuer does not publish.", f"{_SIGN_IN}.")
        return _refused(
            "The token's signature cannot be verified.", f"Send a token signed with one of {', '.join(ALGORITHMS)}."
        )


_bearer = HTTPBearer(auto_error=False, bearerFormat="JWT", description="An access token of the OIDC provider")


async def authenticated(
    request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
) -> Principal:
    """The caller of the request. Raises Unauthenticated without a valid bearer token."""
    if credentials is None:
        raise _refused("There is no bearer token.", "Send the header 'Authorization: Bearer TOKEN'.")
    authenticator = cast(Authenticator, request.app.state.authenticator)
    return await authenticator.principal(credentials.credentials)


async def bearer_of(request: Request) -> Principal | None:
    """The caller of the request, for routes without FastAPI's dependencies; None when there is no plain bearer token.

    Raises:
        Unauthenticated: the token is not good.
    """
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme != "Bearer" or not token:
        return None
    return await cast(Authenticator, request.app.state.authenticator).principal(token)


Caller = Annotated[Principal, Depends(authenticated)]
"""The parameter type of a route that needs to know who asks."""


def _refused(detail: str, remedy: str) -> Unauthenticated:
    return Unauthenticated(detail, field="Authorization", remedy=remedy)


def _kid(token: str) -> str | None:
    """The key id in the token's header, not yet verified; only picks the key."""
    if len(token) > _MAX_TOKEN_CHARACTERS:
        raise _refused("The token is too long.", f"Send at most {_MAX_TOKEN_CHARACTERS} characters.")
    try:
        head = jwt_header(token)
    except (JoseError, ValueError):
        raise _refused("The token is not a JWT.", "Send an access token of the provider, unchanged.") from None
    kid = head.get("kid")
    return kid if isinstance(kid, str) else None


def jwt_header(token: str) -> dict[str, Any]:
    """The header of a compact JWT, unverified. Raises ValueError when there is none."""
    parts = token.split(".")
    if len(parts) != 3:
        raise ValueError("not three parts")
    from joserfc.util import json_b64decode

    header: object = json_b64decode(parts[0].encode())
    if not isinstance(header, dict):
        raise ValueError("not an object")
    return cast(dict[str, Any], header)


def _key_set(content: bytes) -> KeySet:
    document: object = json.loads(content)
    if not isinstance(document, dict) or not isinstance(cast(dict[str, Any], document).get("keys"), list):
        raise ValueError("a key set is an object with the list 'keys'")
    return KeySet.import_key_set(cast(Any, document))


def _principal(claims: dict[str, Any]) -> Principal:
    person = str(claims["sub"])
    name = claims.get("name")
    roles = _texts(claims, "roles")
    branches = _texts(claims, "branches")
    if branches is None and not any(role.startswith("group_") for role in roles or ()):
        raise _refused(
            "The token lacks the claim branches.",
            "The provider must put the list of the person's branch codes into access tokens.",
        )
    return Principal(
        person=person,
        name=name if isinstance(name, str) else person,
        branches=branches or frozenset(),
        roles=roles or frozenset(),
    )


def _texts(claims: dict[str, Any], name: str) -> frozenset[str] | None:
    value = claims.get(name)
    if value is None:
        return None
    if not isinstance(value, list) or not all(isinstance(each, str) for each in cast(list[object], value)):
        raise _refused(f"The token's claim {name} is not a list of texts.", "The provider must send a list.")
    return frozenset(cast(list[str], value))
