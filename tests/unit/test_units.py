"""How the whole run is shared out among its workers (tests/conftest.py)."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests import suite_run
from tests.conftest import APART, LONGEST, unit_of

TESTS = Path(__file__).resolve().parents[1]


def test_what_is_named_is_there() -> None:
    assert [name for name in (*LONGEST, *APART) if not (TESTS / name).is_file()] == []
    assert len(set(LONGEST)) == len(LONGEST)


def test_a_file_is_one_unit_but_for_the_parameters_of_some() -> None:
    assert unit_of("tests/roles/test_users.py::test_a[x]") == unit_of("tests/roles/test_users.py::test_b")
    first, second = (f"tests/{APART[0]}::test_{name}[bookworm]" for name in "ab")
    assert unit_of(first) == unit_of(second) != unit_of(first.replace("bookworm", "trixie"))


def test_workers_take_whole_units(tmp_path: Path) -> None:
    """Two tests of one parameter that share something are never done by two workers."""
    (tmp_path / "e2e").mkdir()
    (tmp_path / "conftest.py").write_text(
        f"import importlib.util as u\ns = u.spec_from_file_location('real', {str(TESTS / 'conftest.py')!r})\n"
        "m = u.module_from_spec(s); s.loader.exec_module(m)\n"
        "pytest_xdist_make_scheduler = m.pytest_xdist_make_scheduler\n"
    )
    text = "import pytest\n@pytest.fixture(scope='module', params='xy')\n"
    text += "def made(request): return request.param\n"
    for name in "abcd":
        text += f"def test_{name}(made, worker_id): print('DONE', made, worker_id)\n"
    (tmp_path / APART[0]).write_text(text)
    argv = [
        sys.executable,
        "-m",
        "pytest",
        "-n",
        "2",
        "--dist",
        "loadfile",
        "-rP",
        "--rootdir",
        str(tmp_path),
    ]
    environment = suite_run.environment() | {"PYTHONPATH": str(suite_run.ROOT)}
    done = subprocess.run(
        argv, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    pairs = {tuple(line.split()[1:]) for line in done.stdout.splitlines() if line.startswith("DONE")}
    assert {made for made, _ in pairs} == {"x", "y"}
    assert len(pairs) == 2, "each parameter by one worker"
    assert len({worker for _, worker in pairs}) == 2, "and by another one each"


def test_a_verification_does_not_load_the_twin() -> None:
    """Its suites lie below tests/ too, so that each of its runs reads our conftest.py first."""
    code = (
        "import sys; from tests import conftest; print([m for m in sys.modules if m.split('.')[0] == 'twin'])"
    )
    argv = [sys.executable, "-c", code]
    done = subprocess.run(argv, cwd=suite_run.ROOT, capture_output=True, text=True, timeout=600, check=False)
    assert (done.returncode, done.stdout) == (0, "[]\n"), done.stderr
