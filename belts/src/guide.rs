//! The long pages, from `belts/docs/`.

#[doc = include_str!("../docs/architecture.md")]
pub mod architecture {}

#[doc = include_str!("../docs/functions.md")]
pub mod functions {}

#[doc = include_str!("../docs/calling.md")]
pub mod calling {}

#[cfg(all(feature = "encryption", feature = "testing", feature = "schedules"))]
#[doc = include_str!("../docs/recipes.md")]
pub mod recipes {}

#[cfg(feature = "testing")]
#[doc = include_str!("../docs/waiting.md")]
pub mod waiting {}

#[cfg(feature = "testing")]
#[doc = include_str!("../docs/callbacks.md")]
pub mod callbacks {}

#[cfg(feature = "testing")]
#[doc = include_str!("../docs/racing.md")]
pub mod racing {}

#[cfg(all(feature = "postgres", feature = "sqlite"))]
#[doc = include_str!("../docs/transactions.md")]
pub mod transactions {}
#[cfg(feature = "testing")]
#[doc = include_str!("../docs/cancelling.md")]
pub mod cancelling {}

#[cfg(feature = "testing")]
#[doc = include_str!("../docs/undoing.md")]
pub mod undoing {}

#[cfg(all(feature = "encryption", feature = "testing"))]
#[doc = include_str!("../docs/flow.md")]
pub mod flow {}

#[cfg(feature = "testing")]
#[doc = include_str!("../docs/schedules.md")]
pub mod schedules {}

#[doc = include_str!("../docs/progress.md")]
pub mod progress {}

#[cfg(feature = "dashboard")]
#[doc = include_str!("../docs/dashboard.md")]
pub mod dashboard {}

#[cfg(feature = "http")]
#[doc = include_str!("../docs/deployment.md")]
pub mod deployment {}

#[cfg(feature = "testing")]
#[doc = include_str!("../docs/deploying.md")]
pub mod deploying {}

#[cfg(feature = "testing")]
#[doc = include_str!("../docs/agents.md")]
pub mod agents {}

#[doc = include_str!("../docs/guarantees.md")]
pub mod guarantees {}

#[doc = include_str!("../docs/errors.md")]
pub mod errors {}

#[cfg(feature = "testing")]
#[doc = include_str!("../docs/testing.md")]
pub mod testing {}

#[cfg(feature = "testing")]
#[doc = include_str!("../docs/compare.md")]
pub mod compare {}

#[doc = include_str!("../docs/messages.md")]
pub mod messages {}

#[cfg(all(feature = "encryption", feature = "testing"))]
#[doc = include_str!("../docs/secrets.md")]
pub mod secrets {}

#[doc = include_str!("../docs/operations.md")]
pub mod operations {}

#[doc = include_str!("../docs/benchmarks.md")]
pub mod benchmarks {}

#[doc = include_str!("../docs/inspection.md")]
pub mod inspection {}

#[cfg(feature = "sqs")]
#[doc = include_str!("../docs/sqs.md")]
pub mod sqs {}

#[cfg(all(
    feature = "dashboard",
    feature = "encryption",
    feature = "testing",
    feature = "postgres",
    feature = "schedules"
))]
#[doc = include_str!("../docs/from_inngest.md")]
pub mod from_inngest {}

#[cfg(all(
    feature = "dashboard",
    feature = "encryption",
    feature = "testing",
    feature = "postgres",
    feature = "schedules"
))]
#[doc = include_str!("../docs/from_temporal.md")]
pub mod from_temporal {}

#[cfg(all(
    feature = "dashboard",
    feature = "encryption",
    feature = "testing",
    feature = "postgres",
    feature = "schedules"
))]
#[doc = include_str!("../docs/from_dbos.md")]
pub mod from_dbos {}

#[cfg(all(
    feature = "dashboard",
    feature = "encryption",
    feature = "testing",
    feature = "postgres",
    feature = "schedules"
))]
#[doc = include_str!("../docs/from_sidekiq.md")]
pub mod from_sidekiq {}

#[cfg(all(
    feature = "dashboard",
    feature = "encryption",
    feature = "testing",
    feature = "postgres",
    feature = "schedules"
))]
#[doc = include_str!("../docs/from_apalis.md")]
pub mod from_apalis {}
