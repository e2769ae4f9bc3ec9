"""playbooks/patch.yml over two real nodes: canary first, evidence, stop on the first failure, way back."""

from __future__ import annotations

import json
import shlex

import pytest

from tests.conftest import require_nodes
from tests.roles.health_server import address, serve_health
from tests.roles.patch_fleet import (
    CLOSED_NOW,
    FIRST_CVE,
    SECOND_CVE,
    ZONE,
    Fleet,
    build_sources,
    cover,
    differing,
    install_aide,
    prepare,
    records,
    serve_over_http,
    versions,
)
from twin.machines import lone

HELD = {"name": "stk-held", "reason": "its new version breaks the uploads", "until": "2999-12-31"}
# No server, and no session that has begun.
NO_SSH = "systemctl stop ssh; for p in /proc/[0-9]*; do grep -qsx sshd $p/comm && kill -9 ${p#/proc/}; done"
HOOKED = 'echo "$STOCKADE_PHASE $STOCKADE_NODE" >> /srv/stk/hooks'


@pytest.fixture(scope="module")
def fleet(tmp_path_factory):
    """Two fresh nodes with old packages and a signed source of newer ones."""
    require_nodes()
    work = tmp_path_factory.mktemp("fleet")
    tree = build_sources(work)
    with lone("patch-canary") as canary, lone("patch-second") as second:
        install_aide(canary)
        for node in (canary, second):
            prepare(node, tree)
        cover(canary, work)
        yield Fleet(canary, second, work)


def test_outside_of_the_window_nothing_is_touched(fleet):
    played = fleet.play("patch", patching_window=CLOSED_NOW)
    assert played.code != 0
    assert f"it is outside of the window {CLOSED_NOW} {ZONE}" in played.output
    assert "add -e patching_force_reason=" in " ".join(played.output.split())
    for node in (fleet.canary, fleet.second):
        assert versions(node) == {"stk-lock": "1.0", "stk-held": "1.0"}
        assert node.sudo("ls /etc/stockade /var/lib/stockade").stdout == ""
    assert "untouched" in played.line("second")


def test_a_forced_run_patches_one_after_the_other_and_leaves_evidence(fleet):
    hooks = {
        "snapshot": [{"command": f"{HOOKED} && dpkg-query -W stk-lock >> /srv/stk/hooks", "seconds": 5}],
        "drain": [
            {"command": f"echo $STOCKADE_NODE >> {fleet.work}/drained", "where": "controller"},
            {"url": address("204"), "status": 204},
        ],
        "health": [
            {"command": f"{HOOKED} && dpkg-query -W stk-lock >> /srv/stk/hooks", "tries": 2},
            {"url": address("comes"), "tries": 4, "pause": 0},
        ],
    }
    for node in (fleet.canary, fleet.second):
        serve_health(node, "/srv/stk/hooks")
    force = "CVE-2026-0001 is being used"
    played = fleet.play(
        "patch",
        patching_window=CLOSED_NOW,
        patching_force_reason=force,
        patching_hooks=hooks,
        patching_holds=[HELD],
    )
    assert played.code == 0, played.output
    assert (fleet.work / "drained").read_text().split() == ["canary", "second"]
    for name, node in (("canary", fleet.canary), ("second", fleet.second)):
        assert versions(node) == {"stk-lock": "1.1", "stk-held": "1.0"}
        said = node.sudo("cat /srv/stk/hooks").stdout.splitlines()
        before, after = [f"snapshot {name}", "stk-lock\t1.0"], [f"health {name}", "stk-lock\t1.1"]
        assert said == [*before, "asked for 204", *after, *["asked for comes"] * 3]
        record = played.evidence[name]
        (change,) = record["packages"]
        assert change == {
            "name": "stk-lock:all",
            "before": "1.0",
            "after": "1.1",
            "origin": "Debian:Debian-Security:stable",
            "cves": [FIRST_CVE],
            "changelog": "read",
        }
        assert record["outcome"] == "patched"
        assert (record["window"]["forced"], record["window"]["kept"]) == (force, False)
        assert record["before"]["stk-lock:all"] == "1.0"
        assert record["after"] == {**record["before"], "stk-lock:all": "1.1"}
        assert record["kernel"]["same"] is True
        assert record["holds"] == [{**HELD, "active": True}]
        assert [check["passed"] for check in record["checks"]] == [True, True]
        assert "patched" in played.line(name)
        assert "1 packages, 1 CVEs fixed, no reboot, forced: CVE-2026-0001" in played.line(name)
    checksums = played.evidence["canary"]["integrity"]
    assert (checksums["renewed"], checksums["before"], checksums["why"]) == (True, [], "")
    assert {"/usr/share/stk/stk-lock", "/usr/share/doc/stk-lock/changelog"} <= set(checksums["accepted"])
    assert differing(fleet.canary) == 0
    assert recorded(fleet) == fleet.canary.sudo("sha256sum /var/lib/aide/aide.db").stdout.split()[0]
    none = {"renewed": False, "why": "there is no database", "before": [], "accepted": []}
    assert played.evidence["second"]["integrity"] == none
    on_node = json.loads(
        fleet.canary.sudo(f"cat /var/lib/stockade/patching/{records(fleet.canary)[-1]}").stdout
    )
    assert on_node == played.evidence["canary"]


