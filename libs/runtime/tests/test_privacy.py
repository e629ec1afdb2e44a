"""Personal data: encrypted, found by hash, sealed for one addressee, masked."""

import base64
import os

import pytest

from shouwen.runtime.privacy import (
    BadKey,
    KeyRing,
    Seal,
    Unreadable,
    keyed_hash,
    mask_email,
    mask_identifier,
    mask_name,
    mask_phone,
    read_key,
)


def entry(key_id: str, size: int = 32) -> str:
    return f"{key_id}:{base64.b64encode(os.urandom(size)).decode()}"


def test_a_field_comes_back_as_it_was():
    ring = KeyRing.from_setting(entry("2026a"))
    assert ring.decrypt(ring.encrypt("王小明 13800138000")) == "王小明 13800138000"


def test_the_same_text_is_never_encrypted_twice_alike():
    ring = KeyRing.from_setting(entry("a"))
    assert ring.encrypt("王") != ring.encrypt("王")


def test_a_rotated_ring_reads_what_the_old_key_wrote_and_writes_with_the_new_one():
    old, new = entry("old"), entry("new")
    written = KeyRing.from_setting(old).encrypt("13800138000")
    rotated = KeyRing.from_setting(f"{new},{old}")
    assert rotated.decrypt(written) == "13800138000"
    assert not rotated.is_current(written)
    again = rotated.encrypt("13800138000")
    assert rotated.is_current(again)
    with pytest.raises(Unreadable):
        KeyRing.from_setting(old).decrypt(again)


def test_a_destroyed_key_makes_its_fields_unreadable():
    written = KeyRing.from_setting(entry("a")).encrypt("13800138000")
    with pytest.raises(Unreadable):
        KeyRing.from_setting(entry("b")).decrypt(written)


@pytest.mark.parametrize("place", [0, 3, 10, -1])
def test_a_changed_field_is_refused(place: int):
    ring = KeyRing.from_setting(entry("abc"))
    written = bytearray(ring.encrypt("13800138000"))
    written[place] ^= 1
    with pytest.raises(Unreadable):
        ring.decrypt(bytes(written))


@pytest.mark.parametrize("value", [b"", b"abc", b"abc:", b"abc:short", b"\xff\xfe:x"])
def test_what_is_no_encrypted_field_is_refused(value: bytes):
    with pytest.raises(Unreadable):
        KeyRing.from_setting(entry("abc")).decrypt(value)


@pytest.mark.parametrize(
    "setting", ["", "a", "a:***", entry("a", 5), f"{entry('a')},{entry('a')}", entry("bad id"), "a:"]
)
def test_a_bad_key_ring_says_what_is_wrong_without_repeating_the_key(setting: str):
    with pytest.raises(BadKey) as caught:
        KeyRing.from_setting(setting)
    for part in filter(lambda each: len(each) > 8, setting.replace(",", ":").split(":")):
        assert part not in str(caught.value)


def test_a_keyed_hash_ignores_case_and_spaces_and_needs_its_key():
    assert keyed_hash(b"k" * 32, "91110105ma 01abcd2x") == keyed_hash(b"k" * 32, " 91110105MA01ABCD2X ")
    assert keyed_hash(b"k" * 32, "91110105MA01ABCD2X") != keyed_hash(b"j" * 32, "91110105MA01ABCD2X")


def test_sealed_claims_open_only_with_the_same_key_and_unchanged():
    key = os.urandom(32)
    token = Seal(key).seal({"name": "北京某公司"})
    assert Seal(key).open(token) == {"name": "北京某公司"}
    assert "北京" not in token
    head, *rest, tag = token.split(".")
    for bad in (".".join([head, *rest, "A" * len(tag)]), "", "a.b", token + "x"):
        with pytest.raises(Unreadable):
            Seal(key).open(bad)
    with pytest.raises(Unreadable):
        Seal(os.urandom(32)).open(token)


def test_a_seal_key_of_the_wrong_length_is_refused():
    with pytest.raises(BadKey):
        Seal(b"short")


def test_keys_are_read_from_base64_and_base64url():
    key = bytes(range(224, 256))
    assert read_key(base64.b64encode(key).decode()) == key
    assert read_key(base64.urlsafe_b64encode(key).decode().rstrip("=")) == key


@pytest.mark.parametrize(("name", "masked"), [("王小明", "王**"), ("王", "*"), ("", ""), ("Li", "L*")])
def test_a_masked_name_keeps_the_family_name(name: str, masked: str):
    assert mask_name(name) == masked


@pytest.mark.parametrize(
    ("phone", "masked"), [("13800138000", "138****8000"), ("010-6", "***-6"), ("123", "***"), ("", "")]
)
def test_a_masked_phone_keeps_what_recognises_it(phone: str, masked: str):
    assert mask_phone(phone) == masked


@pytest.mark.parametrize(("text", "masked"), [("91110105MA01ABCD2X", "911*************2X"), ("12345", "*****")])
def test_a_masked_identifier_keeps_three_and_two(text: str, masked: str):
    assert mask_identifier(text) == masked


def test_an_address_shows_its_first_character_and_its_domain() -> None:
    assert mask_email("wang.fang@example.com") == "w***@example.com"
