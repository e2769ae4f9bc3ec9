"""What a rollback text names exists: playbooks, files, settings, roles' variables, components, commands.

The texts are for somebody in a hurry: a name that leads nowhere costs that person the way back.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable, Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import botocore.session
import pytest
import yaml
from botocore import xform_name
from botocore.model import ServiceModel

from controls.model import load

ROOT = Path(__file__).resolve().parents[2]
TEXTS = {name: " ".join(control.rollback.split()) for name, control in load(ROOT).items()}
# Words that name no thing of ours: settings' values, words of the firewall, parts of a configuration.
PLAIN = {"ignore", "internet", "port", "user", "why", "until", "limit", "internet → NAME", "trusted=yes"}
PLAIN |= {"aws_endpoints", "package_proxy", "time_servers"}
# Programs of the nodes' base system and of packages that a role installs.
PROGRAMS = {
    *("apt-mark", "chage", "chmod", "chown", "dpkg-statoverride", "faillock", "nft", "passwd", "ssh-keygen"),
    *("systemctl", "aa-complain", "sysctl"),
}
UNITS_OF_DEBIAN = {"apt-daily-upgrade.timer", "ctrl-alt-del.target", "systemd-timesyncd", "NAME", "ssh"}


@cache
def files() -> tuple[str, ...]:
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return tuple(line for line in listed.stdout.splitlines() if (ROOT / line).is_file())


@cache
def source(folder: str, ending: str = "") -> str:
    """Everything that is written below a folder."""
    return "\n".join(
        (ROOT / name).read_text(errors="replace")
        for name in files()
        if name.startswith(folder) and name.endswith(ending)
    )


@cache
def role_options() -> dict[str, set[str]]:
    """Role → its public variables."""
    found = {}
    for path in sorted((ROOT / "roles").glob("*/meta/argument_specs.yml")):
        data = yaml.safe_load(path.read_text())
        found[path.parts[-3]] = {
            word for entry in data["argument_specs"].values() for word in entry.get("options", {})
        }
    return found


@cache
def settings_keys() -> set[str]:
    """Every key of a stack file, at any depth."""

    def keys(value: Any) -> Iterator[str]:
        if isinstance(value, dict):
            yield from value.get("properties", {})
        for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
            yield from keys(inner)

    schema = json.loads((ROOT / "docs/generated/settings.schema.json").read_text())
    return {key.removeprefix("stockade:") for key in keys(schema)}


@cache
def modules() -> set[str]:
    """Python files by their own names, and what they define."""
    own = {Path(name).stem for name in files() if name.endswith(".py")}
    return own | set(re.findall(r"^(?:def|class) (\w+)", source("", ".py"), re.MULTILINE))


def names_a_command(text: str) -> str | None:
    """What is wrong with a command in back quotes; None when it can be typed."""
    words = text.split()
    if words[0] == "aws":
        return aws(words)
    if words[0] == "ansible-playbook" or words[0].startswith("playbooks/"):
        return playbook(words[1:] if words[0] == "ansible-playbook" else words)
    if words[0] == "systemctl":
        units = [word for word in words[2:] if not word.startswith("-") and "." in word]
        lost = [u for u in units if u not in UNITS_OF_DEBIAN and u not in source("roles/")]
        return f"no unit {lost[0]}" if lost else None
    if words[0] in ("pulumi", "stockade-firewall"):
        known = {"pulumi": {"up"}, "stockade-firewall": {"load"}}[words[0]]
        return None if words[1] in known else f"{words[0]} knows no {words[1]}"
    return None if words[0] in PROGRAMS else "no such command"


@cache
def aws_model(service: str) -> ServiceModel | None:
    session = botocore.session.get_session()
    return session.get_service_model(service) if service in session.get_available_services() else None


def aws(words: list[str]) -> str | None:
    """An operation of AWS's command line and its options, by botocore's own model of the service."""
    service = {"s3api": "s3", "configservice": "config"}.get(words[1], words[1])
    model = aws_model(service)
    if model is None:
        return f"AWS has no {service}"
    operations = {xform_name(name, "-"): name for name in model.operation_names}
    if words[2] not in operations:
        return f"{service} has no {words[2]}"
    shape = model.operation_model(operations[words[2]]).input_shape
    options = {xform_name(name, "-") for name in (shape.members if shape else {})}
    for word in words[3:]:
        option = word.removeprefix("--").removeprefix("no-")
        if word.startswith("--") and option not in options | {name.removesuffix("s") for name in options}:
            return f"{words[2]} has no {word}"
    return None


def playbook(words: list[str]) -> str | None:
    """A playbook that is there, and the variables that it reads."""
    if not (ROOT / words[0]).is_file():
        return f"no playbook {words[0]}"
    text = (ROOT / words[0]).read_text()
    given = [word.partition("=")[0] for before, word in pairwise(words) if before == "-e"]
    lost = [name for name in given if not re.search(rf"\{{\{{[^}}]*\b{name}\b|\b{name} (?:\||is )", text)]
    return f"{words[0]} reads no {lost[0]}" if lost else None


def quoted(text: str) -> str | None:
    """What is wrong with something in back quotes that is one word."""
    if re.fullmatch(r"[a-z]+:[A-Z]\w+", text):
        token = f"stockade:{text}"
        return None if token in source("", ".py") else f"no component {token}"
    if re.fullmatch(r"[a-z_.]+: \w+", text):
        text = text.partition(":")[0]
    if "/" in text or text.endswith((".py", ".yaml", ".yml", ".toml")):
        return None if any(name.endswith(text.lower()) for name in files()) else f"no file {text}"
    if text.startswith("stockade:"):
        return setting(text.removeprefix("stockade:"))
    return word(text)


def setting(text: str) -> str | None:
    lost = [part for part in text.split(".") if part not in settings_keys()]
    return f"no setting {text}: {lost[0]}" if lost else None


def word(text: str) -> str | None:
    """A name with underscores or dots: a role's variable, a setting, a kernel parameter, a module of ours."""
    for role in sorted(role_options(), key=len, reverse=True):
        if text.startswith(f"{role}_") and text not in modules():
            return None if text in role_options()[role] else f"role {role} has no variable {text}"
    known = text in role_options() or text in settings_keys() or text in modules()
    if known or text in source("roles/") or (ROOT / text.replace(".", "/")).exists():
        return None
    first, _, rest = text.partition(".")
    if first in settings_keys():
        return setting(text)
    if (ROOT / first).is_dir() and rest in modules():
        return None
    return f"nobody knows {text}"


