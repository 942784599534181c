//! `belts.publish`, the SQL function for every other client and for triggers.

use std::path::Path;

use belts::store::{EventDigest, RunStatus, Store as _};
use belts_suite::install::{npm, pip};
use proptest::{prelude::*, strategy::ValueTree as _};
use sqlx::PgConnection;
use tokio::process::Command;

use crate::{
    orders::{begun, placed, publish_begun, publish_placed, receives, waits},
    place::{Place, looped},
    publish::{ended, postgres_test},
};

pub(crate) async fn publish(
    place: &Place,
    connection: &mut PgConnection,
    arguments: &str,
) -> Result<String, sqlx::Error> {
    place
        .ask(connection, &format!("SELECT {{s}}.publish({arguments})"))
        .await
}

pub(crate) const PLACED: &str = r#"'tx-placed', '{"order": "o-1", "cents": 1290}'"#;

postgres_test!(
    an_event_from_sql_starts_its_functions_and_ends_waits,
    async {
        let place = Place::new().await;
        let worker = place
            .worker(|worker| worker.function(receives).function(waits))
            .await;
        let running = looped(&worker);
        let begun = publish_begun(begun("o-1")).via(&worker).await.unwrap();
        ended(&place, &begun.runs[0].run_id, RunStatus::Suspended).await;
        let mut connection = place.pool.acquire().await.unwrap();
        let event = publish(
            &place,
            &mut connection,
            &format!("{PLACED}, correlation_key => 'o-1'"),
        )
        .await
        .unwrap();
        ended(&place, &begun.runs[0].run_id, RunStatus::Completed).await;
        let filter = belts::store::RunFilter::new().with_event(event);
        let run = place.store.list(filter).await.unwrap().runs[0]
            .run_id
            .clone();
        ended(&place, &run, RunStatus::Completed).await;
        assert_eq!(
            belts::run_of(receives, &*run)
                .via(&worker)
                .result()
                .await
                .unwrap(),
            1290
        );
        worker.shutdown();
        running.await.unwrap().unwrap();
    }
);

postgres_test!(its_keys_are_those_of_the_other_publishers, async {
    let place = Place::new().await;
    let worker = place.worker(|worker| worker.function(receives)).await;
    let mut connection = place.pool.acquire().await.unwrap();
    let first = publish(&place, &mut connection, &format!("{PLACED}, 'k-1', 'o-1'"))
        .await
        .unwrap();
    assert_eq!(
        publish(&place, &mut connection, &format!("{PLACED}, 'k-1', 'o-1'"))
            .await
            .unwrap(),
        first
    );
    // The same event from Rust is the same event, and another one is a conflict, both ways.
    let from_rust = publish_placed(placed("o-1"))
        .idempotency_key("k-1")
        .via(&worker)
        .await
        .unwrap();
    assert!(from_rust.duplicate);
    assert_eq!(from_rust.event_id, first);
    publish_placed(placed("o-2"))
        .idempotency_key("k-1")
        .via(&worker)
        .await
        .unwrap_err();
    publish_placed(placed("o-1"))
        .idempotency_key("k-2")
        .via(&worker)
        .await
        .unwrap();
    publish(&place, &mut connection, &format!("{PLACED}, 'k-2'"))
        .await
        .unwrap();
    let other = publish(&place, &mut connection, "'tx-placed', '{}', 'k-2'")
        .await
        .unwrap_err();
    assert_eq!(
        other.as_database_error().unwrap().code().as_deref(),
        Some("23505")
    );
    assert_eq!(place.rows().await, (2, 2));
});

