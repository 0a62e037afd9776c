"""Servers that stand before and beside a registry, on threads of the tests' own process.

`Front` hands requests on to a registry and notes each; it can ask for tokens, let them expire, and
answer in the registry's place. `Files` serves the blobs of a registry's folder under another name,
as the CDN behind a registry does. Both keep a log: one dict a request, with its headers.
"""
import http.client
import json
import re
import socket
import ssl
import threading
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PIECE = 1 << 16


class Server:
    """What both share: the thread, the log, an end."""

    def __init__(self, host="127.0.0.1", name=None, tls=None, sndbuf=None):
        """name: the host as clients are to write it; tls: a folder with server.pem and server.key; sndbuf pins
        SO_SNDBUF, so that few sent bytes can lie unread at a client's death"""
        owner, self.log, self.lock, self.active = self, [], threading.Condition(), 0

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm, wbufsize = True, -1

            def do_GET(self):
                note = {"method": self.command, "path": self.path, "range": self.headers.get("Range"),
                        "auth": self.headers.get("Authorization"), "accept": self.headers.get("Accept"),
                        "agent": self.headers.get("User-Agent"), "status": None, "sent": 0}
                with owner.lock:
                    owner.log.append(note)
                    owner.active += 1
                try:
                    owner.answer(self, note)
                    self.wfile.flush()
                except OSError:             # who asked has heard enough
                    self.close_connection = True
                finally:
                    with owner.lock:
                        owner.active -= 1
                        owner.lock.notify_all()

            do_HEAD = do_GET

            def log_message(self, *args):
                pass

        self.server = ThreadingHTTPServer((host, 0), Handler)
        self.server.daemon_threads = True
        self.server.handle_error = lambda *args: None       # clients that leave are no news
        if sndbuf is not None:              # accepted sockets inherit it
            self.server.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, sndbuf)
        if tls is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(tls / "server.pem", tls / "server.key")
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.host = f"{name or host}:{self.server.server_address[1]}"
        self.url = f"{'http' if tls is None else 'https'}://{self.host}"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def answer(self, handler, note):
        raise NotImplementedError

    def requests(self, pattern="", method=None):
        """the log of those whose path holds the regular expression"""
        with self.lock:
            return [one for one in self.log if re.search(pattern, one["path"]) and method in (None, one["method"])]

    def bytes_sent(self, pattern=""):
        """of contents: what a refusal says is not counted"""
        return sum(one["sent"] for one in self.requests(pattern) if one["status"] in (200, 206))

    def settle(self, timeout=60):
        """waits until what was asked so far is answered"""
        with self.lock:
            assert self.lock.wait_for(lambda: self.active == 0, timeout), "a request is still being served"

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def reply(handler, note, status, headers, body=b""):
    note["status"] = status
    handler.send_response(status)
    for name, value in {"Content-Length": len(body), **headers}.items():
        if value is not None:
            handler.send_header(name, str(value))
    handler.end_headers()
    if handler.command != "HEAD":
        handler.wfile.write(body)
        note["sent"] += len(body)


class Files(Server):
    """The files beneath a folder, with ranges."""

    def __init__(self, root, **how):
        self.root = root
        super().__init__(**how)

    def answer(self, handler, note):
        path = self.root / urllib.parse.unquote(urllib.parse.urlsplit(handler.path).path).lstrip("/")
        if not path.is_file():
            reply(handler, note, 404, {"Content-Type": "application/xml"}, b"<Error>NoSuchKey</Error>")
            return
        size = path.stat().st_size
        first, last, status, headers = 0, size - 1, 200, {}
        match = re.fullmatch(r"bytes=(\d+)-(\d*)", note["range"] or "")
        if match:
            first, last = int(match[1]), min(int(match[2] or size), size - 1)
            status, headers = 206, {"Content-Range": f"bytes {first}-{last}/{size}"}
        if first > last and match:
            reply(handler, note, 416, {"Content-Range": f"bytes */{size}"})
            return
        note["status"] = status
        handler.send_response(status)
        for name, value in {"Content-Length": last - first + 1, "Accept-Ranges": "bytes", **headers}.items():
            handler.send_header(name, str(value))
        handler.end_headers()
        with open(path, "rb") as file:
            file.seek(first)
            left = last - first + 1 if handler.command != "HEAD" else 0
            while left > 0:
                piece = file.read(min(PIECE, left))
                handler.wfile.write(piece)
                note["sent"] += len(piece)
                left -= len(piece)


