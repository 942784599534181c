// Places an order and publishes its event in one transaction, from JavaScript: `transaction.mjs ORDER`.
//
// belts.publish is an SQL function in the schema of the store, so every driver can call it.
// DATABASE_URL says where the database is, BELTS_SCHEMA in which schema the store is, if not `belts`.
import pg from "pg";

const [order] = process.argv.slice(2);
const client = new pg.Client({ connectionString: process.env.DATABASE_URL });
const schema = client.escapeIdentifier(process.env.BELTS_SCHEMA ?? "belts");

await client.connect();
await client.query("BEGIN");
await client.query("CREATE TABLE IF NOT EXISTS client_orders (id text PRIMARY KEY)");
await client.query("INSERT INTO client_orders (id) VALUES ($1)", [order]);
const { rows } = await client.query(
  `SELECT ${schema}.publish($1, $2, idempotency_key => $3, correlation_key => $4) AS event`,
  ["tx-placed", { order, cents: 1290 }, order, order],
);
await client.query(order === "nothing" ? "ROLLBACK" : "COMMIT");
await client.end();
console.log(rows[0].event);
