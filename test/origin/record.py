"""What the stand-in hub notes of each request, and the rate limits it reports."""
import json
import threading
import time
from collections import deque


class Log:
    def __init__(self, path):
        self.f = open(path, "a", buffering=1) if path else None
        self.lock, self.ring, self.n = threading.Lock(), deque(maxlen=50000), 0
        self.active, self.asked, self.quiet = 0, 0, threading.Condition(self.lock)
        self.zero()

    def zero(self):
        self.tot = {"api": {"requests": 0, "bytes": 0, "auth": 0}, "cdn": {"requests": 0, "bytes": 0, "auth": 0}}

    def begin(self):
        """the request's number in the order of asking; "n" is that of being answered, which two connections mix up"""
        with self.lock:
            self.active += 1
            self.asked += 1
            return self.asked

    def idle(self, timeout):
        """waits until every request taken so far is in the log; False when one is still served"""
        with self.lock:
            return self.quiet.wait_for(lambda: self.active == 0, timeout)

    def put(self, rec):
        with self.lock:
            self.n += 1
            self.active -= 1
            self.quiet.notify_all()
            rec = {"n": self.n, **rec}
            self.ring.append(rec)
            t = self.tot[rec["port"]]
            t["requests"] += 1
            t["bytes"] += rec["sent"]
            t["auth"] += bool(rec["auth"])
            if self.f:
                self.f.write(json.dumps(rec) + "\n")


class Quota:
    """fixed 300 s windows, reported on every answer; enforced only when limits are set"""

    def __init__(self, spec, window):
        self.limit, self.window, self.enforce = {"api": 500, "resolvers": 3000}, window, bool(spec)
        for part in (spec or "").split(","):
            if part:
                k, v = part.split("=")
                self.limit[k] = int(v)
        self.start, self.used, self.lock = time.time(), {}, threading.Lock()

    def take(self, bucket):
        with self.lock:
            now = time.time()
            if now - self.start >= self.window:
                self.start, self.used = now, {}
            u = self.used[bucket] = self.used.get(bucket, 0) + 1
            left = self.limit[bucket] - u
            return max(0, left), max(0, int(self.start + self.window - now)), self.enforce and left < 0