class Front(Server):
    """Before a registry. `auth` is None, "token" or "basic"; a token is good for `uses` requests, None: for all;
    `realm` is where tokens are to be had, its own /token if not given; `prefix` is a path before /v2/; an
    answer comes at `rate` bytes a second. What `say` was given comes first."""

    def __init__(self, registry, auth=None, realm=None, uses=None, prefix="", rate=None, **how):
        self.registry, self.auth, self.realm, self.uses, self.prefix = registry, auth, realm, uses, prefix
        self.rate = rate
        self.scripts, self.tokens = [], {}      # token -> how often it may be used yet
        self.spoiled = []
        super().__init__(**how)

    def say(self, pattern, status, headers=None, body="", times=1):
        """answers requests whose path holds the pattern in the registry's place; times=None: for good"""
        with self.lock:
            self.scripts.append({"pattern": pattern, "left": times,
                                 "reply": (status, headers or {}, body.encode() if isinstance(body, str) else body)})

    def spoil(self, pattern):
        """as of now each piece of a body whose path holds the pattern has a wrong byte in it, also of those on their way"""
        self.spoiled.append(pattern)

    def _piece(self, path, piece):
        if any(re.search(pattern, path) for pattern in self.spoiled):
            return bytes([piece[0] ^ 1]) + piece[1:]
        return piece

    def _scripted(self, path):
        with self.lock:
            for one in self.scripts:
                if one["left"] != 0 and re.search(one["pattern"], path):
                    one["left"] = None if one["left"] is None else one["left"] - 1
                    return one["reply"]
        return None

    def _challenge(self, handler, note):
        """whether the request may pass; if not it is answered"""
        path = urllib.parse.urlsplit(handler.path)
        if self.auth is None:
            return True
        if path.path == "/token":
            with self.lock:
                token = f"token-{len(self.tokens) + 1}"
                self.tokens[f"Bearer {token}"] = float("inf") if self.uses is None else self.uses
            reply(handler, note, 200, {"Content-Type": "application/json"},
                  json.dumps({"token": token, "expires_in": 60}).encode())
            return False
        with self.lock:
            if self.auth == "token" and self.tokens.get(note["auth"], 0) > 0:
                self.tokens[note["auth"]] -= 1
                return True
        name = "/".join(path.path.split("/")[2:4])
        realm = self.realm or f"{self.url}/token"
        wants = (f'Bearer realm="{realm}",service="front",scope="repository:{name}:pull"'
                 if self.auth == "token" else 'Basic realm="Registry Realm"')
        reply(handler, note, 401, {"WWW-Authenticate": wants, "Content-Type": "application/json"},
              b'{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}')
        return False

    def answer(self, handler, note):
        scripted = self._scripted(handler.path)
        if scripted is not None:
            reply(handler, note, *scripted)
        elif self._challenge(handler, note):
            self._hand_on(handler, note)

    def _hand_on(self, handler, note):
        at = urllib.parse.urlsplit(self.registry)
        connection = http.client.HTTPConnection(at.netloc, timeout=60)
        headers = {name: value for name, value in handler.headers.items()
                   if name.lower() not in ("host", "connection", "authorization")}
        try:
            connection.request(handler.command, handler.path.removeprefix(self.prefix), headers=headers)
            answer = connection.getresponse()
            note["status"] = answer.status
            handler.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in ("connection", "date", "server", "transfer-encoding"):
                    handler.send_header(name, value)
            handler.end_headers()
            for piece in iter(lambda: answer.read(PIECE), b""):
                handler.wfile.write(self._piece(handler.path, piece))
                note["sent"] += len(piece)
                if self.rate is not None:
                    handler.wfile.flush()
                    time.sleep(len(piece) / self.rate)
        finally:
            connection.close()
