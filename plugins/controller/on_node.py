"""What stands here is sent to a node with mitogen's own sources and takes the name `compile` there.

A node's interpreter is handed some ninety modules as texts and compiled each of them anew in every run: two
fifths of what it did in a run that changes nothing. Their code is kept in memory (`/run`) until the next
boot, named by the text, by where it comes from and by the interpreter that compiled it, so no entry is ever
stale. Only root keeps and reads it, in a folder that nobody else can enter (docs/decisions/0007-speed.md).
"""

import builtins
import contextlib
import hashlib
import marshal
import os
import sys
from types import CodeType

FOLDER = "/run/stockade/compiled"
MOST = 600  # entries; a run needs some hundred, and what nobody needs any more goes with the rest


def compiled_folder(folder: str) -> bool:
    """Whether root's code may be read from there; makes it."""
    if os.geteuid() != 0:
        return False
    try:
        os.makedirs(os.path.dirname(folder), mode=0o755, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            os.mkdir(folder, 0o700)
        found = os.lstat(folder)
    except OSError:
        return False
    return found.st_uid == 0 and found.st_mode & 0o170077 == 0o040000


def kept_code(path: str) -> "CodeType | None":
    """The code that is kept there, or None."""
    try:
        with open(path, "rb") as file:
            mark, text = file.read(32), file.read()
        # Root's own, in root's folder. What was cut short or written over is compiled again.
        if hashlib.sha256(text).digest() != mark:
            return None
        found: CodeType = marshal.loads(text)  # noqa: S302
    except (OSError, ValueError, EOFError, TypeError):
        return None
    return found


def keep_code(folder: str, path: str, code: CodeType) -> None:
    """Keep it if there is room; somebody who reads at the same time sees all of it or nothing."""
    text = marshal.dumps(code)
    beside = f"{path}.{os.getpid()}"
    try:
        kept = os.listdir(folder)
        for name in kept if len(kept) >= MOST else ():
            os.unlink(os.path.join(folder, name))
        with open(beside, "xb") as file:
            file.write(hashlib.sha256(text).digest() + text)
        os.replace(beside, path)
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(beside)


def compile(
    source: "str | bytes", filename: str, mode: str, flags: int = 0, dont_inherit: bool = True
) -> CodeType:
    """As the builtin does it for whole modules."""
    text = source if isinstance(source, bytes) else source.encode("utf-8", "surrogatepass")
    about = repr((sys.version, str(filename), mode, flags, type(source).__name__)).encode()
    path = os.path.join(FOLDER, hashlib.sha256(about + b"\0" + text).hexdigest())
    usable = dont_inherit and compiled_folder(FOLDER)
    code = kept_code(path) if usable else None
    if code is None:
        code = builtins.compile(source, filename, mode, flags, dont_inherit)
        if usable:
            keep_code(FOLDER, path, code)
    return code
