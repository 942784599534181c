//! The reference implementation: messages in memory, for tests and for workers in one process.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use tokio::sync::Notify;

use super::{Capabilities, Delivery, Dispatcher, Message, Nack, Receipt, Sent, Verdict};
use crate::{
    clock::{Clock, SystemClock, Timestamp},
    error::Result,
};

/// Carries messages in memory. Clones are the same channel.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> belts::Result<()> {
/// use belts::dispatch::{Channel, Dispatcher, Message};
/// use std::time::Duration;
///
/// let channel = Channel::new(Duration::from_secs(30));
/// channel.send(vec![Message::new("one", *b"{}")]).await?;
/// let received = channel.receive(10).await?;
/// assert_eq!(&*received[0].message_id, "channel:one");
/// channel.ack(vec![received[0].receipt.clone()]).await?;
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Channel {
    shared: Arc<Shared>,
}

struct Shared {
    visibility: Duration,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    /// Notified whenever a message may be available.
    sent: Notify,
}

#[derive(Default)]
struct State {
    messages: Vec<Held>,
    put_aside: Vec<(Delivery, String)>,
    receipts: u64,
}

/// A message that is not acknowledged.
struct Held {
    message: Message,
    /// When it may be delivered to the next receiver.
    visible_at: Timestamp,
    arrivals: u32,
    /// How many deliveries in a row went unacknowledged.
    unanswered: u32,
    /// The receipt of its last delivery, until that is settled.
    receipt: Option<Receipt>,
}

impl Channel {
    /// An empty channel, which redelivers messages that are not acknowledged within the visibility timeout.
    pub fn new(visibility: Duration) -> Self {
        Self::with_clock(visibility, SystemClock)
    }

    /// As [`new`](Self::new), with another clock than the system's.
    pub fn with_clock(visibility: Duration, clock: impl Clock) -> Self {
        Self {
            shared: Arc::new(Shared {
                visibility,
                clock: Arc::new(clock),
                state: Mutex::default(),
                sent: Notify::new(),
            }),
        }
    }

    /// The messages that were set aside, with the reasons.
    pub fn put_aside(&self) -> Vec<(Delivery, String)> {
        self.state().put_aside.clone()
    }

    /// How many messages are not acknowledged.
    pub fn len(&self) -> usize {
        self.state().messages.len()
    }

    /// Whether every message is acknowledged.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// The messages that are visible now, or when to look again.
    fn take(&self, most: usize) -> Result<Vec<Delivery>, Option<Timestamp>> {
        let now = self.shared.clock.now();
        let mut state = self.state();
        let State {
            messages, receipts, ..
        } = &mut *state;
        let visible = messages.iter_mut().filter(|held| held.visible_at <= now);
        let taken: Vec<_> = visible
            .take(most)
            .map(|held| {
                *receipts += 1;
                held.arrive(
                    Receipt::new(receipts.to_string()),
                    now.after(self.shared.visibility),
                )
            })
            .collect();
        if taken.is_empty() {
            return Err(messages.iter().map(|held| held.visible_at).min());
        }
        Ok(taken)
    }
}

impl Held {
    fn arrive(&mut self, receipt: Receipt, visible_at: Timestamp) -> Delivery {
        self.visible_at = visible_at;
        self.arrivals += 1;
        self.unanswered += u32::from(self.receipt.is_some());
        self.receipt = Some(receipt.clone());
        self.delivery(receipt)
    }

    fn delivery(&self, receipt: Receipt) -> Delivery {
        let message_id = format!("channel:{}", self.message.id);
        Delivery::new(receipt, message_id, self.message.body.to_vec())
            .with_arrivals(self.arrivals)
            .with_unanswered(self.unanswered)
    }
}

impl State {
    fn find(&mut self, receipt: &Receipt) -> Option<usize> {
        self.messages
            .iter()
            .position(|held| held.receipt.as_ref() == Some(receipt))
    }
}

#[async_trait]
impl Dispatcher for Channel {
    fn capabilities(&self) -> Capabilities {
        Capabilities::NONE
            .pulls(self.shared.visibility)
            .max_delay(Duration::MAX)
    }

    async fn send(&self, batch: Vec<Message>) -> Result<Vec<Result<Sent>>> {
        let now = self.shared.clock.now();
        let mut state = self.state();
        let mut answers = Vec::with_capacity(batch.len());
        for message in batch {
            answers.push(Ok(Sent::new(format!("channel:{}", message.id))));
            state.messages.push(Held {
                visible_at: now.after(message.delay),
                message,
                arrivals: 0,
                unanswered: 0,
                receipt: None,
            });
        }
        drop(state);
        self.shared.sent.notify_waiters();
        Ok(answers)
    }

    async fn receive(&self, most: usize) -> Result<Vec<Delivery>> {
        loop {
            let sent = self.shared.sent.notified();
            tokio::pin!(sent);
            // From here on, sends are noticed.
            sent.as_mut().enable();
            match self.take(most) {
                Ok(taken) => return Ok(taken),
                Err(Some(visible_at)) => tokio::select! {
                    () = sent => {}
                    () = self.shared.clock.expire_at(visible_at) => take_turns().await,
                },
                Err(None) => sent.await,
            }
        }
    }

    async fn extend(&self, receipts: &[Receipt]) -> Result<()> {
        let visible_at = self.shared.clock.now().after(self.shared.visibility);
        let mut state = self.state();
        for receipt in receipts {
            if let Some(index) = state.find(receipt) {
                state.messages[index].visible_at = visible_at;
            }
        }
        Ok(())
    }

    async fn ack(&self, receipts: Vec<Receipt>) -> Result<()> {
        let mut state = self.state();
        for receipt in receipts {
            if let Some(index) = state.find(&receipt) {
                state.messages.remove(index);
            }
        }
        Ok(())
    }

    async fn nack(&self, refused: Vec<Nack>) -> Result<()> {
        let now = self.shared.clock.now();
        let mut state = self.state();
        for Nack {
            receipt,
            verdict,
            reason,
        } in refused
        {
            let Some(index) = state.find(&receipt) else {
                continue;
            };
            match verdict {
                Verdict::Later(pause) => {
                    state.messages[index].visible_at = now.after(pause);
                    state.messages[index].receipt = None;
                    state.messages[index].unanswered = 0;
                }
                Verdict::PutAside => {
                    let held = state.messages.remove(index);
                    state.put_aside.push((held.delivery(receipt), reason));
                }
            }
        }
        drop(state);
        self.shared.sent.notify_waiters();
        Ok(())
    }
}

/// Of several receivers that wait for a message, a random one gets it, not the first to wait: that could be the one that has
/// just handed it back.
async fn take_turns() {
    if fastrand::bool() {
        tokio::task::yield_now().await;
    }
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a channel in this process")
    }
}
