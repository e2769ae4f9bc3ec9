"""Runs on a node: TLS in front of a collector of journals, for callers that our authority knows.

Debian's systemd-journal-remote is built without the check of a sender's certificate (--trust), so a
collector on Debian has such a front; this one is small enough to be switched off and given another
certificate.
"""

import socket
import ssl
import sys
import threading


def pump(source, target):
    """Carry bytes one way until that side ends."""
    try:
        while data := source.recv(65536):
            target.sendall(data)
    except OSError:
        pass
    finally:
        for side in (source, target):
            side.close()


def serve(certificate, key, authority, port, behind):
    """Accept callers that prove themselves, and connect each to the collector behind."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    context.load_verify_locations(authority)
    context.verify_mode = ssl.CERT_REQUIRED
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    with socket.create_server(("127.0.0.1", port)) as listener:
        while True:
            plain, _ = listener.accept()
            try:
                caller = context.wrap_socket(plain, server_side=True)
            except OSError as error:
                print(f"refused: {error}", flush=True)
                continue
            collector = socket.create_connection(("127.0.0.1", behind))
            for way in ((caller, collector), (collector, caller)):
                threading.Thread(target=pump, args=way, daemon=True).start()


serve(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5]))
