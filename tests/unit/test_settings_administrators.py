"""Who may log in at first boot: whole public keys the hardened ssh server takes, never a private one."""

from __future__ import annotations

import base64
import re
import struct
from typing import Any

import pytest
import yaml
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

import settings
from settings.facts import KEPT_FOR_FIRST_BOOT, USER_DATA_BYTES
from settings.ssh_keys import KEY_TYPES, LEAST_RSA_BITS
from tests.unit.settings_sample import ROOT, STACKS, put, raw

PLACE = "administrators.noc-automation"
SAMPLE = raw()["administrators"]["noc-automation"]["key"]
KIND, BLOB, COMMENT = SAMPLE.split(" ")


def line_of(private: Any, comment: str = "noc-automation") -> str:
    return f"{private.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()} {comment}"


def packed(*fields: bytes) -> str:
    return base64.b64encode(b"".join(struct.pack(">I", len(f)) + f for f in fields)).decode()


def security_key() -> str:
    kind = "sk-ssh-ed25519@openssh.com"
    return f"{kind} {packed(kind.encode(), bytes(range(32)), b'ssh:')} noc-automation"


def rsa_line(bits: int, less: int = 0) -> str:
    """A public key with a modulus of that size; nothing but its size is looked at."""
    modulus = ((1 << bits) - 1 - 2 * less).to_bytes(bits // 8 + 1)
    blob = packed(b"ssh-rsa", b"\x01\x00\x01", modulus)
    return f"ssh-rsa {blob} noc-automation"


def problems(key: Any) -> list[settings.Problem]:
    with pytest.raises(settings.SettingsError) as caught:
        settings.parse(put(raw(), f"{PLACE}.key", key))
    return caught.value.problems


GOOD = {
    "ssh-ed25519": line_of(ed25519.Ed25519PrivateKey.generate()),
    "ecdsa-sha2-nistp384": line_of(ec.generate_private_key(ec.SECP384R1())),
    "ecdsa-sha2-nistp521": line_of(ec.generate_private_key(ec.SECP521R1())),
    "sk-ssh-ed25519@openssh.com": security_key(),
    "ssh-rsa": rsa_line(LEAST_RSA_BITS),
}


@pytest.mark.parametrize("kind", KEY_TYPES)
def test_every_accepted_type_is_read_whole_and_kept_as_it_is(kind: str) -> None:
    line = GOOD[kind]
    loaded = settings.parse(put(raw(), f"{PLACE}.key", f"  {line}\n"))
    assert loaded.administrators["noc-automation"].key == line
    without = line.rpartition(" ")[0]
    assert settings.parse(put(raw(), f"{PLACE}.key", without)).administrators["noc-automation"].key == without


def test_the_accepted_keys_are_those_the_hardened_ssh_server_takes() -> None:
    """A key that only the first boot takes would be locked out by the hardening."""
    server = yaml.safe_load((ROOT / "roles/ssh_server/defaults/main.yml").read_text())
    taken = {name for name in server["ssh_server_pubkey_algorithms"] if "-cert-" not in name}
    assert {"rsa-sha2-512", "rsa-sha2-256"} <= taken
    assert {name for name in taken if not name.startswith("rsa-")} | {"ssh-rsa"} == set(KEY_TYPES)
    assert server["ssh_server_required_rsa_size"] == LEAST_RSA_BITS


P256 = line_of(ec.generate_private_key(ec.SECP256R1()))
SK_P256 = "sk-ecdsa-sha2-nistp256@openssh.com"
DSA = f"ssh-dss {packed(b'ssh-dss', bytes(8))}"
BAD = [
    # key, shown, part of the rule
    (P256, "text of", "a key has a type the hardened ssh server takes: ssh-ed25519, sk-"),
    (f"{SK_P256} {packed(SK_P256.encode())}", "text of", "a type the hardened"),
    (DSA, "text of", "a type the hardened"),
    (rsa_line(2048), "ssh-rsa …", "3072 bits or more, this one has 2048"),
    (rsa_line(3064), "ssh-rsa …", "3072 bits or more, this one has 3064"),
    (f"ssh-rsa {BLOB} {COMMENT}", "ssh-rsa …", "whole public key of the stated type"),
    (f"ecdsa-sha2-nistp384 {GOOD['ecdsa-sha2-nistp521'].split()[1]}", "ecdsa-", "of the stated type"),
    (f"{KIND} {BLOB[:-4]} {COMMENT}", "ssh-ed25519 …", "whole public key"),
    (f"{KIND} {BLOB}AAAA {COMMENT}", "ssh-ed25519 …", "whole public key"),
    (f"{KIND} {BLOB[:-4]}@@@@ {COMMENT}", "ssh-ed25519 …", "whole public key"),
    (KIND, "ssh-ed25519 …", "whole public key"),
    (f"{KIND} {COMMENT}", "ssh-ed25519 …", "whole public key"),
    (f'command="/bin/sh" {SAMPLE}', "text of", "one line: type, base64, one word"),
    (f"{SAMPLE} and more", "ssh-ed25519 …", "one line"),
    (f"{SAMPLE}\n{SAMPLE}", "ssh-ed25519 …", "one line"),
    (f"{KIND}  {BLOB}", "ssh-ed25519 …", "one line"),
    (f"{KIND} {BLOB} büro", "ssh-ed25519 …", "one line"),
    (f"{KIND} {BLOB} password:x", "ssh-ed25519 …", "a comment is one word"),
    (f"{KIND}-cert-v01@openssh.com {BLOB}", "ssh-ed25519 …", "a type the hardened"),
    ("", "", "one line"),
    ("x" * 200, "text of 200", "a type the hardened"),
    (7, "7", "valid string"),
    (None, "None", "valid string"),
    (["ssh-ed25519"], "a list", "valid string"),
    ({"public": SAMPLE}, "a mapping", "valid string"),
]


@pytest.mark.parametrize(("key", "shown", "says"), BAD)
def test_what_is_no_such_key_is_refused_in_one_line(key: Any, shown: str, says: str) -> None:
    (problem,) = problems(key)
    assert problem.key == f"{PLACE}.key"
    assert problem.value.startswith(shown)
    assert says in problem.rule
    assert problem.fix
    assert "\n" not in str(problem)


PRIVATE = ed25519.Ed25519PrivateKey.generate()
ELLIPTIC = ec.generate_private_key(ec.SECP384R1())
PEMS = [
    PRIVATE.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode(),
    PRIVATE.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(),
    ELLIPTIC.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()).decode(),
    "PuTTY-User-Key-File-3: ssh-ed25519\nPrivate-Lines: 1\nAAAAIHNlY3JldHNlY3JldHNlY3JldA==\n",
]


