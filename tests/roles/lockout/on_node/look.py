"""What a look at the node tells: what waits, what happened last, and a digest of everything that lets in."""

# ruff: noqa: E402, PTH110, PTH113, PTH114, PTH115, PTH123

import hashlib
import json
import os
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, "/usr/local/lib/stockade")
import stockade_accounts  # type: ignore[import-not-found]
import stockade_generations  # type: ignore[import-not-found]
import stockade_guard  # type: ignore[import-not-found]


def run(*command):
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout
    except FileNotFoundError:  # a blank node has no packet filter of ours
        return ""


guard = stockade_guard.Guard()
rows = []
for path in guard._existing(stockade_generations.ACCESS_CRITICAL):
    have = os.lstat(path)
    content = os.readlink(path) if os.path.islink(path) else ""
    if os.path.isfile(path):
        with open(path, "rb") as file:
            content = hashlib.sha256(file.read()).hexdigest()
    rows.append([path, oct(have.st_mode), have.st_uid, have.st_gid, content])
accounts = {
    name: facts for name, facts in stockade_accounts.look().items() if facts["files"] or facts["groups"]
}
events = []
if os.path.exists(guard.history_file):
    with open(guard.history_file, encoding="utf-8") as history:
        events = [json.loads(line) for line in history]
print(
    json.dumps(
        {
            "pending": guard.pending(),
            "event": events[-1] if events else None,
            "events": len(events),
            "files": rows,
            "accounts": accounts,
            "sshd": run("/usr/sbin/sshd", "-T"),
            "firewall": run("/usr/local/sbin/stockade-firewall", "verify").strip(),
            "shut": [p for p in stockade_generations.SHUTTERS if stockade_generations.shuts(p)],
        }
    )
)
