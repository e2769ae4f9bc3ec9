"""What the controller keeps between runs: the same answers as without it, and never a stale one."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import pytest
from ansible._internal._templating._engine import TemplateEngine, TemplateOptions, TemplateOverrides
from ansible._internal._templating._jinja_bits import AnsibleEnvironment
from ansible._internal._templating._jinja_plugins import JinjaPluginIntercept
from ansible.errors import AnsibleError
from ansible.module_utils import basic
from ansible.plugins.loader import filter_loader, init_plugin_loader
from ansible.template import trust_as_template
from ansible_mitogen import module_finder
from mitogen import master, minify

from plugins.controller import kept
from plugins.controller.kept import Kept, keep, stamp

ROOT = Path(__file__).resolve().parents[2]
TEXTS = [
    ("{{ a }}", {}),
    ("{{ a | map('upper') | list }}-{{ b.c }}", {}),
    ("{% for x in a %}{{ x }}\n{% endfor %}", {}),
    ("{% for x in a %}{{ x }}\n{% endfor %}", {"trim_blocks": False}),
    ("<% for x in a %>(= x =)<% endfor %>", {"block_start_string": "<%", "block_end_string": "%>",
                                             "variable_start_string": "(=", "variable_end_string": "=)"}),
    (r"{{ 'x\\y' }}", {}),
    ("{{ lookup('items', a) }}", {}),
]  # fmt: skip
VARIABLES = {"a": ["p", "q"], "b": {"c": 3}}


@pytest.fixture(autouse=True)
def _as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    """What `keep` replaces is put back."""
    for name in ("compile", "compile_expression"):
        monkeypatch.setattr(AnsibleEnvironment, name, getattr(AnsibleEnvironment, name))
    monkeypatch.setattr(JinjaPluginIntercept, "__getitem__", JinjaPluginIntercept.__getitem__)
    for module in (module_finder, master):
        monkeypatch.setattr(module, "compile", compile, raising=False)
    monkeypatch.setattr(minify, "minimize_source", minify.minimize_source)


@pytest.fixture(name="compiled")
def _compiled(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Grows by each text that Jinja itself compiles from here on."""
    seen: list[str] = []
    plain = AnsibleEnvironment._generate

    def generate(self: Any, source: Any, *args: Any, **kwargs: Any) -> Any:
        seen.append(repr(source))
        return plain(self, source, *args, **kwargs)

    monkeypatch.setattr(AnsibleEnvironment, "_generate", generate)
    return seen


def says(escaped: bool = True) -> list[Any]:
    """What the texts and two expressions say now."""
    engine = TemplateEngine(variables=VARIABLES)
    said = [
        engine.template(
            trust_as_template(text),
            options=TemplateOptions(
                escape_backslashes=escaped, overrides=TemplateOverrides.from_kwargs(overrides)
            ),
        )
        for text, overrides in TEXTS
    ]
    said += [engine.evaluate_expression(trust_as_template(text)) for text in ("a | length > 1", "b.c + 1")]
    return said


def test_every_way_to_read_a_text_says_what_it_says_without_keeping(
    tmp_path: Path, compiled: list[str]
) -> None:
    plain = [says(True), says(False)]
    assert plain[0] != plain[1], "backslashes are read in two ways"
    for _ in range(2):
        keep(tmp_path / "kept", [])
        assert [says(True), says(False)] == plain


def test_the_next_process_compiles_nothing(tmp_path: Path, compiled: list[str]) -> None:
    keep(tmp_path / "kept", [])
    first = says()
    assert compiled
    compiled.clear()
    keep(tmp_path / "kept", [])
    assert says() == first
    assert compiled == []


def test_values_are_never_kept(tmp_path: Path) -> None:
    keep(tmp_path / "kept", [])
    text = trust_as_template("{{ word }}")
    assert TemplateEngine(variables={"word": "one-of-these"}).template(text) == "one-of-these"
    assert TemplateEngine(variables={"word": "two"}).template(text) == "two"
    assert not [path for path in (tmp_path / "kept").iterdir() if b"one-of-these" in path.read_bytes()]


@pytest.mark.parametrize("text", ["{{ a | ", "{% if %}", "{{ a b }}"])
def test_what_is_wrong_with_a_text_is_said_each_time_as_before(tmp_path: Path, text: str) -> None:
    def said() -> str:
        engine = TemplateEngine(variables=VARIABLES)
        with pytest.raises(AnsibleError) as error:
            engine.template(trust_as_template(text))
        with pytest.raises(AnsibleError) as wrong:
            engine.evaluate_expression(trust_as_template(text))
        return f"{error.value} {wrong.value}"

    before = said()
    keep(tmp_path / "kept", [])
    assert [said(), said()] == [before, before]
    assert list((tmp_path / "kept").iterdir()) == []


