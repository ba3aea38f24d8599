# What services say first, or to the question of a probe: one file for each protocol.
python3 - <<'END'
import struct

def say(name, *parts):
    with open("says-" + name, "wb") as file:
        file.write(b"".join(parts))

def postgres(kind, body):
    return kind + struct.pack(">I", len(body) + 4) + body

def mysql(sequence, body):
    return struct.pack("<I", len(body))[:3] + bytes([sequence]) + body

def amqp(body):
    return b"\x01\x00\x00" + struct.pack(">I", len(body)) + body + b"\xce"

def http2(kind, flags, stream, body=b""):
    return struct.pack(">I", len(body))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + body

say("http", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A: b\r\n\r\nhello")
say("chunks", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\nTrailer: x\r\n\r\n")
say("hints", b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Bearer\r\n\r\n")
say("smtp", b"220 a ESMTP\r\n250-a\r\n250-SIZE 9\r\n250 STARTTLS\r\n220 go ahead\r\n")
say("imap", b"* OK [CAPABILITY IMAP4rev1 STARTTLS] ready\r\na OK begin\r\n")
say("pop3", b"+OK ready\r\n+OK begin\r\n")
say("ldap", b"0\x0c\x02\x01\x01x\x07\n\x01\x00\x04\x00\x04\x00")
say("redis", b"+PONG\r\n")
say("noauth", b"-NOAUTH Authentication required.\r\n")
say("mqtt", b" \x02\x00\x00")
say("alert", b"\x15\x03\x03\x00\x02\x02\x28")

ready = postgres(b"Z", b"I")
column = b"a\0" + struct.pack(">IHIhih", 0, 0, 23, 4, -1, 0)
rows = [postgres(b"T", b"\0\1" + column), postgres(b"D", b"\0\1\0\0\0\1" + b"1"), postgres(b"C", b"SELECT 1\0"), ready]
say("postgres", postgres(b"R", b"\0\0\0\0"), postgres(b"S", b"server_version\00015.1\0"), ready, *rows, *rows)
say("postgres-tls", b"S")
say("postgres-error", postgres(b"E", b"SFATAL\0C28P01\0Mpassword is wrong\0\0"))
say("postgres-scram", postgres(b"R", b"\0\0\0\x0aSCRAM-SHA-256\0\0"))

hello = b"\x0a5.5.5-10.11.6\0" + b"\x08\0\0\0" + b"abcdefgh\0" + b"\xfe\xff\x2d\x02\0\xff\x81\x15" + bytes(10)
hello += b"ijklmnopqrst\0mysql_native_password\0"
done, end = b"\0\0\0\x02\0\0\0", b"\xfe\0\0\x02\0"
column = b"\x03def\0\0\0\x011\0\x0c\x3f\0\x01\0\0\0\x03\x81\0\0\0\0"
rows = [mysql(1, b"\x01"), mysql(2, column), mysql(3, end), mysql(4, b"\x011"), mysql(5, end)]
say("mysql", mysql(0, hello), mysql(2, done), mysql(1, done), *rows, *rows)
say("mysql-error", mysql(0, hello), mysql(2, b"\xff\x15\x04#28000Access denied"))

start = b"\0\x0a\0\x0a\0\x09" + bytes(4) + b"\0\0\0\x05PLAIN\0\0\0\x05en_US"
say("amqp", amqp(start), amqp(b"\0\x0a\0\x1e\0\0\0\2\0\0\0\0"), amqp(b"\0\x0a\0\x29\0"), amqp(b"\0\x0a\0\x33"))

headers = b"\x88\x0f\x10\x10application/grpc"
trailers = b"\0\x0bgrpc-status\x010"
answer = [http2(1, 4, 1, headers), http2(0, 0, 1, b"\0\0\0\0\2\x08\1"), http2(1, 5, 1, trailers)]
say("grpc", http2(4, 0, 0), http2(4, 1, 0), *answer)
END
