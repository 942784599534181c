//! What the function does outside of belts: mails, which are counted here, so that belts is not its own witness.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, PoisonError},
};

/// The mails that were sent.
#[derive(Debug, Clone, Default)]
pub(crate) struct Outbox(Arc<Mutex<Sent>>);

#[derive(Debug, Default)]
struct Sent {
    mails: HashMap<(String, &'static str), u32>,
    /// Whose run is known to be cancelled.
    gone: HashSet<String>,
    too_late: usize,
}

impl Outbox {
    /// Sends a mail, after the moment that a mail server takes.
    pub(crate) async fn mail(&self, customer: &str, what: &'static str) {
        tokio::task::yield_now().await;
        self.with(|sent| {
            *sent.mails.entry((customer.to_owned(), what)).or_default() += 1;
            sent.too_late += usize::from(sent.gone.contains(customer));
        });
    }

    /// Notes that nothing is to be sent to this customer any more.
    pub(crate) fn note_gone(&self, customer: &str) {
        self.with(|sent| sent.gone.insert(customer.to_owned()));
    }

    /// How many mails of this kind were sent.
    pub(crate) fn count(&self, what: &str) -> usize {
        self.with(|sent| sent.mails.keys().filter(|(_, kind)| *kind == what).count())
    }

    /// How many mails were sent to those who had gone.
    pub(crate) fn too_late(&self) -> usize {
        self.with(|sent| sent.too_late)
    }

    /// How many mails were sent more than once.
    pub(crate) fn twice(&self) -> usize {
        self.with(|sent| sent.mails.values().filter(|times| **times > 1).count())
    }

    fn with<T>(&self, ask: impl FnOnce(&mut Sent) -> T) -> T {
        ask(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
