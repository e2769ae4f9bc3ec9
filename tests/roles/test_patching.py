"""Role patching against a real signed repository: what is installed, what is not, and when a node reboots."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.roles.package_source import Key, Package, as_text, build_suite
from tests.roles.patch_fleet import zone_at_noon
from tests.roles.role_run import harden, run_roles

OLD, NEW = "1.0", "1.1"
NAMES = ("stk-lock", "stk-feature", "stk-held", "stk-engine")
ASKS = "touch /run/reboot-required; echo stk-engine >> /run/reboot-required.pkgs"
HELD = {"name": "stk-held", "reason": "its new version breaks the uploads", "until": "2999-12-31"}
BOOT_ID = "cat /proc/sys/kernel/random/boot_id"


@pytest.fixture(scope="module")
def node(lone_node_module, tmp_path_factory):
    """A node with four old packages and a signed source of newer ones; Debian's own are switched off."""
    work = tmp_path_factory.mktemp("source")
    key = Key(work / "keys")
    tree = work / "tree"
    build_suite(tree / "old", "Old", [Package(name, OLD) for name in NAMES], key)
    engine = Package("stk-engine", NEW, postinst=ASKS)
    build_suite(
        tree / "security",
        "Debian-Security",
        [Package("stk-lock", NEW), Package("stk-held", NEW), engine],
        key,
    )
    build_suite(tree / "updates", "Debian", [Package("stk-feature", NEW)], key)
    (tree / "key.gpg").write_bytes(key.public)
    (tree / "key.gpg").rename(tree / "key")
    source = "deb [signed-by=/srv/stk/key]"
    place = (
        f"mkdir -p /srv/stk && echo {as_text(tree)} | base64 -d | tar xJ --directory=/srv/stk --no-same-owner"
        " && chmod -R a+rX /srv/stk && dpkg -i /srv/stk/old/*.deb;"
        " mv /etc/apt/sources.list /etc/apt/sources.kept;"
        " mkdir -p /srv/off; mv /etc/apt/sources.list.d/* /srv/off/;"
        f" echo '{source} file:/srv/stk/security ./' > /etc/apt/sources.list.d/stk.list;"
        f" echo '{source} file:/srv/stk/updates ./' >> /etc/apt/sources.list.d/stk.list"
    )
    placed = lone_node_module.sudo(place)
    assert installed(lone_node_module) == dict.fromkeys(NAMES, OLD), placed.stdout + placed.stderr
    return lone_node_module


def installed(node):
    """Versions of our packages."""
    shown = node.sudo("dpkg-query -W -f '${Package} ${Version}\\n' 'stk-*'").stdout
    return dict(line.split() for line in shown.splitlines())


def record(node):
    """The recorded reason for a reboot, None without one."""
    text = node.sudo("cat /var/lib/stockade/reboot-reason.json").stdout
    return json.loads(text) if text else None


def patch(node, **variables):
    """One run with a fresh index; everything declared unless said otherwise."""
    given = {"patching_index_minutes": 0, "patching_holds": [HELD], "patching_reboot": "never"}
    return harden(node, "patching", **{**given, **variables})


def open_now():
    """A window that is open, and stays so: in a time zone where no day ends while tests run."""
    zone = zone_at_noon()
    return {"patching_window": f"{datetime.now(ZoneInfo(zone)):%a} 00:00-23:59", "patching_timezone": zone}


def not_today():
    """A window that is days away."""
    return f"{datetime.now(UTC) + timedelta(days=3):%a} 01:00-02:00"


def boot_id(node):
    return node.sudo(BOOT_ID).stdout


def test_a_check_of_a_blank_node_changes_nothing(node):
    outcome = run_roles(node, "patching", check=True)
    assert outcome.code == 0, outcome.output
    assert outcome.changed
    assert installed(node) == dict.fromkeys(NAMES, OLD)
    assert node.sudo("ls /etc/stockade /usr/local/sbin/stockade-patching").stdout == ""


def test_a_window_or_a_hold_that_nobody_could_follow_is_refused_before_anything_is_written(node):
    wrong: dict[str, Any] = {
        "patching_window": "Sat 22:00-02:00",
        "patching_holds": [{**HELD, "until": "2027-02-30"}, {**HELD, "reason": " "}],
    }
    outcome = run_roles(node, "patching", **wrong)
    said = " ".join(outcome.output.replace("'", "").split())
    assert outcome.code != 0
    assert "window Sat 22:00-02:00; a window is a day and two times of it" in said
    assert "stk-held until 2027-02-30; a hold ends on a day" in said
    assert "stk-held has no reason" in said
    assert node.sudo("ls /etc/stockade /usr/local/sbin/stockade-patching").stdout == ""


def test_a_source_that_was_tampered_with_installs_nothing(node):
    node.sudo(
        "cp -a /srv/stk/security /srv/keep;"
        " sed -i s/Debian-Security/Debian-Securitx/ /srv/stk/security/InRelease"
    )
    outcome = run_roles(node, "patching", patching_index_minutes=0)
    node.sudo("rm -r /srv/stk/security && mv /srv/keep /srv/stk/security")
    assert outcome.code != 0
    assert "BADSIG" in outcome.output, outcome.output
    assert installed(node) == dict.fromkeys(NAMES, OLD)


