//! The settings of a QStash dispatcher and their validation.

use std::{fmt, sync::Arc, time::Duration};

use super::{
    Inner, Qstash,
    client::Client,
    error::{self, Place, Secret},
    headers,
    options::{QstashFlowControl, QstashOptions},
    receiver::Receiver,
    seen::Seen,
    urls,
    verify::KeyPair,
};
use crate::{dispatch::post::Timeouts, error::Result};

/// The limit of the free plan; others allow more.
const MAX_DELAY: Duration = Duration::from_secs(7 * 24 * 60 * 60);
const MAX_BYTES: usize = 1_000_000;
/// More than clocks differ that are set over the network, and little compared with the five minutes that a token is valid.
const TOLERANCE: Duration = Duration::from_secs(5);
/// Beyond this, a validity of five minutes would hardly be a limit.
const MOST_TOLERANCE: Duration = Duration::from_secs(5 * 60);

/// Settings of a [`Qstash`] dispatcher; see [`Qstash::builder`].
#[derive(Clone)]
#[must_use = "`build` makes the dispatcher"]
pub struct QstashBuilder {
    base: String,
    destination: String,
    token: String,
    token_name: String,
    keys: Option<(String, String)>,
    region_keys: Vec<(String, String, String)>,
    tolerance: Duration,
    options: QstashOptions,
    deduplicate: bool,
    delay: Duration,
    max_delay: Duration,
    max_bytes: usize,
    timeouts: Timeouts,
}

impl Qstash {
    /// A builder with this token, for messages to the worker's router at `destination`, as the service
    /// reaches it.
    ///
    /// ```
    /// use belts::dispatch::{Dispatcher, Qstash};
    /// let qstash = Qstash::builder("token", "https://app.example/belts").build()?;
    /// assert!(!qstash.capabilities().signs, "without signing keys it publishes only");
    /// # Ok::<(), belts::Error>(())
    /// ```
    pub fn builder(token: impl Into<String>, destination: impl Into<String>) -> QstashBuilder {
        QstashBuilder::new(token.into(), destination.into())
    }
}

impl QstashBuilder {
    pub(super) fn new(token: String, destination: String) -> Self {
        Self {
            base: urls::DEFAULT_BASE.to_owned(),
            destination,
            token,
            token_name: "the token, or QSTASH_TOKEN,".to_owned(),
            keys: None,
            region_keys: Vec::new(),
            tolerance: TOLERANCE,
            options: QstashOptions::new(),
            deduplicate: true,
            delay: Duration::ZERO,
            max_delay: MAX_DELAY,
            max_bytes: MAX_BYTES,
            timeouts: Timeouts {
                connect: Duration::from_secs(5),
                request: Duration::from_secs(15),
            },
        }
    }

    /// The service's URL; default `https://qstash.upstash.io`, which is in the EU. Each region has its own URL,
    /// token and signing keys.
    pub fn url(mut self, base: impl Into<String>) -> Self {
        self.base = base.into();
        self
    }

    /// The keys that verify deliveries: the current one, and the next, which the service uses after a rotation.
    ///
    /// Without them this dispatcher only publishes, and rejects the service's deliveries.
    pub fn signing_keys(mut self, current: impl Into<String>, next: impl Into<String>) -> Self {
        self.keys = Some((current.into(), next.into()));
        self
    }

    /// The keys for deliveries from one region, such as `US_EAST_1`, if several deliver to this worker. The keys without a region are
    /// used for all other regions.
    pub fn region_signing_keys(
        mut self,
        region: impl AsRef<str>,
        current: impl Into<String>,
        next: impl Into<String>,
    ) -> Self {
        let region = super::receiver::region(region.as_ref());
        self.region_keys.push((region, current.into(), next.into()));
        self
    }

    /// How far the clock of this machine may differ from the service's; default 5 s.
    pub fn clock_tolerance(mut self, tolerance: Duration) -> Self {
        self.tolerance = tolerance;
        self
    }

    /// As [`QstashOptions::retries`], for every message.
    pub fn retries(mut self, retries: u32) -> Self {
        self.options = self.options.retries(retries);
        self
    }

    /// As [`QstashOptions::retry_delay`], for every message.
    pub fn retry_delay(mut self, expression: impl Into<String>) -> Self {
        self.options = self.options.retry_delay(expression);
        self
    }

