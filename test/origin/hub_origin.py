#!/usr/bin/env python3
"""Stand-in for the Hugging Face Hub, download side only (Python stdlib, threaded).

Two listeners: the "api" port (JSON API + /resolve/) and the "cdn" port (signed
object URLs, Range).  Small (git) files are answered the way the live Hub does it
since 2025: a relative 307 from /resolve/ to /api/resolve-cache/..., or inline with
--small inline.  LFS files answer 302 with an absolute URL on the cdn port plus
X-Linked-ETag / X-Linked-Size / X-Repo-Commit.

Repos
  --root DIR             every DIR/ORG/NAME (or DIR/NAME holding files) is a model repo
  --repo ID=DIR          one repo; ID may be NAME, ORG/NAME, datasets/ORG/NAME
  --rev  ID@REV=DIR      another revision of a repo (REV may be refs/pr/1, v1.0 ...)
  --synth ID:PATH=SIZE[,SEED]   add a generated file (no disk), SIZE takes K/M/G
  --alias OLD=NEW        old repo name: API answers a relative 307, /resolve/ just works
Access
  --gated ID[:TOK,...]   TOKs may read the bytes, metadata stays public
  --private ID[:TOK,...] everything hidden unless TOK
  --token TOK            a valid token with no special rights.  As soon as any token is
                         known, an unknown one gets 401 "Invalid credentials ..."
  --disabled ID
Faults  --fault k=v,k=v ...  (repeatable; also POST /__ctl/fault with JSON or k=v,k=v)
  action = status|drop|hang|html|slow|reset|close|stall|corrupt|throttle|norange|
           wrongrange|otherrange|wrongtotal|gzip|loop|badlen|nolen|badsize|badetag|nocommit|
           noetag|expired
  match=REGEX   on "PORT METHOD PATH REPO FILE"   port=api|cdn  method=GET|HEAD
  times=N (-1 = for ever, default 1)   skip=K (let the first K matches pass)
  after=N bytes of this body before it strikes (abs=1: N is a file offset; drop with abs=1 resets)
  wrongrange sends the right Content-Range and other bytes (only the digest tells)
  otherrange answers a range delta bytes further on, and says so; wrongtotal says size+delta
  gzip compresses the whole file, asked or not; loop redirects to the very same URL
  code=429|503..  retry_after=S  rl_t=S (429 with a RateLimit header, r=0)
  delay=S   rate=BYTES/S   len=N   delta=N
Control  GET /__ctl/state  GET /__ctl/log?since=N  GET /__ctl/idle?timeout=S  POST /__ctl/fault  POST /__ctl/clear
         POST /__ctl/ref {"repo","ref","commit"|"dir"}  POST /__ctl/rescan
         POST /__ctl/reset (log and counters)  POST /__ctl/set {"small":..,"rate":..}
On start one JSON line with the URLs and commits goes to stdout (and --ready-file).
"""
import argparse
import base64
import gzip
import hashlib
import json
import os
import re
import select
import socket
import ssl
import struct
import sys
import threading
import time
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, quote, unquote

from content import KINDS, Disk, Synth, World
from faults import Faults, parse_kv, parse_size
from record import Log, Quota

SUB = {"revision", "tree", "refs", "paths-info", "resolve", "commits", "xet-read-token", "raw"}
LFS_EXT = (".safetensors,.bin,.gguf,.pt,.pth,.ckpt,.onnx,.h5,.msgpack,.model,.npz,.zip,"
           ".tflite,.parquet,.pickle,.pkl,.tar,.7z,.wasm")
IO = 256 << 10


