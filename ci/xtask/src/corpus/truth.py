"""What other tools find in a file, one a line.

    truth.py KIND FILE

Certificates are told by the SHA-256 of their DER, OpenPGP keys by key ID and end. KIND: `certificates`
(every offset is tried with python-cryptography, then OpenSSL), `authenticode` (openssl pkcs7), `keytool`, `jarsigner`
(keytool), `literals` (Node.js), `gpg`.
"""

import base64, bz2, gzip, hashlib, io, itertools, lzma, re, struct, subprocess, sys, tarfile, warnings, zipfile

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

warnings.simplefilter("ignore")
OUTLINE = re.compile(
    rb"\x30(?:\x81.|\x82..|\x83...)\x30(?:\x81.|\x82..|\x83...)(?:\xa0\x03\x02\x01|\x02)", re.DOTALL
)
ARMOUR = re.compile(
    rb"-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----(.{20,200000}?)-----END (?:X509 |TRUSTED )?CERTIFICATE-----",
    re.DOTALL,
)
# base64 of DER without armour.
BARE = re.compile(rb"(?<![A-Za-z0-9+/=])MII[A-Za-z0-9+/\s]{200,}={0,2}")
# base64 of armour.
PACKED = re.compile(rb"LS0tLS1CRUdJTi[A-Za-z0-9+/]+={0,2}")
LONGEST = 200_000


def element_len(data, at):
    octets = data[at + 1] & 0x7F
    return 2 + octets + int.from_bytes(data[at + 2 : at + 2 + octets], "big")


def is_certificate(der):
    try:
        x509.load_der_x509_certificate(der)
        return True
    except Exception:
        shown = subprocess.run(["openssl", "x509", "-inform", "DER", "-noout", "-enddate"], input=der, capture_output=True)
        return shown.returncode == 0 and b"Bad time" not in shown.stdout


def fingerprint(der):
    return hashlib.sha256(der).hexdigest()


def in_bytes(data):
    for match in OUTLINE.finditer(data):
        at = match.start()
        length = element_len(data, at)
        if length <= LONGEST and at + length <= len(data) and is_certificate(data[at : at + length]):
            yield fingerprint(data[at : at + length])
    for match in PACKED.finditer(data):
        digits = match.group()
        yield from in_bytes(base64.b64decode(digits[: len(digits) // 4 * 4]))
    for match in itertools.chain(ARMOUR.finditer(data), BARE.finditer(data)):
        body = re.sub(rb"\\[nrt]", b"", match.group(1) if match.re is ARMOUR else match.group())
        body = re.sub(rb"[^A-Za-z0-9+/=]", b"", re.sub(rb"[\"'`]\s*[+.]\s*[\"'`]", b"", body))
        try:
            der = base64.b64decode(body[: len(body) // 4 * 4])
        except Exception:
            continue
        if len(der) > 64 and der[0] == 0x30 and der[1] > 0x80:
            der = der[: element_len(der, 0)]
            if is_certificate(der):
                yield fingerprint(der)


def files_in(data):
    """The bytes, and those of every archive in them."""
    yield data
    if data[:4] == b"PK\x03\x04":
        archive = zipfile.ZipFile(io.BytesIO(data))
        inner = (archive.read(name) for name in archive.namelist() if not name.endswith("/"))
    elif data[:2] == b"\x1f\x8b":
        inner = [gzip.decompress(data)]
    elif data[:6] == b"\xfd7zXZ\0":
        inner = [lzma.decompress(data)]
    elif data[:3] == b"BZh":
        inner = [bz2.decompress(data)]
    elif data[:8] == b"!<arch>\n":
        unpacked = subprocess.run(["dpkg-deb", "--fsys-tarfile", "/dev/stdin"], input=data, capture_output=True)
        inner = [unpacked.stdout] if unpacked.returncode == 0 else []
    elif data[257:262] == b"ustar":
        archive = tarfile.open(fileobj=io.BytesIO(data))
        inner = (archive.extractfile(entry).read() for entry in archive if entry.isfile())
    else:
        inner = []
    try:
        for each in inner:
            yield from files_in(each)
    except (OSError, EOFError, zipfile.BadZipFile, lzma.LZMAError, tarfile.TarError):
        pass  # a test file that only begins as an archive


def certificates(data):
    for each in files_in(data):
        yield from in_bytes(each)


def armoured(text):
    for block in re.findall(rb"-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----", text):
        yield fingerprint(x509.load_pem_x509_certificate(block + b"\n").public_bytes(Encoding.DER))


def authenticode(data):
    """The attribute certificate table (PE format), each entry through OpenSSL."""
    header = struct.unpack_from("<I", data, 0x3C)[0] + 24
    directories = header + (112 if struct.unpack_from("<H", data, header)[0] == 0x20B else 96)
    at, length = struct.unpack_from("<II", data, directories + 4 * 8)
    end = at + length
    while at < end:
        size = struct.unpack_from("<I", data, at)[0]
        command = ["openssl", "pkcs7", "-inform", "DER", "-print_certs"]
        yield from armoured(subprocess.run(command, input=data[at + 8 : at + size], capture_output=True, check=True).stdout)
        at += (size + 7) // 8 * 8


def keytool(*arguments):
    command = ["keytool", *arguments, "-rfc"]
    return armoured(subprocess.run(command, capture_output=True, check=True).stdout)


def gpg(path):
    """Keys and subkeys of every ring in a package, with their ends in seconds since 1970."""
    for ring in files_in(open(path, "rb").read()):
        if ring[:1] not in (b"\x98", b"\x99", b"\xc6") and b"BEGIN PGP PUBLIC KEY BLOCK" not in ring:
            continue
        shown = subprocess.run(["gpg", "--batch", "--with-colons", "--show-keys"], input=ring, capture_output=True)
        for line in shown.stdout.decode("utf-8", "replace").splitlines():
            fields = line.split(":")
            if fields[0] in ("pub", "sub"):
                yield f"{fields[4].lower()} {fields[6] or 'never'}"


def literals(path):
    """What Node.js says that the constants of a module are."""
    script = "const text = Object.values(require(process.argv[1])).flat().join('\\n'); process.stdout.write(text)"
    return armoured(subprocess.run(["node", "-e", script, path], capture_output=True, check=True).stdout)


kind, path = sys.argv[1:]
found = {
    "authenticode": lambda: authenticode(open(path, "rb").read()),
    "certificates": lambda: certificates(open(path, "rb").read()),
    "gpg": lambda: gpg(path),
    "jarsigner": lambda: keytool("-printcert", "-jarfile", path),
    "keytool": lambda: keytool("-list", "-keystore", path, "-storepass", "changeit"),
    "literals": lambda: literals(path),
}[kind]()
print("\n".join(sorted(set(found))))
