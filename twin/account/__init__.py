"""The emulated AWS account of one stack: moto's server with our extensions, in a process of its own.

`start` starts it or finds it running; `stop` ends it. It listens on loopback only, survives the command
that started it, and is in the twin's ledger before it is used. Everything it holds is in memory and ends
with it.
"""

from __future__ import annotations

import errno
import json
import os
import shlex
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

import fault
from twin.ledger import Ledger, begun, build

REPOSITORY = Path(__file__).resolve().parents[2]
PROCESS = "account"
START_SECONDS = 300.0  # it compiles bytecode on a busy machine; one that dies is not waited for
STOP_SECONDS = 30.0


@dataclass(frozen=True)
class Account:
    """A running emulated account. `env` points any AWS client at it; `born` names this life of it."""

    endpoint: str
    env: dict[str, str]
    pid: int
    id: str
    region: str
    stack: str
    born: str


@dataclass(frozen=True)
class Image:
    """A machine image that the account offers, e.g. Debian's, by its pinned id and its owner's account."""

    id: str
    owner: str


def start(  # noqa: PLR0913 - keywords
    stack: str,
    account: str,
    region: str,
    root: Path | None = None,
    *,
    port: int = 0,
    image: Image | None = None,
    certificates: Mapping[str, Sequence[str]] | None = None,
) -> Account:
    """Start the account of a stack, or return it when it is running already.

    `root` is the build directory, `port` 0 any free one. `image` and `certificates` (ARN → host names) are
    what the account has before the program runs; they default to what the stack file names. Raises Fault when
    the port is taken, another stack's account is running, or the server does not come up.
    """
    ledger = _ledger(root)
    running = find(root)
    if running is not None:
        if (running.stack, running.id, running.region) == (stack, account, region):
            _write_environment(ledger.home, running)
            return running
        raise fault.Fault(
            f"the emulated account of stack {running.stack} is running",
            "one account runs at a time",
            "`make down` ends it",
        )
    _check_port(port)
    chosen = image or _image_of(stack)
    held = certificates if certificates is not None else {} if image else _certificates_of(stack)
    ledger.home.mkdir(parents=True, exist_ok=True)
    (ledger.home / "account.json").unlink(missing_ok=True)
    argv = [sys.executable, "-m", "twin.account", "--stack", stack, "--account", account, "--region", region]
    argv += ["--port", str(port), "--image", f"{chosen.id}:{chosen.owner}", "--home", str(ledger.home)]
    argv += [text for arn, hosts in held.items() for text in ("--certificate", f"{arn}={','.join(hosts)}")]
    log = ledger.home / "account.log"
    log.write_text("")
    process = ledger.spawn(PROCESS, argv, log=log, env=_server_environment(account, region), cwd=REPOSITORY)
    _wait(ledger, process, log)
    found = find(root)
    if found is None:
        raise _not_up(log)
    _write_environment(ledger.home, found)
    return found


def find(root: Path | None = None) -> Account | None:
    """The running account, or None. A file left by a process that died counts as nothing."""
    ledger = _ledger(root)
    process = ledger.running(PROCESS)
    if process is None:
        return None
    try:
        facts = json.loads((ledger.home / "account.json").read_text())
    except (FileNotFoundError, ValueError):
        return None
    if facts["pid"] != process.pid:
        return None
    endpoint = f"http://localhost:{facts['port']}"
    born = f"{process.pid}-{begun(process.pid):.2f}"
    env = client_environment(endpoint, facts["region"])
    return Account(endpoint, env, process.pid, facts["account"], facts["region"], facts["stack"], born)


def stop(root: Path | None = None) -> bool:
    """End the account; True when one was running. Its environment file goes with it."""
    ledger = _ledger(root)
    process = ledger.running(PROCESS)
    for name in ("account.json", "aws.env"):
        (ledger.home / name).unlink(missing_ok=True)
    if process is None:
        return False
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except psutil.TimeoutExpired:
        process.kill()
        process.wait(STOP_SECONDS)
    return True


def _ledger(root: Path | None) -> Ledger:
    return Ledger((root or build()) / "twin")


def _image_of(stack: str) -> Image:
    import settings  # noqa: PLC0415 - only when the caller did not say

    image = settings.load(stack, REPOSITORY).image
    return Image(image.id, image.owner)


def _certificates_of(stack: str) -> dict[str, Sequence[str]]:
    import settings  # noqa: PLC0415 - only when the caller did not say

    stated = settings.load(stack, REPOSITORY).load_balancers.values()
    return {balancer.certificate: balancer.hosts for balancer in stated}


def _check_port(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            if error.errno not in {errno.EADDRINUSE, errno.EACCES}:
                raise
            raise fault.Fault(
                f"port {port}: {os.strerror(error.errno or 0)}",
                "the emulated account needs a free port on loopback",
                "leave the port out to get any free one",
            ) from None


def _server_environment(account: str, region: str) -> dict[str, str]:
    env = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "MOTO_", "PYTHONDONTWRITE"))}
    return env | {
        "MOTO_ACCOUNT_ID": account,
        "MOTO_EC2_LOAD_DEFAULT_AMIS": "false",
        "MOTO_IAM_LOAD_MANAGED_POLICIES": "true",
        "AWS_DEFAULT_REGION": region,
        "AWS_ACCESS_KEY_ID": "twin",
        "AWS_SECRET_ACCESS_KEY": "twin",
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def client_environment(endpoint: str, region: str) -> dict[str, str]:
    """Environment that points any AWS client at the account."""
    # These credentials are words, not secrets: the account accepts any.
    return {
        "AWS_ENDPOINT_URL": endpoint,
        # Account-level S3 calls put the account's number and a dot in front of the endpoint's authority; that
        # name resolves nowhere. With a user part there, number and dot become part of it and the host stays.
        "AWS_ENDPOINT_URL_S3_CONTROL": account_level(endpoint),
        "AWS_ACCESS_KEY_ID": "twin",
        "AWS_SECRET_ACCESS_KEY": "twin",
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        "AWS_EC2_METADATA_DISABLED": "true",
        "NO_PROXY": "localhost,127.0.0.1",
        "no_proxy": "localhost,127.0.0.1",
    }


def account_level(endpoint: str) -> str:
    """The endpoint for S3 Control."""
    return endpoint.replace("://", "://account@", 1)


def _write_environment(home: Path, account: Account) -> None:
    lines = [f"export {name}={shlex.quote(value)}\n" for name, value in sorted(account.env.items())]
    part = home / ".aws.env.part"
    part.write_text(f"# The emulated account of {account.stack}; ends with `make down`.\n" + "".join(lines))
    part.replace(home / "aws.env")


def _wait(ledger: Ledger, process: subprocess.Popen[bytes], log: Path) -> None:
    ready, until = ledger.home / "account.json", time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        if ready.exists():
            return
        if process.poll() is not None:
            raise _not_up(log)
        time.sleep(0.02)
    process.terminate()
    raise _not_up(log)


def _not_up(log: Path) -> fault.Fault:
    lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
    said = lines[-1].strip() if lines else "it said nothing"
    return fault.Fault(f"the emulated account did not start: {said}", "its server must come up", f"see {log}")
