python3 - <<'END'
import bz2, gzip, lzma, struct, uuid, zipfile

pem = open("ca.pem", "rb").read()
alone = lzma.compress(pem, format=lzma.FORMAT_ALONE)


def padded(data, unit):
    return data + bytes(-len(data) % unit)


def entry(name, data):
    fields = [0] * 6 + [len(data)] + [0] * 4 + [len(name) + 1, 0]
    head = "070701" + "".join(f"{field:08X}" for field in fields) + name + "\0"
    return padded(head.encode(), 4) + padded(data, 4)


def header(texts):
    store = b"".join(text + b"\0" for _, text in texts)
    at, index = 0, b""
    for tag, text in texts:
        index += struct.pack(">IIII", tag, 6, at, 1)
        at += len(text) + 1
    return b"\x8e\xad\xe8\1\0\0\0\0" + struct.pack(">II", len(texts), len(store)) + index + store


disk = entry("ca.pem", pem) + entry("TRAILER!!!", b"")
lead = b"\xed\xab\xee\xdb\3\0" + bytes(90)
package = lead + padded(header([(1000, b"x")]), 8) + header([(1000, b"a"), (1001, b"1"), (1002, b"2")])
mark = uuid.UUID("ee4e5898-3914-4259-9d6e-dc7bd79403cf").bytes_le
section = (24 + len(alone)).to_bytes(3, "little") + b"\2" + mark + struct.pack("<HH", 24, 1) + alone
payload = gzip.compress(pem) + bytes(4)
image = bytearray(1024)
image[:2], image[0x1F1], image[0x202:0x206] = b"MZ", 1, b"HdrS"
image[0x248:0x250] = struct.pack("<II", 0, len(payload))
for name, data in {
    "a.bz2": bz2.compress(pem),
    "a.lzma": alone,
    "a.cpio": disk,
    "a.rpm": package + gzip.compress(disk),
    "code.fd": bytes(40) + b"_FVH" + bytes(20) + section,
    "vmlinuz": bytes(image) + payload,
}.items():
    open(name, "wb").write(data)
for name, method in (("bzip2.zip", zipfile.ZIP_BZIP2), ("lzma.zip", zipfile.ZIP_LZMA)):
    with zipfile.ZipFile(name, "w", method) as archive:
        archive.writestr("ca.pem", pem)
END