def recorded(fleet):
    """The hash of the canary's database as this controller keeps it: nothing on the node can change it."""
    machine = fleet.canary.sudo("cat /etc/machine-id").stdout.strip()
    return (fleet.work / "integrity" / f"canary-{machine}").read_text().strip()


def test_a_broken_update_stops_at_the_canary_and_is_repaired_by_the_next_run(fleet):
    fleet.serve("broken")
    before = records(fleet.second)
    broken = fleet.play("patch", patching_holds=[HELD])
    assert broken.code != 0
    record = broken.evidence["canary"]
    assert record["outcome"] == "failed"
    assert "stk-lock half-way" in record["problem"]
    assert set(broken.evidence) == {"canary"}
    assert (versions(fleet.second)["stk-lock"], records(fleet.second)) == ("1.1", before)
    assert "FAILED" in broken.line("canary")
    assert "stk-lock" in broken.line("canary")
    assert "untouched" in broken.line("second")

    fleet.serve("mended")
    kept = recorded(fleet)
    fleet.canary.sudo("install -m 0755 /bin/true /usr/local/bin/back")
    mended = fleet.play("patch", patching_holds=[HELD])
    assert mended.code == 0, mended.output
    # Neither a back door nor what a failed run left is accepted because an update came after it.
    checksums = mended.evidence["canary"]["integrity"]
    assert (checksums["renewed"], checksums["accepted"]) == (False, [])
    assert {"/usr/local/bin/back", "/usr/share/stk/stk-lock"} <= set(checksums["before"])
    assert "integrity_renew=true" in checksums["why"]
    assert "CHECKSUMS LEFT TO YOU" in mended.line("canary")
    assert (recorded(fleet), differing(fleet.canary) > 0) == (kept, True)
    assert fleet.canary.sudo("dpkg --audit").stdout == ""
    for name, node in (("canary", fleet.canary), ("second", fleet.second)):
        assert versions(node)["stk-lock"] == "1.3", name
    (second,) = mended.evidence["second"]["packages"]
    assert (second["before"], second["after"], second["cves"]) == ("1.1", "1.3", [SECOND_CVE])


def log(node):
    """What the hooks have written down since this was asked last."""
    said = node.sudo("cat /srv/stk/hooks; rm -f /srv/stk/hooks").stdout
    return [line for line in said.splitlines() if line.split()[-1] in ("canary", "second")]


