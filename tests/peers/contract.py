"""What contract servers of clouds share. A contract server is no cloud and no emulator: it says what a cloud's documents say, as far as Grid asks,
and nothing it accepts is evidence about the cloud itself. This part knows faults that tests ask for, a log of what changed, and answers.

`PUT /_test/seed`    {id: object, ...}: what somebody else has made.
`POST /_test/fault`  {"method", "path", "times", and one of "status" with "body" and "headers", "lose": "before" | "after", "touch": id}
`GET /_test/log`     every call that was let in and changes something, as "METHOD path".
`GET /_test/store`   everything that is there.
"""

import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

LOCK = threading.RLock()
STORE, FAULTS, LOG = {}, [], []


class Failed(Exception):
    def __init__(self, code, body, headers=None):
        self.code, self.body, self.headers = code, body, headers or {}


class Contract(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # An answer goes out in one piece: else each waits for an acknowledgement, 40 ms.
    wbufsize, disable_nagle_algorithm = 1 << 16, True

    def log_message(self, *_):
        pass

    def seeded(self, key, obj):
        """What the cloud adds to something that was put there."""
        return obj

    def touched(self, key):
        """Somebody else changes something."""

    def decide(self, path, query, body):
        raise NotImplementedError

    def answer(self, code, body, headers):
        data = b"" if body is None else json.dumps(body).encode()
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("content-type", "application/json; charset=utf-8")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def handle_all(self):
        raw = self.rfile.read(int(self.headers.get("content-length") or 0))
        url = urlsplit(self.path)
        path, query = unquote(url.path), {k: v[0] for k, v in parse_qs(url.query).items()}
        with LOCK:
            try:
                is_json = raw and "json" in (self.headers.get("content-type") or "json")
                lost, answer = self.let_in(path, query, json.loads(raw) if is_json else raw)
            except Failed as failed:
                lost, answer = False, (failed.code, failed.body, failed.headers)
        if lost:
            self.close_connection = True
            self.connection.close()
        else:
            self.answer(*answer)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_all

    def let_in(self, path, query, body):
        if path == "/_test/ready":
            return False, (200, {}, {})
        if path == "/_test/seed":
            for key, obj in body.items():
                STORE[key] = self.seeded(key, obj)
            return False, (200, {}, {})
        if path == "/_test/fault":
            FAULTS.append(body)
            return False, (200, {}, {})
        if path == "/_test/log":
            return False, (200, LOG, {})
        if path == "/_test/store":
            return False, (200, STORE, {})
        lose = None
        for fault in FAULTS:
            if fault["times"] > 0 and fault["method"] == self.command and fault["path"] in path:
                fault["times"] -= 1
                if "status" in fault:
                    raise Failed(fault["status"], fault.get("body"), fault.get("headers"))
                if "touch" in fault:
                    self.touched(fault["touch"])
                if fault.get("lose") == "before":
                    return True, None
                lose = fault.get("lose")
        if self.command != "GET":
            LOG.append(f"{self.command} {path}")
        answer = self.decide(path, query, body)
        return lose == "after", answer


def merge_patch(live, patch):
    """RFC 7396."""
    for name, value in patch.items():
        if value is None:
            live.pop(name, None)
        elif isinstance(value, dict):
            live[name] = merge_patch(dict(live[name]) if isinstance(live.get(name), dict) else {}, value)
        else:
            live[name] = value
    return live


def serve(handler):
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), handler).serve_forever()
