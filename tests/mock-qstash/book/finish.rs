//! Takes the outcome of an attempt: the message is delivered, tried again, or failed; and who asked for it is told.

use axum::body::Bytes;
use tokio::time::Instant;

use super::{Accepted, Book, Incoming, keep};
use crate::{
    callback,
    inspect::{Answer, DeadLetter, Delivery},
    message::{Message, Place, State},
    options::Callback,
    retry::{Verdict, verdict},
    time::now,
};

/// What one request of an attempt came to.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) headers: axum::http::HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) sent: Instant,
    pub(crate) answered: Instant,
    pub(crate) answer: Result<Answer, String>,
}

impl Book {
    /// Ends an attempt; the last outcome counts.
    pub(crate) fn finish(&mut self, number: u64, outcomes: Vec<Outcome>, is_lost: bool) {
        self.active -= 1;
        let Some(message) = self.messages.get(&number).cloned() else {
            return;
        };
        let mut answer = Err("nothing was sent".to_owned());
        for outcome in outcomes {
            let delivery = self.delivery(&message, outcome, is_lost);
            answer = delivery.counted().cloned();
            self.counts.deliveries += 1;
            keep(&mut self.deliveries, delivery);
        }
        if let Some(lane) = message
            .options
            .flow_control
            .as_ref()
            .and_then(|flow| self.flows.get_mut(&flow.key))
        {
            lane.leave();
        }
        let verdict = verdict(
            answer.as_ref().ok(),
            &message.options,
            message.retried,
            &self.settings,
        );
        self.tell(&message, message.options.callback.as_deref(), &answer, None);
        self.apply(number, &message, verdict, answer);
    }

    fn delivery(&self, message: &Message, outcome: Outcome, lost: bool) -> Delivery {
        Delivery {
            message_id: message.id.clone(),
            url: message.url.clone(),
            method: message.options.method.clone(),
            retried: message.retried,
            headers: outcome.headers,
            body: outcome.body,
            sent_at: outcome.sent.saturating_duration_since(self.started),
            took: outcome.answered.saturating_duration_since(outcome.sent),
            answer: outcome.answer,
            lost,
        }
    }

    fn apply(
        &mut self,
        number: u64,
        message: &Message,
        verdict: Verdict,
        answer: Result<Answer, String>,
    ) {
        match verdict {
            Verdict::Delivered => {
                self.note(number, "DELIVERED", None, Some(answer));
                self.end(number, State::Delivered);
            }
            _ if message.cancelling => {
                self.note(number, "ERROR", None, Some(answer));
                self.note(number, "CANCELED", None, None);
                self.end(number, State::Cancelled);
            }
            Verdict::Again(pause) => {
                let due = now() + pause;
                self.note(number, "ERROR", None, Some(answer));
                self.note(number, "RETRY", Some(self.due_millis(due)), None);
                if let Some(message) = self.messages.get_mut(&number) {
                    message.retried += 1;
                }
                self.wait_until(number, due);
            }
            Verdict::Failed => self.fail(number, message, answer),
        }
    }

    fn fail(&mut self, number: u64, message: &Message, answer: Result<Answer, String>) {
        self.note(number, "ERROR", None, Some(answer.clone()));
        self.note(number, "FAILED", None, None);
        self.numbers.letter += 1;
        let id = format!("dlq_{}{:08}", self.settings.ids, self.numbers.letter);
        self.tell(
            message,
            message.options.failure_callback.as_deref(),
            &answer,
            Some(&id),
        );
        self.end(number, State::Failed);
        if let Some(message) = self.messages.get(&number).cloned() {
            self.dead.insert(
                self.numbers.letter,
                DeadLetter {
                    id,
                    message,
                    answer,
                },
            );
        }
    }

    /// Publishes the news of an attempt.
    fn tell(
        &mut self,
        message: &Message,
        to: Option<&Callback>,
        answer: &Result<Answer, String>,
        letter: Option<&str>,
    ) {
        let Some(callback) = to else {
            return;
        };
        let name = if letter.is_some() {
            "failure-callback"
        } else {
            "callback"
        };
        let incoming = Incoming {
            destination: callback.url.clone(),
            queue: None,
            words: message.given.of_callback(name),
            body: callback::body(message, answer, letter).into(),
            caller_ip: message.caller_ip.clone(),
            source: Some(message.id.clone()),
        };
        // Its options were read once already, so only a full mock refuses it: then the news is lost.
        let is_new =
            matches!(self.publish(&incoming), Ok(Accepted::One(taken)) if !taken.deduplicated);
        let source = self
            .ids
            .get(&message.id)
            .and_then(|number| self.messages.get_mut(number));
        if let Some(source) = source.filter(|_| is_new) {
            source.open_callbacks += 1;
        }
    }

    /// Nothing more happens to the message itself.
    pub(super) fn end(&mut self, number: u64, state: State) {
        let Some(message) = self.messages.get_mut(&number) else {
            return;
        };
        let had_turn = message.place != Place::Queue;
        (message.state, message.place) = (state, Place::Ended);
        let source = message.source.clone();
        self.counts.pending -= 1;
        match state {
            State::Delivered => self.counts.delivered += 1,
            State::Failed => self.counts.failed += 1,
            _ => self.counts.cancelled += 1,
        }
        self.leave_queue(number, had_turn);
        let source = source.and_then(|id| self.ids.get(&id).copied());
        if let Some(number) = source {
            if let Some(message) = self.messages.get_mut(&number) {
                message.open_callbacks -= 1;
            }
            self.leave_queue(number, true);
        }
    }

    /// The next message of the queue has its turn once this one and its callbacks are at an end.
    fn leave_queue(&mut self, number: u64, had_turn: bool) {
        let Some(message) = self.messages.get(&number) else {
            return;
        };
        if !message.state.is_end() || message.open_callbacks > 0 {
            return;
        }
        match message
            .queue
            .as_ref()
            .and_then(|name| self.queues.get_mut(name))
        {
            Some(queue) if had_turn => queue.lane.leave(),
            Some(queue) => queue.lane.forget(number),
            None => {}
        }
    }
}
