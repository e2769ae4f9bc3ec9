"""What a controller works out from texts alone stays on disk, as Python keeps its bytecode.

Ansible compiles every expression anew for each task, node and run; mitogen compiles the modules' sources,
once per module that needs them, to see what they import. Both follow from the text, from how it is to be
read and from the versions of what reads it; all of them name an entry, so none is ever stale. What an
expression says about a node is still computed each time (docs/decisions/0007-speed.md).
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from contextvars import ContextVar
from importlib.metadata import version
from pathlib import Path
from types import CodeType
from typing import Any

from ansible._internal._templating import _jinja_bits
from ansible._internal._templating._jinja_bits import AnsibleEnvironment
from ansible._internal._templating._jinja_plugins import JinjaPluginIntercept
from ansible.plugins.loader import filter_loader, test_loader
from ansible.utils.collection_loader._collection_finder import _get_collection_metadata
from jinja2 import FileSystemBytecodeCache
from jinja2.environment import TemplateExpression

try:
    from ansible_mitogen import module_finder
    from mitogen import master, minify
except ImportError:  # works over plain ssh as well, only slower
    module_finder = master = minify = None

READ = (
    *_jinja_bits._TEMPLATE_OVERRIDE_FIELD_NAMES,
    *("autoescape", "is_async", "keep_trailing_newline", "optimized", "sandboxed"),
    *("line_comment_prefix", "line_statement_prefix"),
)
"""Settings of an environment that decide what a text compiles to."""
MOST = 5000  # entries; a run needs some hundred, and what nobody needs any more goes with the rest

_caught: ContextVar[list[CodeType] | None] = ContextVar("_caught", default=None)


class Kept:
    """Values by what they follow from: this process's, else the disk's, else worked out."""

    def __init__(self, folder: Path, stamp: str) -> None:
        """`stamp` names the versions of what works the values out."""
        self._stamp, self._seen = stamp, dict[str, Any]()
        self._disk = self._opened(folder)

    @staticmethod
    def _opened(folder: Path) -> FileSystemBytecodeCache | None:
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            # Code from here is run, and what it was made of may not be for others to read.
            if folder.stat().st_uid != os.geteuid():
                return None
            folder.chmod(0o700)
            disk = FileSystemBytecodeCache(str(folder))
            if sum(1 for _ in folder.iterdir()) > MOST:
                disk.clear()
        except OSError:
            return None  # no right to write here: slower, not wrong
        return disk

    def value(self, about: list[Any], source: str | bytes, work: Callable[[], Any]) -> Any:
        """What follows from `source`, read as `about` says; `work` makes it, or raises what is wrong."""
        text = source.encode("utf-8", "surrogatepass") if isinstance(source, str) else source
        key = hashlib.sha256(f"{self._stamp} {about!r} {type(source).__name__} ".encode() + text).hexdigest()
        if key not in self._seen:
            self._seen[key] = self._from_disk(key, work)
        return self._seen[key]

    def _from_disk(self, key: str, work: Callable[[], Any]) -> Any:
        if self._disk is None:
            return work()
        bucket = self._disk.get_bucket(None, key, None, key)  # type: ignore[arg-type]
        if bucket.code is None:
            bucket.code = work()
            try:
                self._disk.set_bucket(bucket)
            except OSError:
                self._disk = None
        return bucket.code


def stamp(plugins: list[Path]) -> str:
    """Names what compiles: the versions, and our own filters, whose signatures are part of the code."""
    texts = [path.read_bytes() for folder in plugins for path in sorted(folder.glob("*.py"))]
    versions = f"{version('ansible-core')} {version('jinja2')}".encode()
    return hashlib.sha256(b"\0".join([versions, *texts])).hexdigest()


def reading(environment: AnsibleEnvironment) -> list[Any]:
    """How this environment reads a text."""
    context = _jinja_bits._TemplateCompileContext.current(optional=True)
    escaped = bool(context and context.escape_backslashes)
    return [*(getattr(environment, name) for name in READ), sorted(environment.extensions), escaped]


def keep_templates(kept: Kept) -> None:
    """Let Ansible's environments take the code of templates and expressions from there."""
    plain, plain_expression = AnsibleEnvironment.compile, AnsibleEnvironment.compile_expression

    def compiled(self: AnsibleEnvironment, source: Any, *args: Any, **kwargs: Any) -> Any:
        # A template with a name (an include) carries it in its code; it takes Jinja's own way.
        if isinstance(source, str) and not args and not kwargs:
            return kept.value(["template", *reading(self)], source, lambda: plain(self, source))
        code = plain(self, source, *args, **kwargs)
        if (caught := _caught.get()) is not None:
            caught.append(code)
        return code

    def expression(self: AnsibleEnvironment, source: str, undefined_to_none: bool = True) -> Any:
        def work() -> CodeType:
            caught: list[CodeType] = []
            before = _caught.set(caught)
            try:
                plain_expression(self, source, undefined_to_none)
            finally:
                _caught.reset(before)
            return caught[-1]

        code = kept.value(["expression", *reading(self)], source, work)
        template = self.template_class.from_code(self, code, self.make_globals(None), None)
        return TemplateExpression(template, undefined_to_none)

    AnsibleEnvironment.compile = compiled
    AnsibleEnvironment.compile_expression = expression


