"""Fetches a page and trusts the roots in /etc/client. `first-path` does as OpenSSL 1.0.2 and older: it follows the chain
that the server shows to its end and tries no other, even where a root in the store would do earlier."""

import glob
import ssl
import sys
import urllib.request

context = ssl.create_default_context(cadata="".join(open(root).read() for root in sorted(glob.glob("/etc/client/*.pem"))))
if sys.argv[2:] == ["first-path"]:
    context.verify_flags &= ~ssl.VERIFY_X509_TRUSTED_FIRST
with urllib.request.urlopen(sys.argv[1], timeout=5, context=context) as answer:
    print(answer.read().decode())