postgres_test!(what_is_no_event_is_refused, async {
    let place = Place::new().await;
    let mut connection = place.pool.acquire().await.unwrap();
    for (arguments, told) in [
        ("'', '{}'", "has no type"),
        ("NULL, '{}'", "has no type"),
        ("'a', NULL", "no JSON object"),
        ("'a', '[1]'", "no JSON object"),
        (r#"'a', '{"type": "a"}'"#, "field `type`"),
        ("'a', '{}', '  '", "idempotency key is empty"),
    ] {
        let refused = publish(&place, &mut connection, arguments)
            .await
            .unwrap_err()
            .to_string();
        assert!(refused.contains(told), "{arguments}: {refused}");
    }
    assert_eq!(place.rows().await, (0, 0));
});

postgres_test!(delays_are_kept_whatever_the_time, async {
    let place = Place::new().await;
    let worker = place.worker(|worker| worker.function(receives)).await;
    let mut connection = place.pool.acquire().await.unwrap();
    for due in [
        "now() + interval '1 hour'",
        "'infinity'",
        "'-infinity'",
        "NULL",
        "'1200-01-01 BC'",
        "'200000-01-01'",
    ] {
        publish(
            &place,
            &mut connection,
            &format!("{PLACED}, due_at => {due}"),
        )
        .await
        .unwrap();
    }
    let due = "SELECT array_agg(due_at - published_at ORDER BY runs.number) FROM {s}.runs JOIN {s}.events ON events.number = runs.number >> 16";
    let dues: Vec<i64> = place.ask(&mut connection, due).await.unwrap();
    assert!((3_590_000..=3_600_000).contains(&dues[0]), "{dues:?}");
    assert!(
        dues[1] > 1_000_000_000_000 && dues[5] > 1_000_000_000_000,
        "{dues:?}"
    );
    assert!(dues[2..5].iter().all(|due| due.abs() < 2_000), "{dues:?}");
    drop(worker);
});

// A trigger of a role that may do nothing in the schema but publish, in a session with a hostile search path.
postgres_test!(a_trigger_publishes_with_its_statement, async {
    let place = Place::new().await;
    let worker = place.worker(|worker| worker.function(receives)).await;
    let role = format!("role_{}", place.schema.name());
    place
        .run(&format!(
            "CREATE TABLE {{s}}.orders (id text PRIMARY KEY, cents integer);
             CREATE FUNCTION {{s}}.order_placed() RETURNS trigger LANGUAGE plpgsql AS $$
             BEGIN
                 PERFORM {{s}}.publish('tx-placed', jsonb_build_object('order', NEW.id, 'cents', NEW.cents),
                     idempotency_key => NEW.id, correlation_key => NEW.id);
                 RETURN NULL;
             END $$;
             CREATE TRIGGER orders_placed AFTER INSERT ON {{s}}.orders FOR EACH ROW EXECUTE FUNCTION {{s}}.order_placed();
             CREATE ROLE {role};
             GRANT USAGE ON SCHEMA {{s}} TO {role};
             GRANT INSERT, SELECT ON {{s}}.orders TO {role};
             GRANT EXECUTE ON FUNCTION {{s}}.publish(text, jsonb, text, text, timestamptz) TO {role}"
        ))
        .await;
    let mut tx = place.pool.begin().await.unwrap();
    let insert = format!(
        "SET LOCAL ROLE {role}; SET LOCAL search_path = pg_temp; CREATE TEMP TABLE events (id text);
         INSERT INTO {0}.orders VALUES ('o-1', 5), ('o-2', 6); SAVEPOINT one; INSERT INTO {0}.orders VALUES ('o-3', 7);
         ROLLBACK TO one",
        place.schema.name()
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(insert))
        .execute(&mut *tx)
        .await
        .unwrap();
    assert_eq!(place.rows().await, (0, 0));
    tx.commit().await.unwrap();
    assert_eq!(place.rows().await, (2, 2));
    let mut tx = place.pool.begin().await.unwrap();
    let read = format!(
        "SET LOCAL ROLE {role}; SELECT * FROM {}.events",
        place.schema.name()
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(read))
        .execute(&mut *tx)
        .await
        .unwrap_err();
    drop(tx);
    let running = looped(&worker);
    for run in place
        .store
        .list(belts::store::RunFilter::new())
        .await
        .unwrap()
        .runs
    {
        ended(&place, &run.run_id, RunStatus::Completed).await;
    }
    worker.shutdown();
    running.await.unwrap().unwrap();
    place
        .run(&format!("DROP OWNED BY {role}; DROP ROLE {role}"))
        .await;
});

fn packages() -> &'static Path {
    Path::new(env!("CARGO_TARGET_TMPDIR"))
}

