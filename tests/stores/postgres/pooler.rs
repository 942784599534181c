//! A pooler in between: one that gives each transaction another connection is named.

use belts::{
    ErrorKind,
    store::{Postgres, Store},
};
use belts_suite::servers::{PgBouncer, Postgres as Server};

use crate::requests::{begin, worker};

/// Behind `PgBouncer` in transaction mode the store opened, and then failed with a prepared statement that does not exist, or
/// never heard of the work of others.
#[cfg_attr(
    not(all(own_postgres, has_pgbouncer)),
    ignore = "PostgreSQL or PgBouncer is not installed"
)]
#[tokio::test]
async fn pooler_by_transactions_is_named() -> belts::Result<()> {
    const PARAMETERS: &str = "ignore_startup_parameters = extra_float_digits";
    let server = Server::options().start().expect("PostgreSQL is installed");
    let port = server.port().expect("it is ours");
    let opens = async |settings: &str| {
        let pooler = PgBouncer::start(port, settings).expect("PgBouncer is installed");
        let opened = Postgres::open(&pooler.url()).await;
        (pooler, opened)
    };
    for settings in [
        "pool_mode = transaction".to_owned(),
        format!("pool_mode = transaction\n{PARAMETERS}"),
        "pool_mode = session".to_owned(),
    ] {
        let (_pooler, opened) = opens(&settings).await;
        let error = opened.map(drop).expect_err("this is not enough");
        assert_eq!(error.kind(), ErrorKind::Config, "{settings}: {error:?}");
        let told = error.to_string();
        assert!(
            told.contains(
                "set `pool_mode = session` and `ignore_startup_parameters = extra_float_digits`"
            ),
            "{told}"
        );
    }
    let (_pooler, opened) = opens(&format!("pool_mode = session\n{PARAMETERS}")).await;
    let store = opened?;
    let ours = worker(&store).await?;
    let (run_id, _) = begin(&store, "e", ours).await?;
    assert!(store.run(&run_id).await?.is_some());
    Ok(())
}
