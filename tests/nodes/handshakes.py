"""Real TLS handshakes on the node: its own libraries with the system's defaults against a peer that offers
exactly one protocol and one suite.

Sent to the node as text and run there by its Python; prints {"<library> <side> <offer>": result} as JSON,
where result is `refused` or the suite that was agreed. The peer is OpenSSL without a configuration file.
"""

import ctypes
import json
import os
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

CLIENT, SERVER, CERTIFICATE, PEM = 2, 1, 1, 1  # gnutls.h
LAX = ["-cipher", "ALL:@SECLEVEL=0"]
OFFERS = {
    "tls1": ["-tls1", *LAX],
    "tls1_1": ["-tls1_1", *LAX],
    "aes128 tls1_2": ["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256"],
    "aes128 tls1_3": ["-tls1_3", "-ciphersuites", "TLS_AES_128_GCM_SHA256"],
    "aes256 tls1_2": ["-tls1_2", "-cipher", "ECDHE-ECDSA-AES256-GCM-SHA384"],
    "aes256 tls1_3": ["-tls1_3", "-ciphersuites", "TLS_AES_256_GCM_SHA384"],
}
NO_POLICY = {**os.environ, "OPENSSL_CONF": "/dev/null"}


def key_pair():
    """A throw-away certificate in the current directory."""
    make = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout k -out c -days 1"
    subprocess.run([*make.split(), "-subj", "/CN=localhost"], env=NO_POLICY, check=True, capture_output=True)


def serve(arguments, environment):
    """(process, port) of an OpenSSL server once it listens; port None if it would not start."""
    process = subprocess.Popen(
        ["openssl", "s_server", "-accept", "127.0.0.1:0", "-key", "k", "-cert", "c", "-www", *arguments],
        env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    for line in process.stdout or ():
        if line.startswith("ACCEPT"):
            return process, int(line.rsplit(":", 1)[1])
    return process, None


def connect(port, arguments, environment):
    """What an OpenSSL client agrees on."""
    argv = ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", *arguments]
    done = subprocess.run(
        argv, env=environment, input="Q\n", text=True, capture_output=True, timeout=60, check=False
    )
    said = [line.split()[-1] for line in done.stdout.splitlines() if "Cipher is " in line]
    return said[0] if said and said[0] != "(NONE)" else "refused"


class GnuTls:
    """The node's GnuTLS with its default priorities, by its C interface: nothing has to be installed."""

    def __init__(self):
        self.library = ctypes.CDLL("libgnutls.so.30")
        self.library.gnutls_ciphersuite_get.restype = ctypes.c_char_p
        assert self.library.gnutls_global_init() == 0
        self.credentials = ctypes.c_void_p()
        self.library.gnutls_certificate_allocate_credentials(ctypes.byref(self.credentials))
        loaded = self.library.gnutls_certificate_set_x509_key_file(self.credentials, b"c", b"k", PEM)
        assert loaded == 0, loaded

    def handshake(self, side, connection):
        """The suite agreed on over a connected socket."""
        session = ctypes.c_void_p()
        self.library.gnutls_init(ctypes.byref(session), side)
        self.library.gnutls_set_default_priority(session)
        self.library.gnutls_credentials_set(session, CERTIFICATE, self.credentials)
        self.library.gnutls_handshake_set_timeout(session, 30000)
        descriptor = connection.fileno()
        self.library.gnutls_transport_set_int2(session, descriptor, descriptor)
        for _ in range(50):
            code = self.library.gnutls_handshake(session)
            if code == 0 or self.library.gnutls_error_is_fatal(code):
                break
        agreed = self.library.gnutls_ciphersuite_get(session) if code == 0 else None
        if code == 0:
            self.library.gnutls_bye(session, 1)
        self.library.gnutls_deinit(session)
        return agreed.decode() if agreed else "refused"

    def as_client(self, port):
        """Against a server on loopback."""
        with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
            connection.settimeout(None)
            return self.handshake(CLIENT, connection)

    def as_server(self, arguments):
        """Against a client that OpenSSL starts."""
        with socket.create_server(("127.0.0.1", 0)) as door:
            argv = ["openssl", "s_client", "-connect", f"127.0.0.1:{door.getsockname()[1]}", *arguments]
            client = subprocess.Popen(
                argv, env=NO_POLICY,
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )  # fmt: skip
            connection, _ = door.accept()
            with connection:
                agreed = self.handshake(SERVER, connection)
            client.wait(10)
            return agreed


def probe():
    """Every offer to both libraries in both directions."""
    found, gnutls = {}, GnuTls()
    own, port = serve([], dict(os.environ))
    for offer, arguments in OFFERS.items():
        found[f"openssl server {offer}"] = connect(port, arguments, NO_POLICY) if port else "not started"
        found[f"gnutls server {offer}"] = gnutls.as_server(arguments)
        peer, there = serve(arguments, NO_POLICY)
        found[f"openssl client {offer}"] = connect(there, [], dict(os.environ))
        found[f"gnutls client {offer}"] = gnutls.as_client(there)
        peer.kill()
    own.kill()
    return found


def main():
    """In a directory that goes away again."""
    with tempfile.TemporaryDirectory(prefix="stockade-verify.", dir="/var/tmp") as place:
        os.chdir(place)
        key_pair()
        json.dump(probe(), sys.stdout)
        os.chdir("/")


if __name__ == "__main__":
    main()


def source() -> str:
    """This file as text, for the node."""
    return Path(__file__).read_text()
