#!/usr/bin/env python3
"""A small engine: listens, and after a while is ready. Speaks as much of vLLM and Ollama as a probe asks for.

    engine.py [serve] [PATH] [--port N] [--served-model-name NAME...] [--fails N] [--tags NAME,...]
              [--embeds NAME,...] [--mark FILE]

The first N requests get 503; the names are listed only from then on. Loading a model says so on stdout; those of --embeds
cannot generate. SIGUSR1 is noted in FILE.
"""
import argparse
import http.server
import json
import signal
import sys


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("words", nargs="*")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--served-model-name", nargs="*", default=[])
    parser.add_argument("--tags", default="")
    parser.add_argument("--embeds", default="")
    parser.add_argument("--fails", type=int, default=0)
    parser.add_argument("--mark")
    options = parser.parse_args()
    left = [options.fails]

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            left[0] -= 1
            answers = {"/health": {}, "/v1/models": {"data": [{"id": name} for name in options.served_model_name or options.words[1:2]]},
                       "/api/tags": {"models": [{"name": name} for name in options.tags.split(",")]}}
            self.answer(503 if left[0] >= 0 else 200 if self.path in answers else 404, answers.get(self.path, {}))

        def do_POST(self):
            name = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["model"]
            if name not in options.tags.split(","):
                return self.answer(404, {"error": f"model '{name}' not found"})
            if self.path == "/api/generate" and name in options.embeds.split(","):
                return self.answer(400, {"error": f'"{name}" does not support generate'})
            print("loaded", name, self.path, flush=True)
            self.answer(200, {"done": True})

        def answer(self, status, document):
            body = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    def mark(number, _):
        with open(options.mark, "a") as file:
            file.write(f"{number}\n")

    if options.mark:
        signal.signal(signal.SIGUSR1, mark)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", options.port), Handler)
    print("engine listens", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    sys.exit(main())
