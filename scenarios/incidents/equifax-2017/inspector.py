"""Looks into TLS traffic on its way to the portal, with a certificate of its own.

While that is valid it ends TLS, looks for an attack and passes the request on. After its end it does as the device of
2017 did: what it cannot look into it lets pass. With ON_EXPIRY=refuse it lets nothing pass.
"""

import os
import socket
import ssl
import subprocess
import threading
import time

CERTIFICATE, KEY = "/etc/inspector/tls.crt", "/etc/inspector/tls.key"


def not_after():
    line = subprocess.check_output(["openssl", "x509", "-noout", "-enddate", "-in", CERTIFICATE], text=True)
    return ssl.cert_time_to_seconds(line.strip().removeprefix("notAfter="))


def pump(source, sink, look=lambda data: None):
    try:
        while data := source.recv(65536):
            look(data)
            sink.sendall(data)
    except OSError:
        pass
    finally:
        for end in (source, sink):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


def look(data):
    if b"multipart/form-data" in data:
        print("ALARM struts", flush=True)


def serve(client):
    portal = socket.create_connection(("portal", 8443), timeout=5)
    try:
        if time.time() <= ENDS:
            client = SERVER.wrap_socket(client, server_side=True)
            portal = CLIENT.wrap_socket(portal)
            seen = look
        elif os.environ.get("ON_EXPIRY") == "refuse":
            return
        else:
            seen = lambda data: None
        back = threading.Thread(target=pump, args=(portal, client))
        back.start()
        pump(client, portal, seen)
        back.join()
    except OSError as error:
        print(error, flush=True)
    finally:
        client.close()
        portal.close()


ENDS = not_after()
SERVER = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
SERVER.load_cert_chain(CERTIFICATE, KEY)
# The way behind it is not what it is there to judge.
CLIENT = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
CLIENT.check_hostname, CLIENT.verify_mode = False, ssl.CERT_NONE
with socket.create_server(("", 9443)) as listener:
    while True:
        threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
