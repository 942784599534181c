//! A dispatcher between a worker and a polled one: it disturbs the deliveries.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use async_trait::async_trait;

use super::front::Fault;
use crate::{
    dispatch::{
        Capabilities, Delivery, Dispatcher, Message, Nack, Receipt, Sent, SharedDispatcher,
    },
    error::Result,
};

#[derive(Debug)]
pub(super) struct Meddler {
    inner: SharedDispatcher,
    fault: Fault,
    /// Deliveries to repeat in the next call, or held back.
    kept: Mutex<Vec<Delivery>>,
    lost: AtomicBool,
}

impl Meddler {
    pub(super) fn new(inner: SharedDispatcher, fault: Fault) -> Self {
        Self {
            inner,
            fault,
            kept: Mutex::default(),
            lost: AtomicBool::new(false),
        }
    }

    fn kept(&self) -> Vec<Delivery> {
        std::mem::take(&mut *self.kept.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn keep(&self, deliveries: Vec<Delivery>) {
        self.kept
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend(deliveries);
    }

    async fn in_another_order(&self, most: usize, others: usize) -> Result<Vec<Delivery>> {
        loop {
            let received = self.inner.receive(most).await?;
            self.keep(received);
            let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            if kept.len() > others {
                return Ok(kept.drain(..).rev().collect());
            }
        }
    }
}

#[async_trait]
impl Dispatcher for Meddler {
    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    async fn send(&self, batch: Vec<Message>) -> Result<Vec<Result<Sent>>> {
        self.inner.send(batch).await
    }

    async fn receive(&self, most: usize) -> Result<Vec<Delivery>> {
        match self.fault {
            Fault::Twice => {
                let again = self.kept();
                if !again.is_empty() {
                    return Ok(again);
                }
                let received = self.inner.receive(most).await?;
                self.keep(received.clone());
                Ok(received)
            }
            Fault::TwiceAtOnce => {
                let mut received = self.inner.receive(most).await?;
                received.extend(received.clone());
                Ok(received)
            }
            Fault::Reordered { others } if !self.lost.load(Ordering::SeqCst) => {
                let received = self.in_another_order(most, others).await?;
                self.lost.store(true, Ordering::SeqCst);
                Ok(received)
            }
            _ => self.inner.receive(most).await,
        }
    }

    async fn extend(&self, receipts: &[Receipt]) -> Result<()> {
        self.inner.extend(receipts).await
    }

    async fn ack(&self, receipts: Vec<Receipt>) -> Result<()> {
        if self.fault == Fault::LostAcknowledgement && !self.lost.swap(true, Ordering::SeqCst) {
            return Ok(());
        }
        self.inner.ack(receipts).await
    }

    async fn nack(&self, refused: Vec<Nack>) -> Result<()> {
        self.inner.nack(refused).await
    }
}
