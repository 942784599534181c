//! The conformance suite, tried with every dispatcher.

use std::{sync::Arc, time::Duration};

use belts::{
    Backoff, Keyring, WorkerBuilder,
    conformance::dispatch::Transport,
    dispatch::{Channel, Http, Qstash, Redis, SharedDispatcher},
};
use belts_qstash_mock::Mock;
use belts_suite::servers::{self, Prefix, Queue};

use crate::sqs;

/// A transport of sealed messages, the ends of which seal with different keys.
struct Sealed<T>(T);

#[async_trait::async_trait]
impl<T: Transport> Transport for Sealed<T> {
    async fn connect(&self, url: &str) -> belts::Result<SharedDispatcher> {
        self.0.connect(url).await
    }

    fn sender(&self, builder: WorkerBuilder) -> WorkerBuilder {
        let keys = Keyring::new("2026-11", [11; 32]).and_old("2026-01", [1; 32]);
        self.0.sender(builder).encryption(keys)
    }

    fn receiver(&self, builder: WorkerBuilder) -> WorkerBuilder {
        let keys = Keyring::new("2026-01", [1; 32]).and_old("2026-11", [11; 32]);
        self.0.receiver(builder).encryption(keys)
    }
}

struct InMemory(Channel);

#[async_trait::async_trait]
impl Transport for InMemory {
    async fn connect(&self, _url: &str) -> belts::Result<SharedDispatcher> {
        Ok(Arc::new(self.0.clone()))
    }
}

mod channel {
    belts::dispatcher_conformance!(super::InMemory(super::Channel::new(
        super::Duration::from_secs(1)
    )));
}

mod channel_sealed {
    belts::dispatcher_conformance!(super::Sealed(super::InMemory(super::Channel::new(
        super::Duration::from_secs(1)
    ))));
}

/// Signed requests to the worker.
struct Signed;

const KEY: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

#[async_trait::async_trait]
impl Transport for Signed {
    async fn connect(&self, url: &str) -> belts::Result<SharedDispatcher> {
        // Seconds between tries that come to the same are too much for a test.
        let millis = Duration::from_millis;
        let http = Http::builder(url).backoff(Backoff::new(millis(20), millis(200)));
        Ok(Arc::new(http.signing_keys([KEY]).build()?))
    }

    fn receiver(&self, builder: WorkerBuilder) -> WorkerBuilder {
        builder.signing_keys([KEY])
    }
}

mod http {
    belts::dispatcher_conformance!(super::Signed);
}

mod http_sealed {
    belts::dispatcher_conformance!(super::Sealed(super::Signed));
}

/// A stream of its own on the server of all tests.
struct Stream(Prefix);

#[async_trait::async_trait]
impl Transport for Stream {
    async fn connect(&self, _url: &str) -> belts::Result<SharedDispatcher> {
        let redis = Redis::builder(self.0.url())
            .key_prefix(self.0.name())
            .visibility(Duration::from_secs(1));
        Ok(Arc::new(redis.open().await?))
    }
}

mod redis {
    belts::dispatcher_conformance!(
        #[cfg_attr(
            not(has_redis),
            ignore = "no Redis server found: install it or set BELTS_TEST_REDIS_URL"
        )]
        super::Stream(super::servers::Redis::shared().prefix())
    );
}

mod redis_sealed {
    belts::dispatcher_conformance!(
        #[cfg_attr(
            not(has_redis),
            ignore = "no Redis server found: install it or set BELTS_TEST_REDIS_URL"
        )]
        super::Sealed(super::Stream(super::servers::Redis::shared().prefix()))
    );
}

/// A queue, with another one for what is put aside.
struct Queues {
    queue: Queue,
    _dead_letters: Queue,
}

impl Queues {
    async fn new() -> Self {
        let (queue, dead_letters) = sqs::aside::with_dead_letters(false, 100).await;
        Self {
            queue,
            _dead_letters: dead_letters,
        }
    }
}

#[async_trait::async_trait]
impl Transport for Queues {
    async fn connect(&self, _url: &str) -> belts::Result<SharedDispatcher> {
        Ok(Arc::new(sqs::queue::open(&self.queue).await))
    }
}

mod queue {
    belts::dispatcher_conformance!(
        #[cfg_attr(not(has_python), ignore = "no python3 with pip found: install them")]
        super::Queues::new().await
    );
}

/// The service that pushes, mocked.
struct Pushing(Mock);

impl Pushing {
    fn new() -> Self {
        // An hour of the service's patience is too much for a test.
        let mock = Mock::settings().backoff(Duration::from_millis(200)).start();
        Self(mock.unwrap())
    }
}

#[async_trait::async_trait]
impl Transport for Pushing {
    async fn connect(&self, url: &str) -> belts::Result<SharedDispatcher> {
        let keys = self.0.keys();
        let qstash = Qstash::builder(self.0.token(), url)
            .url(self.0.url())
            .signing_keys(keys.current, keys.next);
        Ok(Arc::new(qstash.build()?))
    }
}

mod qstash {
    belts::dispatcher_conformance!(super::Pushing::new());
}

mod qstash_sealed {
    belts::dispatcher_conformance!(super::Sealed(super::Pushing::new()));
}
