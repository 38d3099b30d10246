"""Pushes log lines through a logging handler that real programs use for Loki, and prints what was logged as JSON.

Usage: loki_send.py URL COUNT
"""

import json
import logging
import sys

import logging_loki

URL, COUNT = sys.argv[1], int(sys.argv[2])
handler = logging_loki.LokiHandler(url=URL, tags={"application": "shop", "zone": "eu-1"}, version="1")
build = handler.emitter.build_payload


def noted(record, line):
    payload = build(record, line)
    for stream in payload["streams"]:
        for time, body in stream["values"]:
            print(json.dumps({"time": int(time), "body": body, "labels": stream["stream"]}))
    return payload


handler.emitter.build_payload = noted
handler.handleError = lambda record: sys.exit(f"not accepted: {record.getMessage()}: {sys.exc_info()[1]}")
logger = logging.getLogger("cart")
logger.setLevel(logging.DEBUG)
logger.addHandler(handler)
for i in range(COUNT):
    level = ["debug", "info", "warning", "error"][i % 4]
    getattr(logger, level)(f"order {i} ünïcode \"quoted\" {{brace}}", extra={"tags": {"region": f"r{i % 3}"}})
