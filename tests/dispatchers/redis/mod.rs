//! The dispatcher on Redis: its contract, its groups, what it says of servers, and what it lives through.

use std::time::Duration;

use belts::dispatch::{Delivery, Dispatcher, Message, Redis, RedisBuilder};
use belts_suite::servers::{self, Prefix};
use redis::cmd;
use tokio::time::timeout;

mod contract;
mod fence;
mod foreign;
mod groups;
mod lost;
mod opening;
#[path = "../../stores/proxy.rs"]
#[allow(dead_code, reason = "the stores need more of it")]
mod proxy;
mod survives;
mod workers;

/// Long enough for a slow machine to do something within it.
const VISIBILITY: Duration = Duration::from_millis(600);
/// After this long a test has failed.
const DEADLINE: Duration = Duration::from_secs(20);

/// A stream of its own on the server of all tests.
pub(crate) struct Stream {
    prefix: Prefix,
}

impl Stream {
    pub(crate) fn new() -> Self {
        let prefix = servers::Redis::shared().prefix();
        Self { prefix }
    }

    fn builder(&self) -> RedisBuilder {
        Redis::builder(self.prefix.url())
            .key_prefix(self.prefix.name())
            .visibility(VISIBILITY)
    }

    /// One more receiver.
    pub(crate) async fn open(&self) -> belts::Result<Redis> {
        self.builder().open().await
    }

    fn key(&self, kind: &str) -> String {
        key(self.prefix.name(), kind)
    }

    /// How many messages the stream holds.
    fn length(&self) -> i64 {
        length(servers::Redis::shared(), &self.key("stream"))
    }

    /// How many messages were put aside.
    pub(crate) fn dead_letters(&self) -> i64 {
        length(servers::Redis::shared(), &self.key("dead"))
    }
}

fn key(prefix: &str, kind: &str) -> String {
    format!("{{{prefix}}}:{kind}:messages")
}

fn length(server: &servers::Redis, key: &str) -> i64 {
    server
        .command(cmd("XLEN").arg(key))
        .expect("the server answers")
}

/// Sends a message of this text.
async fn send(to: &Redis, text: &str) -> belts::Result<()> {
    send_later(to, text, Duration::ZERO).await
}

async fn send_later(to: &Redis, text: &str, delay: Duration) -> belts::Result<()> {
    let message = Message::new(text, text.as_bytes().to_vec()).with_delay(delay);
    for sent in to.send(vec![message]).await? {
        sent?;
    }
    Ok(())
}

/// Receives until so many have come.
async fn receive(from: &Redis, count: usize) -> belts::Result<Vec<Delivery>> {
    let mut all = Vec::new();
    while all.len() < count {
        let some = timeout(DEADLINE, from.receive(count - all.len())).await;
        all.extend(some.unwrap_or_else(|_| panic!("{} of {count} came", all.len()))?);
    }
    Ok(all)
}

async fn receive_one(from: &Redis) -> belts::Result<Delivery> {
    Ok(receive(from, 1).await?.remove(0))
}

/// Says that nothing comes for so long.
async fn nothing_comes(to: &Redis, time: Duration) -> belts::Result<()> {
    let waiting = async {
        loop {
            let came = to.receive(10).await?;
            if !came.is_empty() {
                return belts::Result::Ok(came);
            }
        }
    };
    match timeout(time, waiting).await {
        Ok(came) => panic!("these came: {:?}", texts(&came?)),
        Err(_) => Ok(()),
    }
}

fn text(delivery: &Delivery) -> String {
    String::from_utf8_lossy(&delivery.body).into_owned()
}

/// The texts of the messages, in order.
fn texts(deliveries: &[Delivery]) -> Vec<String> {
    let mut texts: Vec<_> = deliveries.iter().map(text).collect();
    texts.sort();
    texts
}

/// Looks again and again until it is so.
async fn until(what: &str, is_so: impl Fn() -> bool) {
    let waiting = async {
        while !is_so() {
            pause(Duration::from_millis(10)).await;
        }
    };
    timeout(DEADLINE, waiting)
        .await
        .unwrap_or_else(|_| panic!("never: {what}"));
}

#[expect(
    clippy::disallowed_methods,
    reason = "the time of a server cannot be moved by hand"
)]
async fn pause(duration: Duration) {
    tokio::time::sleep(duration).await;
}
