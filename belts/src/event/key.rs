//! The types of correlation keys, so that a wait with a key of another type is a compile error.

use std::{borrow::Borrow, marker::PhantomData};

use serde::Serialize;

use super::EventSet;
use crate::__private::correlation_key;

/// A correlation key of this type.
#[derive(Debug)]
pub struct Key<T>(PhantomData<fn() -> T>);

/// No correlation key.
#[derive(Debug)]
pub struct NoKey(());

/// Stands for the key of what only belts publishes, so that nobody waits for it.
#[derive(Debug)]
pub struct NotPublished(());

/// The keys of several events that are one set.
#[derive(Debug)]
pub struct Both<A, B>(PhantomData<fn() -> (A, B)>);

/// A set of events whose keys all have one type.
#[diagnostic::on_unimplemented(
    message = "these events do not all have a correlation key of one type",
    label = "has no key of one type"
)]
pub trait HasKey {
    /// That type.
    type Of;
}

impl<T> HasKey for Key<T> {
    type Of = T;
}

#[diagnostic::do_not_recommend]
impl<A: HasKey, B: HasKey<Of = A::Of>> HasKey for Both<A, B> {
    type Of = A::Of;
}

/// A set of events none of which has a key.
#[diagnostic::on_unimplemented(
    message = "the event has a correlation key, so a wait for it needs one",
    label = "no `key`",
    note = "say whose event it is: `wait!(\"…\", Event, key = &order.order_id)`"
)]
pub trait HasNoKey {}

impl HasNoKey for NoKey {}

#[diagnostic::do_not_recommend]
impl<A: HasNoKey, B: HasNoKey> HasNoKey for Both<A, B> {}

/// A value that is the correlation key of an event, or borrows as it. `M` tells the ways apart.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not the correlation key of `{E}`",
    label = "not the type of its `#[event(key = …)]`",
    note = "give a value of the key's type, or a reference to one; an event without `#[event(key = …)]` is waited for without `key`"
)]
pub trait KeyOf<E, M> {
    /// The key as events have it.
    fn text(&self) -> Option<String>;
}

/// The value itself.
#[derive(Debug)]
pub struct ByValue(());
/// A reference to it.
#[derive(Debug)]
pub struct ByReference(());
/// A reference to one, as `&id` is where `id` is a `&str`.
#[derive(Debug)]
pub struct ByReferences(());

#[diagnostic::do_not_recommend]
impl<E, Q> KeyOf<E, ByValue> for Q
where
    E: EventSet,
    E::Key: HasKey,
    <E::Key as HasKey>::Of: Borrow<Q>,
    Q: Serialize,
{
    fn text(&self) -> Option<String> {
        correlation_key(self)
    }
}

#[diagnostic::do_not_recommend]
impl<E, Q> KeyOf<E, ByReference> for &Q
where
    E: EventSet,
    E::Key: HasKey,
    <E::Key as HasKey>::Of: Borrow<Q>,
    Q: Serialize + ?Sized,
{
    fn text(&self) -> Option<String> {
        correlation_key(*self)
    }
}

#[diagnostic::do_not_recommend]
impl<E, Q> KeyOf<E, ByReferences> for &&Q
where
    E: EventSet,
    E::Key: HasKey,
    <E::Key as HasKey>::Of: Borrow<Q>,
    Q: Serialize + ?Sized,
{
    fn text(&self) -> Option<String> {
        correlation_key(**self)
    }
}
