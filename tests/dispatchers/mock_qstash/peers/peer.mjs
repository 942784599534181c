// Makes the calls that it reads with the service's own SDK: one JSON object a line in, one a line out.
//
// {"call": "dlq.listMessages", "arguments": [{"count": 5}]}; of a queue {"queue": "q", "call": "enqueueJSON", …};
// {"call": "verify", "keys": …, "now": seconds, "request": …} asks the receiver at that time.

import { createInterface } from "node:readline";
import { Client, Receiver } from "@upstash/qstash";

const [baseUrl, token] = process.argv.slice(2);
const client = new Client({ baseUrl, token, retry: false, devMode: false });
const RealDate = Date;

function standStill(now) {
  globalThis.Date = class extends RealDate {
    constructor(...parts) {
      super(...(parts.length ? parts : [now * 1000]));
    }
    static now() {
      return now * 1000;
    }
  };
}

async function verify({ keys, now, request }) {
  const receiver = new Receiver({ currentSigningKey: keys.current, nextSigningKey: keys.next, devMode: false });
  if (now) standStill(now);
  try {
    return await receiver.verify(request);
  } finally {
    globalThis.Date = RealDate;
  }
}

async function make(call) {
  if (call.call === "verify") return verify(call);
  const path = call.call.split(".");
  const method = path.pop();
  const owner = path.reduce((value, name) => value[name], call.queue ? client.queue({ queueName: call.queue }) : client);
  return owner[method](...call.arguments);
}

for await (const line of createInterface({ input: process.stdin })) {
  let answer;
  try {
    answer = { result: (await make(JSON.parse(line))) ?? null };
  } catch ({ name, message, status }) {
    answer = { error: { name, message, status } };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
