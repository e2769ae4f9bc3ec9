"""Files and commands on a node, with the care that an access-critical change needs. Standard library only."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import subprocess


def run(command, seconds=60, **options):
    """Run a command; (return code, output of both streams). A missing program is 127, as in a shell."""
    try:
        done = subprocess.run(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=seconds,
            check=False,
            **options,
        )
    except FileNotFoundError:
        return 127, f"{command[0]}: not found"
    except subprocess.TimeoutExpired:
        return 124, f"{command[0]}: no answer within {seconds} s"
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
        put_anyhow(path, content, member.mode, member.uid, member.gid)


def put_anyhow(path, content, mode, uid, gid):
    """Like put_file; where no second file fits (disk full, a mount on the file) the old one is rewritten.

    A revert comes here: a file that a power cut might tear is better than one that keeps everybody out.
    """
    try:
        put_file(path, content, mode, uid, gid)
    except OSError as error:
        plain = os.path.isfile(path) and not os.path.islink(path)
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EBUSY) or not plain:
            raise
        with contextlib.suppress(OSError):
            os.unlink(scratch_of(path))
        with open(path, "r+b") as file:
            file.truncate(0)
            file.write(content)
            os.fchown(file.fileno(), uid, gid)
            os.fchmod(file.fileno(), mode)
            file.flush()
            os.fsync(file.fileno())


def scratch_of(path):
    """Where a file is written before it takes its place.

    A leading dot and a tilde: sudo, sshd's *.conf glob and run-parts pass over it while it exists.
    """
    folder, name = os.path.split(path)
    return os.path.join(folder, f".{name}.stockade~")


def put_file(path, content, mode, uid, gid):
    """Write a file next to its place with its final owner and mode, then rename it over the old one."""
    folder, scratch = os.path.dirname(path), scratch_of(path)
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
    folder, scratch = os.path.dirname(path), scratch_of(path)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(scratch)
    os.symlink(target, scratch)
    os.replace(scratch, path)
    sync_directory(folder)
