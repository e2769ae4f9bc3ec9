"""playbooks/patch.yml over two real nodes: canary first, evidence, stop on the first failure, way back."""

from __future__ import annotations

import json

import pytest

from tests.conftest import require_nodes
from tests.roles.patch_fleet import (
    CLOSED_NOW,
    FIRST_CVE,
    SECOND_CVE,
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
    assert f"it is outside of the window {CLOSED_NOW} Etc/UTC" in played.output
    assert "add -e patching_force_reason=" in " ".join(played.output.split())
    for node in (fleet.canary, fleet.second):
        assert versions(node) == {"stk-lock": "1.0", "stk-held": "1.0"}
        assert node.sudo("ls /etc/stockade /var/lib/stockade").stdout == ""
    assert "untouched" in played.line("second")


def test_a_forced_run_patches_one_after_the_other_and_leaves_evidence(fleet):
    hooks = {
        "snapshot": [{"command": f"{HOOKED} && dpkg-query -W stk-lock >> /srv/stk/hooks", "seconds": 5}],
        "drain": [{"command": f"echo $STOCKADE_NODE >> {fleet.work}/drained", "where": "controller"}],
        "health": [{"command": HOOKED, "tries": 2}],
    }
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
        said = node.sudo("cat /srv/stk/hooks").stdout.split("\n")
        assert said[:3] == [f"snapshot {name}", "stk-lock\t1.0", f"health {name}"]
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


def test_a_failing_health_hook_stops_the_run_and_the_evidence_says_so(fleet):
    before = records(fleet.second)
    hooks = {"health": [{"command": "echo no upload arrives >&2; exit 3", "tries": 2, "pause": 0}]}
    played = fleet.play("patch", patching_holds=[HELD], patching_hooks=hooks)
    assert played.code != 0
    record = played.evidence["canary"]
    assert record["outcome"] == "failed"
    assert "no upload arrives" in record["problem"]
    assert records(fleet.second) == before
    assert "no upload arrives" in played.line("canary")


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
    return node.sudo(f"stockade-patching run {run} --force test {' '.join(options)}", timeout=120)


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
