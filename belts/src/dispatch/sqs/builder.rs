//! Opening a queue: its settings and their validation.

use std::{fmt, sync::Arc, time::Duration};

use aws_sdk_sqs::Client;

use super::{
    Inner, Sqs,
    aside::Aside,
    client::{self, Link},
    flight::Flight,
    lanes::Lanes,
    limits,
    place::place,
    queue::Queue,
};
use crate::error::{Error, ErrorKind, Result};

/// The longest wait of a long poll.
const LONGEST_WAIT: Duration = Duration::from_secs(20);

/// Settings of an [`Sqs`] dispatcher; see [`Sqs::builder`].
#[derive(Clone)]
#[must_use = "nothing is opened until `open` is awaited"]
pub struct SqsBuilder {
    queue_url: String,
    endpoint: Option<String>,
    region: Option<String>,
    client: Option<Client>,
    visibility: Option<Duration>,
    wait: Duration,
    timeout: Duration,
}

impl Sqs {
    /// Opens the queue of this URL, with the credentials that AWS's own tools would find.
    ///
    /// # Errors
    /// As [`SqsBuilder::open`].
    pub async fn open(queue_url: impl Into<String>) -> Result<Self> {
        Self::builder(queue_url).open().await
    }

    /// A builder with the default settings.
    ///
    /// ```no_run
    /// # async fn open() -> belts::Result<()> {
    /// use belts::dispatch::Sqs;
    /// use std::time::Duration;
    /// let queue = Sqs::builder("http://127.0.0.1:4566/000000000000/orders")
    ///     .region("us-east-1")
    ///     .visibility(Duration::from_secs(60))
    ///     .open()
    ///     .await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn builder(queue_url: impl Into<String>) -> SqsBuilder {
        SqsBuilder::new(queue_url.into())
    }
}

impl SqsBuilder {
    pub(super) fn new(queue_url: String) -> Self {
        Self {
            queue_url,
            endpoint: None,
            region: None,
            client: None,
            visibility: None,
            wait: LONGEST_WAIT,
            timeout: Duration::from_secs(10),
        }
    }

    /// The endpoint of the service, if it is not the host of the queue's URL.
    pub fn endpoint(mut self, url: impl Into<String>) -> Self {
        self.endpoint = Some(url.into());
        self
    }

    /// The region, if the host of the queue's URL does not contain it; by default from AWS's own settings, such as `AWS_REGION`.
    pub fn region(mut self, region: impl Into<String>) -> Self {
        self.region = Some(region.into());
        self
    }

    /// A client built by your own program, with its credentials, region and endpoint. Its timeouts are replaced by
    /// [`timeout`](Self::timeout).
    pub fn client(mut self, client: Client) -> Self {
        self.client = Some(client);
        self
    }

    /// How long a delivery is hidden from other workers, in whole seconds; by default the queue's own timeout. The
    /// worker extends it while it needs to, so it is also how long a message waits after its worker died.
    pub fn visibility(mut self, visibility: Duration) -> Self {
        self.visibility = Some(visibility);
        self
    }

    /// How long the queue waits for a message before it returns none, in whole seconds; default 20, the
    /// maximum.
    pub fn wait(mut self, wait: Duration) -> Self {
        self.wait = wait;
        self
    }

    /// The timeout of a call, not counting the wait for messages; default 10 seconds. A call with a temporary
    /// failure is retried within three times this time.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Requests the queue's attributes, which checks that it exists and may be used.
    ///
    /// # Errors
    /// Of kind [`Config`](crate::ErrorKind::Config): the URL is not that of a queue, the queue does not exist, credentials
    /// or region are missing or wrong, or permissions are missing. Of kind [`Dispatcher`](crate::ErrorKind::Dispatcher):
    /// anything temporary, such as a service that cannot be reached or does not respond.
    pub async fn open(self) -> Result<Sqs> {
        // Boxed, since AWS's client makes it a large future.
        Box::pin(self.ask_and_open()).await
    }

    async fn ask_and_open(self) -> Result<Sqs> {
        self.check()?;
        let client = match &self.client {
            Some(client) => client.clone(),
            None => self.find_client().await?,
        };
        let link = Link::new(self.queue_url, &client, self.timeout, self.wait);
        let queue = Queue::ask(&link).await?;
        let aside = Aside::choose(&link, &queue);
        let visibility = self.visibility.unwrap_or(queue.visibility);
        let inner = Inner {
            // A queue that hides nothing would deliver one message to every worker.
            visibility: visibility.max(Duration::from_secs(1)),
            wait: self.wait,
            flight: Flight::default(),
            lanes: Lanes::default(),
            aside,
            link,
            queue,
        };
        Ok(Sqs {
            inner: Arc::new(inner),
        })
    }

    fn check(&self) -> Result<()> {
        let whole = |time: Duration| time.subsec_nanos() == 0 && !time.is_zero();
        if place(&self.queue_url).is_none() {
            return Err(config(
                "the URL of the SQS queue is invalid; write `https://sqs.REGION.amazonaws.com/ACCOUNT/NAME`, as the console shows it",
            ));
        }
        if !whole(self.wait) || self.wait > LONGEST_WAIT {
            return Err(config(
                "the `wait` of the SQS dispatcher must be 1 to 20 whole seconds",
            ));
        }
        if self
            .visibility
            .is_some_and(|it| !whole(it) || it > limits::LONGEST)
        {
            return Err(config(
                "the `visibility` of the SQS dispatcher must be 1 second to 12 hours, in whole seconds",
            ));
        }
        if self.timeout.is_zero() {
            return Err(config(
                "the `timeout` of the SQS dispatcher must not be zero",
            ));
        }
        if self.client.is_some() && (self.endpoint.is_some() || self.region.is_some()) {
            return Err(config(
                "the SQS dispatcher is given a client, which has its own region and endpoint: set them there",
            ));
        }
        Ok(())
    }

    async fn find_client(&self) -> Result<Client> {
        let place = place(&self.queue_url).expect("it was checked");
        // If the host is Amazon's usual one, the SDK finds it, or another one that the environment names.
        let of_url = (!place.usual).then_some(place.origin);
        let endpoint = self.endpoint.clone().or(of_url);
        let region = self.region.clone().or(place.region);
        client::find(region, endpoint, self.timeout).await
    }
}

impl fmt::Debug for SqsBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Unchecked settings may contain a password.
        let checked = place(&self.queue_url).is_some();
        f.debug_struct("SqsBuilder")
            .field("queue_url", &checked.then_some(&self.queue_url))
            .field("endpoint", &self.endpoint)
            .field("region", &self.region)
            .field("visibility", &self.visibility)
            .field("wait", &self.wait)
            .finish_non_exhaustive()
    }
}

fn config(message: &str) -> Error {
    Error::new(ErrorKind::Config, message)
}
