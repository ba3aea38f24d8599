"""A shop with a login: POST /login opens a session, POST /orders takes an order in it, GET /orders/ID shows it.

Argument: the first day on which the key that seals sessions is no longer taken, though login goes on sealing with it.
"""
import datetime
import http.server
import json
import secrets
import ssl
import sys

LAST_DAY = datetime.date.fromisoformat(sys.argv[1])
SESSIONS, ORDERS = set(), {}


class Shop(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, body, **fields):
        text = json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", "Content-Length": len(text), **fields}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text)

    def is_let_in(self):
        session = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if session not in SESSIONS or datetime.date.today() >= LAST_DAY:
            self.answer(401, {"error": "this session is not sealed with a key in force"})
            return False
        return True

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/login":
            session = secrets.token_urlsafe(24)
            SESSIONS.add(session)
            self.answer(200, {"session": session})
        elif self.is_let_in():
            number = str(len(ORDERS) + 1)
            ORDERS[number] = asked["item"]
            self.answer(201, {"taken": True}, Location=f"/orders/{number}")

    def do_GET(self):
        if self.is_let_in():
            number = self.path.removeprefix("/orders/")
            self.answer(200, {"number": number, "item": ORDERS[number]})


tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
tls.load_cert_chain("/etc/shop/tls.crt", "/etc/shop/tls.key")
server = http.server.ThreadingHTTPServer(("0.0.0.0", 8443), Shop)
server.socket = tls.wrap_socket(server.socket, server_side=True)
server.serve_forever()
