#!/usr/bin/env python3
"""A small forward proxy on loopback: whole URLs for http, CONNECT for https.

    proxy.py [--credentials USER:PASSWORD] [--delay SECONDS]

--delay holds back the first byte of each answer, as one does that scans files first. On start one
JSON line {"url": ...} goes to stdout; then one JSON line for each request: {"method", "target"}.
"""
import argparse
import base64
import json
import select
import socket
import threading
import time
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

PIECE = 256 << 10


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    credentials = None
    delay = 0
    printing = threading.Lock()

    def log_message(self, *args):
        pass

    def admitted(self):
        """notes the request; False when it was refused"""
        with self.printing:
            print(json.dumps({"method": self.command, "target": self.path}), flush=True)
        if self.credentials is None or self.headers.get("Proxy-Authorization") == self.credentials:
            return True
        self.send_response_only(407)
        self.send_header("Proxy-Authenticate", 'Basic realm="test"')
        self.send_header("Content-Length", "0")
        self.end_headers()
        return False

    def do_GET(self):
        if not self.admitted():
            return
        url = urlsplit(self.path)
        inner = HTTPConnection(url.hostname, url.port or 80, timeout=60)
        headers = {k: v for k, v in self.headers.items() if not k.lower().startswith("proxy-")}
        inner.request(self.command, url.path + ("?" + url.query if url.query else ""), headers=headers)
        answer = inner.getresponse()
        time.sleep(self.delay)
        self.send_response_only(answer.status, answer.reason)
        for k, v in answer.getheaders():
            if k.lower() not in ("connection", "transfer-encoding"):
                self.send_header(k, v)
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        for piece in iter(lambda: answer.read(PIECE), b""):
            self.wfile.write(piece)
        inner.close()

    do_HEAD = do_GET

    def do_CONNECT(self):
        if not self.admitted():
            return
        host, _, port = self.path.rpartition(":")
        with socket.create_connection((host, int(port)), timeout=60) as inner:
            self.send_response_only(200, "Connection established")
            self.end_headers()
            self.close_connection = True
            pipe(self.connection, inner)


def pipe(one, other):
    """both ways, until either side ends"""
    to = {one: other, other: one}
    while True:
        for ready in select.select([one, other], [], [], 60)[0]:
            piece = ready.recv(PIECE)
            if not piece:
                return
            to[ready].sendall(piece)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--credentials")
    parser.add_argument("--delay", type=float, default=0)
    opt = parser.parse_args()
    if opt.credentials:
        Handler.credentials = "Basic " + base64.b64encode(opt.credentials.encode()).decode()
    Handler.delay = opt.delay
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    print(json.dumps({"url": f"http://127.0.0.1:{server.server_address[1]}"}), flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
