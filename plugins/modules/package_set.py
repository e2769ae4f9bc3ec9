"""Ansible module: installs what is wanted and purges what is unwanted in one dpkg transaction.

Why not ansible.builtin.apt: it needs one transaction per direction, and it takes the mtime of apt's list
directory for the age of the index: a fresh image with empty lists has no package then, in check mode as well.
"""

from __future__ import annotations

DOCUMENTATION = r"""
module: package_set
short_description: Installs wanted and purges unwanted Debian packages in one transaction
description:
  - Reads dpkg's own state first; a node that already is as declared makes no network trip and takes no lock.
options:
  wanted: {type: list, elements: str, required: true, description: Packages that must be installed.}
  unwanted:
    description: Packages that must be gone, configuration included.
    type: list
    elements: str
    default: []
  index_minutes: {type: int, default: 60, description: Age from which the package index is refreshed first.}
  lock_seconds: {type: int, default: 300, description: How long to wait for another run of apt.}
  fetch_seconds: {type: int, default: 120, description: How long one attempt of three to fetch may take.}
author: Stockade
"""

EXAMPLES = r"""
- name: Bring the packages to the declared set
  package_set:
    wanted: [chrony, nftables]
    unwanted: [telnet]
"""

RETURN = r"""
installed: {description: Packages that were or would be installed., type: list, elements: str}
purged: {description: Packages that were or would be purged., type: list, elements: str}
index_refreshed: {description: Whether the package index was fetched., type: bool}
"""

import os
import shlex
import signal
import subprocess
import tempfile
import time

from ansible.module_utils.basic import AnsibleModule

# Touched after every successful refresh: here, and by the hook in apt's configuration (role packages).
STAMP = "/var/lib/apt/periodic/update-success-stamp"
LISTS = "/var/lib/apt/lists"
ENVIRONMENT = {"DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8", "NEEDRESTART_SUSPEND": "1"}
# dpkg's own journal, numbered files: what an interrupted run had not yet written to its database.
JOURNAL = "/var/lib/dpkg/updates"
SETTLED = frozenset(("installed", "config-files", "not-installed"))
FORCED = ("--force-confdef", "--force-confold")
KEEP = [word for force in FORCED for word in ("-o", f"Dpkg::Options::={force}")]
ATTEMPTS = 2  # that only warn; a last one after them says why it failed
CUT_OFF = 124


def states(text: str) -> dict[str, str]:
    """dpkg-query's lines `status package` as {package: status}; status is installed, config-files, …"""
    pairs = (line.split(" ", 1) for line in text.splitlines() if " " in line)
    return {package: status for status, package in pairs}


def index_is_old(minutes: int, now: float) -> bool:
    """True without a stamp, without any index file, or with a stamp older than so many minutes."""
    try:
        has_lists = any(name.endswith(("_Packages", "_Packages.lz4")) for name in os.listdir(LISTS))
        return not has_lists or now - os.stat(STAMP).st_mtime > minutes * 60
    except FileNotFoundError:
        return True


def half_way(now: dict[str, str]) -> bool:
    """Whether dpkg was interrupted: apt refuses to install anything before that is finished."""
    return not set(now.values()) <= SETTLED or any(name.isdigit() for name in os.listdir(JOURNAL))


def _fail(module: AnsibleModule, said: str, what: str, code: int) -> None:
    tail = " | ".join(said.strip().splitlines()[-4:])
    module.fail_json(msg=f"{what} failed: {tail}; check the package proxy and the sources", rc=code)


def _run(module: AnsibleModule, command: list[str], what: str) -> None:
    code, out, err = module.run_command(command, environ_update=ENVIRONMENT)
    if code != 0:
        _fail(module, err.strip() or out, what, code)


def _fetch(module: AnsibleModule, command: list[str], what: str) -> None:
    """Run apt, bounded and more than once as long as it fetches: a proxy may fall silent and apt would wait.

    One apt fetches and installs, since reading what there is costs a node a second of a processor each time.
    An installation is never cut off nor begun anew: it begins with a folder that only one can make, apt
    (which gives up without it) or whoever's patience has come to an end.
    """
    for left in reversed(range(ATTEMPTS + 1)):
        with tempfile.TemporaryDirectory(dir=module.tmpdir) as room:
            begun = os.path.join(room, "begun")
            hook = f"DPkg::Pre-Invoke::=mkdir {shlex.quote(begun)}"
            code, said = _bounded([*command, "-o", hook], begun, module.params["fetch_seconds"])
            installing = os.path.isdir(begun) and code != CUT_OFF
        if code == 0:
            return
        if installing or not left:
            _fail(module, said, what, code)
        module.warn(f"{what}: attempt {ATTEMPTS + 1 - left} of {ATTEMPTS + 1} ended with {code}")


