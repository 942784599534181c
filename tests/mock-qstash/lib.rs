//! A mock of the QStash service: what is published to it, it delivers as the service does, and as badly as it is told to.
//!
//! ```no_run
//! use std::time::Duration;
//! use belts_qstash_mock::{Faults, Mock, When};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let mock = Mock::settings().speed(1_000.0).start()?; // the first retry comes after 12 ms
//! mock.set_faults(Faults { lose_answer: When::Attempts(vec![0]), ..Faults::default() });
//! // ... publish to mock.url() with mock.token() ...
//! mock.idle(Duration::from_secs(10)).await?;
//! assert_eq!(mock.deliveries().len(), 2);
//! # Ok(()) }
//! ```
//!
//! It listens on a free port of 127.0.0.1, runs on a thread of its own, and ends with its handle. It lives in real time:
//! a test that pauses tokio's clock cannot wait for it.
//!
//! What only the live service can tell is decided here as follows. A duplicate is answered 202 (a setting). A URL group is
//! answered with a bare array, the only form that the Python SDK reads. A 489 without its header is a failure like others, and
//! so is the header with another status. Each attempt has a `jti` of its own. A destination's query loses the keys that begin
//! with `upstash-`, and `qstash_token`. `sub` is the destination as it was published, not a normal form of it. A header that
//! asks for a pause wins over the message's own. A dead letter that is retried loses its delay and what kept duplicates out.
//! A callback that fails for good is a dead letter too. The log says `CANCELED`, as both SDKs read it.
//!
//! Left out: schedules, and everything that is Upstash Workflow's alone.

mod api;
mod book;
mod callback;
mod engine;
mod expression;
mod failed;
mod faults;
mod filter;
mod forge;
mod inspect;
mod lane;
mod message;
mod mock;
mod options;
mod redact;
mod retry;
mod settings;
mod sign;
mod target;
mod time;
mod view;
mod words;

pub use expression::Expression;
pub use faults::{Faults, Refusal, When};
pub use forge::{Forge, Forged, Verdict};
pub use inspect::{Answer, Counts, DeadLetter, Delivery, NotIdle, Request};
pub use lane::Limits;
pub use message::{Message, State};
pub use mock::Mock;
pub use options::{Callback, FlowControl, Options};
pub use redact::Redact;
pub use settings::Settings;
pub use sign::{Claims, Keys, body_hash, sign};
