//! The conformance suite for dispatchers: one case for each rule of the [`Dispatcher`](crate::dispatch::Dispatcher) contract.
//!
//! Implement [`Transport`] for something that opens clients of one queue, topic or service, pass a constructor of fresh ones to
//! [`dispatcher_conformance!`](crate::dispatcher_conformance), and each case becomes a separate test. The cases use the
//! system's time: set the visibility timeout to a second or two.
//!
//! ```
//! use belts::{conformance::dispatch::Transport, dispatch::{Channel, SharedDispatcher}};
//! use std::{sync::Arc, time::Duration};
//!
//! struct InMemory(Channel);
//!
//! #[async_trait::async_trait]
//! impl Transport for InMemory {
//!     async fn connect(&self, _url: &str) -> belts::Result<SharedDispatcher> {
//!         Ok(Arc::new(self.0.clone()))
//!     }
//! }
//!
//! mod channel {
//!     belts::dispatcher_conformance!(super::InMemory(super::Channel::new(super::Duration::from_secs(1))));
//! }
//! # fn main() {}
//! ```

use std::{future::Future, pin::Pin};

use crate::error::Result;

mod arrived;
mod bench;
mod front;
mod meddler;
mod receiving;
mod sending;
mod site;
mod transport;
mod workers;

use bench::Bench;
pub use transport::Transport;

suite! { $ dispatch, "dispatcher", Transport, dispatcher_conformance,
"Makes a `#[tokio::test]` of each rule, named for it. The argument makes a fresh [`Transport`](crate::conformance::dispatch::Transport) and is evaluated in each test. An attribute before it is put on every test, such as `#[ignore = \"no server found\"]`." {
    sending {
        what_was_sent_arrives body_arrives_as_sent delay_is_kept batch_is_answered_in_order
    }
    receiving {
        unacknowledged_comes_again acknowledged_is_gone visible_to_one_receiver put_off_comes_later put_aside_is_gone
        dropped_receive_loses_nothing
    }
    workers {
        second_delivery_starts_nothing two_deliveries_at_once_start_one_run lost_acknowledgement_starts_nothing
        reordered_messages_all_count poison_spares_the_others misfit_comes_again
        delayed_event_runs_at_its_time shutdown_in_mid_delivery_loses_nothing
    }
}}
