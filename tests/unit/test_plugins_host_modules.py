"""The host roles' modules, run as Ansible runs them: arguments in, one JSON object out."""

from __future__ import annotations

import getpass
import grp
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from plugins.modules import package_set, sysctl_set

MODULES = Path(__file__).resolve().parents[2] / "plugins/modules"
MINE = {"owner": getpass.getuser(), "group": grp.getgrgid(os.getgid()).gr_name}


def _run(module, check=False, diff=False, **arguments):
    given = {"ANSIBLE_MODULE_ARGS": {**arguments, "_ansible_check_mode": check, "_ansible_diff": diff}}
    done = subprocess.run(
        [sys.executable, MODULES / f"{module}.py"],
        input=json.dumps(given),
        capture_output=True,
        text=True,
        check=False,
    )
    return json.loads(done.stdout)


def _file(path, **more):
    return {"path": str(path), "content": "new\n", "mode": "0640", **MINE, **more}


def test_a_set_is_written_once_and_reports_each_path(tmp_path):
    files = [_file(tmp_path / "a"), _file(tmp_path / "deep/er/b")]
    first = _run("file_set", files=files)
    assert first["changed_paths"] == [str(tmp_path / "a"), str(tmp_path / "deep/er/b")]
    assert (tmp_path / "deep/er/b").read_text() == "new\n"
    assert oct((tmp_path / "a").stat().st_mode)[-3:] == "640"
    assert _run("file_set", files=files)["changed"] is False


def test_a_check_shows_the_difference_and_writes_nothing(tmp_path):
    (tmp_path / "a").write_text("old\n")
    said = _run("file_set", check=True, diff=True, files=[_file(tmp_path / "a")])
    assert (said["diff"][0]["before"], said["diff"][0]["after"]) == ("old\n", "new\n")
    assert (tmp_path / "a").read_text() == "old\n"


def test_a_judge_that_comes_with_a_package_is_missed_by_a_real_run_only(tmp_path):
    files = [_file(tmp_path / "a", validate="stk-judge-of-a-package %s")]
    assert _run("file_set", check=True, files=files)["changed_paths"] == [str(tmp_path / "a")]
    assert _run("file_set", files=files)["failed"] is True
    assert not (tmp_path / "a").exists()
    refusing = [_file(tmp_path / "a", validate="false %s")]
    assert "refused the new text" in _run("file_set", check=True, files=refusing)["msg"]


def test_a_confined_judge_finds_the_new_text_in_its_own_directory(tmp_path):
    judge = tmp_path / "judge"
    judge.write_text(f'#!/bin/sh\n[ "${{1%/*}}" = {tmp_path}/etc ] && grep -q new "$1"\n')
    judge.chmod(0o755)
    (tmp_path / "etc").mkdir()
    said = _run("file_set", files=[_file(tmp_path / "etc/a", validate=f"{judge} %s")])
    assert said.get("changed_paths") == [str(tmp_path / "etc/a")], said
    assert [path.name for path in (tmp_path / "etc").iterdir()] == ["a"]


def test_one_refused_file_leaves_the_whole_set_as_it_was(tmp_path):
    files = [_file(tmp_path / "a"), _file(tmp_path / "b", validate="grep -q old %s")]
    said = _run("file_set", files=files)
    assert said["failed"]
    assert "refused the new text" in said["msg"]
    assert list(tmp_path.iterdir()) == []


def test_rights_alone_are_set_only_where_the_path_exists(tmp_path):
    (tmp_path / "a").write_text("kept")
    (tmp_path / "a").chmod(0o666)
    bare = [{"path": str(tmp_path / name), "mode": "0600", **MINE} for name in ("a", "absent")]
    assert _run("file_set", files=bare)["changed_paths"] == [str(tmp_path / "a")]
    assert (tmp_path / "a").read_text() == "kept"
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


def test_a_link_in_the_place_of_a_file_is_replaced_not_followed(tmp_path):
    (tmp_path / "target").write_text("other's")
    (tmp_path / "a").symlink_to(tmp_path / "target")
    _run("file_set", files=[_file(tmp_path / "a")])
    assert not (tmp_path / "a").is_symlink()
    assert (tmp_path / "target").read_text() == "other's"


def test_links_and_removals_are_idempotent(tmp_path):
    (tmp_path / "stale").write_text("x")
    wanted = {
        "files": [{"path": str(tmp_path / "unit"), "link": "/dev/null"}],
        "absent": [str(tmp_path / "stale")],
    }
    assert len(_run("file_set", **wanted)["changed_paths"]) == 2
    assert (tmp_path / "unit").readlink() == Path("/dev/null")
    assert _run("file_set", **wanted)["changed"] is False


def test_a_directory_is_never_removed_as_if_it_were_a_file(tmp_path):
    said = _run("file_set", absent=[str(tmp_path)])
    assert said["failed"]
    assert tmp_path.is_dir()


