//! Events in messages: sealed when they leave for a dispatcher, and opened when they come from one.

use std::sync::Arc;

use super::Shared;
use crate::{
    codec::sealed,
    dispatch::wire::WireEvent,
    error::{Error, ErrorKind, Result},
    store::NewEvent,
};

impl Shared {
    /// The event as it goes into a message. What groups messages says no more than which of them have one key.
    pub(super) fn sealed(&self, event: NewEvent) -> Result<NewEvent> {
        #[cfg(feature = "encryption")]
        if let Some(encrypted) = &self.encrypted {
            let mut event = event;
            encrypted.sealer().seal_event(&mut event)?;
            return Ok(event);
        }
        Ok(event)
    }

    /// Whether what this worker sends is sealed.
    #[cfg(feature = "encryption")]
    pub(super) fn encrypts(&self) -> bool {
        self.encrypted.is_some()
    }

    #[cfg(not(feature = "encryption"))]
    #[expect(clippy::unused_self, reason = "there is nothing to do it with")]
    pub(super) fn encrypts(&self) -> bool {
        false
    }

    /// Opens an event that came in a message; one that is not sealed is left as it is.
    ///
    /// # Errors
    /// It does not open, of kind [`Store`](ErrorKind::Store), so that it comes again. Or it is larger than an event may be.
    pub(super) fn open_event(&self, event: &mut WireEvent, id: Option<&str>) -> Result<()> {
        let Some(key) = sealed::key_of(&event.payload) else {
            // What is larger was allowed for what is sealed.
            return self.check_size(&event.event_type, &event.payload);
        };
        match self.opened(event, id) {
            Some(payload) => event.payload = payload,
            None => {
                return Err(Error::new(
                    ErrorKind::Store,
                    format!(
                        "the event is {}, and does not open here",
                        sealed::shown(key)
                    ),
                ));
            }
        }
        self.check_size(&event.event_type, &event.payload)
    }

    #[cfg(feature = "encryption")]
    fn opened(&self, event: &WireEvent, id: Option<&str>) -> Option<Arc<[u8]>> {
        let place = crate::seal::Place::Event {
            id: id?,
            event_type: &event.event_type,
        };
        let most = self.settings.max_body_bytes;
        let sealer = self.encrypted.as_ref()?.sealer();
        Some(sealer.open_within(place, &event.payload, most)?.value)
    }

    #[cfg(not(feature = "encryption"))]
    #[expect(
        clippy::unused_self,
        clippy::needless_pass_by_value,
        reason = "there is nothing to open it with"
    )]
    fn opened(&self, _: &WireEvent, _: Option<&str>) -> Option<Arc<[u8]>> {
        None
    }

    /// The most bytes of a message. A limit of events counts what users write, and that grows when it is sealed.
    pub(crate) fn most_in_a_message(&self) -> usize {
        let limit = self.settings.max_body_bytes;
        #[cfg(feature = "encryption")]
        if self.encrypted.is_some() {
            return limit.saturating_add(limit / 2).saturating_add(1024);
        }
        limit
    }
}
