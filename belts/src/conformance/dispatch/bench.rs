//! What the cases of single messages work with: a transport, and an inbox for its messages.

use std::{collections::VecDeque, fmt, time::Duration};

use super::{
    arrived::{Arrived, PATIENCE},
    front::Front,
    transport::Transport,
};
use crate::{
    clock::{Clock as _, SystemClock},
    dispatch::{Delivery, Message, SharedDispatcher},
    error::Result,
};

/// How exactly clocks and timers agree.
pub(super) const SLACK: Duration = Duration::from_millis(100);

/// A transport.
pub(super) struct Bench {
    pub(super) transport: Box<dyn Transport>,
}

impl fmt::Debug for Bench {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Transport")
    }
}

impl Bench {
    #[expect(clippy::unused_async, reason = "the suites begin in the same way")]
    pub(super) async fn new(transport: Box<dyn Transport>) -> Result<Self> {
        Ok(Self { transport })
    }

    /// A client that receives from this transport; `None` if the transport pushes.
    pub(super) async fn receiver(&self) -> Result<Option<SharedDispatcher>> {
        let client = self.transport.connect("http://127.0.0.1:9").await?;
        Ok(Some(client).filter(|client| client.capabilities().pulls))
    }

    /// Where messages of a sender arrive, whichever way the transport works.
    pub(super) async fn inbox(&self) -> Result<Inbox> {
        let front = Front::inbox().await?;
        let client = self.transport.connect(&front.url).await?;
        Ok(Inbox {
            front,
            client,
            ready: VecDeque::new(),
        })
    }
}

/// Receives and acknowledges everything.
#[derive(Debug)]
pub(super) struct Inbox {
    pub(super) front: Front,
    client: SharedDispatcher,
    ready: VecDeque<Arrived>,
}

impl Inbox {
    /// The next body.
    pub(super) async fn next(&mut self) -> Result<Arrived> {
        if !self.client.capabilities().pulls {
            return Ok(self.front.next().await);
        }
        if self.ready.is_empty() {
            let deliveries = receive(&self.client, PATIENCE).await?;
            assert!(!deliveries.is_empty(), "nothing arrives in {PATIENCE:?}");
            let at = SystemClock.now();
            let receipts = deliveries.iter().map(|delivery| delivery.receipt.clone());
            self.client.ack(receipts.collect()).await?;
            self.ready
                .extend(deliveries.into_iter().map(|delivery| Arrived {
                    body: delivery.body,
                    at,
                }));
        }
        Ok(self.ready.pop_front().expect("one has arrived"))
    }
}

/// What a receiver gets within this time, if anything.
pub(super) async fn receive(client: &SharedDispatcher, within: Duration) -> Result<Vec<Delivery>> {
    let deadline = SystemClock.now().after(within);
    loop {
        let left = deadline.since(SystemClock.now());
        tokio::select! {
            received = client.receive(10) => {
                let received = received?;
                if !received.is_empty() {
                    return Ok(received);
                }
            }
            () = pause(left) => return Ok(Vec::new()),
        }
        if left.is_zero() {
            return Ok(Vec::new());
        }
    }
}

/// Sends one message, which must be accepted.
pub(super) async fn send(client: &SharedDispatcher, message: Message) -> Result<()> {
    let mut answers = client.send(vec![message]).await?;
    assert_eq!(answers.len(), 1, "one message, one answer");
    answers.remove(0).map(drop)
}

pub(super) async fn pause(time: Duration) {
    SystemClock.expire_at(SystemClock.now().after(time)).await;
}

/// A JSON message with a number.
pub(super) fn numbered(number: usize) -> Message {
    Message::new(
        format!("message-{number}"),
        format!("{{\"v\":1,\"number\":{number}}}").into_bytes(),
    )
}
