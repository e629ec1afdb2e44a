"""Bearer tokens: who is let in, and what the others are told."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, OctKey, OKPKey, RSAKey

from shouwen.runtime import auth
from shouwen.runtime.auth import Authenticator, FileKeys, Principal, UrlKeys
from shouwen.runtime.errors import Forbidden, ShouwenError, Transient, Unauthenticated

ISSUER = "https://login.example.com/realm"
RSA = RSAKey.generate_key(2048, {"kid": "rsa"})
EC = ECKey.generate_key("P-256", {"kid": "ec"})
ED = OKPKey.generate_key("Ed25519", {"kid": "ed"})
STRANGER = ECKey.generate_key("P-256", {"kid": "stranger"})


def token(key: Any = EC, algorithm: str = "ES256", *, headers: dict[str, Any] | None = None, **claims: Any) -> str:
    body = {
        "iss": ISSUER,
        "aud": "shouwen",
        "sub": "bj.clerk",
        "name": "王芳",
        "branches": ["beijing"],
        "roles": ["clerk"],
        "exp": int(time.time()) + 300,
        **claims,
    }
    body = {name: value for name, value in body.items() if value is not None}
    head = {"alg": algorithm, "kid": key.kid, **(headers or {})}
    return jwt.encode({k: v for k, v in head.items() if v is not None}, body, key, algorithms=[algorithm])


def key_file(folder: Path, *keys: Any) -> Path:
    file = folder / "jwks.json"
    file.write_text(json.dumps(KeySet(list(keys)).as_dict(private=False)))
    return file


@pytest.fixture
def authenticator(tmp_path: Path) -> Authenticator:
    return Authenticator(FileKeys(key_file(tmp_path, RSA, EC, ED)), issuer=ISSUER, audience="shouwen")


@pytest.mark.parametrize(("key", "algorithm"), [(RSA, "RS256"), (EC, "ES256"), (ED, "EdDSA"), (ED, "Ed25519")])
async def test_tokens_of_the_usual_algorithms_are_accepted(authenticator: Authenticator, key: Any, algorithm: str):
    principal = await authenticator.principal(token(key, algorithm))
    assert principal == Principal("bj.clerk", "王芳", frozenset({"beijing"}), frozenset({"clerk"}))


async def test_the_audience_may_be_one_of_several(authenticator: Authenticator):
    assert (await authenticator.principal(token(aud=["account", "shouwen"]))).person == "bj.clerk"


def unsigned() -> str:
    from joserfc.util import json_b64encode

    head = json_b64encode({"alg": "none", "kid": "ec"}).decode()
    body = json_b64encode({"sub": "root", "iss": ISSUER, "aud": "shouwen", "exp": int(time.time()) + 60}).decode()
    return f"{head}.{body}."


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: token(exp=int(time.time()) - 120), "expired"),
        (lambda: token(iss="https://elsewhere.example.com"), "somebody else"),
        (lambda: token(aud="payroll"), "another service"),
        (lambda: token(exp=None), "lacks the claim exp"),
        (lambda: token(sub=None), "lacks the claim sub"),
        (lambda: token(branches=None), "lacks the claim branches"),
        (lambda: token(branches="beijing"), "branches is not a list"),
        (lambda: token(nbf=int(time.time()) + 3600), "nbf"),
        (lambda: token(STRANGER), "does not publish"),
        (lambda: token(STRANGER, headers={"kid": "ec"}), "cannot be verified"),
        (lambda: token()[:-6] + "AAAAAA", "cannot be verified"),
        (lambda: "x.y.z", "not a JWT"),
        (lambda: "nonsense", "not a JWT"),
        (lambda: "a" * 20_000, "too long"),
        (lambda: token(OctKey.generate_key(256, {"kid": "ec"}), "HS256"), "cannot be verified"),
        (lambda: token(RSA, "RS512"), "cannot be verified"),
        (unsigned, "cannot be verified"),
    ],
)
async def test_a_refused_token_is_told_why_and_what_to_do(
    authenticator: Authenticator, make: Callable[[], str], says: str
):
    with pytest.raises(Unauthenticated) as caught:
        await authenticator.principal(make())
    assert says in caught.value.detail
    assert caught.value.remedy
    assert caught.value.field == "Authorization"


async def test_a_group_role_needs_no_branches(authenticator: Authenticator):
    principal = await authenticator.principal(token(branches=None, roles=["group_auditor"]))
    assert principal.sees_all


async def test_a_small_difference_of_clocks_is_tolerated(authenticator: Authenticator):
    assert await authenticator.principal(token(exp=int(time.time()) - 5))


async def test_a_new_key_in_the_file_is_taken_up(tmp_path: Path):
    keys = FileKeys(key_file(tmp_path, EC))
    authenticator = Authenticator(keys, issuer=ISSUER, audience="shouwen")
    with pytest.raises(Unauthenticated):
        await authenticator.principal(token(STRANGER))
    time.sleep(0.01)  # noqa: ASYNC251 (the file's time must differ)
    key_file(tmp_path, EC, STRANGER)
    assert await authenticator.principal(token(STRANGER))


async def test_a_missing_key_file_is_our_fault_not_the_callers(tmp_path: Path):
    authenticator = Authenticator(FileKeys(tmp_path / "none.json"), issuer=ISSUER, audience="shouwen")
    with pytest.raises(Transient) as caught:
        await authenticator.principal(token())
    assert "SHOUWEN_OIDC_JWKS_FILE" in str(caught.value)


class Issuer:
    """A key set behind a URL, counted and breakable."""

    def __init__(self, *keys: Any) -> None:
        self.keys = keys
        self.fetched = 0
        self.down = False

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.fetched += 1
        if self.down:
            raise httpx.ConnectError("down", request=request)
        return httpx.Response(200, json=KeySet(list(self.keys)).as_dict(private=False))


@pytest.fixture
def issuer(monkeypatch: pytest.MonkeyPatch) -> Issuer:
    issuer = Issuer(EC)
    real = httpx.AsyncClient

    def client(**options: Any) -> httpx.AsyncClient:
        return real(transport=httpx.MockTransport(issuer), **options)

    monkeypatch.setattr(httpx, "AsyncClient", client)
    return issuer


async def test_keys_are_fetched_once_and_again_for_an_unknown_key(issuer: Issuer, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(auth, "REFRESH_AT_MOST_EVERY_SECONDS", 0.0)
    authenticator = Authenticator(UrlKeys("https://issuer.example/jwks"), issuer=ISSUER, audience="shouwen")
    for _ in range(3):
        await authenticator.principal(token())
    assert issuer.fetched == 1
    issuer.keys = (EC, STRANGER)
    assert await authenticator.principal(token(STRANGER))
    assert issuer.fetched == 2


async def test_made_up_key_ids_do_not_flood_the_issuer(issuer: Issuer):
    authenticator = Authenticator(UrlKeys("https://issuer.example/jwks"), issuer=ISSUER, audience="shouwen")
    for each in range(20):
        with pytest.raises(Unauthenticated):
            await authenticator.principal(token(STRANGER, headers={"kid": f"made-up-{each}"}))
    assert issuer.fetched == 1


async def test_an_issuer_that_is_down_signs_nobody_out(issuer: Issuer, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(auth, "REFRESH_AT_MOST_EVERY_SECONDS", 0.0)
    monkeypatch.setattr(auth, "REFRESH_AFTER_SECONDS", 0.0)
    authenticator = Authenticator(UrlKeys("https://issuer.example/jwks"), issuer=ISSUER, audience="shouwen")
    await authenticator.principal(token())
    issuer.down = True
    assert await authenticator.principal(token())


async def test_without_any_keys_the_answer_is_try_again(issuer: Issuer):
    issuer.down = True
    authenticator = Authenticator(UrlKeys("https://issuer.example/jwks"), issuer=ISSUER, audience="shouwen")
    with pytest.raises(Transient):
        await authenticator.principal(token())


def test_a_branch_that_is_not_yours_is_named():
    clerk = Principal("bj.clerk", "王芳", frozenset({"beijing"}), frozenset({"clerk"}))
    clerk.require_branch("beijing")
    with pytest.raises(Forbidden, match="chengdu") as caught:
        clerk.require_branch("chengdu")
    assert caught.value.remedy
    Principal("hq", "李", frozenset(), frozenset({"group_admin"})).require_branch("chengdu")


def test_the_roles_that_would_do_are_named():
    clerk = Principal("bj.clerk", "王芳", frozenset({"beijing"}), frozenset({"clerk"}))
    clerk.require_role("clerk", "manager")
    with pytest.raises(Forbidden, match="manager, department_head"):
        clerk.require_role("manager", "department_head")


def test_an_errors_text_names_field_and_remedy():
    assert str(ShouwenError("It is wrong.", field="a.b", remedy="Mend it.")) == "a.b: It is wrong. Mend it."


def test_an_error_without_detail_speaks_with_its_docstring():
    assert Forbidden().detail == "Your roles or branches do not allow this."
