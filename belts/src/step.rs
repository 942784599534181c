//! Steps, as generated code drives them.

use std::{future::Future, marker::PhantomData, time::{Duration, SystemTime}};
use serde::{Serialize, de::DeserializeOwned};
use crate::{context::Context, error::Result, run::{Backoff, Location}};

#[derive(Debug, Clone)]
pub struct Scope {}
#[derive(Debug, Clone)]
pub enum Key { Literal(&'static str), Formatted(String) }
#[derive(Debug, Clone, Copy, Default)]
pub struct StepOptions { pub retries: Option<u32>, pub backoff: Option<Backoff>, pub timeout: Option<Duration> }
#[derive(Debug)]
pub struct Step<T> { t: PhantomData<fn() -> T> }
#[derive(Debug)]
pub enum Next<T> { Return(Result<T>), Attempt }
#[derive(Debug)]
pub struct Entered {}
impl Scope {
    pub fn context(&self) -> Context { unimplemented!() }
    pub fn step<T>(&self, _key: Key, _at: &'static Location, _options: StepOptions) -> Step<T> { unimplemented!() }
    pub fn sleep(&self, _key: Key, _at: &'static Location, _duration: Duration) -> impl Future<Output = Result<()>> + Send + use<> { std::future::pending() }
    pub fn sleep_until<S: Into<SystemTime>>(&self, _key: Key, _at: &'static Location, _time: S) -> impl Future<Output = Result<()>> + Send + use<S> { std::future::pending() }
    pub fn enter(&self, _key: Key, _at: &'static Location) -> Entered { unimplemented!() }
}
impl Entered {
    pub async fn begin(&self) {}
    pub fn scope(&self) -> &Scope { unimplemented!() }
}
impl<T: Serialize + DeserializeOwned> Step<T> {
    pub async fn next(&mut self) -> Next<T> { Next::Attempt }
    pub async fn attempt<F: Future<Output = Result<T>>>(&mut self, _attempt: F) {}
}