/// A client places an order, places another in a transaction that it rolls back, and the first one again.
async fn places_orders(client: impl AsyncFn() -> Command) {
    let place = Place::new().await;
    let worker = place.worker(|worker| worker.function(receives)).await;
    let running = looped(&worker);
    let run = async |order: &str| {
        let mut client = client().await;
        client
            .arg(order)
            .env(
                "DATABASE_URL",
                format!(
                    "{}?options=-csearch_path%3D{}",
                    place.schema.url(),
                    place.schema.name()
                ),
            )
            .env("BELTS_SCHEMA", place.schema.name())
            .kill_on_drop(true);
        client.output().await.unwrap()
    };
    let placed = run("o-17").await;
    assert!(
        placed.status.success(),
        "{}",
        String::from_utf8_lossy(&placed.stderr)
    );
    let event = String::from_utf8(placed.stdout).unwrap().trim().to_owned();
    assert!(run("nothing").await.status.success());
    // The row is there already, and so nothing is published.
    assert!(!run("o-17").await.status.success());
    assert_eq!(place.rows().await, (1, 1));
    let runs = place
        .store
        .list(belts::store::RunFilter::new().with_event(event))
        .await
        .unwrap()
        .runs;
    ended(&place, &runs[0].run_id, RunStatus::Completed).await;
    worker.shutdown();
    running.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(
    not(all(has_node, has_postgres)),
    ignore = "no node or npm, or no PostgreSQL found: install them"
)]
async fn a_client_in_javascript_publishes_in_its_transaction() {
    places_orders(async || {
        let files = [
            ("package.json", include_str!("clients/package.json")),
            (
                "transaction.mjs",
                include_str!("../../examples/clients/transaction.mjs"),
            ),
        ];
        let installed = npm(packages(), "transaction-npm", &files).await.unwrap();
        let mut command = Command::new("node");
        command.arg(installed.join("transaction.mjs"));
        command
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(
    not(all(has_python, has_postgres)),
    ignore = "no python3 with pip, or no PostgreSQL found: install them"
)]
async fn a_client_in_python_publishes_in_its_transaction() {
    places_orders(async || {
        let files = [
            ("requirements.txt", include_str!("clients/requirements.txt")),
            (
                "transaction.py",
                include_str!("../../examples/clients/transaction.py"),
            ),
        ];
        let installed = pip(packages(), "transaction-pypi", &files).await.unwrap();
        let mut command = Command::new("python3");
        command
            .env("PYTHONPATH", installed.join("packages"))
            .arg(installed.join("transaction.py"));
        command
    })
    .await;
}

/// JSON as people have it, with numbers of every kind.
fn json() -> impl Strategy<Value = serde_json::Value> {
    let number = prop_oneof![
        any::<i64>().prop_map(Into::into),
        any::<u64>().prop_map(Into::into),
        any::<f64>()
            .prop_filter("JSON has none of the others", |number| number.is_finite()
                && *number != 0.0)
            .prop_map(Into::into),
        (-2_000_000_i64..2_000_000).prop_map(|thousandths| {
            #[expect(clippy::cast_precision_loss, reason = "it is small")]
            let number = thousandths as f64 / 1000.0;
            serde_json::Value::from(number + 0.0)
        }),
    ];
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        number,
        "[^\\x00]{0,8}".prop_map(Into::into),
    ];
    leaf.prop_recursive(3, 24, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Into::into),
            prop::collection::hash_map("[^\\x00]{0,6}", inner, 0..5)
                .prop_map(|fields| serde_json::Value::Object(fields.into_iter().collect())),
        ]
    })
}

postgres_test!(its_ids_and_digests_are_those_of_the_workers, async {
    let place = Place::new().await;
    let mut connection = place.pool.acquire().await.unwrap();
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut cases = Vec::new();
    for _ in 0..600 {
        cases.push(json().new_tree(&mut runner).unwrap().current());
    }
    for text in [
        "0",
        "0.5",
        "-0.25",
        "1e15",
        "1e16",
        "123456789012345680000.0",
        "1e22",
        "1.5e300",
        "5e-324",
        "1e-7",
        "0.0001",
        "0.00001",
        "100.0",
        "1e2",
    ] {
        cases.push(serde_json::from_str(text).unwrap());
    }
    for case in cases {
        let value = serde_json::json!({ "case": case });
        let ask = format!(
            "SELECT payload::text, {}.event_digest('tx-placed', payload) FROM (SELECT $1::jsonb AS payload) AS given",
            place.schema.name()
        );
        let (text, theirs): (String, Vec<u8>) = sqlx::query_as(sqlx::AssertSqlSafe(ask))
            .bind(value.to_string())
            .fetch_one(&mut *connection)
            .await
            .unwrap();
        // Of the text that is kept: the server writes whole floats of more than sixteen digits without an exponent.
        let ours = EventDigest::of("tx-placed", text.as_bytes());
        assert_eq!(theirs, ours.0, "{value}");
    }
});