def dotted(text: str) -> str | None:
    """A setting below a section; other words with dots are kernel parameters and files of Python."""
    return setting(text) if text.partition(".")[0] in settings_keys() else None


def path_of_a_node(text: str) -> str | None:
    """A file or folder of a node stands in a role, or is Debian's own."""
    known = source("roles/") + source("inventory/") + source("plugins/")
    return None if text in known or Path(text).name in known else f"no role writes {text}"


KINDS: tuple[tuple[re.Pattern[str], Callable[[str], str | None]], ...] = (
    (re.compile(r"(?<![\w/`])(playbooks/[\w./-]+\.yml)"), lambda text: playbook([text])),
    (
        re.compile(r"(?<![\w/])((?:rollback|unpatch|patch|harden|contain)\.yml)"),
        lambda t: playbook([f"playbooks/{t}"]),
    ),
    (re.compile(r"(?<![\w.])(/(?:etc|var|usr|boot)/[\w./-]*[\w])"), path_of_a_node),
    (re.compile(r"(stockade:[a-z_]+(?:\.[a-z_]+)*)"), lambda text: setting(text.removeprefix("stockade:"))),
    (re.compile(r"(?<![\w./:`-])([a-z]+(?:_[a-z0-9]+)+)(?![\w/.-]*[/(])"), word),
    (re.compile(r"(?<![\w./:`-])([a-z_]+(?:\.[a-z_]+)+)(?![\w/.-]*[/(])"), dotted),
)


def wrong(text: str) -> Iterator[str]:
    """Everything in a rollback text that leads nowhere."""
    for found in re.findall(r"`([^`]+)`", text):
        if found in PLAIN:
            continue
        command = found in PROGRAMS or (" " in found and not re.fullmatch(r"[a-z_.]+: \w+", found))
        problem = names_a_command(found) if command else quoted(found)
        if problem:
            yield problem
    bare = re.sub(r"`[^`]+`", " ", text)
    for pattern, judge in KINDS:
        for found in pattern.findall(bare):
            if found not in PLAIN and (problem := judge(found)):
                yield problem


@pytest.mark.parametrize("control", list(TEXTS))
def test_what_a_rollback_names_exists(control: str) -> None:
    assert list(wrong(TEXTS[control])) == []


@pytest.mark.parametrize(
    "text",
    [
        "Run `playbooks/roll-back.yml`.",
        "Run playbooks/undo.yml.",
        "Run `ansible-playbook playbooks/rollback.yml -e number=3`.",
        "Set kernel_extras in the stack file.",
        "Set ssh_server_cyphers.",
        "Take it out of `stockade:retentions`.",
        "Raise `retention.nodes_days`.",
        "Change `network:Vpcs` and `pulumi up`.",
        "Change `iam/boundaries_of_roles.py`.",
        "`aws ec2 delete-flow-log` removes it.",
        "`aws ec3 delete-flow-logs` removes it.",
        "`aws ec2 modify-instance-attribute --group`s.".replace("--group`s", "--grouping`"),
        "`systemctl unmask stockade-fire.service` starts it.",
        "`setenforce 0`.",
        "Remove /etc/sysctl.d/98-nobody.conf.",
        "Edit access.trusted_range_of and go on.",
    ],
)
def test_a_name_that_leads_nowhere_is_found(text: str) -> None:
    assert list(wrong(text))
