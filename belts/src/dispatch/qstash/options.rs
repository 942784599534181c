//! A publisher's QStash options, for one message or for all.

use std::{fmt, time::Duration};

use crate::dispatch::MessageOption;

/// QStash options of one message, passed to [`Publish::option`](crate::Publish::option). Options that are not set here are those of
/// the [dispatcher](super::Qstash), and then those of the service.
///
/// An invalid value is an error of kind [`Config`](crate::ErrorKind::Config) when the message is sent.
///
/// ```
/// use belts::dispatch::{QstashFlowControl, QstashOptions};
/// use std::time::Duration;
///
/// let options = QstashOptions::new()
///     .retries(5)
///     .retry_delay("pow(2, retried) * 1000")
///     .flow_control(QstashFlowControl::new("mails").rate(10).period(Duration::from_secs(60)))
///     .label("orders")
///     .forward("authorization", "Bearer secret");
/// assert!(!format!("{options:?}").contains("secret"));
/// ```
#[derive(Clone, Default)]
pub struct QstashOptions {
    pub(super) retries: Option<u32>,
    pub(super) retry_delay: Option<String>,
    pub(super) timeout: Option<Duration>,
    pub(super) deduplication_id: Option<String>,
    pub(super) flow_control: Option<QstashFlowControl>,
    pub(super) callback: Option<String>,
    pub(super) failure_callback: Option<String>,
    pub(super) labels: Vec<String>,
    pub(super) forwarded: Vec<(String, String)>,
    pub(super) redacted: Vec<String>,
}

impl QstashOptions {
    /// No options.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How often a delivery without a success is retried; 0 means never. The service's default is 3.
    #[must_use]
    pub fn retries(mut self, retries: u32) -> Self {
        self.retries = Some(retries);
        self
    }

    /// Milliseconds before a retry, as an expression of `retried`, which is 0 for the first: `pow(2, retried) * 1000`. The
    /// service's default is 12 s, 2.5 minutes, half an hour, 6 hours, and then a day.
    #[must_use]
    pub fn retry_delay(mut self, expression: impl Into<String>) -> Self {
        self.retry_delay = Some(expression.into());
        self
    }

    /// The timeout for the worker's response to a delivery, in whole seconds, rounded up. It only shortens the plan's limit.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// The deduplication id, instead of the message's own id; within ten minutes the service accepts only one.
    #[must_use]
    pub fn deduplication_id(mut self, id: impl Into<String>) -> Self {
        self.deduplication_id = Some(id.into());
        self
    }

    /// Limits concurrent deliveries, or deliveries in a period.
    #[must_use]
    pub fn flow_control(mut self, flow_control: QstashFlowControl) -> Self {
        self.flow_control = Some(flow_control);
        self
    }

    /// A URL that is called after each try of a delivery. Each call counts as a message.
    #[must_use]
    pub fn callback(mut self, url: impl Into<String>) -> Self {
        self.callback = Some(url.into());
        self
    }

    /// A URL that is called once the message has failed for good.
    #[must_use]
    pub fn failure_callback(mut self, url: impl Into<String>) -> Self {
        self.failure_callback = Some(url.into());
        self
    }

    /// A label in the service's logs, in addition to those of the dispatcher.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.labels.push(label.into());
        self
    }

    /// A header of the delivery, in addition to those of the dispatcher.
    #[must_use]
    pub fn forward(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.forwarded.push((name.into(), value.into()));
        self
    }

    /// Shows the body in the service's console and logs only as a hash. It is delivered unchanged.
    #[must_use]
    pub fn redact_body(mut self) -> Self {
        self.redacted.push("body".to_owned());
        self
    }

    /// Shows this header in the service's console and logs only as a hash. It is delivered unchanged.
    #[must_use]
    pub fn redact_header(mut self, name: impl AsRef<str>) -> Self {
        self.redacted.push(format!("header[{}]", name.as_ref()));
        self
    }

    /// These options, and the others where these are not set.
    pub(super) fn over(&self, others: &Self) -> Self {
        let mut all = self.clone();
        all.retries = all.retries.or(others.retries);
        all.retry_delay = all.retry_delay.or_else(|| others.retry_delay.clone());
        all.timeout = all.timeout.or(others.timeout);
        all.flow_control = all.flow_control.or_else(|| others.flow_control.clone());
        all.callback = all.callback.or_else(|| others.callback.clone());
        all.failure_callback = all
            .failure_callback
            .or_else(|| others.failure_callback.clone());
        for label in &others.labels {
            if !all.labels.contains(label) {
                all.labels.push(label.clone());
            }
        }
        for (name, value) in &others.forwarded {
            if !all
                .forwarded
                .iter()
                .any(|(own, _)| own.eq_ignore_ascii_case(name))
            {
                all.forwarded.push((name.clone(), value.clone()));
            }
        }
        for field in &others.redacted {
            if !all.redacted.contains(field) {
                all.redacted.push(field.clone());
            }
        }
        all
    }
}

impl MessageOption for QstashOptions {}

impl fmt::Debug for QstashOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The URLs and the values of headers may contain secrets.
        let forwarded: Vec<_> = self.forwarded.iter().map(|(name, _)| name).collect();
        f.debug_struct("QstashOptions")
            .field("retries", &self.retries)
            .field("retry_delay", &self.retry_delay)
            .field("timeout", &self.timeout)
            .field("deduplication_id", &self.deduplication_id)
            .field("flow_control", &self.flow_control)
            .field("labels", &self.labels)
            .field("forwarded", &forwarded)
            .field("redacted", &self.redacted)
            .finish_non_exhaustive()
    }
}

/// Limits the deliveries of the messages with one key, concurrently or in a period. Messages over the limit wait.
///
/// At least one of [`parallelism`](Self::parallelism) and [`rate`](Self::rate) has to be set.
///
/// ```
/// use belts::dispatch::QstashFlowControl;
/// let two_at_once = QstashFlowControl::new("payments").parallelism(2);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QstashFlowControl {
    pub(super) key: String,
    pub(super) parallelism: Option<u32>,
    pub(super) rate: Option<u32>,
    pub(super) period: Option<Duration>,
}

impl QstashFlowControl {
    /// For the messages with this key, wherever they go.
    pub fn new(key: impl Into<String>) -> Self {
        Self {
            key: key.into(),
            parallelism: None,
            rate: None,
            period: None,
        }
    }

    /// At most this many deliveries at once.
    #[must_use]
    pub fn parallelism(mut self, deliveries: u32) -> Self {
        self.parallelism = Some(deliveries);
        self
    }

    /// At most this many deliveries in a [period](Self::period).
    #[must_use]
    pub fn rate(mut self, deliveries: u32) -> Self {
        self.rate = Some(deliveries);
        self
    }

    /// The period of the rate, in whole seconds, at most a week; default one second.
    #[must_use]
    pub fn period(mut self, period: Duration) -> Self {
        self.period = Some(period);
        self
    }
}
