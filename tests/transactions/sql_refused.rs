//! What `belts.publish` refuses, and that it publishes the same from any session.

use belts::store::RunStatus;

use crate::{
    orders::{begun, placed, publish_begun, publish_placed, receives, waits},
    place::{Place, looped},
    publish::{ended, postgres_test},
    sql::{PLACED, publish},
};

// What belts tells itself would start whatever function listens for it, with whatever the publisher says.
postgres_test!(what_is_belts_own_is_not_published, async {
    let place = Place::new().await;
    let role = format!("role_{}", place.schema.name());
    place
        .run(&format!(
            "CREATE ROLE {role}; GRANT USAGE ON SCHEMA {{s}} TO {role};
             GRANT EXECUTE ON FUNCTION {{s}}.publish(text, jsonb, text, text, timestamptz) TO {role};
             GRANT EXECUTE ON FUNCTION {{s}}.publish_within TO {role}"
        ))
        .await;
    let identity: String = {
        let mut connection = place.pool.acquire().await.unwrap();
        let sql = "SELECT identity::text FROM {s}.subscriptions_version";
        place.ask(&mut connection, sql).await.unwrap()
    };
    for event_type in ["belts.tick", "belts.failed", "belts.ended", "belts.later"] {
        let within = format!(
            "publish_within('{identity}', 1, '{{e}}', '{{{event_type}}}', '{{r-1}}', '{{NULL}}', ARRAY['{{}}'::bytea], \
             ARRAY['d'::bytea], '{{1}}', '{{NULL}}', '{{false}}', '{{}}', '{{}}')"
        );
        for call in [format!("publish('{event_type}', '{{}}')"), within] {
            let mut tx = place.pool.begin().await.unwrap();
            let set = format!("SET LOCAL ROLE {role}");
            sqlx::raw_sql(sqlx::AssertSqlSafe(set))
                .execute(&mut *tx)
                .await
                .unwrap();
            let refused = place
                .ask::<String>(&mut tx, &format!("SELECT ({{s}}.{call})::text"))
                .await
                .unwrap_err();
            let refused = refused.as_database_error().unwrap();
            assert_eq!(refused.code().as_deref(), Some("22023"), "{refused}");
            assert!(refused.message().contains("belts' own"), "{refused}");
        }
    }
    place.run(&format!("DROP OWNED BY {role}")).await;
    assert_eq!(place.rows().await, (0, 0));
    // A name that only looks like one of them is the user's.
    let mut connection = place.pool.acquire().await.unwrap();
    publish(&place, &mut connection, "'beltsander', '{}'")
        .await
        .unwrap();
});

postgres_test!(the_digest_is_the_same_in_any_session, async {
    let place = Place::new().await;
    let mut connection = place.pool.acquire().await.unwrap();
    for digits in [-15, 0, 3] {
        let set = format!("SET extra_float_digits = {digits}");
        sqlx::raw_sql(sqlx::AssertSqlSafe(set))
            .execute(&mut *connection)
            .await
            .unwrap();
        let arguments = r#"'tx-priced', '{"price": 0.1234567890123456789, "small": 1e-300}', 'k'"#;
        publish(&place, &mut connection, arguments).await.unwrap();
    }
    connection.close_on_drop();
    assert_eq!(place.rows().await, (1, 0));
});

// A wait of a worker that encrypts looks for the hash of a key, which SQL cannot make: it would wait for good.
postgres_test!(what_those_who_encrypt_would_not_hear_of_is_refused, async {
    let place = Place::new().await;
    let plain = place.worker(|worker| worker.function(receives)).await;
    let keyed = format!("{PLACED}, correlation_key => 'o-1'");
    let mut connection = place.pool.acquire().await.unwrap();
    publish(&place, &mut connection, &keyed).await.unwrap();
    let keys = belts::Keyring::new("2026-11", [7; 32]);
    let encrypts = place
        .worker(|worker| worker.function(waits).encryption(keys))
        .await;
    let refused = publish(&place, &mut connection, &keyed).await.unwrap_err();
    let refused = refused.as_database_error().unwrap();
    assert_eq!(refused.code().as_deref(), Some("BELT3"), "{refused}");
    let mut tx = place.pool.begin().await.unwrap();
    let refused = publish_placed(placed("o-2"))
        .via(&plain)
        .in_tx(&mut tx)
        .await
        .unwrap_err();
    assert_eq!(refused.kind(), belts::ErrorKind::Config);
    assert!(refused.to_string().contains("has no keys"), "{refused}");
    tx.rollback().await.unwrap();
    // Nobody waits for these.
    publish(&place, &mut connection, PLACED).await.unwrap();
    publish(&place, &mut connection, "'tx-else', '{}', NULL, 'o-1'")
        .await
        .unwrap();
    // Those with the keys are heard of.
    let running = looped(&encrypts);
    let begun = publish_begun(begun("o-3")).via(&encrypts).await.unwrap();
    publish_placed(placed("o-3")).via(&encrypts).await.unwrap();
    ended(&place, &begun.runs[0].run_id, RunStatus::Completed).await;
    // Whoever turns it off says so.
    place
        .run("UPDATE {s}.subscriptions_version SET encrypted = false")
        .await;
    publish(&place, &mut connection, &keyed).await.unwrap();
    encrypts.shutdown();
    running.await.unwrap().unwrap();
});
