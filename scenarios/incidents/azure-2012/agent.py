"""Makes the certificate with which a virtual machine and its host exchange secrets: from midnight, for one year."""

import datetime
import os
import subprocess

today = datetime.datetime.now(datetime.timezone.utc).replace(hour=0, minute=0, second=0, microsecond=0)
if days := os.environ.get("LIFE_DAYS"):
    until = today + datetime.timedelta(days=int(days))
else:
    until = today.replace(year=today.year + 1)
subprocess.run(
    ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "/dev/null"]
    + ["-subj", "/CN=transfer", "-days", str((until - today).days), "-out", "/dev/null"],
    check=True,
    stderr=subprocess.DEVNULL,
)
print("the transfer certificate lives until", until.date())
