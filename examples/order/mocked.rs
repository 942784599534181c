//! A mock of QStash inside this program, for users without an account.

use std::time::Duration;

use belts::{WorkerBuilder, dispatch::Qstash};
use belts_qstash_mock::Mock;

use crate::demo::Outcome;

pub(crate) struct Mocked(Mock);

impl Mocked {
    pub(crate) fn start() -> Outcome<Self> {
        // It retries sooner than the service: the worker is down only for a moment.
        let mock = Mock::settings().backoff(Duration::from_secs(3));
        Ok(Self(mock.start()?))
    }

    /// The worker's settings for the service.
    pub(crate) fn variables(&self) -> [(&'static str, String); 4] {
        let keys = self.0.keys();
        [
            ("QSTASH_URL", self.0.url().to_owned()),
            ("QSTASH_TOKEN", self.0.token().to_owned()),
            ("QSTASH_CURRENT_SIGNING_KEY", keys.current),
            ("QSTASH_NEXT_SIGNING_KEY", keys.next),
        ]
    }

    /// The publisher's dispatcher, which has the worker at this URL called.
    pub(crate) fn dispatcher(&self, builder: WorkerBuilder, url: &str) -> Outcome<WorkerBuilder> {
        let qstash = Qstash::builder(self.0.token(), url).url(self.0.url());
        Ok(builder.dispatcher(qstash.build()?))
    }
}