def test_security_updates_are_installed_others_and_held_ones_are_not(node):
    outcome = patch(node)
    assert "Install security updates and record whether a reboot is needed" in outcome.changed
    assert installed(node) == {"stk-lock": NEW, "stk-engine": NEW, "stk-feature": OLD, "stk-held": OLD}


def test_the_reason_for_a_reboot_is_recorded_and_policy_never_is_obeyed(node):
    before = boot_id(node)
    assert patch(node).changed == (), "a second run changes nothing"
    assert record(node)["causes"] == ["a package asks for it: stk-engine"]
    assert boot_id(node) == before


def test_the_unattended_run_refuses_to_work_outside_of_the_window(node):
    before, evidence = boot_id(node), node.sudo("ls /var/lib/stockade/patching").stdout
    closed = not_today()
    patch(node, patching_window=closed, patching_origins=[])
    node.sudo("systemctl start apt-daily-upgrade.service", timeout=600)
    said = node.sudo("journalctl -u apt-daily-upgrade -o cat --no-pager").stdout
    assert f"patching happens {closed} Etc/UTC" in said
    assert boot_id(node) == before
    assert node.sudo("ls /var/lib/stockade/patching").stdout == evidence
    node.sudo("systemctl reset-failed")
    assert record(node) is not None


def test_the_play_reboots_for_the_reason_and_records_what_it_cured(node):
    before = boot_id(node)
    outcome = patch(node, patching_reboot="when_required")
    assert "Reboot for the recorded reason" in outcome.changed
    assert boot_id(node) != before
    assert record(node) is None
    last = json.loads(node.sudo("tail -1 /var/lib/stockade/reboots.jsonl").stdout)
    assert (last["causes"], last["cured"]) == (["a package asks for it: stk-engine"], True)
    assert patch(node, patching_reboot="when_required").changed == ()


def test_an_open_window_reboots_unattended(node):
    before = boot_id(node)
    patch(node, **open_now(), patching_reboot="when_required")
    node.sudo(ASKS)
    node.sudo("systemctl start --no-block apt-daily-upgrade.service")
    waited = node.sudo("for i in $(seq 1200); do sleep 0.5; done", timeout=900)  # until it goes down
    assert waited.returncode != 0, "the node was up all the time"
    node.start()
    assert boot_id(node) != before


def test_replaced_code_that_is_still_running_is_a_reason(node):
    node.sudo(
        "cp /bin/sleep /usr/local/bin/stk-sleep; systemd-run --unit stk-sleep /usr/local/bin/stk-sleep 600"
    )
    assert json.loads(node.sudo("stockade-patching reason").stdout)["reason"] is None
    node.sudo("cp /bin/sleep /usr/local/bin/stk-new && mv /usr/local/bin/stk-new /usr/local/bin/stk-sleep")
    reason = json.loads(node.sudo("stockade-patching reason").stdout)["reason"]
    assert reason["causes"] == ["replaced code is still running: stk-sleep.service"]
    node.sudo("systemctl stop stk-sleep")
    assert json.loads(node.sudo("stockade-patching reason").stdout)["reason"] is None


def test_an_installed_kernel_that_does_not_run_is_a_reason(node):
    """A container has its host's kernel, so it is told that it is none, and has a file of a newer one."""
    kernel = '/boot/vmlinuz-999.0-$(uname -r | sed "s/.*-//")'
    none = "/usr/local/sbin/systemd-detect-virt"
    node.sudo(f"printf '#!/bin/sh\\nexit 1\\n' > {none}; chmod 755 {none}; touch {kernel}")
    (cause,) = json.loads(node.sudo("stockade-patching reason").stdout)["reason"]["causes"]
    assert cause.startswith("kernel 999.0-") and cause.endswith(" is running")
    node.sudo(f"rm {kernel}")
    assert json.loads(node.sudo("stockade-patching reason").stdout)["reason"] is None
    node.sudo(f"rm {none}")


def test_an_expired_hold_is_lifted_and_the_update_comes(node):
    outcome = patch(node, patching_holds=[{**HELD, "until": "2020-01-01"}])
    assert outcome.changed
    assert node.sudo("apt-mark showhold").stdout == ""
    assert installed(node)["stk-held"] == NEW


def test_a_cause_that_a_reboot_does_not_cure_reboots_once(node):
    """Something asks again at every boot: the second run leaves it to a person."""
    unit = "[Service]\\nType=oneshot\\nExecStart=/bin/touch /run/reboot-required\\n"
    unit += "[Install]\\nWantedBy=multi-user.target\\n"
    node.sudo(f'printf "{unit}" > /etc/systemd/system/stk-nag.service; systemctl enable --now stk-nag')
    assert "Reboot for the recorded reason" in patch(node, patching_reboot="when_required").changed
    after = boot_id(node)
    assert patch(node, patching_reboot="when_required").changed == ()
    assert boot_id(node) == after
    assert record(node)["cured_by_reboot"] is False