def repeats(said: str, secret: str) -> list[str]:
    """Pieces of the secret's own lines that were said."""
    body = [line for line in secret.splitlines() if not line.startswith("-----")]
    pieces = [line[i : i + 8] for line in body for i in range(0, max(1, len(line) - 7), 4)]
    return [piece for piece in pieces if len(piece) == 8 and piece in said]


ANYWHERE = [
    f"{PLACE}.key",
    f"{PLACE}.secret",
    PLACE,
    "administrators",
    "owner",
    "sites.noc-mumbai.kind",
    "administratorz",
    "firewall.0.from.0",
]
HEADLESS = "without its first line"
PASTED = [
    (place, form, pem)
    for place in ANYWHERE
    for form in ("as it is", "in one line", HEADLESS)
    for pem in PEMS
    # Outside the section of keys, nothing tells a headless text from any other unless it tells its format.
    if form != HEADLESS or place.startswith(PLACE) or "b3Blb" in pem
]


@pytest.mark.parametrize(("place", "form", "pem"), PASTED)
def test_a_private_key_is_refused_and_never_repeated(place: str, form: str, pem: str) -> None:
    given = {"as it is": pem, "in one line": " ".join(pem.split())}.get(form, pem.partition("\n")[2])
    with pytest.raises(settings.SettingsError) as caught:
        settings.parse(put(raw(), place, given))
    assert repeats(str(caught.value), pem) == []
    if place == f"{PLACE}.key" and form != HEADLESS:
        (problem,) = caught.value.problems
        assert "only public keys stand here" in problem.rule
        assert "replace it" in problem.fix


