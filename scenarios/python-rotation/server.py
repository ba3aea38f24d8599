"""A TLS server that looks every ten seconds whether its certificate has changed, and takes the new one by itself."""

import os
import socket
import ssl
import sys
import threading
import time

CERTIFICATE, KEY = "/etc/shop/tls/tls.crt", "/etc/shop/tls/tls.key"
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(CERTIFICATE, KEY)


def watch_path():
    with open(CERTIFICATE, "rb") as file:
        return file.read()


first = open(CERTIFICATE, "rb")


def watch_descriptor():
    """What a program sees that keeps its file open: writing in place, and never another file in its place."""
    first.seek(0)
    return first.read()


look = watch_path if os.environ["WATCH"] == "path" else watch_descriptor


def watch():
    seen = look()
    while True:
        time.sleep(10)
        if look() != seen:
            seen = look()
            context.load_cert_chain(CERTIFICATE, KEY)
            print("took the new certificate", flush=True)


threading.Thread(target=watch, daemon=True).start()
listener = socket.create_server(("", 8443))
print("ready", file=sys.stderr, flush=True)
while True:
    connection, _ = listener.accept()
    try:
        with context.wrap_socket(connection, server_side=True) as tls:
            tls.settimeout(5)
            tls.recv(1)
    except OSError as error:
        print(f"a connection ended: {error}", flush=True)
