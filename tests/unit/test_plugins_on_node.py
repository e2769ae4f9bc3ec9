"""What a node compiles is kept there: the same code, never a stale one, and nobody but root writes it."""

from __future__ import annotations

import builtins
import inspect
import os
import subprocess
import sys
import types
from pathlib import Path
from typing import Any

import pytest
from ansible_mitogen import module_finder, runner
from mitogen import core, master, minify

from plugins.controller import kept, on_node

TEXT = "def f():\n    raise ValueError('found')\n"


@pytest.fixture(name="folder")
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "run" / "stockade" / "compiled"
    monkeypatch.setattr(on_node, "FOLDER", str(folder))
    (tmp_path / "run").mkdir()
    return folder


@pytest.fixture(name="worked")
def _worked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Grows by the name of each text that is really compiled."""
    seen: list[str] = []

    def compiled(source: Any, filename: str, *more: Any) -> Any:
        seen.append(filename)
        return compile(source, filename, *more)

    named = {**vars(builtins), "compile": compiled}
    monkeypatch.setattr(on_node, "builtins", types.SimpleNamespace(**named))
    return seen


def says(code: Any) -> tuple[str, str, int]:
    """What the code does and where it says that it stands."""
    found: dict[str, Any] = {}
    exec(code, found)
    with pytest.raises(ValueError, match="found") as error:
        found["f"]()
    at = error.traceback[-1]
    return str(error.value), str(at.path), at.lineno


def test_a_text_is_compiled_once_and_says_the_same(folder: Path, worked: list[str]) -> None:
    first, second = (on_node.compile(TEXT, "master:/a.py", "exec", 0, True) for _ in range(2))
    assert worked == ["master:/a.py"]
    assert says(first) == says(second)
    assert len(list(folder.iterdir())) == 1
    assert (folder.stat().st_mode & 0o777, folder.parent.stat().st_mode & 0o777) == (0o700, 0o755)


def test_another_text_name_kind_or_interpreter_is_another_entry(
    folder: Path, worked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    on_node.compile(TEXT, "a", "exec")
    on_node.compile(TEXT.replace("found", "other"), "a", "exec")
    on_node.compile(TEXT, "b", "exec")
    on_node.compile(TEXT.encode(), "a", "exec")
    on_node.compile("1", "a", "eval")
    on_node.compile("1", "a", "exec")
    monkeypatch.setattr(sys, "version", "3.99")
    on_node.compile(TEXT, "a", "exec")
    assert len(worked) == 7


def test_an_entry_that_is_cut_short_or_spoiled_is_made_again(folder: Path, worked: list[str]) -> None:
    on_node.compile(TEXT, "a", "exec")
    (entry,) = folder.iterdir()
    whole = entry.read_bytes()
    for spoiled in (b"", whole[:20], whole[:-1], whole[:40] + b"x" + whole[41:], b"\0" * 90):
        entry.write_bytes(spoiled)
        assert says(on_node.compile(TEXT, "a", "exec"))[0] == "found"
        assert entry.read_bytes() == whole
    assert len(worked) == 6


@pytest.mark.parametrize("how", ["others write", "others read", "somebody's", "link", "file", "not root"])
def test_what_others_could_have_written_is_not_read(
    folder: Path, worked: list[str], monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    on_node.compile(TEXT, "a", "exec")
    match how:
        case "others write":
            folder.chmod(0o720)
        case "others read":
            folder.chmod(0o705)
        case "somebody's":
            os.chown(folder, 12345, -1)
        case "link":
            folder.rename(folder.with_name("elsewhere"))
            folder.symlink_to(folder.with_name("elsewhere"))
        case "file":
            folder.rename(folder.with_name("elsewhere"))
            folder.write_text("")
        case "not root":
            monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert says(on_node.compile(TEXT, "a", "exec"))[0] == "found"
    assert worked == ["a", "a"]


def test_no_room_is_slower_and_not_wrong(
    folder: Path, worked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    for _ in range(2):
        assert says(on_node.compile(TEXT, "a", "exec"))[0] == "found"
    assert worked == ["a", "a"]
    assert list(folder.iterdir()) == []


def test_what_nobody_needs_any_more_goes(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(on_node, "MOST", 5)
    for number in range(12):
        on_node.compile(f"x = {number}", "a", "exec")
        assert len(list(folder.iterdir())) <= 5


def test_a_text_that_is_wrong_is_refused_each_time(folder: Path) -> None:
    for _ in range(2):
        with pytest.raises(SyntaxError):
            on_node.compile("def", "a", "exec")
    assert list(folder.iterdir()) == []


def test_what_mitogen_sends_finds_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The core as it is sent, in an interpreter of its own: both loaders take code from the folder."""
    monkeypatch.setattr(minify, "minimize_source", minify.minimize_source)
    for module in (module_finder, master):
        monkeypatch.setattr(module, "compile", compile, raising=False)
    kept.keep_modules(kept.Kept(tmp_path / "kept", ""))
    sent = minify.minimize_source(inspect.getsource(core))
    (tmp_path / "run").mkdir()
    sent = sent.replace(on_node.FOLDER, str(tmp_path / "run" / "stockade" / "compiled"))
    ran = minify.minimize_source(inspect.getsource(runner))
    assert ran.endswith("\nfrom mitogen.core import compile\n")
    assert "compile(" in ran
    assert minify.minimize_source(inspect.getsource(master)).endswith("\n")
    look = """
import sys, types
sys.modules['mitogen'], sys.modules['mitogen.core'] = types.ModuleType('mitogen'), sys.modules['__main__']
from mitogen.core import compile as theirs
assert theirs is Importer.exec_module.__globals__['compile'], 'the loader has another one'
spec = types.SimpleNamespace(name='a', origin='master:a')
loader = Importer.__new__(Importer)
loader._log, loader.get_source = logging.getLogger(), lambda name: 'found = 1'
loader.exec_module(module := types.SimpleNamespace(__spec__=spec))
print(module.found, len(os.listdir(FOLDER)))
"""
    done = subprocess.run(
        [sys.executable, "-I", "-"],
        input=sent + look,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout.split() == ["1", "1"], done.stderr
