//! The types of the [`Dispatcher`](super::Dispatcher) trait: its arguments and results.

use std::{
    any::{Any, TypeId},
    collections::HashMap,
    fmt,
    sync::Arc,
    time::Duration,
};

/// A message to a worker: an event, or a wake-up of a run.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Message {
    /// Its id: the same for the same message, however often it is sent. A transport that deduplicates uses it.
    pub id: Arc<str>,
    /// JSON, in the format of the router.
    pub body: Arc<[u8]>,
    /// How long to delay it.
    pub delay: Duration,
    /// The event's type; `None` for a wake-up.
    pub event_type: Option<Arc<str>>,
    /// The event's correlation key, or the run's id for a wake-up: what groups related messages.
    pub group: Option<Arc<str>>,
    /// The publisher's options for particular dispatchers.
    pub options: MessageOptions,
}

impl Message {
    /// A message without a delay, a type or options.
    ///
    /// ```
    /// use belts::dispatch::Message;
    /// let message = Message::new("order-17", *b"{}");
    /// assert_eq!((&*message.id, &*message.body, message.delay.is_zero()), ("order-17", &b"{}"[..], true));
    /// ```
    pub fn new(id: impl Into<Arc<str>>, body: impl Into<Arc<[u8]>>) -> Self {
        Self {
            id: id.into(),
            body: body.into(),
            delay: Duration::ZERO,
            event_type: None,
            group: None,
            options: MessageOptions::default(),
        }
    }

    /// Delays it.
    #[must_use]
    pub fn with_delay(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// Sets the type of its event.
    #[must_use]
    pub fn with_event_type(mut self, event_type: impl Into<Arc<str>>) -> Self {
        self.event_type = Some(event_type.into());
        self
    }

    /// Sets the key that groups related messages.
    #[must_use]
    pub fn with_group(mut self, group: impl Into<Arc<str>>) -> Self {
        self.group = Some(group.into());
        self
    }

    /// Adds an option for one kind of dispatcher.
    #[must_use]
    pub fn with_options(mut self, options: MessageOptions) -> Self {
        self.options = options;
        self
    }
}

/// An option for one kind of dispatcher that a publisher can set on a message, such as a label.
///
/// Other dispatchers ignore it, so the same program works with either.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a message option",
    note = "the documentation of a dispatcher lists its options; options of the event itself, such as the delay, are methods of `Publish`"
)]
pub trait MessageOption: Any + fmt::Debug + Send + Sync {}

/// The options of one message, at most one of each type.
#[derive(Debug, Clone, Default)]
pub struct MessageOptions(HashMap<TypeId, Arc<dyn MessageOption>>);

impl MessageOptions {
    /// Adds an option, replacing the one of this type.
    pub fn insert<T: MessageOption>(&mut self, option: T) {
        self.0.insert(TypeId::of::<T>(), Arc::new(option));
    }

    /// The option of this type.
    pub fn get<T: MessageOption>(&self) -> Option<&T> {
        let option: &dyn Any = &**self.0.get(&TypeId::of::<T>())?;
        option.downcast_ref()
    }
}

/// The result of sending a message.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Sent {
    /// The transport's own id of the message, if it gave one.
    pub message_id: Option<Arc<str>>,
    /// Whether the transport recognized the message as a duplicate.
    pub duplicate: bool,
}

impl Sent {
    /// A message that the transport accepted under this id.
    pub fn new(message_id: impl Into<Arc<str>>) -> Self {
        Self {
            message_id: Some(message_id.into()),
            duplicate: false,
        }
    }

    /// Marks the message as a duplicate that the transport recognized.
    #[must_use]
    pub fn duplicate(mut self, duplicate: bool) -> Self {
        self.duplicate = duplicate;
        self
    }
}

/// One delivery of a message.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Delivery {
    /// What to acknowledge it with.
    pub receipt: Receipt,
    /// The transport's own id of the message, the same for each delivery.
    pub message_id: Arc<str>,
    /// The body.
    pub body: Vec<u8>,
    /// How often it has been delivered, including this time.
    pub arrivals: u32,
    /// How many deliveries before this one were neither acknowledged nor returned; `None` if the transport cannot tell. A
    /// message that keeps going unacknowledged is set aside in the end.
    pub unanswered: Option<u32>,
}

impl Delivery {
    /// The first delivery of a message.
    pub fn new(
        receipt: Receipt,
        message_id: impl Into<Arc<str>>,
        body: impl Into<Vec<u8>>,
    ) -> Self {
        Self {
            receipt,
            message_id: message_id.into(),
            body: body.into(),
            arrivals: 1,
            unanswered: None,
        }
    }

    /// Sets how often it has been delivered.
    #[must_use]
    pub fn with_arrivals(mut self, arrivals: u32) -> Self {
        self.arrivals = arrivals;
        self
    }

    /// Sets how many deliveries before this one went unacknowledged.
    #[must_use]
    pub fn with_unanswered(mut self, unanswered: u32) -> Self {
        self.unanswered = Some(unanswered);
        self
    }
}

/// Identifies a delivery when it is acknowledged; only its dispatcher knows what it means.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Receipt(Arc<str>);

impl Receipt {
    /// A receipt with this text.
    pub fn new(text: impl Into<Arc<str>>) -> Self {
        Self(text.into())
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A delivery that is returned to the transport.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Nack {
    /// Which delivery.
    pub receipt: Receipt,
    /// What should happen to it.
    pub verdict: Verdict,
    /// The reason, for people; it contains nothing of the payload.
    pub reason: String,
}

impl Nack {
    /// Returns a delivery.
    pub fn new(receipt: Receipt, verdict: Verdict, reason: impl Into<String>) -> Self {
        Self {
            receipt,
            verdict,
            reason: reason.into(),
        }
    }
}

/// What should happen to a delivery that is returned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is redelivered after this time.
    Later(Duration),
    /// No retry can help: it is set aside if the transport has a place for that, or left to the transport's own limit.
    PutAside,
}