def test_a_node_that_fails_leaves_nobody_of_its_batch_half_way(fleet):
    """The healthy one is proven, taken into service and has its evidence; the other one stays out."""
    fleet.canary.sudo("dpkg -i /srv/stk/kept/stk-lock*.deb")
    fleet.second.sudo("dpkg -i /srv/stk/kept/stk-lock*.deb")
    log(fleet.canary), log(fleet.second)
    fails = "test $STOCKADE_NODE = second || { echo no upload arrives >&2; exit 3; }"
    hooks = {
        "drain": [{"command": HOOKED}],
        "health": [{"command": fails, "tries": 2, "pause": 0}],
        "return": [{"command": HOOKED}],
    }
    played = fleet.play("patch", patching_holds=[HELD], patching_hooks=hooks, patch_batches=["100%"])
    assert played.code != 0
    assert (log(fleet.canary), log(fleet.second)) == (["drain canary"], ["drain second", "return second"])
    failed, whole = played.evidence["canary"], played.evidence["second"]
    assert (failed["outcome"], whole["outcome"]) == ("failed", "patched")
    assert "no upload arrives" in failed["problem"]
    assert [check["passed"] for check in whole["checks"]] == [True, True]
    assert "no upload arrives" in played.line("canary") and "stays out of service" in played.line("canary")
    assert "patched" in played.line("second")


def test_a_snapshot_that_fails_changes_nothing_and_spares_the_rest_of_the_batch(fleet):
    for node in (fleet.canary, fleet.second):
        node.sudo("dpkg -i /srv/stk/kept/stk-lock*.deb")
    hooks = {
        "snapshot": [{"command": "test $STOCKADE_NODE = second || { echo no room left >&2; exit 1; }"}],
        "drain": [{"command": HOOKED}],
        "return": [{"command": HOOKED}],
    }
    played = fleet.play("patch", patching_holds=[HELD], patching_hooks=hooks, patch_batches=["100%"])
    assert played.code != 0
    for node in (fleet.canary, fleet.second):
        assert versions(node)["stk-lock"] == "1.1"
    assert (log(fleet.canary), log(fleet.second)) == ([], ["drain second", "return second"])
    assert "no room left" in played.evidence["canary"]["problem"]
    spared = played.evidence["second"]
    assert "canary of the same batch failed before anything was changed here" in spared["problem"]
    assert (spared["outcome"], spared["packages"]) == ("failed", [])
    assert "nothing was changed on this node, and it is in service" in played.line("second")
    for node in (fleet.canary, fleet.second):
        node.sudo("dpkg -i /srv/stk/mended/stk-lock*.deb")


def test_a_node_that_goes_out_of_reach_ends_the_run_behind_its_batch(fleet):
    """No task of it fails, so nothing else would notice; the next batch would find its node missing."""
    more = fleet.with_another("later", ansible_port=1)
    log(fleet.second)
    fleet.canary.sudo(f"echo {shlex.quote(NO_SSH)} > /srv/stk/no-ssh")
    gone = "systemd-run -q --on-active=0.5 --timer-property=AccuracySec=50ms sh /srv/stk/no-ssh; sleep 1"
    hooks = {
        "health": [{"command": f"test $STOCKADE_NODE = second || {gone}"}],
        "return": [{"command": HOOKED}],
    }
    played = fleet.play(
        "patch", "-i", str(more), patching_holds=[HELD], patching_hooks=hooks, patch_batches=[2, "100%"]
    )
    fleet.canary.power_cut()
    fleet.canary.start()
    assert played.code != 0
    assert log(fleet.second) == ["return second"]
    assert played.evidence["second"]["outcome"] in ("patched", "unchanged")
    assert "out of reach" in played.line("canary")
    assert "untouched" in played.line("later")


def test_an_update_under_a_running_service_reboots_for_the_recorded_reason(fleet):
    for node in (fleet.canary, fleet.second):
        node.sudo("dpkg -i /srv/stk/old/stk-daemon*.deb")
    fleet.canary.sudo("rm /usr/local/bin/back")
    fleet.renew_checksums()
    fleet.serve("restart")
    played = fleet.play("patch", "--limit", "canary", patching_holds=[HELD])
    assert played.code == 0, played.output
    assert "/usr/share/stk/stk-daemon" in played.evidence["canary"]["integrity"]["accepted"]
    assert differing(fleet.canary) == 0
    reboot = played.evidence["canary"]["reboot"]
    assert reboot["causes"] == ["replaced code is still running: stk-daemon.service"]
    assert (reboot["done"], reboot["cured"]) == (True, True)
    assert fleet.canary.sudo("systemctl is-active stk-daemon").stdout.strip() == "active"
    assert "rebooted: replaced code is still running: stk-daemon.service" in played.line("canary")


