//! A server that speaks like SQS: `moto`, of the same authors' hands as many tests of AWS programs.
//!
//! It keeps queues in memory. It hides a message only after it has given it out, so two receivers that ask at the very same
//! moment may both get it, which SQS promises for FIFO queues never to do.

use std::{
    io::{self, Read as _, Write as _},
    net::TcpStream,
    path::Path,
    process::Command,
    time::Duration,
};

use aws_sdk_sqs::{
    Client, Config,
    config::{Credentials, Region},
    types::QueueAttributeName,
};
use aws_smithy_http_client::{
    Builder,
    tls::{Provider, rustls_provider::CryptoMode},
};
use tokio::sync::OnceCell;

use super::process::{Server, directory, random};
use crate::install::pip;

/// A `moto` of our own.
#[derive(Debug)]
pub struct Moto {
    server: Server,
}

impl Moto {
    /// The server of this test binary, started at the first call; its packages are installed somewhere below `packages`.
    ///
    /// # Panics
    /// There is none.
    pub async fn shared(packages: &Path) -> &'static Self {
        static SHARED: OnceCell<Moto> = OnceCell::const_new();
        let start = async || Self::start(packages).await;
        let shared = SHARED.get_or_try_init(start).await;
        shared.unwrap_or_else(|error| panic!("{error}"))
    }

    /// A server for one test, which may stop it.
    ///
    /// # Errors
    /// Python is missing, `moto` cannot be installed, or it does not start.
    pub async fn start(packages: &Path) -> io::Result<Self> {
        let files = [("requirements.txt", include_str!("moto.txt"))];
        let installed = pip(packages, "moto", &files).await?;
        let mut command = Command::new("env");
        command
            .arg(format!(
                "PYTHONPATH={}",
                installed.join("packages").display()
            ))
            .args(["python3", "-m", "moto.server", "-H", "127.0.0.1", "-p"]);
        let start = move || Server::start(directory("moto"), "KILL", answers, &command, || Ok(()));
        let server = tokio::task::spawn_blocking(start).await??;
        Ok(Self { server })
    }

    /// Where clients find it.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.server.port())
    }

    /// Ends it; its queues are gone.
    ///
    /// # Errors
    /// It cannot be ended.
    pub fn kill(&self) -> io::Result<()> {
        self.server.end("KILL")
    }

    /// Starts it on the same port, with no queues.
    ///
    /// # Errors
    /// It does not start.
    pub fn start_again(&self) -> io::Result<()> {
        self.server.start_again()
    }

    /// A client of it, with credentials of which it believes any.
    pub fn client(&self) -> Client {
        sqs_client(&self.url())
    }

    /// Makes a queue that nobody else uses.
    ///
    /// # Errors
    /// The server refuses.
    pub async fn queue(&self, attributes: &[(QueueAttributeName, &str)]) -> io::Result<Queue> {
        let fifo = attributes
            .iter()
            .any(|(name, _)| *name == QueueAttributeName::FifoQueue);
        let ending = if fifo { ".fifo" } else { "" };
        let name = format!("test-{:016x}{ending}", random());
        Queue::make(self.client(), &name, attributes).await
    }
}

/// A client of a server like SQS.
pub fn sqs_client(endpoint: &str) -> Client {
    let https = Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .build_https();
    let config = Config::builder()
        .http_client(https)
        .endpoint_url(endpoint)
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new("test", "test", None, None, "tests"))
        .build();
    Client::from_conf(config)
}

/// A queue of a test.
#[derive(Debug, Clone)]
pub struct Queue {
    client: Client,
    url: String,
    name: String,
}

impl Queue {
    /// Makes a queue of this name.
    ///
    /// # Errors
    /// The server refuses.
    pub async fn make(
        client: Client,
        name: &str,
        attributes: &[(QueueAttributeName, &str)],
    ) -> io::Result<Self> {
        let mut create = client.create_queue().queue_name(name);
        for (attribute, value) in attributes {
            create = create.attributes(attribute.clone(), *value);
        }
        let created = create.send().await.map_err(io::Error::other)?;
        Ok(Self {
            url: created.queue_url.unwrap_or_default(),
            name: name.to_owned(),
            client,
        })
    }

    /// Its URL.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A client of its server.
    pub fn client(&self) -> Client {
        self.client.clone()
    }

    /// The policy of a queue whose messages go here when they came as often.
    ///
    /// # Errors
    /// The server refuses to tell the ARN.
    pub async fn redrive_policy(&self, most: u32) -> io::Result<String> {
        let arn = self.attribute(QueueAttributeName::QueueArn).await?;
        Ok(format!(
            r#"{{"deadLetterTargetArn":"{arn}","maxReceiveCount":"{most}"}}"#
        ))
    }

    /// How many messages it has, those included that are delayed or hidden.
    ///
    /// # Errors
    /// The server refuses.
    pub async fn len(&self) -> io::Result<usize> {
        use QueueAttributeName as Name;
        let mut all = 0;
        for name in [
            Name::ApproximateNumberOfMessages,
            Name::ApproximateNumberOfMessagesDelayed,
            Name::ApproximateNumberOfMessagesNotVisible,
        ] {
            all += self.attribute(name).await?.parse().unwrap_or(0);
        }
        Ok(all)
    }

    async fn attribute(&self, name: QueueAttributeName) -> io::Result<String> {
        let asked = self
            .client
            .get_queue_attributes()
            .queue_url(&self.url)
            .attribute_names(name.clone());
        let answer = asked.send().await.map_err(io::Error::other)?;
        let attributes = answer.attributes.unwrap_or_default();
        Ok(attributes.get(&name).cloned().unwrap_or_default())
    }
}

/// Whether it answers.
fn answers(port: u16) -> bool {
    let ask = || -> io::Result<bool> {
        let mut connection = TcpStream::connect(("127.0.0.1", port))?;
        connection.set_read_timeout(Some(Duration::from_secs(5)))?;
        connection.write_all(b"GET /moto-api/data.json HTTP/1.0\r\n\r\n")?;
        let mut answer = [0; 12];
        connection.read_exact(&mut answer)?;
        Ok(answer.ends_with(b" 200"))
    };
    ask().unwrap_or(false)
}
