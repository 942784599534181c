//! The long pages, from `belts/docs/`.

#[doc = include_str!("../docs/architecture.md")]
pub mod architecture {}

#[doc = include_str!("../docs/guarantees.md")]
pub mod guarantees {}

#[cfg(feature = "testing")]
#[doc = include_str!("../docs/testing.md")]
pub mod testing {}

#[doc = include_str!("../docs/operations.md")]
pub mod operations {}

#[doc = include_str!("../docs/benchmarks.md")]
pub mod benchmarks {}

#[cfg(feature = "sqs")]
#[doc = include_str!("../docs/sqs.md")]
pub mod sqs {}