class Gone(Exception):
    """connection is finished, nothing more to answer"""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 300
    which = "api"
    ctx = None                                            # set by make_server

    # --- plumbing
    def log_message(self, *a):
        pass

    def handle(self):
        try:
            super().handle()
        except (ConnectionError, TimeoutError, ssl.SSLError, OSError):
            self.close_connection = True

    def do_GET(self):
        self.run_one()

    do_HEAD = do_POST = do_GET

    def run_one(self):
        self.t0, self.sent, self.status, self.note, self.fault = time.time(), 0, 0, "", None
        self.raw, _, self.query = self.path.partition("?")
        self.token, auth = None, self.headers.get("Authorization")
        if auth and auth.lower().startswith("bearer "):
            self.token = auth[7:].strip()
        self.body = b""
        n = int(self.headers.get("Content-Length") or 0)
        if n:
            self.body = self.rfile.read(n)
        if self.raw.startswith("/__ctl/"):
            return self.ctl()
        self.ctx.log.begin()
        end = "ok"
        try:
            self.route()
        except Gone:
            end = "cut"
            self.close_connection = True
        except (ConnectionError, TimeoutError, ssl.SSLError) as e:
            end = "client:" + type(e).__name__
            self.close_connection = True
        except Exception as e:                             # a bug here must be seen
            end = "error:" + repr(e)
            self.close_connection = True
            print("origin error:", repr(e), self.path, file=sys.stderr)
        rec = {"t": round(self.t0, 3), "port": self.which, "method": self.command, "path": self.raw,
               "query": self.query[:300], "range": self.headers.get("Range"), "status": self.status,
               "sent": self.sent, "auth": auth is not None, "end": end, "note": self.note,
               "fault": self.fault.action if self.fault else None,
               "dur": round(time.time() - self.t0, 4), "ua": self.headers.get("User-Agent", "")[:120],
               "ae": self.headers.get("Accept-Encoding"), "host": self.headers.get("Host"),
               "conn": self.client_address[1]}
        self.ctx.log.put(rec)

    def base(self):
        o = self.ctx.opt
        return o.public_url or f"{self.ctx.scheme}://{self.headers.get('Host') or self.ctx.api_netloc}"

    def head(self, status, headers, extra_hub=True):
        self.status = status
        self.send_response_only(status)
        self.send_header("Date", self.date_time_string())
        if extra_hub and self.which == "api":
            self.send_header("X-Powered-By", "hf-origin-standin")
            self.send_header("X-Request-Id", f"Root=1-{int(self.t0):x}-{uuid.uuid4().hex[:24]}")
            self.send_header("RateLimit", f'"{self.bucket}";r={self.rl[0]};t={self.rl[1]}')
            self.send_header("RateLimit-Policy",
                             f'"fixed window";"{self.bucket}";q={self.ctx.quota.limit[self.bucket]};'
                             f"w={self.ctx.quota.window}")
            self.send_header("Access-Control-Expose-Headers",
                             "X-Repo-Commit,X-Request-Id,X-Error-Code,X-Error-Message,X-Total-Count,ETag,Link,"
                             "Accept-Ranges,Content-Range,X-Linked-Size,X-Linked-ETag,X-Xet-Hash")
        for k, v in headers:
            self.send_header(k, str(v))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()

    def small(self, status, headers, body=b"", ctype="text/plain; charset=utf-8"):
        if isinstance(body, (dict, list)):
            body, ctype = json.dumps(body).encode(), "application/json; charset=utf-8"
        elif isinstance(body, str):
            body = body.encode()
        self.head(status, [("Content-Type", ctype), ("Content-Length", len(body))] + list(headers))
        if self.command != "HEAD" and body:
            self.wfile.write(body)
            self.sent += len(body)

    def err(self, status, code, msg, headers=(), api=None):
        h = list(headers)
        if code:
            h.append(("X-Error-Code", code))
        if msg:
            h.append(("X-Error-Message", msg))
        if status == 401:
            h.append(("WWW-Authenticate", 'Bearer realm="Authentication required", charset="UTF-8"'))
        if api is None:
            api = self.raw.startswith("/api/")
        self.small(status, h, {"error": msg} if api else (msg or ""))

    # --- faults that replace the whole answer; True when answered
    def strike(self, text):
        f = self.fault = self.ctx.faults.pick(self.which, self.command, text)
        if not f:
            return False
        if f.delay and f.action not in ("stall", "hang"):
            time.sleep(f.delay)
        if f.action == "status":
            h = []
            if f.retry_after is not None:
                h.append(("Retry-After", f"{f.retry_after:g}"))
            if f.rl_t is not None:
                self.rl = (0, int(f.rl_t))
            self.err(f.code, None, f"injected {f.code}", h)
            return True
        if f.action == "drop":
            self.abort(rst=bool(f.abs))
        if f.action == "hang":
            time.sleep(f.delay or 3600)
            raise Gone
        if f.action == "loop":
            here = f"{self.ctx.scheme}://{self.headers.get('Host')}{self.path}"
            self.small(302, [("Location", here)], f"Found. Redirecting to {here}")
            return True
        if f.action == "html":
            self.small(200, [], "<html><body>captive portal, please log in</body></html>", "text/html")
            return True
        if f.action == "expired":
            self.small(403, [], "<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code>"
                                "<Message>Request has expired</Message></Error>", "application/xml")
            return True
        return False

    def abort(self, rst):
        try:
            self.wfile.flush()
        except OSError:
            pass
        s = self.connection
        if rst:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        else:
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        s.close()
        raise Gone

    # --- bodies
    def parse_range(self, size):
        """None, (start, end) inclusive, or 'bad'"""
        r = self.headers.get("Range")
        if not r:
            return None
        m = re.fullmatch(r"\s*bytes\s*=\s*(\d*)\s*-\s*(\d*)\s*", r)
        if not m or (not m.group(1) and not m.group(2)):
            return None                                   # malformed or multi: ignore (RFC allows)
        a, b = m.groups()
        if not a:
            n = int(b)
            if n == 0:
                return "bad"
            return (max(0, size - n), size - 1) if size else "bad"
        a = int(a)
        if a >= size or (b and int(b) < a):
            return "bad"
        return a, min(int(b), size - 1) if b else size - 1

    def serve(self, ent, headers, etag):
        f, size = self.fault, ent.size
        act = f.action if f else None
        ir = self.headers.get("If-Range")
        rng = self.parse_range(size)
        if act == "gzip":
            return self.gzipped(ent, headers)
        if act == "otherrange" and isinstance(rng, tuple):
            rng = (min(rng[0] + f.delta, size - 1), min(rng[1] + f.delta, size - 1))
        if act == "norange" or (ir and ir.strip() != f'"{etag}"'):
            rng = None
        h = list(headers) + [("Accept-Ranges", "bytes")]
        if act != "noetag":
            h.append(("ETag", f'"{"0" * len(etag) if act == "badetag" else etag}"'))
        if rng == "bad":
            self.small(416, h + [("Content-Range", f"bytes */{size}")], "")
            return
        start, end = rng if rng else (0, size - 1)
        length = end - start + 1
        status = 206 if rng else 200
        shift = 0
        if rng:
            total = size + (f.delta if act == "wrongtotal" else 0)
            h.append(("Content-Range", f"bytes {start}-{end}/{total}"))
            if act == "wrongrange":
                shift = -min(start, f.delta)
        claim = length
        if act == "badlen":
            claim = max(0, length - f.delta)
            length = claim
        if act == "nolen":
            self.close_connection = True
        else:
            h.append(("Content-Length", claim))
        self.head(status, h)
        if self.command == "HEAD" or length <= 0:
            return
        self.wfile.flush()
        if self.which == "cdn":
            with self.ctx.grudge:
                self.pump(ent, start + shift, length, f)
        else:
            self.pump(ent, start + shift, length, f)

    def pump(self, ent, start, length, f):
        act = f.action if f else None
        own = (f.rate if f and f.rate else None) or self.ctx.opt.rate
        cut = None
        if act in ("reset", "close", "stall"):
            cut = max(0, f.after - start) if f.abs else f.after
            cut = min(cut, length)
        bad = None
        if act == "corrupt":
            lo = f.after if f.abs else start + f.after
            bad = (lo, lo + f.len)
        n = length if cut is None else cut
        sock, done, t0 = self.connection, 0, time.time()
        poller = select.poll()
        poller.register(sock.fileno(), select.POLLOUT)
        with ent.src.open() as fd:
            fd.seek(start)
            if isinstance(ent.src, Disk) and own is None and not self.ctx.grudge.most and bad is None and not self.ctx.tls:
                while done < n:
                    try:
                        k = os.sendfile(sock.fileno(), fd.fileno(), start + done, min(n - done, 1 << 20))
                    except BlockingIOError:       # the socket has a timeout, so it is non-blocking
                        if not poller.poll(self.timeout * 1000):
                            raise TimeoutError("client does not read") from None
                        continue
                    if k == 0:
                        break
                    done += k
                    self.sent += k
            else:
                due = t0
                while done < n:
                    rate = self.ctx.grudge.share() or own
                    step = IO if rate is None else max(1024, min(IO, int(rate / 100)))
                    b = fd.read(min(step, n - done))
                    if not b:
                        break
                    if bad:
                        pos = start + done
                        lo, hi = max(bad[0], pos), min(bad[1], pos + len(b))
                        if lo < hi:
                            ba = bytearray(b)
                            for i in range(lo - pos, hi - pos):
                                ba[i] ^= 0xFF
                            b = bytes(ba)
                    sock.sendall(b)
                    done += len(b)
                    self.sent += len(b)
                    if rate:
                        due += len(b) / rate
                        time.sleep(max(0, due - time.time()))
        if cut is not None and (cut < length or act != "stall"):
            if act == "stall":
                time.sleep(f.delay or 3600)
                self.abort(rst=False)
            self.abort(rst=act == "reset")

    # --- routing
    def route(self):
        segs = self.raw.split("/")[1:]
        self.bucket = "resolvers" if ("resolve" in segs[1:4] or "resolve-cache" in segs[:2]) else "api"
        *self.rl, over = self.ctx.quota.take(self.bucket) if self.which == "api" else (0, 0, False)
        if self.which == "cdn":
            return self.cdn(segs)
        if over:
            return self.err(429, None, f"Too Many Requests: you have reached your '{self.bucket}' rate limit.")
        w = self.ctx.world
        if w.tokens and self.token is not None and self.token not in w.tokens:
            return self.err(401, None, "Invalid credentials in Authorization header")
        if segs[0] == "api":
            if segs[1:2] == ["whoami-v2"]:
                if self.strike(f"api {self.command} {self.raw}"):
                    return
                if not self.token:
                    return self.err(401, None, "Invalid username or password.")
                return self.small(200, [], {"type": "user", "name": "tester", "orgs": [],
                                            "auth": {"type": "access_token", "accessToken": {"role": "read"}}})
            if segs[1:2] == ["resolve-cache"] and len(segs) > 3 and segs[2] in KINDS:
                return self.file_route(segs[2], segs[3:], "cache")
            if len(segs) > 2 and segs[1] in KINDS:
                return self.api(segs[1], segs[2:])
            return self.err(404, None, "Sorry, we can't find the page you are looking for.")
        kind = "models"
        if segs[0] in KINDS and segs[0] != "models":
            kind, segs = segs[0], segs[1:]
        for i in (1, 2):
            if len(segs) > i + 1 and segs[i] in ("resolve", "raw"):
                return self.file_route(kind, segs[:i] + segs[i + 1:], segs[i], i)
        if self.strike(f"api {self.command} {self.raw}"):
            return
        self.err(404, None, "Sorry, we can't find the page you are looking for.")

    def key(self, kind, name):
        return name if kind == "models" else f"{kind}/{name}"

    def split_repo(self, kind, segs):
        w = self.ctx.world
        low = {r.lower(): r for r in list(w.repos) + list(w.alias)}
        for n in (2, 1):
            if len(segs) >= n:
                name = "/".join(unquote(s) for s in segs[:n])
                if self.key(kind, name).lower() in low:
                    return name, segs[n:]
        if len(segs) >= 2 and segs[1] not in SUB:
            return "/".join(unquote(s) for s in segs[:2]), segs[2:]
        return unquote(segs[0]), segs[1:]

    def lookup(self, kind, name):
        """repo or None, and the canonical id when the caller used another spelling"""
        w, k = self.ctx.world, self.key(kind, name)
        if k in w.repos:
            return w.repos[k], None
        if k in w.alias:
            return w.repos.get(w.alias[k]), w.alias[k]
        for r in w.repos:
            if r.lower() == k.lower():
                return w.repos[r], r
        return None, None

    def hidden(self, repo):
        return repo is None or (repo.private is not None and self.token not in repo.private)

    def deny_missing(self):
        if self.token:
            self.err(404, "RepoNotFound", "Repository not found")
        else:
            self.err(401, None, "Invalid username or password.")

    def deny_gated(self, repo):
        what = f"Access to {KINDS[repo.kind]} {repo.name} is restricted"
        if self.token:
            self.err(403, "GatedRepo", f"{what} and you are not in the authorized list. "
                                       f"Visit {self.base()}/{repo.id} to ask for access.")
        else:
            self.err(401, "GatedRepo", f"{what}. You must have access to it and be authenticated "
                                       "to access it. Please log in.")

    def api(self, kind, segs):
        name, rest = self.split_repo(kind, segs)
        repo, canon = self.lookup(kind, name)
        if self.strike(f"api {self.command} {self.raw} {self.key(kind, name)}"):
            return
        if self.hidden(repo):
            return self.deny_missing()
        if canon:
            tail = "/".join(rest)
            loc = f"/api/{kind}/{repo.name}" + ("/" + tail if tail else "") + (f"?{self.query}" if self.query else "")
            return self.small(307, [("Location", loc)], f"Temporary Redirect. Redirecting to {loc}")
        if repo.disabled:
            return self.err(403, None, "Access to this resource is disabled.")
        denied = repo.gated is not None and self.token not in repo.gated
        if denied and self.ctx.opt.gated_api == "closed":
            return self.deny_gated(repo)
        q = parse_qs(self.query)
        op = rest[0] if rest else None
        if op == "refs":
            out = {"tags": [], "branches": [], "converts": []}
            if q.get("include_prs", ["0"])[0] in ("1", "true"):
                out["pullRequests"] = []
            for r, c in sorted(repo.refs.items()):
                m = re.fullmatch(r"refs/pr/(\d+)", r)
                if m:
                    if "pullRequests" in out:
                        out["pullRequests"].append({"name": m.group(1), "ref": r, "targetCommit": c})
                elif re.fullmatch(r"v?\d.*", r):
                    out["tags"].append({"name": r, "ref": "refs/tags/" + r, "targetCommit": c})
                else:
                    out["branches"].append({"name": r, "ref": "refs/heads/" + r, "targetCommit": c})
            return self.small(200, [], out)
        if op is None:
            rev, tail = "main", []
        elif op in ("revision", "tree", "paths-info", "commits", "xet-read-token") and len(rest) > 1:
            rev, tail = unquote(rest[1]), rest[2:]
        else:
            return self.err(404, None, "Sorry, we can't find the page you are looking for.")
        commit = self.ctx.world.find_rev(repo, rev)
        if commit is None or (op == "revision" and tail):
            return self.err(404, "RevisionNotFound", f"Invalid rev id: {rev}")
        ents = repo.commits[commit]
        hdr = [("X-Repo-Commit", commit)]
        xet = self.ctx.opt.xet and ("*" * 64 if denied else True)
        if op in (None, "revision"):
            return self.small(200, hdr, self.info(repo, commit, ents, q))
        if op == "commits":
            return self.small(200, hdr, [{"id": commit, "title": "stand-in", "message": "", "authors": [],
                                          "date": "2026-01-01T00:00:00.000Z"}])
        if op == "xet-read-token":
            if not self.ctx.opt.xet:
                return self.err(404, None, "not a xet repo")
            exp = int(time.time()) + 3600
            return self.small(200, [("X-Xet-Cas-Url", self.base() + "/__cas"), ("X-Xet-Access-Token", "xet_standin"),
                                    ("X-Xet-Token-Expiration", exp)],
                              {"casUrl": self.base() + "/__cas", "accessToken": "xet_standin", "exp": exp})
        if op == "paths-info":
            ct = self.headers.get("Content-Type", "")
            if "json" in ct:
                j = json.loads(self.body or b"{}")
                paths, expand = j.get("paths", []), j.get("expand")
            else:
                fq = parse_qs(self.body.decode())
                paths, expand = fq.get("paths", []), fq.get("expand", ["false"])[0].lower() == "true"
            return self.small(200, hdr, [self.expand(ents[p].tree(xet), commit, expand) for p in paths if p in ents])
        # tree
        sub = unquote("/".join(tail)).strip("/")
        recursive = q.get("recursive", ["false"])[0].lower() in ("true", "1")
        expand = q.get("expand", ["false"])[0].lower() in ("true", "1")
        if sub and not any(p.startswith(sub + "/") for p in ents):
            return self.err(404, "EntryNotFound", "Entry not found", hdr)
        items, dirs = [], set()
        for p in sorted(ents):
            if sub and not p.startswith(sub + "/"):
                continue
            parts = p[len(sub) + 1 if sub else 0:].split("/")
            for i in range(1, len(parts)):
                if recursive or i == 1:
                    dirs.add((sub + "/" if sub else "") + "/".join(parts[:i]))
            if recursive or len(parts) == 1:
                items.append(ents[p].tree(xet))
        items += [{"type": "directory", "oid": hashlib.sha1((commit + d).encode()).hexdigest(), "size": 0,
                   "path": d} for d in dirs]
        items.sort(key=lambda x: x["path"])
        page = min(parse_size(q.get("limit", ["1000000"])[0]), 50 if expand else self.ctx.opt.page_size)
        at = 0
        if "cursor" in q:
            try:
                after = base64.urlsafe_b64decode(q["cursor"][0]).decode()
            except ValueError:
                return self.err(400, None, "Invalid cursor", hdr)
            while at < len(items) and items[at]["path"] <= after:
                at += 1
        out = items[at:at + page]
        if at + page < len(items):
            cur = quote(base64.urlsafe_b64encode(out[-1]["path"].encode()).decode(), safe="")
            hdr.append(("Link", f"<{self.base()}{self.raw}?recursive={str(recursive).lower()}"
                                f"&expand={str(expand).lower()}&limit={page}&cursor={cur}>; rel=\"next\""))
        self.small(200, hdr, [self.expand(x, commit, expand) for x in out])

    @staticmethod
    def expand(d, commit, on):
        if on:
            d = dict(d, lastCommit={"id": commit, "title": "stand-in", "date": "2026-01-01T00:00:00.000Z"})
            if d["type"] == "file":
                d["securityFileStatus"] = {"status": "safe", "avScan": None, "pickleImportScan": None}
        return d

    def info(self, repo, commit, ents, q):
        blobs = q.get("blobs", ["false"])[0].lower() in ("true", "1")
        sib = []
        for p, e in ents.items():
            s = {"rfilename": p}
            if blobs:
                s.update(blobId=e.oid, size=e.size)
                if e.lfs:
                    s["lfs"] = {"sha256": e.sha256, "size": e.size, "pointerSize": len(e.pointer)}
            sib.append(s)
        full = {"_id": hashlib.md5(repo.id.encode()).hexdigest()[:24], "id": repo.name, "modelId": repo.name,
                "author": repo.name.split("/")[0] if "/" in repo.name else None, "sha": commit,
                "lastModified": "2026-01-01T00:00:00.000Z", "createdAt": "2026-01-01T00:00:00.000Z",
                "private": repo.private is not None, "gated": "manual" if repo.gated is not None else False,
                "disabled": repo.disabled, "tags": [], "pipeline_tag": "text-generation",
                "library_name": "transformers", "downloads": 0, "likes": 0, "siblings": sib,
                "usedStorage": sum(e.size for e in ents.values())}
        if "expand" in q:
            keep = set(q["expand"]) | {"_id", "id"}
            return {k: v for k, v in full.items() if k in keep}
        return full

    def file_route(self, kind, segs, mode, nrepo=None):
        """mode: resolve, raw, cache.  segs: repo segments + rev + path segments"""
        if mode == "cache":
            name, rest = self.split_repo(kind, segs)
        else:
            name, rest = "/".join(unquote(s) for s in segs[:nrepo]), segs[nrepo:]
        repo, canon = self.lookup(kind, name)
        path = "/".join(unquote(s) for s in rest[1:])
        if self.strike(f"api {self.command} {self.raw} {self.key(kind, name)} {path}"):
            return
        f = self.fault
        act = f.action if f else None
        if self.hidden(repo):
            return self.deny_missing()
        if repo.disabled:
            return self.err(403, None, "Access to this resource is disabled.")
        if not rest or not path:
            return self.err(404, None, "Sorry, we can't find the page you are looking for.")
        if repo.gated is not None and self.token not in repo.gated:
            return self.deny_gated(repo)
        rev = unquote(rest[0])
        commit = self.ctx.world.find_rev(repo, rev)
        if commit is None:
            return self.err(404, "RevisionNotFound", f"Invalid rev id: {rev}", api=False)
        hdr = [] if act == "nocommit" else [("X-Repo-Commit", commit)]
        ent = repo.commits[commit].get(path)
        if ent is None:
            return self.err(404, "EntryNotFound", "Entry not found", hdr, api=False)
        self.note = f"{repo.id}:{path}"
        base = path.rsplit("/", 1)[-1]
        plain = re.sub(r'[^ !#-~]', "_", base)            # a header holds ASCII, and no quote within quotes
        disp = f"inline; filename*=UTF-8''{quote(base)}; filename=\"{plain}\";"
        if mode == "raw":
            if ent.lfs:
                return self.small(200, hdr + [("ETag", f'"{ent.oid}"')], ent.pointer)
            return self.serve(ent, hdr + [("Content-Type", "text/plain; charset=utf-8")], ent.etag)
        if not ent.lfs:
            ctype = "text/plain; charset=utf-8" if ent.size < 1 << 20 else "application/octet-stream"
            if mode == "resolve" and self.ctx.opt.small == "cache":
                loc = (f"/api/resolve-cache/{kind}/{repo.name}/{commit}/{quote(path)}"
                       f"?{quote(unquote(self.raw), safe='')}=&etag=%22{ent.etag}%22")
                return self.small(307, hdr + [("Location", loc), ("X-Linked-ETag", f'"{ent.etag}"'),
                                              ("Accept-Ranges", "bytes"), ("Content-Disposition", disp)],
                                  f"Temporary Redirect. Redirecting to {loc}")
            if self.headers.get("If-None-Match", "").strip() == f'"{ent.etag}"':
                return self.head(304, hdr + [("ETag", f'"{ent.etag}"')])
            ae = self.headers.get("Accept-Encoding", "")
            if self.ctx.opt.gzip_small and "gzip" in ae and not self.headers.get("Range") and ent.size:
                return self.gzipped(ent, hdr + [("Content-Type", ctype), ("Content-Disposition", disp)])
            return self.serve(ent, hdr + [("Content-Type", ctype), ("Content-Disposition", disp)], ent.etag)
        # LFS: absolute redirect to the cdn
        o = self.ctx.opt
        exp = int(time.time()) + o.url_ttl
        rh = hashlib.md5(repo.id.encode()).hexdigest()[:24]
        p = f"/xet-bridge-us/{rh}/{ent.xet}"
        loc = (f"{self.ctx.scheme}://{self.ctx.cdn_netloc}{p}?X-Xet-Cas-Uid=public"
               f"&response-content-disposition={quote(disp, safe='')}&Expires={exp}"
               f"&Signature={self.ctx.world.sign(p, exp)}")
        size = ent.size + (f.delta if act == "badsize" else 0)
        etag = "0" * 64 if act == "badetag" else ent.sha256
        h = hdr + [("Location", loc), ("Accept-Ranges", "bytes"), ("Cache-Control", "no-store"),
                   ("X-Linked-Size", size)]
        if act != "noetag":
            h.append(("X-Linked-ETag", f'"{etag}"'))
        if o.xet:
            h += [("X-Xet-Hash", ent.xet),
                  ("Link", f'<{self.base()}/api/{kind}/{repo.name}/xet-read-token/{commit}>; rel="xet-auth", '
                           f'<{self.base()}/__cas/v1/reconstructions/{ent.xet}>; rel="xet-reconstruction-info"')]
        self.small(302, h, f"Found. Redirecting to {loc}")

    def gzipped(self, ent, hdr):
        if ent.gzipped is None:
            with ent.src.open() as fd:
                fd.seek(0)
                data = b""
                while len(data) < ent.size:
                    data += fd.read(1 << 20)
            ent.gzipped = gzip.compress(data, 1)
        z = ent.gzipped
        self.head(200, hdr + [("ETag", f'W/"{ent.etag}"'), ("Content-Encoding", "gzip"), ("Vary", "Accept-Encoding"),
                              ("Transfer-Encoding", "chunked")])
        if self.command != "HEAD":
            self.wfile.write(b"%x\r\n" % len(z) + z + b"\r\n0\r\n\r\n")
            self.sent += len(z)

    def cdn(self, segs):
        w, q = self.ctx.world, parse_qs(self.query)
        ent = w.objects.get(segs[-1])
        fn = re.search(r'filename="([^"]*)"', q.get("response-content-disposition", [""])[0])
        fn = fn.group(1) if fn else ""
        self.note = fn
        if self.strike(f"cdn {self.command} {self.raw} {fn}"):
            return
        xml = "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Error><Code>%s</Code><Message>%s</Message></Error>"
        if self.headers.get("Authorization") and self.ctx.opt.cdn_auth == "reject":
            return self.small(400, [], xml % ("InvalidArgument", "Only one auth mechanism allowed"), "application/xml")
        exp = q.get("Expires", ["0"])[0]
        if q.get("Signature", [""])[0] != w.sign(self.raw, exp):
            return self.small(403, [], xml % ("SignatureDoesNotMatch", "bad signature"), "application/xml")
        if time.time() > float(exp):
            return self.small(403, [], xml % ("AccessDenied", "Request has expired"), "application/xml")
        if ent is None:
            return self.small(404, [], xml % ("NoSuchKey", "no such key"), "application/xml")
        if self.command == "POST":
            return self.small(405, [], "")
        self.serve(ent, [("Content-Type", "application/octet-stream"), ("X-Cache", "Hit from standin"),
                         ("Content-Disposition", q.get("response-content-disposition", ["inline"])[0])], ent.xet)

    # --- control
    def ctl(self):
        self.bucket, self.rl = "api", (0, 0)
        c, op = self.ctx, self.raw[7:]
        try:
            j = json.loads(self.body) if self.body[:1] in (b"{", b"[") else None
            if op == "state":
                out = {"repos": {r.id: {"refs": r.refs, "files": {p: {"size": e.size, "etag": e.etag, "lfs": e.lfs}
                                                                  for p, e in r.commits.get(r.refs.get("main"),
                                                                                            {}).items()}}
                                 for r in c.world.repos.values()},
                       "faults": [f.json() for f in c.faults.list], "totals": c.log.tot, "log_n": c.log.n}
            elif op == "log":
                since = int(parse_qs(self.query).get("since", ["0"])[0])
                with c.log.lock:
                    out = [r for r in c.log.ring if r["n"] > since]
            elif op == "idle":
                timeout = float(parse_qs(self.query).get("timeout", ["10"])[0])
                out = {"idle": c.log.idle(timeout), "active": c.log.active}
            elif op == "fault":
                if j is None:
                    j = parse_kv(self.body.decode() or unquote(self.query))
                out = [c.faults.add(d).json() for d in (j if isinstance(j, list) else [j])]
            elif op == "clear":
                c.faults.list.clear()
                out = {"ok": True}
            elif op == "reset":
                with c.log.lock:
                    c.log.ring.clear()
                    c.log.zero()
                out = {"ok": True}
            elif op == "ref":
                r = c.world.repo(j["repo"])
                if "dir" in j:
                    r.dirs[j["ref"]] = j["dir"]
                    sha = c.world.commit_dir(r, j["ref"], j["dir"])
                else:
                    sha = r.refs[j["ref"]] = j["commit"]
                out = {"commit": sha}
            elif op == "rescan":
                for r in c.world.repos.values():
                    c.world.scan(r)
                out = {r.id: r.refs for r in c.world.repos.values()}
            elif op == "set":
                for k, v in j.items():
                    setattr(c.opt, k, v)
                out = {"ok": True}
            else:
                return self.small(404, [], "no such control\n")
        except (ValueError, KeyError, AttributeError) as e:
            return self.small(400, [], f"{e!r}\n")
        self.small(200, [], out)


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 512
    allow_reuse_address = True

    def handle_error(self, request, addr):
        pass