def test_other_versions_and_other_filters_of_ours_make_other_entries(tmp_path: Path) -> None:
    filters = tmp_path / "filter"
    filters.mkdir()
    (filters / "ours.py").write_text("one")
    before = stamp([filters])
    (filters / "ours.py").write_text("two")
    assert stamp([filters]) != before
    assert Kept(tmp_path / "k", "1").value([], "text", lambda: "old") == "old"
    assert Kept(tmp_path / "k", "2").value([], "text", lambda: "new") == "new"
    assert Kept(tmp_path / "k", "1").value([], "text", lambda: "new") == "old"


def test_a_damaged_entry_is_worked_out_again(tmp_path: Path) -> None:
    Kept(tmp_path, "1").value([], "text", lambda: "right")
    (entry,) = tmp_path.iterdir()
    entry.write_bytes(entry.read_bytes()[:-3])
    assert Kept(tmp_path, "1").value([], "text", lambda: "right again") == "right again"


def test_nothing_is_taken_from_a_folder_of_somebody_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Kept(tmp_path, "1").value([], "text", lambda: "theirs")
    owner = tmp_path.stat().st_uid
    monkeypatch.setattr("os.geteuid", lambda: owner + 1)
    assert Kept(tmp_path, "1").value([], "text", lambda: "ours") == "ours"


def test_a_folder_is_for_its_owner_alone_and_does_not_grow_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tmp_path.chmod(0o755)
    kept = Kept(tmp_path, "1")
    assert tmp_path.stat().st_mode & 0o777 == 0o700
    monkeypatch.setattr("plugins.controller.kept.MOST", 2)
    for text in "abc":
        kept.value([], text, lambda: 1)
    Kept(tmp_path, "1")
    assert list(tmp_path.iterdir()) == []


def searched(
    environment: AnsibleEnvironment, monkeypatch: pytest.MonkeyPatch
) -> tuple[dict[str, Any], list[str]]:
    """What each name of Jinja's and some of Ansible's and ours stand for, and which were looked for."""
    seen: list[str] = []
    found: dict[str, Any] = {}
    for names in (environment.filters, environment.tests):
        loader, plain = names._plugin_loader, names._plugin_loader.get_with_context

        def get(name: str, *args: Any, plain: Any = plain, **kwargs: Any) -> Any:
            seen.append(name)
            return plain(name, *args, **kwargs)

        monkeypatch.setattr(loader, "get_with_context", get)
        ours = (
            {"combine", "ansible.builtin.combine", "patching_problems"}
            if loader.type == "filter"
            else {"version"}
        )
        for name in sorted({*names._jinja_builtins} | ours):
            plugin = inspect.getclosurevars(names[name]).nonlocals["instance"]
            found[f"{loader.type} {name}"] = (
                plugin.j2_function,
                plugin.ansible_name,
                plugin.accept_lazy_markers,
            )
        monkeypatch.setattr(loader, "get_with_context", plain)
    return found, seen


def test_names_stand_for_the_same_and_jinjas_own_are_not_searched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    init_plugin_loader()
    filter_loader.add_directory(str(ROOT / "plugins" / "filter"))
    plain, looked = searched(AnsibleEnvironment(), monkeypatch)
    keep(tmp_path, [])
    now, still = searched(AnsibleEnvironment(), monkeypatch)
    assert now == plain
    assert {"join", "length", "none"} <= set(looked) - set(still)
    assert {"combine", "patching_problems", "version"} <= set(still)
    # Ansible has a `unique` of its own.
    assert "unique" in still
    assert "ansible" in now["filter unique"][0].__module__


def test_a_name_that_a_collection_leads_elsewhere_is_looked_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    routes = {"plugin_routing": {"filter": {"join": {"redirect": "somebody.some.join"}}}}
    monkeypatch.setattr(kept, "_get_collection_metadata", lambda _: routes)
    keep(tmp_path, [])
    _, still = searched(AnsibleEnvironment(), monkeypatch)
    assert "join" in still
    assert "length" not in still


def test_no_room_or_no_right_is_slower_and_not_wrong(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert Kept(tmp_path / "file" / "kept", "1").value([], "text", lambda: "right") == "right"


def test_modules_need_what_they_need_without_keeping(tmp_path: Path) -> None:
    module, utils = ROOT / "plugins/modules/guarded_change.py", ROOT / "plugins/module_utils"
    search = (str(utils), str(Path(basic.__file__).parent))

    def found() -> list[Any]:
        return list(module_finder.scan("guarded_change", str(module), search))

    plain, short = found(), minify.minimize_source(inspect.getsource(master))
    assert any(name.endswith("stockade_guard") for name, _, _ in plain)
    for _ in range(2):
        keep(tmp_path / "kept", [])
        assert found() == plain
        assert minify.minimize_source(inspect.getsource(master)) == short
