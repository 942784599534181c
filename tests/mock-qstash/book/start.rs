//! Finds the messages whose turn it is, and prepares what is sent for them.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};
use tokio::time::Instant;

use super::Book;
use crate::{
    message::{Message, Place, State},
    sign::{Claims, sign},
};

/// One attempt to deliver a message.
#[derive(Debug)]
pub(crate) struct Attempt {
    pub(crate) number: u64,
    pub(crate) method: Method,
    /// Where to connect to in truth.
    pub(crate) url: String,
    pub(crate) timeout: Duration,
    /// What is sent: usually one request.
    pub(crate) parcels: Vec<Parcel>,
    pub(crate) at_once: bool,
    pub(crate) lose_answer: bool,
}

/// One request of an attempt, with a token of its own.
#[derive(Debug, Clone)]
pub(crate) struct Parcel {
    pub(crate) headers: HeaderMap,
    pub(crate) body: axum::body::Bytes,
}

impl Book {
    /// The attempts that begin now, and the time at which to ask again if nothing happens before.
    pub(crate) fn start(&mut self, now: Instant) -> (Vec<Attempt>, Option<Instant>) {
        self.leave_queues(now);
        self.leave_timers(now);
        self.leave_flows(now);
        let mut attempts = Vec::new();
        while !self.stopped && self.active < self.settings.parallelism {
            let Some(number) = self.ready.pop_front() else {
                break;
            };
            attempts.extend(self.attempt(number));
        }
        (attempts, self.wake(now))
    }

    fn leave_queues(&mut self, now: Instant) {
        let speed = self.settings.speed;
        let mut first = Vec::new();
        for queue in self.queues.values_mut() {
            while let Some(number) = queue.lane.next(now, speed) {
                first.push(number);
            }
        }
        for number in first {
            let due = self
                .messages
                .get(&number)
                .map_or(now, |message| message.due);
            self.wait_until(number, due);
        }
    }

    fn leave_timers(&mut self, now: Instant) {
        while let Some((due, number)) = self.timers.first().copied() {
            if due > now {
                return;
            }
            self.timers.pop_first();
            let flow = self
                .messages
                .get(&number)
                .and_then(|message| message.options.flow_control.clone());
            match flow {
                Some(flow) => {
                    self.flows
                        .entry(flow.key)
                        .or_default()
                        .waiting
                        .push_back(number);
                    self.place(number, Place::Flow);
                }
                None => self.make_ready(number),
            }
        }
    }

    fn leave_flows(&mut self, now: Instant) {
        let speed = self.settings.speed;
        let mut free = Vec::new();
        for lane in self.flows.values_mut() {
            while let Some(number) = lane.next(now, speed) {
                free.push(number);
            }
        }
        for number in free {
            self.make_ready(number);
        }
    }

    fn make_ready(&mut self, number: u64) {
        self.place(number, Place::Ready);
        self.ready.push_back(number);
    }

    fn wake(&mut self, now: Instant) -> Option<Instant> {
        let speed = self.settings.speed;
        let timer = self.timers.first().map(|(due, _)| *due);
        let lanes = self
            .flows
            .values_mut()
            .filter(|lane| !lane.paused && !lane.waiting.is_empty());
        lanes
            .filter_map(|lane| lane.opens(now, speed))
            .chain(timer)
            .min()
    }

    fn attempt(&mut self, number: u64) -> Option<Attempt> {
        let message = self.messages.get_mut(&number)?;
        (message.place, message.state) = (Place::Active, State::Active);
        let message = message.clone();
        self.active += 1;
        self.note(number, "ACTIVE", None, None);
        let (retried, faults) = (message.retried, &mut self.faults);
        let at_once = faults.deliver_at_once.meets(retried, &mut self.random);
        let is_doubled = faults.deliver_twice.meets(retried, &mut self.random) || at_once;
        let lose_answer = faults.lose_answer.meets(retried, &mut self.random);
        let parcels = (0..=u8::from(is_doubled))
            .map(|_| self.parcel(&message))
            .collect();
        let asked = message
            .options
            .timeout
            .map(|timeout| timeout.div_f64(self.settings.timeout_speed));
        Some(Attempt {
            number,
            method: message.options.method.clone(),
            url: self.settings.real(&message.url),
            timeout: asked
                .unwrap_or(Duration::MAX)
                .min(self.settings.longest_timeout),
            parcels,
            at_once,
            lose_answer,
        })
    }

    fn parcel(&mut self, message: &Message) -> Parcel {
        let headers = self.headers(message);
        let mut body = message.body.to_vec();
        if self
            .faults
            .change_body
            .meets(message.retried, &mut self.random)
        {
            match body.last_mut() {
                Some(last) => *last ^= 1,
                None => body.push(b'x'),
            }
        }
        Parcel {
            headers,
            body: body.into(),
        }
    }

    /// The headers of a delivery: the message's, and over them the service's own.
    fn headers(&mut self, message: &Message) -> HeaderMap {
        self.numbers.token += 1;
        let jti = format!("jwt_{:028}", self.numbers.token);
        let claims = Claims::new(&message.url, &message.body, self.clock() / 1_000, &jti);
        let token = sign(&self.keys.current, &claims);
        let retried = message.retried.to_string();
        let own = [
            ("user-agent", Some("Upstash-QStash")),
            ("upstash-signature", Some(&token)),
            ("upstash-message-id", Some(&message.id)),
            ("upstash-retried", Some(&retried)),
            ("upstash-topic-name", message.group.as_deref()),
            ("upstash-caller-ip", Some(&message.caller_ip)),
            ("upstash-region", self.settings.region.as_deref()),
        ];
        let own = own
            .into_iter()
            .filter_map(|(name, value)| Some((name, value?)));
        let given = message
            .options
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()));
        let mut headers = HeaderMap::new();
        for (name, value) in given.chain(own) {
            // What is no header cannot be sent; the publisher's own request had it as a part of one.
            if let (Ok(name), Ok(value)) = (
                name.parse::<HeaderName>(),
                HeaderValue::from_bytes(value.as_bytes()),
            ) {
                headers.insert(name, value);
            }
        }
        headers
    }
}
