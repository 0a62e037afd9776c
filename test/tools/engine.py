#!/usr/bin/env python3
"""A small engine: listens, and after a while is ready. Speaks as much of vLLM and Ollama as a probe asks for.

    engine.py [serve] [PATH] [--port N] [--served-model-name NAME...] [--fails N] [--tags NAME,...] [--mark FILE]

The first N requests get 503; the names are listed only from then on. SIGUSR1 is noted in FILE.
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
    parser.add_argument("--fails", type=int, default=0)
    parser.add_argument("--mark")
    options = parser.parse_args()
    left = [options.fails]

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            left[0] -= 1
            answers = {"/health": {}, "/v1/models": {"data": [{"id": name} for name in options.served_model_name]},
                       "/api/tags": {"models": [{"name": name} for name in options.tags.split(",")]}}
            body = json.dumps(answers.get(self.path, {})).encode()
            self.send_response(503 if left[0] >= 0 else 200 if self.path in answers else 404)
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
