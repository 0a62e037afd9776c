"""nginx on loopback as the Hub: its API and its CDN from one generated configuration.

The answers are files and headers written beforehand, so that the origin costs its contenders as
little as it can: revision and tree (in pages), 307 to /api/resolve-cache for small git files, 302 to
the CDN port for LFS files, Range by nginx itself.
"""
import getpass
import hashlib
import json
import os
import pathlib
import socket
import ssl
import subprocess
import time
import urllib.request

PAGE = 1000
COMMIT = "c0ffee" + "0" * 34


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def digests(path):
    """(git's blob id, sha256) of a file"""
    size = path.stat().st_size
    git, sha = hashlib.sha1(b"blob %d\0" % size), hashlib.sha256()
    with open(path, "rb") as f:
        while block := f.read(1 << 20):
            git.update(block)
            sha.update(block)
    return git.hexdigest(), sha.hexdigest()


class Repo:
    def __init__(self, name, folder, lfs):
        self.name, self.folder, self.lfs = name, pathlib.Path(folder), lfs
        self.files = []
        for path in sorted(p for p in self.folder.rglob("*") if p.is_file()):
            git, sha = digests(path)
            self.files.append((path.relative_to(self.folder).as_posix(), path.stat().st_size, git, sha))

    def tree(self):
        entries = []
        for path, size, git, sha in self.files:
            entry = {"type": "file", "path": path, "size": size, "oid": git}
            if self.lfs:
                entry["lfs"] = {"oid": sha, "size": size, "pointerSize": 134}
            entries.append(entry)
        return entries


class Origin:
    """Context manager: the server runs inside it."""

    def __init__(self, work, repos, tls=False):
        self.work, self.repos = pathlib.Path(work), repos
        self.api, self.cdn = free_port(), free_port()
        self.scheme, self.certificate = ("https", self.work / "tls.pem") if tls else ("http", None)
        self.url = f"{self.scheme}://127.0.0.1:{self.api}"

    def _make_certificate(self):
        """one that signs itself, for clients that are given it as an authority"""
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=bench",
                        "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", self.work / "tls.key",
                        "-out", self.certificate], check=True, capture_output=True)

    def _answers(self, repo):
        """static JSON of one repository; yields nginx locations for it"""
        folder = self.work / "answers" / repo.name
        folder.mkdir(parents=True, exist_ok=True)
        info = {"id": repo.name, "sha": COMMIT, "private": False, "gated": False, "disabled": False}
        (folder / "revision.json").write_text(json.dumps(info))
        pages = [repo.tree()[i:i + PAGE] for i in range(0, max(len(repo.files), 1), PAGE)]
        for i, page in enumerate(pages):
            (folder / f"tree{i or ''}.json").write_text(json.dumps(page))
        json_type = "default_type application/json;"
        yield f"location ~ ^/api/models/{repo.name}/revision/.+$ {{ {json_type} alias {folder}/revision.json; }}"
        tree = f"/api/models/{repo.name}/tree/{COMMIT}"
        # the next page of page n, which ?cursor=n asks for, is n + 1; the last one has no Link
        after = "".join(f"if ($arg_cursor = '{i or ''}') {{ set $next '<{self.url}{tree}?cursor={i + 1}>; rel=\"next\"'; }} "
                        for i in range(len(pages) - 1))
        yield (f"location = {tree} {{ {json_type} set $next ''; {after} add_header Link $next; "
               f"alias {folder}/tree$arg_cursor.json; }}")
        resolve = f"/{repo.name}/resolve/{COMMIT}/"
        if repo.lfs:
            yield (f"location {resolve} {{ add_header X-Repo-Commit {COMMIT} always; "
                   f"add_header X-Linked-Etag $linked_etag always; add_header X-Linked-Size $linked_size always; "
                   f"rewrite ^{resolve}(.*)$ {self.scheme}://127.0.0.1:{self.cdn}/{repo.name}/$1?Signature=bench redirect; }}")
        else:
            yield (f"location {resolve} {{ add_header X-Repo-Commit {COMMIT} always; "
                   f"add_header X-Linked-Etag $linked_etag always; absolute_redirect off; "
                   f"return 307 /api/resolve-cache/models/{repo.name}/{COMMIT}/$file_path; }}")
            yield (f"location /api/resolve-cache/models/{repo.name}/{COMMIT}/ {{ alias {repo.folder}/; "
                   f"etag off; add_header ETag $linked_etag; add_header X-Repo-Commit {COMMIT}; }}")

    def configuration(self):
        etags, sizes, locations, roots = [], [], [], []
        for repo in self.repos:
            for path, size, git, sha in repo.files:
                for head in (f"/{repo.name}/resolve/{COMMIT}/", f"/api/resolve-cache/models/{repo.name}/{COMMIT}/"):
                    etags.append(f"{head}{path} '\"{sha if repo.lfs else git}\"';")
                    sizes.append(f"{head}{path} {size};")
            locations += self._answers(repo)
            roots.append(f"location /{repo.name}/ {{ alias {repo.folder}/; }}")
        tls = "ssl" if self.certificate else ""
        logs = f"error_log {self.work}/error.log; access_log off;"
        return "\n".join([
            f"user {getpass.getuser()};" if os.getuid() == 0 else "",
            f"worker_processes 1; daemon off; pid {self.work}/nginx.pid; error_log {self.work}/error.log;",
            "events { worker_connections 1024; } http {", logs,
            "sendfile on; tcp_nopush on; keepalive_requests 1000000; default_type application/octet-stream;",
            f"client_body_temp_path {self.work}/body; proxy_temp_path {self.work}/proxy;",
            f"fastcgi_temp_path {self.work}/fastcgi; uwsgi_temp_path {self.work}/uwsgi; scgi_temp_path {self.work}/scgi;",
            "map_hash_max_size 65536; map_hash_bucket_size 512;",
            "map $uri $linked_etag {", *etags, "}", "map $uri $linked_size {", *sizes, "}",
            "map $uri $file_path { default ''; ~^/.+/resolve/[0-9a-f]+/(?<rest>.*)$ $rest; }",
            f"ssl_certificate {self.certificate}; ssl_certificate_key {self.work}/tls.key;" if tls else "",
            f"server {{ listen 127.0.0.1:{self.api} {tls};", *locations, "}",
            f"server {{ listen 127.0.0.1:{self.cdn} {tls};", *roots, "} }"])

    def __enter__(self):
        self.work.mkdir(parents=True, exist_ok=True)
        if self.certificate:
            self._make_certificate()
        conf = self.work / "nginx.conf"
        conf.write_text(self.configuration())
        self.process = subprocess.Popen(["/usr/sbin/nginx", "-c", str(conf), "-p", str(self.work)],
                                        stderr=subprocess.PIPE)
        trusting = ssl.create_default_context(cafile=self.certificate)
        for _ in range(200):
            try:
                urllib.request.urlopen(f"{self.url}/api/models/{self.repos[0].name}/revision/main", context=trusting).read()
                return self
            except OSError:
                if self.process.poll() is not None:
                    raise SystemExit("nginx ended: " + self.process.stderr.read().decode())
                time.sleep(0.05)
        raise SystemExit("nginx does not answer")

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()

    def cdn_url(self, repo, path):
        return f"{self.scheme}://127.0.0.1:{self.cdn}/{repo.name}/{path}"
