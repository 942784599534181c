//! The vocabulary of the [`Dispatcher`](super::Dispatcher) trait: what goes in and what comes out.

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
    /// Its id: the same for the same message, however often it is sent. A transport that knows duplicates goes by it.
    pub id: Arc<str>,
    /// JSON, as the router takes it.
    pub body: Arc<[u8]>,
    /// How long it is to be held back.
    pub delay: Duration,
    /// The event's type; `None` for a wake-up.
    pub event_type: Option<Arc<str>>,
    /// The event's correlation key, or for a wake-up the run's id: what belongs together.
    pub group: Option<Arc<str>>,
    /// What the publisher asked of one kind of dispatcher.
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

    /// Holds it back.
    #[must_use]
    pub fn with_delay(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// Says of which type its event is.
    #[must_use]
    pub fn with_event_type(mut self, event_type: impl Into<Arc<str>>) -> Self {
        self.event_type = Some(event_type.into());
        self
    }

    /// Says with which other messages it belongs together.
    #[must_use]
    pub fn with_group(mut self, group: impl Into<Arc<str>>) -> Self {
        self.group = Some(group.into());
        self
    }

    /// Asks something of one kind of dispatcher.
    #[must_use]
    pub fn with_options(mut self, options: MessageOptions) -> Self {
        self.options = options;
        self
    }
}

/// Something that a publisher can ask of one kind of dispatcher for one message, such as a label.
///
/// A dispatcher of another kind leaves it alone, so that the same program works with either.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a message option",
    note = "the documentation of a dispatcher lists its options; options of the event itself, such as the delay, are methods of `Publish`"
)]
pub trait MessageOption: Any + fmt::Debug + Send + Sync {}

/// The options of one message, at most one of each type.
#[derive(Debug, Clone, Default)]
pub struct MessageOptions(HashMap<TypeId, Arc<dyn MessageOption>>);

impl MessageOptions {
    /// Adds an option, in place of the one of this type.
    pub fn insert<T: MessageOption>(&mut self, option: T) {
        self.0.insert(TypeId::of::<T>(), Arc::new(option));
    }

    /// The option of this type.
    pub fn get<T: MessageOption>(&self) -> Option<&T> {
        let option: &dyn Any = &**self.0.get(&TypeId::of::<T>())?;
        option.downcast_ref()
    }
}

/// What became of a message that was handed over.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Sent {
    /// The transport's own id of the message, if it gave one.
    pub message_id: Option<Arc<str>>,
    /// Whether the transport knew the message already.
    pub duplicate: bool,
}

impl Sent {
    /// A message that the transport took under this id.
    pub fn new(message_id: impl Into<Arc<str>>) -> Self {
        Self {
            message_id: Some(message_id.into()),
            duplicate: false,
        }
    }

    /// Says that the transport knew the message already.
    #[must_use]
    pub fn duplicate(mut self, duplicate: bool) -> Self {
        self.duplicate = duplicate;
        self
    }
}

/// One arrival of a message.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Delivery {
    /// What to acknowledge it by.
    pub receipt: Receipt,
    /// The transport's own id of the message, the same at each arrival.
    pub message_id: Arc<str>,
    /// The body.
    pub body: Vec<u8>,
    /// How often it has arrived, this time included.
    pub arrivals: u32,
    /// How many arrivals before this one were neither acknowledged nor given back; `None` where the transport cannot tell. A
    /// message of which nobody lives to say anything is put aside in the end.
    pub unanswered: Option<u32>,
}

impl Delivery {
    /// A delivery that arrives for the first time.
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

    /// Says how often it has arrived.
    #[must_use]
    pub fn with_arrivals(mut self, arrivals: u32) -> Self {
        self.arrivals = arrivals;
        self
    }

    /// Says how many arrivals before this one got no answer.
    #[must_use]
    pub fn with_unanswered(mut self, unanswered: u32) -> Self {
        self.unanswered = Some(unanswered);
        self
    }
}

/// What one arrival is acknowledged by; only its dispatcher knows what it means.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Receipt(Arc<str>);

impl Receipt {
    /// A receipt of this text.
    pub fn new(text: impl Into<Arc<str>>) -> Self {
        Self(text.into())
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A delivery that is given back.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Nack {
    /// Which one.
    pub receipt: Receipt,
    /// What is to become of it.
    pub verdict: Verdict,
    /// Why, for a person; nothing of the payload is in it.
    pub reason: String,
}

impl Nack {
    /// Gives a delivery back.
    pub fn new(receipt: Receipt, verdict: Verdict, reason: impl Into<String>) -> Self {
        Self {
            receipt,
            verdict,
            reason: reason.into(),
        }
    }
}

/// What is to become of a delivery that is given back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It comes again after this time.
    Later(Duration),
    /// No try can help: it is put aside, where the transport has a place for that, or left to the transport's own limit.
    PutAside,
}
