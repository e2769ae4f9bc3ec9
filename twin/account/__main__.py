"""The account's own process: `python -m twin.account --stack … --account … --region … --port … --image …
--home …`."""

from __future__ import annotations

import argparse
import signal
import threading
from pathlib import Path


def main() -> None:
    """Serve until told to end."""
    parser = argparse.ArgumentParser(prog="twin.account", description=__doc__)
    for name in ("stack", "account", "region", "port", "image", "home"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--certificate", action="append", default=[], help="ARN=host,host…")
    args = parser.parse_args()
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    from twin.account import server  # noqa: PLC0415 - loads moto, seconds when cold; signals are handled first

    image, _, owner = args.image.partition(":")
    certificates = {arn: hosts.split(",") for arn, _, hosts in (c.partition("=") for c in args.certificate)}
    served = server.serve(args.account, args.region, int(args.port), {image: owner}, certificates)
    facts = {"stack": args.stack, "account": args.account, "region": args.region}
    server.announce(Path(args.home) / "account.json", served, facts)
    ended.wait()


if __name__ == "__main__":
    main()
