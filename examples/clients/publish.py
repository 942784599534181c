"""Publishes an event to a belts worker from Python, signed with the `standardwebhooks` of PyPI.

    pip install standardwebhooks
    export BELTS_URL=http://127.0.0.1:8787 BELTS_SIGNING_KEY=whsec_…    # one of the worker's BELTS_SIGNING_KEYS
    python3 publish.py order-created '{"order_id": "o-17", "cents": 500}' [message-id]
"""

import json
import os
import sys
import urllib.error
import urllib.request
import uuid
from datetime import datetime, timezone

from standardwebhooks import Webhook


def publish(event_type, fields, message_id=None):
    """Returns when the event is durable. Published again under the same id, it starts nothing new."""
    message_id = message_id or str(uuid.uuid4())
    body = json.dumps({"event": {"type": event_type, **fields}})
    sent_at = datetime.now(timezone.utc)
    headers = {
        "content-type": "application/json",
        "webhook-id": message_id,
        "webhook-timestamp": str(int(sent_at.timestamp())),
        "webhook-signature": Webhook(os.environ["BELTS_SIGNING_KEY"]).sign(message_id, sent_at, body),
    }
    request = urllib.request.Request(os.environ["BELTS_URL"], body.encode(), headers)
    try:
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        said = json.load(error)
        raise SystemExit(f"{error.code} {said['code']}: {said['message']}") from None


if __name__ == "__main__":
    print(json.dumps(publish(sys.argv[1], json.loads(sys.argv[2]), *sys.argv[3:])))
