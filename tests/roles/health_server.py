"""A web server on a node's own loopback that gives the answers a health hook meets, good and bad ones."""

from __future__ import annotations

import base64

from twin.machines import Lone

PORT, NOBODY = 8091, 8092  # nothing listens on the second one
SERVER = """
import http.server, time
seen, log = [], "LOG"
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        word = self.path.strip("/")
        seen.append(word)
        if log:
            print("asked for", word, file=open(log, "a"))
        if word == "hangs":
            time.sleep(600)
        if word == "drips":
            for byte in b"HTTP/1.0 200 OK" * 100:
                self.wfile.write(bytes([byte]))
                time.sleep(0.5)
        coming = word == "comes" and seen.count("comes") < 3
        self.send_response(503 if coming else 200 if word == "comes" else int(word))
        self.end_headers()
http.server.ThreadingHTTPServer(("127.0.0.1", PORT), Handler).serve_forever()
"""


def serve_health(node: Lone, log: str = "") -> None:
    """Start it, and wait until it listens. It appends what it is asked for to `log`, a path on the node."""
    text = base64.b64encode(SERVER.replace("PORT", str(PORT)).replace("LOG", log).encode()).decode()
    done = node.sudo(
        f"echo {text} | base64 -d > /run/health.py;"
        " systemd-run --collect --unit=health python3 /run/health.py;"
        f" for i in $(seq 100); do ss -Hltn sport = :{PORT} | grep -q . && exit; sleep 0.1; done; exit 1"
    )
    assert done.returncode == 0, done.stderr


def address(answer: str) -> str:
    """The URL that is answered so."""
    return f"http://127.0.0.1:{NOBODY if answer == 'refused' else PORT}/{answer}"
