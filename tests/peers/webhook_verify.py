"""Verifies signed webhooks by the public library of Standard Webhooks.

Reads a JSON file: a list of {"secret", "headers", "body"}. Each must verify as it is, and must not with another body or time.
"""

import json
import sys

from standardwebhooks import Webhook, WebhookVerificationError

verified = 0
for case in json.load(open(sys.argv[1], encoding="utf-8")):
    webhook = Webhook(case["secret"])
    webhook.verify(case["body"], case["headers"])
    later = dict(case["headers"], **{"webhook-timestamp": str(int(case["headers"]["webhook-timestamp"]) + 1)})
    for body, headers in [(case["body"] + " ", case["headers"]), (case["body"], later)]:
        try:
            webhook.verify(body, headers)
        except WebhookVerificationError:
            continue
        sys.exit("a changed message verifies")
    verified += 1
print(verified)
