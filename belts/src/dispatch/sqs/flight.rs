//! Deliveries that are not settled yet: SQS returns a message only when it delivers it, and the whole message is needed to
//! set it aside.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::body::Attributes;

/// A message as received.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) message_id: String,
    pub(super) body: String,
    pub(super) attributes: Attributes,
    /// Its group, on a FIFO queue.
    pub(super) group: Option<String>,
}

/// Messages by the text of their receipts, each for as long as the receipt exists.
#[derive(Default)]
pub(super) struct Flight(Mutex<HashMap<Arc<str>, Arc<Kept>>>);

impl Flight {
    /// Adds messages, and forgets those whose receipts are gone.
    pub(super) fn keep(&self, messages: impl IntoIterator<Item = (Arc<str>, Kept)>) {
        let mut all = self.all();
        // The receipt shares its text with the key here.
        all.retain(|receipt, _| Arc::strong_count(receipt) > 1);
        all.extend(
            messages
                .into_iter()
                .map(|(receipt, kept)| (receipt, Arc::new(kept))),
        );
    }

    /// The message of a receipt.
    pub(super) fn find(&self, receipt: &str) -> Option<Arc<Kept>> {
        self.all().get(receipt).cloned()
    }

    fn all(&self) -> MutexGuard<'_, HashMap<Arc<str>, Arc<Kept>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dispatch::Receipt;

    #[test]
    fn message_is_kept_as_long_as_its_receipt() {
        let flight = Flight::default();
        let receive = |text: &str| {
            let handle: Arc<str> = text.into();
            let kept = Kept {
                message_id: text.to_owned(),
                body: String::new(),
                attributes: Attributes::new(),
                group: None,
            };
            let receipt = Receipt::new(Arc::clone(&handle));
            flight.keep([(handle, kept)]);
            receipt
        };
        let (first, second) = (receive("1"), receive("2"));
        let copy = first.clone();
        drop((first, second));
        let _third = receive("3");
        assert_eq!(flight.find(copy.as_str()).unwrap().message_id, "1");
        assert!(flight.find("2").is_none());
    }
}
