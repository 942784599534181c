"""Makes the calls that it reads with the service's own SDK: one JSON object a line in, one a line out.

{"call": "dlq.list", "arguments": {"count": 5}};
{"call": "verify", "keys": …, "now": seconds, "request": …} asks the receiver at that time.
"""

import dataclasses
import datetime
import enum
import functools
import json
import os
import sys

import jwt.api_jwt
from qstash import QStash, Receiver

# The SDK prints what it reads of the log, which is nobody's answer.
answers, sys.stdout = sys.stdout, open(os.devnull, "w")
client = QStash(sys.argv[2], base_url=sys.argv[1], retry=False)


def verify(keys, now, request):
    class Still(datetime.datetime):
        @classmethod
        def now(cls, tz=None):
            return cls.fromtimestamp(now, tz)

    jwt.api_jwt.datetime = Still if now else datetime.datetime
    Receiver(keys["current"], keys["next"]).verify(**request)
    return True


def make(call):
    if call["call"] == "verify":
        return verify(call["keys"], call["now"], call["request"])
    return functools.reduce(getattr, call["call"].split("."), client)(**call["arguments"])


def plain(value):
    return value.value if isinstance(value, enum.Enum) else dataclasses.asdict(value)


for line in sys.stdin:
    try:
        answer = {"result": make(json.loads(line))}
    except Exception as error:
        answer = {"error": {"name": type(error).__name__, "message": str(error)}}
    print(json.dumps(answer, default=plain), file=answers, flush=True)