def leads_elsewhere(kind: str, name: str) -> bool:
    """Whether Ansible's own collection says that a filter or test of this name is another collection's."""
    try:
        routes = _get_collection_metadata("ansible.builtin").get("plugin_routing", {})
    except ValueError:  # collections are not set up in this process
        return True
    return name in routes.get(kind, {})


def keep_names() -> None:
    """Let Jinja's own filters and tests be found without a search through Ansible's, which knows no `join`.

    Ansible looks through all its plugins for each of them, anew for each task. What a plugin of Ansible's or
    of ours is called, or what its collection leads elsewhere, is looked up as before.
    """
    plain = JinjaPluginIntercept.__getitem__
    for kind in (filter_loader, test_loader):
        kind._ensure_non_collection_wrappers()  # here, and not in each worker

    def found(self: JinjaPluginIntercept, key: str) -> Any:
        loader = self._plugin_loader
        if (
            key not in self._wrapped_funcs
            and "." not in key
            and key in self._jinja_builtins
            and key not in loader._cached_non_collection_wrappers
            and not leads_elsewhere(loader.type, key)
        ):
            return self._wrap_and_set_func(self._jinja_builtins[key])
        return plain(self, key)

    JinjaPluginIntercept.__getitem__ = found


def on_node() -> dict[str, str]:
    """What is sent behind a source of mitogen's, by what tells the source from the others.

    The core's own functions, and those of what runs modules, then find this `compile` before the builtin one.
    """
    text = Path(__file__).with_name("on_node.py").read_text(encoding="utf-8")
    return {
        "\nclass ExternalContext(": text,
        "\nclass NewStyleRunner(": "from mitogen.core import compile\n",
    }


def keep_modules(kept: Kept) -> None:
    """Let mitogen take from there what modules import, and its own sources without their comments.

    A node keeps what it compiles as well: `plugins/controller/on_node.py`.
    """
    if master is None:  # over plain ssh nothing of it is done
        return
    plain = minify.minimize_source
    added = on_node()

    def compiled(source: str | bytes, name: str, mode: str) -> Any:
        return kept.value(
            ["python", str(name), mode], source, lambda: compile(source, name, mode, dont_inherit=True)
        )

    def minimized(source: str | bytes) -> Any:
        text = kept.value(["minimized", version("mitogen")], source, lambda: plain(source))
        more = "".join(more for sign, more in added.items() if sign in text)
        return f"{text}\n{more}" if more else text

    module_finder.compile = master.compile = compiled
    minify.minimize_source = minimized


def keep(folder: Path, plugins: list[Path]) -> None:
    """For this process and those that fork from it."""
    kept = Kept(folder, stamp(plugins))
    keep_templates(kept)
    keep_names()
    keep_modules(kept)