def test_a_database_that_somebody_exchanged_stops_the_run_before_it_touches_anything(fleet):
    fleet.canary.sudo("cp /var/lib/aide/aide.db /root/; echo >> /var/lib/aide/aide.db")
    before = records(fleet.canary), records(fleet.second)
    refused = fleet.play("patch", patching_holds=[HELD])
    assert refused.code != 0
    assert "/var/lib/aide/aide.db is" in refused.output and "recorded was" in refused.output
    assert (records(fleet.canary), records(fleet.second)) == before
    fleet.canary.sudo("mv /root/aide.db /var/lib/aide/aide.db")


def test_a_run_is_taken_back_by_version_and_stays_back(fleet):
    run = max(name for name in records(fleet.second) if "1.3" in _left(fleet.second, name)).removesuffix(
        ".json"
    )
    fleet.second.sudo(
        "cp /etc/apt/sources.list.d/stk.list /srv/stk/list; sed -i /kept/d /etc/apt/sources.list.d/stk.list"
    )
    fleet.second.sudo("apt-get update")
    refused = fleet.play("unpatch", "--limit", "second", run=run, reason="uploads fail")
    assert refused.code != 0
    assert "stk-lock:all 1.1 is in no source any more" in " ".join(refused.output.split())
    assert versions(fleet.second)["stk-lock"] == "1.3"

    fleet.second.sudo("cp /srv/stk/list /etc/apt/sources.list.d/stk.list; apt-get update")
    back = fleet.play("unpatch", "--limit", "second", run=run, reason="uploads fail")
    assert back.code == 0, back.output
    assert versions(fleet.second)["stk-lock"] == "1.1"
    record = back.evidence["second"]
    assert (record["outcome"], record["back_to"]) == ("rolled back", run)
    assert record["reopened_cves"] == [SECOND_CVE]
    assert "1 CVEs open again" in back.line("second")
    again = program(fleet.second, "20991231T000000Z")
    brought = {change["name"].partition(":")[0] for change in json.loads(again.stdout)["packages"]}
    assert "stk-lock" not in brought, again.stderr
    assert versions(fleet.second)["stk-lock"] == "1.1"
    assert fleet.second.sudo("apt-mark showhold").stdout.split() == ["stk-held", "stk-lock"]


def _left(node, name):
    record = json.loads(node.sudo(f"cat /var/lib/stockade/patching/{name}").stdout)
    return {change["after"] for change in record["packages"]}


def program(node, run, *options):
    """The node's program as the playbook calls it."""
    return node.sudo(f"stockade-patching run {run} --force test {' '.join(options)}", timeout=1200)


@pytest.mark.parametrize(
    ("run", "state", "said"),
    [
        ("20991231T000001Z", "stranger", "NO_PUBKEY"),
        ("20991231T000002Z", "unsigned", "is no longer signed"),
    ],
)
def test_a_source_of_another_key_or_of_none_is_refused(fleet, run, state, said):
    fleet.serve(state)
    before = versions(fleet.canary)
    refused = program(fleet.canary, run)
    assert refused.returncode == 1
    assert said in refused.stderr
    assert refused.stderr.count("\n") == 1
    assert versions(fleet.canary) == before


def test_a_held_lock_is_waited_for_and_an_interrupted_dpkg_is_finished_first(fleet):
    fleet.serve("restart")
    hold = "import fcntl,time; f=open('/var/lib/dpkg/lock-frontend','w'); fcntl.lockf(f,2); time.sleep(6)"
    fleet.canary.sudo("dpkg --unpack /srv/stk/restart/stk-held_1.1_all.deb")
    assert "stk-held" in fleet.canary.sudo("dpkg --audit").stdout
    fleet.canary.sudo(f'systemd-run --unit stk-lock python3 -c "{hold}"; sleep 0.5')
    done = program(fleet.canary, "20991231T000010Z")
    assert done.returncode == 0, done.stderr
    assert fleet.canary.sudo("dpkg --audit").stdout == ""


