//! Takes messages out again: cancels those that wait, and deletes or retries those in the DLQ.

use super::{Accepted, Book, publish::Incoming};
use crate::{
    failed::Failed,
    inspect::DeadLetter,
    message::{Place, State},
    words::Words,
};

impl Book {
    /// Cancels a message that is not at its end. Where it is being delivered, only its retries are.
    pub(crate) fn cancel(&mut self, number: u64) -> bool {
        let Some(message) = self.messages.get_mut(&number) else {
            return false;
        };
        let (place, due) = (message.place, message.due);
        let flow = message
            .options
            .flow_control
            .as_ref()
            .map(|flow| flow.key.clone());
        let lane = flow.and_then(|key| self.flows.get_mut(&key));
        match place {
            Place::Ended => return false,
            Place::Active => {
                let is_first = !std::mem::replace(&mut message.cancelling, true);
                self.note(number, "CANCEL_REQUESTED", None, None);
                return is_first;
            }
            Place::Timer => drop(self.timers.remove(&(due, number))),
            Place::Flow => lane.into_iter().for_each(|lane| lane.forget(number)),
            Place::Ready => {
                self.ready.retain(|ready| *ready != number);
                lane.into_iter().for_each(super::Lane::leave);
            }
            Place::Queue => {}
        }
        self.note(number, "CANCELED", None, None);
        self.end(number, State::Cancelled);
        true
    }

    /// Publishes a dead letter again, as a new message, and forgets the letter. The words win over those it had.
    ///
    /// Its delay and what kept duplicates out are not taken over: it would come late, or not at all.
    pub(crate) fn retry(&mut self, letter: u64, words: &Words) -> Result<Accepted, Failed> {
        let dead = self
            .dead
            .get(&letter)
            .ok_or_else(|| Failed::not_found("dlq message"))?;
        let DeadLetter { message, .. } = dead.clone();
        let mut before = message.given;
        for name in [
            "delay",
            "not-before",
            "deduplication-id",
            "content-based-deduplication",
        ] {
            before.remove(name);
        }
        let incoming = Incoming {
            destination: message.url,
            queue: message.queue,
            words: words.clone().over(&before),
            body: message.body,
            caller_ip: message.caller_ip,
            source: None,
        };
        let accepted = self.publish(&incoming)?;
        self.dead.remove(&letter);
        Ok(accepted)
    }

    pub(crate) fn letter(&self, id: &str) -> Option<u64> {
        self.dead
            .iter()
            .find(|(_, letter)| letter.id == id)
            .map(|(number, _)| *number)
    }
}