@pytest.mark.parametrize("pem", PEMS)
@pytest.mark.parametrize("quote", ['"', "", "|\n"])
def test_a_private_key_that_breaks_the_file_is_not_repeated_either(
    tmp_path: Any, pem: str, quote: str
) -> None:
    text = (ROOT / "Pulumi.in-mumbai.yaml").read_text()
    (tmp_path / "Pulumi.bad.yaml").write_text(text.replace(f'"{SAMPLE}"', f"{quote}{pem}", 1))
    with pytest.raises(settings.SettingsError) as caught:
        settings.load("bad", tmp_path)
    assert repeats(str(caught.value), pem) == []
    # Some of these are still YAML; then the key is seen for what it is.
    assert re.search(r"line \d+: |only public keys stand here", str(caught.value))


def test_at_least_one_may_log_in() -> None:
    with pytest.raises(settings.SettingsError) as caught:
        settings.parse(put(raw(), "administrators", {}))
    (problem,) = caught.value.problems
    assert (problem.key, problem.value) == ("administrators", "{}")
    assert "at least 1 item" in problem.rule and "public keys that may log in" in problem.fix
    with pytest.raises(settings.SettingsError, match="administrators: missing; every key is stated"):
        settings.parse(put(raw(), "administrators", ...))


def test_a_key_stands_under_one_name_whatever_its_comment() -> None:
    again = {"key": f"{KIND} {BLOB} other@place"}
    with pytest.raises(settings.SettingsError) as caught:
        settings.parse(put(raw(), "administrators.sc-automation", again))
    (problem,) = caught.value.problems
    assert (problem.key, problem.value) == ("administrators.sc-automation.key", "the key of noc-automation")
    other = {"key": GOOD["ssh-ed25519"]}
    assert len(settings.parse(put(raw(), "administrators.sc-automation", other)).administrators) == 2


def test_a_broken_key_hides_no_problem_of_another() -> None:
    data = put(raw(), "administrators.broken", {"key": "x"})
    data["administrators"]["again"] = {"key": SAMPLE}
    with pytest.raises(settings.SettingsError) as caught:
        settings.parse(data)
    assert {p.key for p in caught.value.problems} == {"administrators.broken.key", "administrators.again.key"}


def test_names_are_of_roles_and_machines_in_our_form() -> None:
    with pytest.raises(
        settings.SettingsError, match=r"administrators\.NOC Automation: NOC Automation; .*pattern"
    ):
        settings.parse(put(raw(), "administrators.NOC Automation", {"key": GOOD["ssh-ed25519"]}))


def test_keys_that_ec2_would_refuse_in_the_middle_of_a_run_are_refused_before() -> None:
    def many(count: int) -> dict[str, Any]:
        lines = [rsa_line(8192, less) for less in range(count)]
        return put(raw(), "administrators", {f"n{n}": {"key": line} for n, line in enumerate(lines)})

    fit = (USER_DATA_BYTES - KEPT_FOR_FIRST_BOOT) // (len(many(1)["administrators"]["n0"]["key"]) + 16)
    assert len(settings.parse(many(fit)).administrators) == fit
    with pytest.raises(settings.SettingsError, match=r"administrators: \d+ keys, \d+ bytes; .* 16 KB"):
        settings.parse(many(fit + 1))


def test_shipped_examples_are_keys_of_their_own_and_say_that_they_are_examples() -> None:
    keys = [one.key for stack in STACKS for one in settings.load(stack, ROOT).administrators.values()]
    assert len({key.split(" ")[1] for key in keys}) == len(keys) == len(STACKS)
    for stack, key in zip(STACKS, keys, strict=True):
        assert key.endswith(f" noc-automation@{stack}")
        comment = (ROOT / f"Pulumi.{stack}.yaml").read_text().partition("  stockade:administrators:")[0]
        assert "EXAMPLE" in comment.splitlines()[-2] + comment.splitlines()[-1] + comment.splitlines()[-3]
