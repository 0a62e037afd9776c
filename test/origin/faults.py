"""Faults that the stand-in hub was told to answer with, and the grammar of its arguments."""
import re
import threading


class Fault:
    INT = ("times", "skip", "after", "abs", "code", "len", "delta", "rate")
    FLT = ("retry_after", "rl_t", "delay")

    def __init__(self, d):
        d = dict(d)
        self.action = d.pop("action")
        self.match = re.compile(d.pop("match", ""))
        self.port = d.pop("port", None)
        self.method = d.pop("method", None)
        self.times, self.skip, self.after, self.abs = 1, 0, 0, 0
        self.code, self.len, self.delta = 503, 1, 1
        self.retry_after = self.rl_t = None
        self.delay, self.rate = None, None
        for k, v in d.items():
            if k in self.INT:
                setattr(self, k, parse_size(v))
            elif k in self.FLT:
                setattr(self, k, float(v))
            else:
                raise ValueError(f"unknown fault key {k}")
        self.hits = 0

    def json(self):
        d = {k: getattr(self, k) for k in ("action", "port", "method", "times", "skip", "after",
                                           "code", "hits", "delay", "rate")}
        d["match"] = self.match.pattern
        return d


class Faults:
    def __init__(self):
        self.list, self.lock = [], threading.Lock()

    def add(self, d):
        f = Fault(d)
        with self.lock:
            self.list.append(f)
        return f

    def pick(self, port, method, text):
        with self.lock:
            for f in self.list:
                if f.times == 0 or (f.port and f.port != port) or (f.method and f.method != method):
                    continue
                if not f.match.search(text):
                    continue
                if f.skip > 0:
                    f.skip -= 1
                    continue
                if f.times > 0:
                    f.times -= 1
                f.hits += 1
                return f
        return None


def parse_size(v):
    if isinstance(v, (int, float)):
        return int(v)
    m = re.fullmatch(r"\s*(-?[\d.]+)\s*([kKmMgG]?)i?[bB]?\s*", v)
    return int(float(m.group(1)) * {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}[m.group(2).lower()])


def parse_kv(s):
    """k=v,k=v  (a value may hold commas only in match=..., put that last)"""
    out = {}
    while s:
        k, _, s = s.partition("=")
        if k == "match":
            out[k] = s
            break
        v, _, s = s.partition(",")
        out[k] = v
    return out
