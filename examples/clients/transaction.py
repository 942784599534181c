"""Places an order and publishes its event in one transaction, from Python: `transaction.py ORDER`.

belts.publish is an SQL function in the schema of the store, so every driver can call it.
DATABASE_URL says where the database is, BELTS_SCHEMA in which schema the store is, if not `belts`.
"""

import os
import sys

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

order = sys.argv[1]
schema = sql.Identifier(os.environ.get("BELTS_SCHEMA", "belts"))

with psycopg.connect(os.environ["DATABASE_URL"]) as connection:  # One transaction, committed at its end.
    connection.execute("CREATE TABLE IF NOT EXISTS client_orders (id text PRIMARY KEY)")
    connection.execute("INSERT INTO client_orders (id) VALUES (%s)", [order])
    publish = sql.SQL("SELECT {}.publish(%s, %s, idempotency_key => %s, correlation_key => %s)").format(schema)
    payload = Jsonb({"order": order, "cents": 1290})
    event = connection.execute(publish, ["tx-placed", payload, order, order]).fetchone()
    if order == "nothing":
        connection.rollback()
print(event[0])
