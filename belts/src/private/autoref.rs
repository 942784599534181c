//! How a step's expression, whatever it is, becomes a future of `Result<T, Caught>`.
//!
//! Method lookup picks the first impl whose receiver needs no extra `&`: `(&Awaitable(&value)).__belts_kind()` is a future's tag
//! where the value is one, else a plain value's. With two `&`, as before `Fallible`, it looks at `&T` first, then at `&&T`, and
//! last at `T`. The method's name is nobody else's: a trait of the user's that is implemented for everything has no say.

use std::{
    convert::Infallible,
    error::Error as StdError,
    future::{Future, IntoFuture},
    marker::PhantomData,
    pin::Pin,
    task::{Context, Poll},
};

use crate::{
    error::{Error, service_failure},
    step::{AnyError, Caught},
};

#[derive(Debug)]
pub struct Awaitable<'a, T>(pub &'a T);
#[derive(Debug, Clone, Copy)]
pub struct FutureTag;
#[derive(Debug, Clone, Copy)]
pub struct ValueTag;

pub trait ViaFuture {
    fn __belts_kind(&self) -> FutureTag {
        FutureTag
    }
}
impl<T: IntoFuture> ViaFuture for Awaitable<'_, T> {}

pub trait ViaValue {
    fn __belts_kind(&self) -> ValueTag {
        ValueTag
    }
}
impl<T> ViaValue for &Awaitable<'_, T> {}

/// A value as it came, or a future to wait for.
#[derive(Debug)]
pub enum Flow<T, F> {
    Ready(T),
    Wait(F),
}

/// A future that cannot be: behind a call that returns one the compiler knows code to be unreachable,
/// so that what lives across the `await` there need not be `Send`.
#[derive(Debug)]
pub struct Never<T>(pub Infallible, pub PhantomData<fn() -> T>);

impl<T> Future for Never<T> {
    type Output = T;
    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<T> {
        match self.0 {}
    }
}

impl FutureTag {
    pub fn split<T: IntoFuture>(self, value: T) -> Flow<T::Output, T::IntoFuture> {
        Flow::Wait(value.into_future())
    }
    pub fn only_future<F>(self, future: F) -> F {
        future
    }
}
impl ValueTag {
    pub fn split<T>(self, value: T) -> Flow<T, Never<T>> {
        Flow::Ready(value)
    }
    pub fn only_future<T>(self, never: Never<T>) -> Never<T> {
        never
    }
}

#[derive(Debug)]
pub struct Fallible<'a, T>(pub &'a T);
#[derive(Debug)]
pub struct ResultTag;
#[derive(Debug)]
pub struct BorrowedTag;
#[derive(Debug)]
pub struct PlainTag;

pub trait ViaResult {
    fn __belts_kind(&self) -> ResultTag {
        ResultTag
    }
}
impl<T, E> ViaResult for &Fallible<'_, Result<T, E>> {}

pub trait ViaBorrowed {
    fn __belts_kind(&self) -> BorrowedTag {
        BorrowedTag
    }
}
impl<T: ?Sized> ViaBorrowed for &&Fallible<'_, &T> {}

pub trait ViaPlain {
    fn __belts_kind(&self) -> PlainTag {
        PlainTag
    }
}
impl<T> ViaPlain for Fallible<'_, T> {}

impl ResultTag {
    pub fn finish<T, E: AnyError>(self, value: Result<T, E>) -> Result<T, Caught> {
        value.map_err(|error| Caught(error.into_error()))
    }
}
impl BorrowedTag {
    pub fn finish<T: Owned>(self, value: T) -> Result<T::Value, Caught> {
        Ok(value.value())
    }
}
impl PlainTag {
    pub fn finish<T>(self, value: T) -> Result<T, Caught> {
        Ok(value)
    }
}

/// What an arm of a race has come to: a failure of the store, or of the dispatcher, wins no race.
#[derive(Debug)]
pub struct Ended<'a, T>(pub &'a T);

pub trait ViaOwnError {
    fn __belts_failure(&self) -> Option<Error>;
}
impl<T> ViaOwnError for &Ended<'_, Result<T, Error>> {
    fn __belts_failure(&self) -> Option<Error> {
        service_failure(self.0.as_ref().err()?)
    }
}

/// As those of anyhow and eyre, and boxes.
pub trait ViaAnyError {
    fn __belts_failure(&self) -> Option<Error>;
}
impl<T, E: AsRef<dyn StdError + Send + Sync>> ViaAnyError for &&Ended<'_, Result<T, E>> {
    fn __belts_failure(&self) -> Option<Error> {
        service_failure(self.0.as_ref().err()?.as_ref())
    }
}

pub trait ViaNoError {
    fn __belts_failure(&self) -> Option<Error> {
        None
    }
}
impl<T> ViaNoError for Ended<'_, T> {}

/// What no reference is. rustc would say of one that `Deserialize` is not general enough.
#[diagnostic::on_unimplemented(
    message = "the value of a step must be owned, but this is a `{Self}`",
    label = "borrows its value",
    note = "it is recorded, and read back when the run resumes; add `.to_owned()` or `.clone()`"
)]
pub trait Owned {
    type Value;
    fn value(self) -> Self::Value;
}
