//! The SDK's client: endpoint, credentials and timeouts.

use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_sqs::{
    Client,
    config::{
        ProvideCredentials as _, Region, StalledStreamProtectionConfig, timeout::TimeoutConfig,
    },
};
use aws_smithy_http_client::{
    Builder,
    tls::{Provider, rustls_provider::CryptoMode},
};

use crate::error::{Error, ErrorKind, Result};

/// A call with a temporary failure is retried within this many times its timeout.
const PATIENCE: u32 = 3;
/// Added to the wait of a long poll for the round trip.
const CONNECT: Duration = Duration::from_secs(5);

/// A queue and how to call it.
pub(super) struct Link {
    pub(super) url: String,
    pub(super) client: Client,
    /// The same client, with the timeout of a long poll.
    pub(super) poller: Client,
}

impl Link {
    /// Calls time out after `timeout`, polls `wait` later.
    pub(super) fn new(url: String, client: &Client, timeout: Duration, wait: Duration) -> Self {
        Self {
            url,
            client: patient(client, timeout, timeout),
            poller: patient(client, timeout, timeout + wait),
        }
    }
}

/// A client with this timeout for each call. Its other settings stay unchanged.
fn patient(client: &Client, connect: Duration, answer: Duration) -> Client {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(connect.min(CONNECT))
        .read_timeout(answer)
        .operation_attempt_timeout(answer)
        .operation_timeout(answer * PATIENCE)
        .build();
    let config = client
        .config()
        .to_builder()
        .timeout_config(timeouts)
        // A long poll that returns nothing is not stalled; the timeouts above find stalled ones.
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .build();
    Client::from_conf(config)
}

/// A client for a place, with the credentials that AWS's own tools would find.
pub(super) async fn find(
    region: Option<String>,
    endpoint: Option<String>,
    timeout: Duration,
) -> Result<Client> {
    let https = Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .build_https();
    let mut loader = aws_config::from_env().http_client(https);
    if let Some(region) = region {
        loader = loader.region(Region::new(region));
    }
    if let Some(endpoint) = endpoint {
        loader = loader.endpoint_url(endpoint);
    }
    let finding = async {
        let config = loader.load().await;
        if config.region().is_none() {
            return Err(Error::new(
                ErrorKind::Config,
                "no AWS region is set: add `.region(…)` or `?region=…`, or set AWS_REGION",
            ));
        }
        identify(&config).await?;
        Ok(Client::new(&config))
    };
    // Credentials may come from a server on the network.
    match tokio::time::timeout(timeout * PATIENCE, finding).await {
        Ok(found) => found,
        Err(late) => Err(Error::dispatcher(
            "the AWS credentials did not arrive in time",
            late,
        )),
    }
}

/// Checks that there are credentials; without this, the first call would report their absence less clearly.
async fn identify(config: &SdkConfig) -> Result<()> {
    let Some(provider) = config.credentials_provider() else {
        return Ok(());
    };
    match provider.provide_credentials().await {
        Ok(_) => Ok(()),
        Err(why) => Err(Error::new(
            ErrorKind::Config,
            "no AWS credentials were found: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile, or a role of the machine",
        )
        .with_source(why)),
    }
}
