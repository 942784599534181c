//! How long a publish waits for a server that is away: as long as the URL of the store says.

use belts::{
    ErrorKind, Result, Worker,
    store::{Publish, PublishedEvent, Store},
};
use belts_suite::servers;

use crate::requests::{at, event};

async fn publish(store: &dyn Store, id: &str) -> Result<PublishedEvent> {
    let request = Publish::new(vec![event(id)], at(0));
    Ok(store.publish(request).await?.remove(0))
}

/// One publisher is told to wait a moment, another one longer than the server is away.
async fn waits_as_told(url: &str, stop: impl FnOnce(), start_again: impl FnOnce()) -> Result<()> {
    let open = async |time: &str| {
        let builder = Worker::builder().publish_only();
        let url = format!("{url}?retry_for={time}");
        builder.store_url(url).build().await
    };
    let (hasty, patient) = (open("1ms").await?, open("1h").await?);
    publish(&**patient.store(), "before").await?;
    stop();
    let waiting = tokio::spawn(async move { publish(&**patient.store(), "patient").await });
    let error = publish(&**hasty.store(), "hasty").await;
    let error = error.expect_err("nobody is there");
    assert_eq!(error.kind(), ErrorKind::Store, "{error}");
    assert!(error.is_retryable());
    assert!(!waiting.is_finished(), "it waits on");
    start_again();
    let published = waiting.await.expect("publishing does not panic")?;
    assert!(!published.duplicate);
    Ok(())
}

#[cfg_attr(not(own_postgres), ignore = "no PostgreSQL server found: install it")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_publish_to_postgres_waits_as_long_as_the_url_says() -> Result<()> {
    let server = servers::Postgres::options().start();
    let server = server.expect("the server starts");
    waits_as_told(
        server.url(),
        || server.stop().expect("it runs"),
        || server.start_again().expect("it starts"),
    )
    .await
}

#[cfg_attr(not(own_redis), ignore = "no Redis server found: install it")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_publish_to_redis_waits_as_long_as_the_url_says() -> Result<()> {
    let server = servers::Redis::options().start();
    let server = server.expect("the server starts");
    waits_as_told(
        server.url(),
        || server.stop().expect("it runs"),
        || server.start_again().expect("it starts"),
    )
    .await
}
