#!/usr/bin/env python3
"""A stand-in for the coordinator: records what workers say to it, and misbehaves as it is told.

    coordinator = Coordinator()            # .url; .requests is what came so far, in order
    coordinator.mood = "hang"              # from the next request on

Moods: ok; hang (no answer until the mood changes); rubbish (a page); long (an endless body); drip (a byte
of the headers a second); cut (closes within the body); unknown, superseded, 401, 403, 413, 429, 503, 500,
400, 404 (of something else); echo (401 that repeats the token); redirect (to .redirect_to).
down() closes the port, up() opens the same one again.
"""
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

REFUSALS = {"unknown": (404, "unknown"), "superseded": (409, "superseded"), "401": (401, "unauthorized"),
            "403": (403, "forbidden"), "413": (413, "too_large"), "429": (429, "busy"), "503": (503, "wait"),
            "500": (500, "bug"), "400": (400, "bad_request"), "404": (404, "not_found"), "echo": (401, "no")}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def setup(self):
        super().setup()
        self.server.origin.connections.append(self.connection)

    def do_POST(self):
        origin = self.server.origin
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        known = {"at": time.monotonic(), "path": self.path, "token": self.headers.get("authorization"),
                 "body": json.loads(body) if body else None, "mood": origin.mood, "length": len(body)}
        with origin.news:
            origin.requests.append(known)
            origin.news.notify_all()
        self.answer(origin, known["mood"])

    do_GET = do_POST

    def answer(self, origin, mood):
        if mood == "hang":
            with origin.news:
                origin.news.wait_for(lambda: origin.mood != "hang" or origin.closing)
            self.close_connection = True
        elif mood == "drip":
            self.drip(origin)
        elif mood == "cut":
            self.wfile.write(b'HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{"ttl_ms"')
            self.close_connection = True
        elif mood == "redirect":
            self.send(307, b"", Location=origin.redirect_to)
        elif mood == "rubbish":
            self.send(200, b"<html><body>It works!</body></html>")
        elif mood == "long":
            self.send(200, b" " * 100_000)
        elif mood in REFUSALS:
            status, code = REFUSALS[mood]
            text = f"no {self.headers.get('authorization')}" if mood == "echo" else "as you like"
            more = {"Retry-After": str(origin.retry_after)} if origin.retry_after is not None else {}
            self.send(status, json.dumps({"error": {"code": code, "message": text}}).encode(), **more)
        else:
            self.send(200, json.dumps({"ttl_ms": 3 * origin.beat_ms, "beat_ms": origin.beat_ms}).encode())

    def drip(self, origin):
        self.close_connection = True
        try:
            for byte in b"HTTP/1.1 200 OK\r\nX-Slow: " + b"z" * 100:
                self.wfile.write(bytes([byte]))
                with origin.news:
                    if origin.news.wait_for(lambda: origin.mood != "drip" or origin.closing, 1):
                        return
        except OSError:
            pass

    def send(self, status, body, **headers):
        try:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.end_headers()
            self.wfile.write(body)
        except OSError:
            self.close_connection = True


class Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True

    def handle_error(self, *_):
        pass


class Coordinator:
    def __init__(self, host="127.0.0.1", beat_ms=500):
        self.requests, self.mood, self.beat_ms, self.retry_after = [], "ok", beat_ms, None
        self.redirect_to, self.closing, self.connections = "", False, []
        self.news = threading.Condition()
        self.host, self.port, self.server = host, 0, None
        self.up()

    @property
    def url(self):
        return f"http://{self.host}:{self.port}"

    def up(self):
        self.server = Server((self.host, self.port), Handler)
        self.server.origin, self.port = self, self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def down(self):
        self.server.shutdown()
        self.server.server_close()
        for connection in self.connections:
            try:
                connection.shutdown(2)
            except OSError:
                pass
        self.connections.clear()
        self.server = None

    def close(self):
        with self.news:
            self.closing = True
            self.news.notify_all()
        if self.server:
            self.down()

    def set(self, mood):
        with self.news:
            self.mood = mood
            self.news.notify_all()

    def wait_for(self, wanted, timeout=20, since=0):
        """the first request from number `since` on that `wanted` takes"""
        found = []

        def look():
            found[:] = [r for r in self.requests[since:] if wanted(r)]
            return found
        with self.news:
            assert self.news.wait_for(look, timeout), f"not within {timeout} s: {self.requests[since:]}"
        return found[0]


if __name__ == "__main__":
    import sys
    it = Coordinator()
    print(json.dumps({"url": it.url}), flush=True)
    sys.stdin.read()
