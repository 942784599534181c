//! How a mock is set up before it starts.

use std::{fmt, io, sync::Arc, time::Duration};

use super::{mock::Mock, sign::Keys, time};

/// The settings of a [`Mock`]; each has a default with which the mock behaves like the service.
#[derive(Clone)]
#[must_use]
pub struct Settings {
    pub(crate) token: String,
    pub(crate) keys: Keys,
    pub(crate) speed: f64,
    pub(crate) timeout_speed: f64,
    pub(crate) backoff: Option<Duration>,
    pub(crate) longest_timeout: Duration,
    pub(crate) deduplicate_for: Duration,
    pub(crate) duplicate_status: u16,
    pub(crate) region: Option<String>,
    pub(crate) routes: Vec<(String, String)>,
    pub(crate) parallelism: usize,
    pub(crate) capacity: usize,
    pub(crate) seed: u64,
    pub(crate) ids: String,
    pub(crate) clock: Arc<dyn Fn() -> u64 + Send + Sync>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            token: "mock-token".to_owned(),
            keys: Keys::default(),
            speed: 1.0,
            timeout_speed: 1.0,
            backoff: None,
            longest_timeout: Duration::from_secs(900),
            deduplicate_for: Duration::from_secs(600),
            duplicate_status: 202,
            region: None,
            routes: Vec::new(),
            parallelism: 64,
            capacity: 100_000,
            seed: 1,
            ids: String::new(),
            clock: Arc::new(time::wall_clock),
        }
    }
}

impl Settings {
    /// The token that publishers must show; `mock-token` if not set.
    pub fn token(mut self, token: &str) -> Self {
        token.clone_into(&mut self.token);
        self
    }

    /// The signing keys; those of the service's development server if not set.
    pub fn keys(mut self, keys: Keys) -> Self {
        self.keys = keys;
        self
    }

    /// Divides the time that messages wait: delays, times not before, pauses between attempts and periods of rates.
    pub fn speed(mut self, speed: f64) -> Self {
        self.speed = speed;
        self
    }

    /// Divides `Upstash-Timeout`, whose smallest value is a second. [`speed`](Self::speed) leaves it alone, since the
    /// destination works no faster for it.
    pub fn timeout_speed(mut self, speed: f64) -> Self {
        self.timeout_speed = speed;
        self
    }

    /// This long a pause before each retry for which neither the message nor the answer wants another; no speed divides it.
    pub fn backoff(mut self, pause: Duration) -> Self {
        self.backoff = Some(pause);
        self
    }

    /// The longest time that a destination may take; 15 minutes if not set.
    pub fn longest_timeout(mut self, longest: Duration) -> Self {
        self.longest_timeout = longest;
        self
    }

    /// How long a message keeps others like it out; 10 minutes if not set, and no speed divides it.
    pub fn deduplicate_for(mut self, window: Duration) -> Self {
        self.deduplicate_for = window;
        self
    }

    /// The status of an answer to a duplicate: 202 if not set, where other parts of the documentation have 200.
    pub fn duplicate_status(mut self, status: u16) -> Self {
        self.duplicate_status = status;
        self
    }

    /// The value of `Upstash-Region` in deliveries, which have none if not set.
    pub fn region(mut self, region: &str) -> Self {
        self.region = Some(region.to_owned());
        self
    }

    /// Delivers to `real` what is addressed to `public`, as a proxy in front of the destination does. Both are beginnings
    /// of URLs. The signature and the records keep the public one.
    pub fn route(mut self, public: &str, real: &str) -> Self {
        self.routes.push((public.to_owned(), real.to_owned()));
        self
    }

    /// At most so many deliveries at a time; 64 if not set.
    pub fn parallelism(mut self, most: usize) -> Self {
        self.parallelism = most;
        self
    }

    /// At most so many messages that wait, beyond which publishers are refused; 100,000 if not set.
    pub fn capacity(mut self, most: usize) -> Self {
        self.capacity = most;
        self
    }

    /// The seed of the chance in faults.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// A beginning for the ids of messages, so that two mocks give different ones.
    pub fn ids(mut self, prefix: &str) -> Self {
        prefix.clone_into(&mut self.ids);
        self
    }

    /// The clock of signatures, timestamps and times not before, in milliseconds since 1970; the machine's if not set.
    pub fn clock(mut self, clock: impl Fn() -> u64 + Send + Sync + 'static) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Starts the mock.
    ///
    /// # Errors
    ///
    /// If there is no free port, or no thread.
    pub fn start(self) -> io::Result<Mock> {
        Mock::with(self)
    }

    pub(crate) fn faster(&self, wait: Duration) -> Duration {
        wait.div_f64(self.speed)
    }

    /// Where to deliver to in truth.
    pub(crate) fn real(&self, url: &str) -> String {
        let routed = self
            .routes
            .iter()
            .find_map(|(public, real)| Some(format!("{real}{}", url.strip_prefix(public)?)));
        routed.unwrap_or_else(|| url.to_owned())
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("speed", &self.speed)
            .field("backoff", &self.backoff)
            .finish_non_exhaustive()
    }
}
