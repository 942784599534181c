// Publishes an event to a belts worker from JavaScript or TypeScript, signed with npm's `standardwebhooks`.
//
//   npm install standardwebhooks
//   export BELTS_URL=http://127.0.0.1:8787 BELTS_SIGNING_KEY=whsec_…    # one of the worker's BELTS_SIGNING_KEYS
//   node publish.mjs order-created '{"order_id": "o-17", "cents": 500}' [message-id]

import { randomUUID } from "node:crypto";
import { Webhook } from "standardwebhooks";

/** Resolves when the event is durable. Published again under the same id, it starts nothing new. */
export async function publish(type, fields, id = randomUUID()) {
  const body = JSON.stringify({ event: { type, ...fields } });
  const sentAt = new Date();
  const answer = await fetch(process.env.BELTS_URL, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      "webhook-id": id,
      "webhook-timestamp": String(Math.floor(sentAt.getTime() / 1000)),
      "webhook-signature": new Webhook(process.env.BELTS_SIGNING_KEY).sign(id, sentAt, body),
    },
    body,
  });
  const said = await answer.json();
  if (!answer.ok) throw new Error(`${answer.status} ${said.code}: ${said.message}`);
  return said;
}

const [type, fields, id] = process.argv.slice(2);
console.log(JSON.stringify(await publish(type, JSON.parse(fields), id)));
