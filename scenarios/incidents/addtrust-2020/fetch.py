"""Fetches a page and trusts the roots in /etc/client. `first-path` does as OpenSSL 1.0.2: it follows the chain that the
server shows to its end, takes the first root that fits, and tries no other."""

import glob
import re
import ssl
import subprocess
import sys
import tempfile
import urllib.parse
import urllib.request

ROOTS = [open(root).read() for root in sorted(glob.glob("/etc/client/*.pem"))]
PEM = re.compile(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.S)


def openssl(*arguments, text=""):
    return subprocess.run(["openssl", *arguments], input=text, capture_output=True, text=True)


def name(kind, certificate):
    return openssl("x509", "-noout", f"-{kind}", text=certificate).stdout.partition("=")[2].strip()


def file(certificates):
    written = tempfile.NamedTemporaryFile("w", suffix=".pem")
    written.write("\n".join(certificates))
    written.flush()
    return written


def first_path(host, port):
    shown = openssl("s_client", "-connect", f"{host}:{port}", "-servername", host, "-showcerts")
    chain = PEM.findall(shown.stdout)
    if not chain:
        sys.exit(shown.stderr)
    for last in reversed(chain):
        for root in ROOTS:
            if name("subject", root) == name("issuer", last):
                upto = chain[: chain.index(last) + 1]
                with file([root]) as anchor, file(upto) as untrusted, file(chain[:1]) as leaf:
                    told = openssl("verify", "-CAfile", anchor.name, "-untrusted", untrusted.name, "-verify_hostname", host, leaf.name)
                if told.returncode:
                    sys.exit(told.stdout + told.stderr)
                return
    sys.exit("no root in the store fits")


url = urllib.parse.urlsplit(sys.argv[1])
if sys.argv[2:] == ["first-path"]:
    first_path(url.hostname, url.port)
context = ssl.create_default_context(cadata="".join(ROOTS))
with urllib.request.urlopen(sys.argv[1], timeout=5, context=context) as answer:
    print(answer.read().decode())