class Grudge:
    """A CDN that gives next to nothing to all together while more than so many bodies are under way."""

    def __init__(self, spec):
        self.most, self.rate = (parse_size(n) for n in spec.split(",")) if spec else (0, 0)
        self.active, self.lock = 0, threading.Lock()

    def __enter__(self):
        with self.lock:
            self.active += 1

    def __exit__(self, *_):
        with self.lock:
            self.active -= 1

    def share(self):
        """the rate of one body now; None: as it would be"""
        active = self.active
        return self.rate / active if self.most and active > self.most else None


class Ctx:
    pass


def make_server(which, ctx, host, port):
    h = type("H" + which, (Handler,), {"which": which, "ctx": ctx})
    s = Server((host, port), h)
    if ctx.opt.sndbuf:                       # accepted sockets inherit it
        s.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, ctx.opt.sndbuf)
    if ctx.tls:
        tc = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tc.load_cert_chain(ctx.opt.tls_cert, ctx.opt.tls_key)
        s.socket = tc.wrap_socket(s.socket, server_side=True, do_handshake_on_connect=False)
    return s


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a = ap.add_argument
    a("--host", default="127.0.0.1")
    a("--port", type=int, default=0)
    a("--cdn-port", type=int, default=0)
    a("--cdn-host", help="host name written into CDN urls; default 127.0.0.2, where the CDN then listens, since "
                         "clients take redirects within one host for the Hub's own")
    a("--cdn-bind", help="address at which the CDN listens and that is written into its urls; default as said above")
    a("--public-url", help="base used in Link headers (default: from the Host header)")
    a("--tls-cert")
    a("--tls-key")
    for n in ("root", "repo", "rev", "synth", "alias", "gated", "private", "token", "disabled", "fault"):
        a("--" + n, action="append", default=[])
    a("--lfs-ext", default=LFS_EXT)
    a("--lfs-threshold", type=parse_size, default=10_000_000)
    a("--small", choices=("cache", "inline"), default="cache")
    a("--gzip-small", action="store_true", help="gzip small files when the client accepts it (no length, W/ etag)")
    a("--page-size", type=int, default=1000)
    a("--gated-api", choices=("open", "closed"), default="open")
    a("--cdn-auth", choices=("reject", "ignore"), default="reject",
      help="a CDN request that still carries Authorization: 400, or serve it")
    a("--url-ttl", type=int, default=3600)
    a("--xet", action="store_true", help="advertise xet (X-Xet-Hash, Link, xetHash); no CAS behind it")
    a("--rate", type=parse_size, help="bytes/s per connection, for every body")
    a("--grudge", help="N,RATE: while more than N bodies of the CDN are under way, RATE bytes/s for all together")
    a("--sndbuf", type=parse_size, help="pins SO_SNDBUF, so that few sent bytes can lie unread at a client's death")
    a("--quota", help="enforce e.g. api=500,resolvers=3000 per window")
    a("--window", type=int, default=300)
    a("--log")
    a("--hash-cache")
    a("--ready-file")
    opt = ap.parse_args()

    ctx = Ctx()
    ctx.opt, ctx.world, ctx.faults = opt, World(opt), Faults()
    ctx.log, ctx.quota, ctx.grudge = Log(opt.log), Quota(opt.quota, opt.window), Grudge(opt.grudge)
    ctx.tls = bool(opt.tls_cert)
    ctx.scheme = "https" if ctx.tls else "http"
    w = ctx.world
    for root in opt.root:
        for one in sorted(os.listdir(root)):
            d = os.path.join(root, one)
            if not os.path.isdir(d):
                continue
            if any(os.path.isfile(os.path.join(d, x)) for x in os.listdir(d)):
                w.repo(one).dirs["main"] = d
                continue
            for two in sorted(os.listdir(d)):
                if os.path.isdir(os.path.join(d, two)):
                    w.repo(f"{one}/{two}").dirs["main"] = os.path.join(d, two)
    for s in opt.repo:
        rid, _, d = s.partition("=")
        w.repo(rid).dirs["main"] = d
    for s in opt.rev:
        left, _, d = s.partition("=")
        rid, _, rev = left.partition("@")
        w.repo(rid).dirs[rev] = d
    for s in opt.synth:
        left, _, spec = s.partition("=")
        rid, _, path = left.partition(":")
        size, _, seed = spec.partition(",")
        r = w.repo(rid)
        r.dirs.setdefault("main", None)
        r.synth[path] = Synth(parse_size(size), int(seed or 1))
    for s in opt.alias:
        old, _, new = s.partition("=")
        w.alias[old] = new
    for what, specs in (("gated", opt.gated), ("private", opt.private)):
        for s in specs:
            rid, _, toks = s.partition(":")
            toks = {t for t in toks.split(",") if t}
            setattr(w.repo(rid), what, toks)
            w.tokens |= toks
    w.tokens |= set(opt.token)
    for rid in opt.disabled:
        w.repo(rid).disabled = True
    for r in w.repos.values():
        w.scan(r)
    for s in opt.fault:
        ctx.faults.add(parse_kv(s))

    api = make_server("api", ctx, opt.host, opt.port)
    cdn_bind = opt.cdn_bind or ("127.0.0.2" if opt.host == "127.0.0.1" and not opt.cdn_host else opt.host)
    cdn = make_server("cdn", ctx, cdn_bind, opt.cdn_port)
    ctx.api_netloc = f"{opt.host}:{api.server_address[1]}"
    ctx.cdn_netloc = f"{opt.cdn_host or cdn_bind}:{cdn.server_address[1]}"
    threading.Thread(target=cdn.serve_forever, daemon=True).start()
    line = json.dumps({"api": f"{ctx.scheme}://{ctx.api_netloc}", "cdn": f"{ctx.scheme}://{ctx.cdn_netloc}",
                       "pid": os.getpid(), "repos": {r.id: r.refs for r in w.repos.values()}})
    print(line, flush=True)
    if opt.ready_file:
        with open(opt.ready_file + ".tmp", "w") as f:
            f.write(line + "\n")
        os.replace(opt.ready_file + ".tmp", opt.ready_file)
    try:
        api.serve_forever()
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()
