//! Publishing.
use crate::{error::Result, event::EncodedEvent};
#[derive(Debug)]
pub struct Publish {}
impl Publish { pub(crate) fn new(_e: Result<EncodedEvent>) -> Self { Self {} } }
impl std::future::IntoFuture for Publish { type Output = Result<()>; type IntoFuture = std::pin::Pin<Box<dyn Future<Output = Result<()>> + Send>>; fn into_future(self) -> Self::IntoFuture { unimplemented!() } }
pub(crate) fn encode<T: serde::Serialize + ?Sized>(_t: &'static str, _v: &T, _k: Option<String>) -> Result<EncodedEvent> { unimplemented!() }
pub(crate) fn decode<T: serde::de::DeserializeOwned>(_p: &[u8]) -> Result<T> { unimplemented!() }
