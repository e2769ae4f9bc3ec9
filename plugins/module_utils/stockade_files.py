"""Files and commands on a node, with the care that an access-critical change needs. Standard library only."""

from __future__ import annotations

import contextlib
import os
import stat
import subprocess


def run(command, **options):
    """Run a command; (return code, output of both streams). A missing program is 127, as in a shell."""
    try:
        done = subprocess.run(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
            check=False,
            **options,
        )
    except FileNotFoundError:
        return 127, f"{command[0]}: not found"
    except subprocess.TimeoutExpired:
        return 124, f"{command[0]}: no answer within 60 s"
    return done.returncode, done.stdout.strip()


def write_durably(path, data, mode=0o600):
    """Write so that after a power cut there is either the old file or the whole new one."""
    scratch = f"{path}.stockade-new"
    handle = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
        file.flush()
        os.fchmod(file.fileno(), mode)
        os.fsync(file.fileno())
    os.replace(scratch, path)
    sync_directory(os.path.dirname(path))


def sync_directory(path):
    """Make a rename or an unlink in a directory survive a power cut."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def same(path, member, content):
    """Whether the file at `path` is what the archive's member says: kind, owner, mode, content."""
    try:
        have = os.lstat(path)
    except FileNotFoundError:
        return False
    if member.issym():
        return stat.S_ISLNK(have.st_mode) and os.readlink(path) == member.linkname
    if (have.st_uid, have.st_gid, stat.S_IMODE(have.st_mode)) != (member.uid, member.gid, member.mode):
        return False
    if member.isdir():
        return stat.S_ISDIR(have.st_mode)
    if not stat.S_ISREG(have.st_mode) or have.st_size != len(content):
        return False
    with open(path, "rb") as file:
        return file.read() == content


def put(path, member, content):
    """Write one archive member back, atomically."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    if member.isdir():
        os.makedirs(path, exist_ok=True)
        os.chmod(path, member.mode)
        os.chown(path, member.uid, member.gid)
    elif member.issym():
        put_link(path, member.linkname)
    else:
        put_file(path, content, member.mode, member.uid, member.gid)


def put_file(path, content, mode, uid, gid):
    """Write a file next to its place with its final owner and mode, then rename it over the old one."""
    folder, name = os.path.split(path)
    # A leading dot and a tilde: sudo, sshd's *.conf glob and run-parts pass over it while it exists.
    scratch = os.path.join(folder, f".{name}.stockade~")
    with contextlib.suppress(FileNotFoundError):
        os.unlink(scratch)
    handle = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fchown(file.fileno(), uid, gid)
        os.fchmod(file.fileno(), mode)
        os.fsync(file.fileno())
    os.replace(scratch, path)
    sync_directory(folder)


def put_link(path, target):
    """Point a symbolic link at `target`, atomically."""
    folder, name = os.path.split(path)
    scratch = os.path.join(folder, f".{name}.stockade~")
    with contextlib.suppress(FileNotFoundError):
        os.unlink(scratch)
    os.symlink(target, scratch)
    os.replace(scratch, path)
    sync_directory(folder)
