//! Settles deliveries: extends, deletes or returns them; ten in a call, the calls concurrently.

use std::time::Duration;

use aws_sdk_sqs::types::{
    BatchResultErrorEntry, ChangeMessageVisibilityBatchRequestEntry, DeleteMessageBatchRequestEntry,
};
use futures_util::future::join_all;

use super::{
    Fault, Sqs,
    limits::{BATCH, FURTHEST, whole_seconds},
};
use crate::{
    dispatch::{Nack, Receipt, Verdict},
    error::Result,
};

/// A receipt, and how long to hide its message from now on.
type Hiding<'a> = (&'a Receipt, Duration);

impl Sqs {
    /// Restarts the visibility timeout of deliveries.
    pub(super) async fn keep(&self, receipts: &[Receipt]) -> Result<()> {
        let visibility = self.inner.visibility;
        let all: Vec<Hiding<'_>> = receipts.iter().map(|it| (it, visibility)).collect();
        self.settled(self.hide_all(&all).await)
    }

    /// Deletes messages.
    pub(super) async fn delete(&self, receipts: &[Receipt]) -> Result<()> {
        let calls = join_all(receipts.chunks(BATCH).map(|some| self.delete_some(some))).await;
        self.settled(calls.into_iter().flatten().collect())
    }

    /// Postpones messages, or sets them aside.
    pub(super) async fn give_back(&self, refused: Vec<Nack>) -> Result<()> {
        let (mut later, mut aside) = (Vec::new(), Vec::new());
        for nack in &refused {
            match nack.verdict {
                Verdict::Later(pause) => later.push((&nack.receipt, pause.min(FURTHEST))),
                Verdict::PutAside => aside.push(self.put_aside(&nack.receipt, &nack.reason)),
            }
        }
        let (mut faults, asides) = tokio::join!(self.hide_all(&later), join_all(aside));
        faults.extend(asides.into_iter().filter_map(Result::err));
        self.settled(faults)
    }

    /// Hides one message.
    pub(super) async fn hide(&self, receipt: &Receipt, pause: Duration) -> Result<(), Fault> {
        first(self.hide_some(&[(receipt, pause)]).await)
    }

    /// Deletes one message.
    pub(super) async fn delete_one(&self, receipt: &Receipt) -> Result<(), Fault> {
        first(self.delete_some(std::slice::from_ref(receipt)).await)
    }

    /// Hides messages, and returns the failures.
    async fn hide_all(&self, all: &[Hiding<'_>]) -> Vec<Fault> {
        let calls = join_all(all.chunks(BATCH).map(|some| self.hide_some(some))).await;
        calls.into_iter().flatten().collect()
    }

    async fn hide_some(&self, some: &[Hiding<'_>]) -> Vec<Fault> {
        let entry = |(place, (receipt, pause)): (usize, &Hiding<'_>)| {
            ChangeMessageVisibilityBatchRequestEntry::builder()
                .id(place.to_string())
                .receipt_handle(receipt.as_str())
                .visibility_timeout(whole_seconds(*pause))
                .build()
        };
        let entries = match some.iter().enumerate().map(entry).collect() {
            Ok(entries) => entries,
            Err(error) => return vec![Fault::unwritten(error)],
        };
        let link = &self.inner.link;
        let call = link
            .client
            .change_message_visibility_batch()
            .queue_url(&link.url)
            .set_entries(Some(entries));
        match call.send().await {
            Ok(answer) => faults(answer.failed()),
            Err(error) => vec![Fault::of(error)],
        }
    }

    async fn delete_some(&self, some: &[Receipt]) -> Vec<Fault> {
        let entry = |(place, receipt): (usize, &Receipt)| {
            DeleteMessageBatchRequestEntry::builder()
                .id(place.to_string())
                .receipt_handle(receipt.as_str())
                .build()
        };
        let entries = match some.iter().enumerate().map(entry).collect() {
            Ok(entries) => entries,
            Err(error) => return vec![Fault::unwritten(error)],
        };
        let link = &self.inner.link;
        let call = link
            .client
            .delete_message_batch()
            .queue_url(&link.url)
            .set_entries(Some(entries));
        match call.send().await {
            Ok(answer) => faults(answer.failed()),
            Err(error) => vec![Fault::of(error)],
        }
    }

    /// The first failure stands for all.
    fn settled(&self, faults: Vec<Fault>) -> Result<()> {
        first(faults).map_err(|fault| self.error(&fault))
    }
}

fn faults(failed: &[BatchResultErrorEntry]) -> Vec<Fault> {
    failed.iter().map(Fault::entry).collect()
}

fn first(faults: Vec<Fault>) -> Result<(), Fault> {
    faults.into_iter().next().map_or(Ok(()), Err)
}