def _bounded(command: list[str], begun: str, seconds: float) -> tuple[int, str]:
    """(code, output) of a command that is ended after so many seconds unless it has made the folder."""
    # A file, not a pipe: should we be ended, the installation goes on and may say what it has to say.
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **ENVIRONMENT},
            start_new_session=True,
        )
        try:
            code = process.wait(seconds)
        except subprocess.TimeoutExpired:
            code = _end(process) if _claimed(begun) else process.wait()
        output.seek(0)
        return code, output.read().decode(errors="replace")


def _claimed(begun: str) -> bool:
    """Whether nobody had made the folder before us."""
    try:
        os.mkdir(begun)
    except FileExistsError:
        return False
    return True


def _end(process: subprocess.Popen[bytes]) -> int:
    """End a command with all its helpers; `timeout`'s code for it."""
    os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    return CUT_OFF


def _finish(module: AnsibleModule, options: list[str]) -> None:
    """Finish what dpkg was interrupted in; a package of which only half of the files are there comes anew."""
    # Its code says nothing: a package that cannot be configured yet may lack one that comes later.
    module.run_command(["dpkg", *FORCED, "--configure", "-a"], environ_update=ENVIRONMENT)
    query = ["dpkg-query", "--show", "--showformat", "${db:Status-Eflag} ${binary:Package}\\n"]
    flags = (line.split() for line in module.run_command(query, check_rc=True)[1].splitlines())
    broken = [flag[1] for flag in flags if flag[0] == "reinstreq"]
    again = ["--reinstall"] if broken else []
    command = ["apt-get", *options, *KEEP, "--no-remove", "--fix-broken", *again, "install", *broken]
    _fetch(module, command, "finishing an interrupted installation")


def _refresh_index(module: AnsibleModule, options: list[str]) -> None:
    # A mirror that is not complete yet must not pass as no updates: any failed source is an error.
    command = ["apt-get", *options, "-o", "APT::Update::Error-Mode=any", "update"]
    _fetch(module, command, "fetching the package index")
    os.makedirs(os.path.dirname(STAMP), exist_ok=True)
    with open(STAMP, "a", encoding="utf-8"):
        os.utime(STAMP)


def main() -> None:
    """Compare, then one transaction."""
    module = AnsibleModule(
        argument_spec={
            "wanted": {"type": "list", "elements": "str", "required": True},
            "unwanted": {"type": "list", "elements": "str", "default": []},
            "index_minutes": {"type": "int", "default": 60},
            "lock_seconds": {"type": "int", "default": 300},
            "fetch_seconds": {"type": "int", "default": 120},
        },
        supports_check_mode=True,
    )
    given = module.params
    query = ["dpkg-query", "--show", "--showformat", "${db:Status-Status} ${Package}\\n"]
    now = states(module.run_command(query, check_rc=True)[1])
    missing = sorted(p for p in set(given["wanted"]) if now.get(p) != "installed")
    unwanted = set(given["unwanted"]) - set(given["wanted"])
    purged = sorted(p for p in unwanted if now.get(p, "not-installed") != "not-installed")
    result = {
        "installed": missing,
        "purged": purged,
        "index_refreshed": False,
        "changed": bool(missing or purged),
    }
    if module.check_mode or not result["changed"]:
        module.exit_json(**result)

    options = ["-q", "-y", "-o", f"DPkg::Lock::Timeout={given['lock_seconds']}"]
    if missing and index_is_old(given["index_minutes"], time.time()):
        _refresh_index(module, options)
        result["index_refreshed"] = True
    if half_way(now):
        _finish(module, options)
    removals = [f"{package}-" for package in purged if now[package] == "installed"]
    if missing or removals:
        command = [
            "apt-get",
            *options,
            *KEEP,
            "--no-install-recommends",
            "--purge",
            "install",
            *missing,
            *removals,
        ]
        _fetch(module, command, f"bringing {', '.join([*missing, *removals])} to the declared state")
    left = [package for package in purged if now[package] != "installed"]
    if left:  # removed earlier, configuration still there: no transaction of apt reaches those
        _run(module, ["dpkg", "--purge", *left], f"purging the configuration of {', '.join(left)}")
    module.exit_json(**result)


if __name__ == "__main__":
    main()
