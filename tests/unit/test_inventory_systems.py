"""What other systems have differently: variables that roles have, no word that programs there do not know."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jinja2
import pytest
import yaml

from plugins.action.preflight import UNPROVEN

ROOT = Path(__file__).resolve().parents[2]
SYSTEMS = sorted((ROOT / "inventory/systems").glob("*.yml"))
# OpenSSH's release notes: the version each word came with. Ubuntu 22.04 has 8.9, 24.04 has 9.6.
NEWER = {
    "RequiredRSASize": (9, 1),
    "ChannelTimeout": (9, 2),
    "UnusedConnectionTimeout": (9, 2),
    "PubkeyAuthOptions touch-required": (9, 4),
    "PerSourcePenalties": (9, 8),
    "RefuseConnection": (9, 9),
    "mlkem768x25519-sha256": (9, 9),
}
OPENSSH = {"ubuntu-22.04": (8, 9), "ubuntu-24.04": (9, 6)}
SUDO = {"ubuntu-22.04": (1, 9, 9), "ubuntu-24.04": (1, 9, 15)}
LOG_PASSWORDS = (1, 9, 10)


def variables(system: Path, role: str) -> dict[str, Any]:
    """A role's variables on a system: its defaults, then the system's own."""
    defaults = yaml.safe_load((ROOT / "roles" / role / "defaults/main.yml").read_text())
    return {**defaults, **yaml.safe_load(system.read_text())}


def rendered(system: Path, role: str, template: str) -> str:
    environment = jinja2.Environment(trim_blocks=True, undefined=jinja2.StrictUndefined)
    environment.filters["regex_replace"] = lambda text, *_: text
    source = (ROOT / "roles" / role / "templates" / template).read_text()
    return environment.from_string(source).render(**variables(system, role))


def test_every_system_that_is_let_in_unproven_has_its_file():
    assert {path.stem for path in SYSTEMS} == {f"{name}-{version}" for name, version in UNPROVEN}


@pytest.mark.parametrize("system", SYSTEMS, ids=lambda path: path.stem)
def test_it_states_variables_that_roles_have(system):
    known: set[str] = set()
    for specs in ROOT.glob("roles/*/meta/argument_specs.yml"):
        known |= set(yaml.safe_load(specs.read_text())["argument_specs"]["main"]["options"])
    assert set(yaml.safe_load(system.read_text())) - known == set()


@pytest.mark.parametrize("system", SYSTEMS, ids=lambda path: path.stem)
@pytest.mark.parametrize("template", ["00-stockade.conf.j2", "ssh_config.j2"])
def test_openssh_there_knows_every_word(system, template):
    text = rendered(system, "ssh_server", template)
    assert "chacha20-poly1305@openssh.com" in text
    assert [word for word, since in NEWER.items() if since > OPENSSH[system.stem] and word in text] == []


@pytest.mark.parametrize("system", SYSTEMS, ids=lambda path: path.stem)
def test_sudo_there_knows_every_word(system):
    text = rendered(system, "users", "sudoers.j2")
    assert "use_pty" in text
    assert ("log_passwords" in text) == (SUDO[system.stem] >= LOG_PASSWORDS)


@pytest.mark.parametrize("system", SYSTEMS, ids=lambda path: path.stem)
def test_security_updates_come_from_its_own_distribution(system):
    (pattern,) = variables(system, "patching")["patching_origins"]
    assert pattern.startswith("origin=Ubuntu,archive=") and pattern.endswith("-security")
