//! How values of one type are recorded and read back.

use std::{fmt, sync::Arc};

use serde::{Serialize, de::DeserializeOwned};

use super::evaluate::checked;
use crate::{
    codec::{self, Decoded},
    error::Result,
    live::LiveRun,
};

/// An envelope, and the value that it is read back as.
type Recorded<T> = (Arc<[u8]>, T);

/// What a step does with values of its type. These are function pointers so that only [`Scope::step`](super::Scope::step) has bounds
/// on the type: with bounds on what drives a step as well, the compiler would report the same mistake twice.
pub(super) struct Values<T> {
    /// What is recorded of a value, and what is read back of that.
    pub(super) checked: fn(&T, &LiveRun) -> Result<Recorded<T>>,
    /// What an envelope holds.
    pub(super) decode: fn(&[u8]) -> Result<Decoded<T>>,
    /// What a test wants the step to return.
    #[cfg(feature = "testing")]
    pub(super) preset: fn(&[u8]) -> serde_json::Result<T>,
}

impl<T: Serialize + DeserializeOwned> Values<T> {
    pub(super) const OF_TYPE: Self = Self {
        checked: checked::<T>,
        decode: codec::decode::<T>,
        #[cfg(feature = "testing")]
        preset: |json| serde_json::from_slice(json),
    };
}

impl<T> fmt::Debug for Values<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(std::any::type_name::<T>())
    }
}
