"""`python -m evidence pack | sign | check | upload`; also `./stockade evidence …`.

pack RESULTS [--out BUNDLE] [--procedures FOLDER] [--key KEY]    one archive of a run, always the same bytes
sign BUNDLE --key KEY                                            by an ssh key or an agent's
check BUNDLE [--signers FILE]                                    offline; names the first touched byte
upload BUNDLE --region REGION.json [--signers FILE]              checked first, then into the locked archive
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

import fault
from evidence import archive, manifest, signature
from evidence.check import check
from evidence.contents import gather
from evidence.upload import client, upload
from fault import Fault

ROOT = Path(__file__).resolve().parents[1]
SIGNERS = ROOT / "evidence" / "allowed_signers"


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="evidence", description=__doc__.splitlines()[0] if __doc__ else None
    )
    commands = parser.add_subparsers(dest="command", required=True)
    pack = commands.add_parser("pack", help="one archive of a run")
    pack.add_argument("results", type=Path, nargs="?", default=ROOT / "build/report/results.json")
    pack.add_argument("--out", type=Path, help="where it goes (default: build/evidence/STACK-TIME.tar)")
    pack.add_argument("--procedures", type=Path, help="folder of procedures' records")
    pack.add_argument("--key", type=Path, help="sign it at once by this ssh key")
    sign = commands.add_parser("sign", help="sign its manifest")
    sign.add_argument("bundle", type=Path)
    sign.add_argument("--key", type=Path, required=True, help="ssh private key, or its .pub with an agent")
    one = commands.add_parser("check", help="verify offline, name what was touched")
    send = commands.add_parser("upload", help="into the locked archive")
    send.add_argument("--region", type=Path, required=True, help="region contract")
    for command in (one, send):
        command.add_argument("bundle", type=Path)
        command.add_argument("--signers", type=Path, default=SIGNERS, help="ssh's allowed_signers file")
    return parser


def _pack(options: argparse.Namespace) -> int:
    files = gather(options.results, ROOT, options.procedures)
    run = json.loads(files["run.json"])
    name = f"{run['stack']}-{run['started'][:19].replace(':', '')}.tar"
    out: Path = options.out or ROOT / "build" / "evidence" / name
    listed = manifest.render(files)
    seal = signature.sign(listed, options.key) if options.key else None
    archive.write(out, archive.build(listed, seal, files))
    print(f"{out}: {len(files)} files, {'signed' if seal else 'not signed yet: stockade evidence sign'}")
    return fault.GOOD


def _sign(options: argparse.Namespace) -> int:
    path: Path = options.bundle
    found, stopped = archive.members(path.read_bytes() if path.is_file() else b"")
    own = (archive.MANIFEST, archive.SIGNATURE, archive.SEAL_COPY)
    files = {name: body for name, body in found if name not in own}
    listed = dict(found).get(archive.MANIFEST)
    if stopped or listed is None or listed != manifest.render(files):
        rule = "only an untouched bundle is signed"
        raise Fault(f"{path} is no bundle as it was packed", rule, "pack it again")
    archive.write(path, archive.build(listed, signature.sign(listed, options.key), files))
    print(f"{path}: signed")
    return fault.GOOD


def _check(options: argparse.Namespace) -> int:
    verdict = check(options.bundle, options.signers)
    for text in verdict.complaints:
        print(f"{options.bundle}: {text}", file=sys.stderr)
    if verdict.good:
        print(f"{options.bundle}: {verdict.files} files untouched, signed by {verdict.signer}")
    return fault.GOOD if verdict.good else fault.CONTROL_FAILED


def _upload(options: argparse.Namespace) -> int:
    if code := _check(options):
        return code
    try:
        contract = json.loads(options.region.read_text())
    except (OSError, ValueError) as error:
        rule = "the buckets come from the region contract"
        raise Fault(f"--region {options.region}: {error}", rule, "name region.json") from error
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    stored = upload(options.bundle, contract, client(contract["region"], endpoint))
    print(f"s3://{stored.bucket}/{stored.key} version {stored.version}")
    lock = f"locked until {stored.retained_until}" if stored.retained_until else "its copy is on its way"
    print(f"s3://{stored.archive}/{stored.key}: {lock}")
    return fault.GOOD


def run(arguments: list[str]) -> int:
    """The command's body."""
    options = _arguments().parse_args(arguments)
    commands = {"pack": _pack, "sign": _sign, "check": _check, "upload": _upload}
    return commands[options.command](options)


if __name__ == "__main__":
    fault.main(lambda: run(sys.argv[1:]))
