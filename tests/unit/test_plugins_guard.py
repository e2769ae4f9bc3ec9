"""The guard on a scratch tree: what a generation brings back, and what it leaves alone."""

from __future__ import annotations

import importlib.util
import json
import sys
import tarfile
from pathlib import Path
from types import ModuleType

import pytest

UTILS = Path(__file__).resolve().parents[2] / "plugins" / "module_utils"


def load(name: str) -> ModuleType:
    """Load a module the way the node does: both files side by side."""
    spec = importlib.util.spec_from_file_location(name, UTILS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


files = load("stockade_files")
accounts = load("stockade_accounts")
generations = load("stockade_generations")
guard_module = load("stockade_guard")


@pytest.fixture
def tree(tmp_path):
    """A scratch root with sshd's and sudo's files."""
    root = tmp_path / "root"
    (root / "etc/ssh/sshd_config.d").mkdir(parents=True)
    (root / "etc/sudoers.d").mkdir(parents=True)
    (root / "etc/ssh/sshd_config").write_text("Include /etc/ssh/sshd_config.d/*.conf\n")
    (root / "etc/sudoers.d/90-image").write_text("image\n")
    return root


@pytest.fixture
def guard(tree, tmp_path):
    """A guard over the scratch tree."""
    return guard_module.Guard(home=str(tmp_path / "home"), root=str(tree))


def manage(guard, *paths):
    """Say that guarded changes wrote these paths."""
    Path(guard.managed_file).write_text(json.dumps(paths))


def test_a_generation_brings_back_content_mode_and_removed_files(guard, tree):
    number = guard.snapshot("test", [])
    image, main = tree / "etc/sudoers.d/90-image", tree / "etc/ssh/sshd_config"
    image.unlink()
    main.write_text("broken")
    main.chmod(0o666)
    assert set(guard.restore(number)) == {"/etc/sudoers.d/90-image", "/etc/ssh/sshd_config"}
    assert image.read_text() == "image\n"
    assert main.read_text().startswith("Include")
    assert main.stat().st_mode & 0o777 != 0o666
    assert guard.restore(number) == [], "a second restore finds nothing to do"


def test_a_file_that_we_brought_goes_and_a_strangers_stays(guard, tree):
    number = guard.snapshot("test", [])
    ours, stranger = tree / "etc/ssh/sshd_config.d/00-stockade.conf", tree / "etc/sudoers.d/55-person"
    ours.write_text("ours")
    stranger.write_text("theirs")
    manage(guard, "/etc/ssh/sshd_config.d/00-stockade.conf")
    assert guard.restore(number) == ["/etc/ssh/sshd_config.d/00-stockade.conf"]
    assert not ours.exists()
    assert stranger.read_text() == "theirs"


def test_a_folder_of_ours_goes_with_its_last_file(guard, tree):
    number = guard.snapshot("test", [])
    (tree / "etc/stockade").mkdir()
    (tree / "etc/stockade/firewall.nft").write_text("ours")
    manage(guard, "/etc/stockade/firewall.nft")
    guard.restore(number)
    assert not (tree / "etc/stockade").exists()


def test_a_path_that_the_generation_never_looked_at_is_left_alone(guard, tree):
    number = guard.snapshot("test", [])
    later = tree / "etc/later.conf"
    later.write_text("was there before, unknown to the generation")
    manage(guard, "/etc/later.conf")
    assert guard.restore(number) == []
    assert later.exists()


def test_an_archive_that_holds_more_than_was_looked_at_touches_nothing_of_it(guard, tree):
    """A repacked archive named /usr with the mode of its packer, and every login's shell was out of reach."""
    number = guard.snapshot("test", [])
    with tarfile.open(f"{guard.generations}/{number}/files.tar", "a") as tar:
        folder = tarfile.TarInfo("usr")
        folder.type, folder.mode = tarfile.DIRTYPE, 0o700
        tar.addfile(folder)
    (tree / "usr").mkdir(mode=0o755)
    guard.restore(number)
    assert (tree / "usr").stat().st_mode & 0o777 == 0o755


def test_links_come_back_as_links(guard, tree):
    link = tree / "etc/sudoers.d/link"
    link.symlink_to("90-image")
    number = guard.snapshot("test", [])
    link.unlink()
    link.write_text("a file in its place")
    assert guard.restore(number) == ["/etc/sudoers.d/link"]
    assert link.readlink() == Path("90-image")


def test_password_history_is_never_rolled_back(guard, tree):
    (tree / "etc/security").mkdir()
    history = tree / "etc/security/opasswd"
    history.write_text("old")
    number = guard.snapshot("test", [])
    history.write_text("new")
    assert guard.restore(number) == []
    assert history.read_text() == "new"


def test_old_generations_go_and_the_first_one_stays(guard):
    for _ in range(6):
        guard.snapshot("test", [], keep=3)
    assert guard.numbers()[0] == 1, "the state from before Stockade"
    assert guard.numbers()[-1] == 6
    assert len(guard.numbers()) <= 4


def test_a_half_written_generation_does_not_count(guard):
    guard.snapshot("test", [])
    (Path(guard.generations) / "2").mkdir()
    assert guard.numbers() == [1]
    assert guard.snapshot("test", []) == 2


def test_an_unknown_generation_is_refused_with_those_that_exist(guard):
    guard.snapshot("test", [])
    with pytest.raises(guard_module.GuardError, match="generation 9 does not exist on this node; it has: 1"):
        guard.restore(9)


def test_a_proof_that_comes_too_late_is_refused(guard):
    guard.prepare()
    with pytest.raises(guard_module.GuardError, match="does not wait for a proof"):
        guard.confirm(1)


def test_the_state_is_for_root_only(guard):
    guard.snapshot("test", [])
    assert Path(guard.home).stat().st_mode & 0o777 == 0o700
    assert (Path(guard.generations) / "1" / "files.tar").stat().st_mode & 0o777 == 0o600


def test_every_path_of_the_access_roles_is_in_the_set_that_generations_keep():
    """Otherwise a rollback to the first generation could not know what had been there."""
    roles = Path(__file__).resolve().parents[2] / "roles"
    covered = guard_module.ACCESS_CRITICAL
    paths = set()
    for role in ("users", "ssh_server", "local_firewall"):
        for source in [*(roles / role / "tasks").glob("*.yml"), *(roles / role).glob("vars/*.yml")]:
            text = source.read_text()
            paths |= {
                part.split(",")[0].strip("}\n ") for part in text.replace("\n", ",").split("path: ")[1:]
            }
    assert len(paths) > 15
    # Records are nobody's setting: bringing failures of logins back would lock people out again.
    kept = (*(f"{path}/" for path in covered), "/var/log/")
    assert {p for p in paths if p not in covered and not p.startswith(kept)} == set()


@pytest.mark.parametrize(
    ("line", "keys"),
    [
        ("net.ipv4.ip_forward = 0", ["net.ipv4.ip_forward"]),
        ("-net/ipv4/conf/*/rp_filter=1", ["net.ipv4.conf.*.rp_filter"]),
        ("# net.x = 1", []),
        ("", []),
    ],
)
def test_sysctl_files_are_read(tmp_path, line, keys):
    path = tmp_path / "x.conf"
    path.write_text(line + "\n")
    assert guard_module.sysctl_keys(str(path)) == keys
