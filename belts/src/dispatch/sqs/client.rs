//! The client of the SDK: where it finds the service and who we are, and how long it waits.

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

/// A call that failed in passing is tried again within this many times its time.
const PATIENCE: u32 = 3;
/// Beyond the wait of a long poll, this is for the way there and back where calls have less time.
const CONNECT: Duration = Duration::from_secs(5);

/// A queue and how to call it.
pub(super) struct Link {
    pub(super) url: String,
    pub(super) client: Client,
    /// The same client, with the patience of a long poll.
    pub(super) poller: Client,
}

impl Link {
    /// Calls have `timeout` to be answered, polls `wait` more.
    pub(super) fn new(url: String, client: &Client, timeout: Duration, wait: Duration) -> Self {
        Self {
            url,
            client: patient(client, timeout, timeout),
            poller: patient(client, timeout, timeout + wait),
        }
    }
}

/// A client whose calls each have this time. Its other settings stay as they are.
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
        // A long poll that brings nothing is not stalled; the timeouts above find what is.
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
            "the AWS credentials do not come in time",
            late,
        )),
    }
}

/// Makes sure that there are credentials, whose absence the first call would tell less clearly.
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