def test_a_source_that_vanishes_half_way_leaves_the_node_whole_and_the_next_run_completes(fleet):
    fleet.canary.sudo("dpkg -i /srv/stk/old/stk-large*.deb")
    fleet.canary.sudo("cp /etc/apt/sources.list.d/stk.list /srv/stk/list.whole")
    serve_over_http(fleet.canary)
    before = versions(fleet.canary)
    cut = program(fleet.canary, "20991231T000020Z")
    assert cut.returncode == 1, cut.stdout
    assert "stk-large" in cut.stderr
    assert versions(fleet.canary) == before
    assert fleet.canary.sudo("dpkg --audit").stdout == ""
    record = json.loads(fleet.canary.sudo("stockade-patching show 20991231T000020Z").stdout)
    assert (record["outcome"], record["packages"], record["after"]) == ("failed", [], record["before"])

    fleet.canary.sudo("touch /srv/stk/whole")
    serve_over_http(fleet.canary)
    done = program(fleet.canary, "20991231T000030Z")
    assert done.returncode == 0, done.stderr
    assert (versions(fleet.canary)["stk-large"], versions(fleet.canary)["stk-lock"]) == ("1.1", "1.4")


# The program as it is, on a clock that passes midnight while the packages are being installed.
LATE = """
import runpy, sys
from datetime import timedelta
sys.path.insert(0, "/usr/local/lib/stockade")
from stockade_patching import packages, records
now, install = records.now, packages.install
def slow(*given):
    install(*given)
    records.now = lambda: now() + timedelta(days=1)
packages.install = slow
runpy.run_path("/usr/local/sbin/stockade-patching", run_name="__main__")
"""


def test_a_run_that_outlasts_its_window_leaves_the_reboot_to_the_next_one(fleet):
    fleet.serve("restart")
    fleet.canary.sudo("cp /srv/stk/list.whole /etc/apt/sources.list.d/stk.list")
    fleet.canary.sudo("systemctl stop stk-daemon; dpkg -i /srv/stk/old/stk-daemon*.deb")
    done = fleet.canary.sudo(f"python3 -c {shlex.quote(LATE)} run 20991231T000040Z", timeout=600)
    assert done.returncode == 0, done.stderr
    record = json.loads(done.stdout)
    assert (record["window"]["inside_at_start"], record["window"]["kept"]) == (True, False)
    assert record["reboot"]["causes"] == ["replaced code is still running: stk-daemon.service"]
    assert (record["reboot"]["wanted"], record["reboot"]["left_to"]) == (False, "the next window")


def test_a_full_run_takes_what_is_no_security_update_and_names_what_it_left(fleet):
    """With what an update newly needs; nothing is removed for one, and a hold holds here as well."""
    features = "deb [signed-by=/srv/stk/key] file:/srv/stk/features ./"
    fleet.canary.sudo(f"echo '{features}' >> /etc/apt/sources.list.d/stk.list")
    left = program(fleet.canary, "20991231T000050Z")
    assert left.returncode == 0, left.stderr
    assert json.loads(left.stdout)["packages"] == []
    done = program(fleet.canary, "20991231T000051Z", "--mode", "full")
    assert done.returncode == 0, done.stderr
    record = json.loads(done.stdout)
    brought = {change["name"]: (change["before"], change["after"]) for change in record["packages"]}
    assert brought == {"stk-large:all": ("1.1", "1.2"), "stk-needed:all": (None, "1.0")}
    assert {change["origin"] for change in record["packages"]} == {"Debian:Debian:stable"}
    assert record["left"] == ["stk-lock:all 2.0"], "its update would remove another package"
    assert versions(fleet.canary)["stk-held"] == "1.1", "a hold holds in a full run, too"