def test_the_file_names_what_is_always_there_and_covers_the_rest():
    text = sysctl_set.render("why", {"net.ipv4.conf.*.rp_filter": 1, "kernel.sysrq": 0, "kernel.panic": None})
    every = [f"net.ipv4.conf.{name}.rp_filter = 1" for name in ("all", "default", "*")]
    assert text.splitlines() == ["# why", *every, "kernel.sysrq = 0"]


def test_an_asterisk_is_every_interface_also_one_with_a_dot(tmp_path):
    for name in ("all", "eth0.7"):
        (tmp_path / "net/conf" / name).mkdir(parents=True)
        (tmp_path / "net/conf" / name / "rp_filter").write_text("0\n")
    found = sysctl_set.entries("net.conf.*.rp_filter", str(tmp_path))
    assert [Path(path).parent.name for path in found] == ["all", "eth0.7"]


@pytest.mark.parametrize(
    ("raw", "expected"), [("4096\t16384\n", "4096 16384"), (0, "0"), ("|/bin/false", "|/bin/false")]
)
def test_values_compare_as_the_kernel_prints_them(raw, expected):
    assert sysctl_set.normal(raw) == expected


def test_states_of_packages_are_read_whole():
    assert package_set.states("installed bash\nconfig-files telnet\n\n") == {
        "bash": "installed",
        "telnet": "config-files",
    }


@pytest.mark.parametrize(
    ("lists", "age_minutes", "old"),
    [
        (["x_Packages"], 1, False),
        (["x_Packages"], 61, True),
        (["lock"], 1, True),
        (["x_Packages"], None, True),
    ],
)
def test_an_index_is_old_without_lists_without_stamp_or_after_its_time(
    tmp_path, monkeypatch, lists, age_minutes, old
):
    (tmp_path / "lists").mkdir()
    for name in lists:
        (tmp_path / "lists" / name).write_text("")
    monkeypatch.setattr(package_set, "LISTS", str(tmp_path / "lists"))
    monkeypatch.setattr(package_set, "STAMP", str(tmp_path / "stamp"))
    if age_minutes is not None:
        (tmp_path / "stamp").write_text("")
        os.utime(tmp_path / "stamp", (1_000_000, 1_000_000))
    now = 1_000_000 + (age_minutes or 0) * 60
    assert package_set.index_is_old(60, now) is old


class Patience:
    """Stands in for AnsibleModule: a fifth of a second for each attempt to fetch."""

    def __init__(self, folder):
        self.params = {"fetch_seconds": 0.2}
        self.tmpdir = str(folder)
        self.warnings: list[str] = []

    def warn(self, text):
        self.warnings.append(text)

    def fail_json(self, **facts):
        raise SystemExit(json.dumps(facts))


# Stands in for apt: `fetch` and `install` are shell, and between them is what apt does before dpkg begins.
APT = """
echo called >> {home}/calls
{fetch}
hook=${{1#DPkg::Pre-Invoke::=}}
sh -c "$hook" || {{ echo 'E: Problem executing scripts'; exit 100; }}
echo began >> {home}/began
{install}
"""


def _fetch(home, fetch=":", install=":"):
    """(module, calls, begun installations, failure) of a fetch by such an apt."""
    module, failure = Patience(home), {}
    script = APT.format(home=home, fetch=fetch, install=install)
    try:
        package_set._fetch(module, ["sh", "-c", script], "bringing chrony")
    except SystemExit as ended:
        failure = json.loads(str(ended))
    calls, begun = (home / name for name in ("calls", "began"))
    count = [len(p.read_text().splitlines()) if p.exists() else 0 for p in (calls, begun)]
    return module, *count, failure


def test_a_fetch_that_hangs_is_cut_off_and_tried_again(tmp_path):
    late = f"test $(wc -l < {tmp_path}/calls) = 2 || sleep 60"
    module, calls, begun, failure = _fetch(tmp_path, fetch=late)
    assert (calls, begun, failure) == (2, 1, {})
    assert "attempt 1 of 3 ended with 124" in module.warnings[0]


def test_a_fetch_that_never_works_fails_with_what_it_said(tmp_path):
    _, calls, begun, failure = _fetch(tmp_path, fetch="echo no such package; exit 100")
    assert (calls, begun, failure["rc"]) == (3, 0, 100)
    assert "bringing chrony failed: no such package" in failure["msg"]


def test_an_installation_that_has_begun_is_waited_for(tmp_path):
    module, calls, begun, failure = _fetch(tmp_path, install="sleep 0.6; echo whole")
    assert (calls, begun, failure, module.warnings) == (1, 1, {}, [])


def test_an_installation_that_fails_is_not_begun_again(tmp_path):
    module, calls, begun, failure = _fetch(tmp_path, install="echo a script failed; exit 100")
    assert (calls, begun, module.warnings) == (1, 1, [])
    assert "a script failed" in failure["msg"]


def test_no_installation_begins_once_patience_has_ended(tmp_path):
    """An apt that is told to end in the very moment before it installs does not install."""
    module, calls, begun, failure = _fetch(tmp_path, fetch="trap '' TERM; sleep 0.5; trap - TERM")
    assert (calls, begun, failure["rc"]) == (3, 0, 124)
    assert len(module.warnings) == 2
