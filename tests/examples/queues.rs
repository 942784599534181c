//! Examples on the services that carry events.

use belts_qstash_mock::Mock;
use belts_suite::servers::{Moto, Redis, free_port};

use crate::program::{Running, SOON, command, directory, run};

#[tokio::test]
#[cfg_attr(
    not(has_redis),
    ignore = "no Redis server found: install it or set BELTS_TEST_REDIS_URL"
)]
async fn redis_queue_ships_what_was_ordered() {
    let server = Redis::options().start().unwrap();
    let directory = directory();
    let mut command = command("redis_queue", &directory);
    command.arg(server.url());
    let printed = run(command).await;
    for parcel in ["1 with assam", "2 with keemun", "3 with sencha"] {
        assert!(
            printed.contains(&format!("  shipped parcel {parcel}\n")),
            "{printed}"
        );
    }
}

#[tokio::test]
#[cfg_attr(not(has_python), ignore = "no python3 with pip found: install them")]
async fn sqs_packs_what_was_published() {
    let moto = Moto::start(env!("CARGO_TARGET_TMPDIR").as_ref())
        .await
        .unwrap();
    let queue = moto.queue(&[]).await.unwrap();
    let directory = directory();
    let mut command = command("sqs", &directory);
    command
        .env("SQS_QUEUE_URL", queue.url())
        .env("AWS_REGION", "us-east-1")
        .env("AWS_ACCESS_KEY_ID", "any")
        .env("AWS_SECRET_ACCESS_KEY", "any")
        .env("AWS_EC2_METADATA_DISABLED", "true");
    let printed = run(command).await;
    assert!(printed.ends_with("all are packed\n"), "{printed}");
    assert!(
        printed.contains("labelled a parcel with cheese\n"),
        "{printed}"
    );
}

#[tokio::test]
async fn qstash_delivers_what_was_published() {
    let service = Mock::settings().speed(20.0).start().unwrap();
    let address = format!("127.0.0.1:{}", free_port().unwrap());
    let directory = directory();
    let keys = service.keys();
    let mut command = command("qstash", &directory);
    command
        .env("ADDRESS", &address)
        .env("BELTS_URL", format!("http://{address}"))
        .env("QSTASH_URL", service.url())
        .env("QSTASH_TOKEN", service.token())
        .env("QSTASH_CURRENT_SIGNING_KEY", &keys.current)
        .env("QSTASH_NEXT_SIGNING_KEY", &keys.next);
    let mut example = Running::start(command);
    example.says("published ").await;
    example.says("invoice 7: a friendly letter").await;
    service.idle(SOON).await.unwrap();
    example.end().await;
}
