//! Receiving: available and abandoned messages first, and if there are none, a wait for new ones.

use std::{
    sync::{MutexGuard, PoisonError},
    time::Duration,
};

use redis::{AsyncConnectionConfig, Cmd, RedisResult, Value, aio::MultiplexedConnection};

use super::{
    Delivery, Receipt, Redis,
    rounds::{LONGEST_WAIT, Rounds},
    script,
    send::millis,
    taken::{Taken, first_read, taken},
};
use crate::{
    error::Result,
    plain::Clean,
    redis::{
        error::{Fault, word},
        link::{ANSWER, BACKOFF, CONNECT, pause},
    },
};

/// The most messages that one call takes, since others wait meanwhile.
const MOST: usize = 1_000;
/// After how many visibility timeouts a consumer that is gone is forgotten.
const FORGOTTEN_AFTER: u32 = 10;

impl Redis {
    pub(super) async fn receive_messages(&self, most: usize) -> Result<Vec<Delivery>> {
        if most == 0 {
            return Ok(Vec::new());
        }
        let most = most.min(MOST);
        let mut failed = 0;
        loop {
            self.tidy().await;
            let (mut taken, due_in) = self.take(most).await?;
            if taken.is_empty() {
                match self.wait(most, due_in).await {
                    Ok(first) => {
                        failed = 0;
                        taken = first;
                    }
                    // If this persists, the next read of the stream says why.
                    Err(fault) => {
                        failed += 1;
                        tracing::debug!(error = %Clean(&fault), "cannot wait for messages; polling again");
                        pause(BACKOFF.ceiling(failed)).await;
                    }
                }
            }
            let deliveries = self.ours(taken).await;
            if !deliveries.is_empty() {
                return Ok(deliveries);
            }
        }
    }

    /// Takes what is available, and creates the group first if it is missing.
    async fn take(&self, most: usize) -> Result<(Vec<Taken>, Option<u64>)> {
        let looks = self.rounds().looks();
        let build = || {
            let mut call = self.call(&script::TAKE);
            call.arg(&self.inner.group)
                .arg(&self.inner.consumer)
                .arg(most)
                .arg(millis(self.inner.visibility).to_string())
                .flag(looks);
            call
        };
        let mut answer = self.run(build).await;
        if let Err(Fault::Redis(error)) = &answer
            && word(error) == "NOGROUP"
        {
            self.make_group().await?;
            answer = self.run(build).await;
        }
        let (taken, due_in) = answer.and_then(taken).map_err(|fault| self.error(fault))?;
        // If as many were abandoned as can be taken at once, there may be more.
        if taken.iter().filter(|taken| taken.times > 1).count() >= most {
            self.rounds().look_at = None;
        }
        Ok((taken, due_in))
    }

    /// Creates the group, and the stream if that is missing too: the group gets everything in the stream.
    async fn make_group(&self) -> Result<()> {
        let mut create = redis::cmd("XGROUP");
        create.arg("CREATE").arg(&self.inner.keys.stream);
        create.arg(&self.inner.group).arg(0).arg("MKSTREAM");
        match self.inner.link.send(&create).await {
            // Another receiver was faster.
            Err(error) if error.code() == Some("BUSYGROUP") => Ok(()),
            Err(error) => Err(self.error(error.into())),
            Ok(_) => Ok(()),
        }
    }

    /// Waits for messages on a separate connection. Dropping the call drops the connection too, so that the
    /// server delivers nothing to a receiver that no longer waits.
    async fn wait(&self, most: usize, due_in: Option<u64>) -> Result<Vec<Taken>, Fault> {
        let mut connection = self.waiting_connection().await?;
        let read = self.blocking_read(most, due_in);
        let answer: Value = read.query_async(&mut connection).await?;
        self.idle().push(connection);
        first_read(answer)
    }

    fn blocking_read(&self, most: usize, due_in: Option<u64>) -> Cmd {
        let wait = self.rounds().wait(due_in.map(Duration::from_millis));
        let mut read = redis::cmd("XREADGROUP");
        read.arg("GROUP")
            .arg(&self.inner.group)
            .arg(&self.inner.consumer);
        // Zero would mean forever.
        read.arg("COUNT")
            .arg(most)
            .arg("BLOCK")
            .arg(millis(wait).max(1).to_string());
        read.arg("STREAMS").arg(&self.inner.keys.stream).arg(">");
        read
    }

    async fn waiting_connection(&self) -> RedisResult<MultiplexedConnection> {
        let idle = self.idle().pop();
        if let Some(connection) = idle {
            return Ok(connection);
        }
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT))
            .set_response_timeout(Some(LONGEST_WAIT + ANSWER));
        let client = &self.inner.client;
        client
            .get_multiplexed_async_connection_with_config(&config)
            .await
    }

    /// Skips messages for another group.
    async fn ours(&self, taken: Vec<Taken>) -> Vec<Delivery> {
        let (ours, others): (Vec<_>, Vec<_>) = taken
            .into_iter()
            .partition(|taken| taken.is_for(&self.inner.group));
        if !others.is_empty() {
            let ids = others.iter().map(|taken| &*taken.id);
            // If it fails, they are redelivered.
            drop(self.acknowledge_ids(&ids.collect::<Vec<_>>()).await);
        }
        ours.into_iter().map(|taken| self.delivery(taken)).collect()
    }

    fn delivery(&self, taken: Taken) -> Delivery {
        let receipt = format!("{} {} {}", taken.id, taken.times, self.inner.consumer);
        let (id, arrivals) = (self.message_id(taken.origin()), taken.arrivals());
        // A message that is returned gets a new entry, so all deliveries of one entry but the last went unacknowledged.
        Delivery::new(Receipt::new(receipt), id, taken.body)
            .with_arrivals(arrivals)
            .with_unanswered(taken.times.saturating_sub(1))
    }

    /// Occasionally forgets consumers that are gone.
    async fn tidy(&self) {
        if !self.rounds().tidies() {
            return;
        }
        let gone = self.inner.visibility.saturating_mul(FORGOTTEN_AFTER);
        let build = || {
            let mut call = self.call(&script::TIDY);
            call.arg(&self.inner.group)
                .arg(millis(gone).to_string())
                .arg(&self.inner.consumer);
            call
        };
        // There may be no group yet, and any other problem is noticed while receiving.
        drop(self.inner.link.run_once(&build()).await);
    }

    pub(super) fn rounds(&self) -> MutexGuard<'_, Rounds> {
        let rounds = &self.inner.rounds;
        rounds.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn idle(&self) -> MutexGuard<'_, Vec<MultiplexedConnection>> {
        let waiting = &self.inner.waiting;
        waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