    /// As [`QstashOptions::timeout`], for every message.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.options = self.options.timeout(timeout);
        self
    }

    /// As [`QstashOptions::flow_control`], for every message.
    pub fn flow_control(mut self, flow_control: QstashFlowControl) -> Self {
        self.options = self.options.flow_control(flow_control);
        self
    }

    /// As [`QstashOptions::callback`], for every message.
    pub fn callback(mut self, url: impl Into<String>) -> Self {
        self.options = self.options.callback(url);
        self
    }

    /// As [`QstashOptions::failure_callback`], for every message.
    pub fn failure_callback(mut self, url: impl Into<String>) -> Self {
        self.options = self.options.failure_callback(url);
        self
    }

    /// As [`QstashOptions::label`], for every message.
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.options = self.options.label(label);
        self
    }

    /// As [`QstashOptions::forward`], for every message.
    pub fn forward(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.options = self.options.forward(name, value);
        self
    }

    /// As [`QstashOptions::redact_body`], for every message.
    pub fn redact_body(mut self) -> Self {
        self.options = self.options.redact_body();
        self
    }

    /// Delays every event that is published without a delay.
    pub fn delay(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// Whether the service gets the message's id for deduplication; default `true`. Without it, a request that is
    /// retried because its response was lost has the message delivered twice, which starts nothing twice.
    ///
    /// The service remembers an id for ten minutes, whatever happened to the message: an event that is published again under its
    /// idempotency key within that time is dropped even if the first message has failed and is in the dead-letter queue.
    /// Retry it from there, or set this to `false`.
    pub fn deduplicate(mut self, deduplicate: bool) -> Self {
        self.deduplicate = deduplicate;
        self
    }

    /// The longest delay that the plan allows; default 7 days, as in the free plan. The store keeps the rest.
    pub fn max_delay(mut self, max_delay: Duration) -> Self {
        self.max_delay = max_delay;
        self
    }

    /// The size limit of a message in the plan, in bytes; default 1,000,000, as in the free plan.
    pub fn max_bytes(mut self, bytes: usize) -> Self {
        self.max_bytes = bytes;
        self
    }

    /// The timeout for connecting to the service; default 5 s.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.timeouts.connect = timeout;
        self
    }

    /// The timeout for a response of the service, including the connection; default 15 s. After a timeout there is
    /// no retry.
    pub fn request_timeout(mut self, timeout: Duration) -> Self {
        self.timeouts.request = timeout;
        self
    }

    /// Sets the variable that the token is from.
    pub(super) fn token_name(mut self, name: &str) -> Self {
        name.clone_into(&mut self.token_name);
        self
    }

    /// Checks everything; sends nothing.
    ///
    /// # Errors
    /// Of kind [`Config`](crate::ErrorKind::Config), naming the setting: a URL or the destination is invalid, the token is
    /// empty, a signing key does not look like one, an option is wrong, or a time is zero or too long.
    pub fn build(self) -> Result<Qstash> {
        let wrong = |name: &'static str| {
            move |wrong: String| error::config(format!("has a wrong `{name}`: it {wrong}"))
        };
        let base = urls::read_base(&self.base).map_err(wrong("url"))?;
        urls::check_destination(&base, &self.destination).map_err(wrong("destination"))?;
        if !self.token.bytes().all(|byte| byte.is_ascii_graphic()) || self.token.is_empty() {
            return Err(error::config(format!(
                "has no right token: set {} to the one that the console shows",
                self.token_name
            )));
        }
        self.check_times()?;
        headers::of(&self.options)
            .map_err(|wrong| error::config(format!("has a wrong setting: {wrong}")))?;
        let place = Place {
            host: base.split("://").last().unwrap_or_default().to_owned(),
            token_name: self.token_name.clone(),
            token: Secret(self.token.clone()),
        };
        let client = Client::new(base, place, &self.token, self.timeouts)?;
        Ok(Qstash(Arc::new(Inner {
            client,
            receiver: self.receiver()?,
            destination: self.destination,
            defaults: self.options,
            deduplicate: self.deduplicate,
            delay: self.delay,
            // A delay is rounded up to whole seconds, and must not exceed this after rounding.
            max_delay: Duration::from_secs(self.max_delay.as_secs()),
            max_bytes: self.max_bytes,
        })))
    }

    fn check_times(&self) -> Result<()> {
        let zero = [
            ("connect_timeout", self.timeouts.connect.is_zero()),
            ("request_timeout", self.timeouts.request.is_zero()),
            ("max_bytes", self.max_bytes == 0),
        ];
        if let Some((name, _)) = zero.iter().find(|(_, zero)| *zero) {
            return Err(error::config(format!("has a `{name}` of zero")));
        }
        if self.delay > self.max_delay {
            return Err(error::config("has a `delay` longer than its `max_delay`"));
        }
        if self.tolerance > MOST_TOLERANCE {
            return Err(error::config(
                "has a `clock_tolerance` of more than 5 minutes: set the clock of this machine instead",
            ));
        }
        Ok(())
    }

    fn receiver(&self) -> Result<Receiver> {
        let wrong = |wrong: String| error::config(format!("has a wrong key: the {wrong}"));
        let keys = |(current, next): &(String, String)| KeyPair::read(current, next).map_err(wrong);
        let mut regions = Vec::new();
        for (region, current, next) in &self.region_keys {
            let keys = KeyPair::read(current, next)
                .map_err(|of| wrong(format!("{of}, for the region {region}")))?;
            regions.push((region.clone(), keys));
        }
        Ok(Receiver {
            keys: self.keys.as_ref().map(keys).transpose()?,
            regions,
            tolerance: self.tolerance,
            seen: Seen::default(),
        })
    }
}

impl fmt::Debug for QstashBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The token and the keys are secrets, and a query may contain some.
        f.debug_struct("QstashBuilder")
            .field("url", &urls::without_query(&self.base))
            .field("destination", &urls::without_query(&self.destination))
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}
