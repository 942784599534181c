//! Application state: values that a worker holds for its functions.

use std::{
    any::{Any, TypeId, type_name},
    collections::HashMap,
    fmt,
    ops::{Deref, DerefMut},
    sync::Arc,
};

/// A value of the application, such as a connection pool, that a function takes beside its event.
///
/// Give it to the worker with [`state`](crate::WorkerBuilder::state). Each attempt of a run gets a clone, so what is costly to
/// clone, or must be one for all, goes into an `Arc`. The type alone says which value is meant: two values of one type need
/// types of their own, such as `struct ReadReplica(PgPool)`.
///
/// ```rust,standalone_crate
/// use belts::{Context, Event, State, Worker, step};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize, Event)]
/// struct Signup { email: String }
///
/// #[derive(Clone)]
/// struct Mailer { from: &'static str }
///
/// impl Mailer {
///     async fn send(&self, to: &str) -> belts::Result<String> {
///         Ok(format!("{} to {to}", self.from))
///     }
/// }
///
/// #[belts::function(id = "welcome", on = Signup)]
/// async fn welcome(signup: Signup, State(mailer): State<Mailer>, cx: Context) -> belts::Result<String> {
///     step!("send", mailer.send(&signup.email)).await
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> belts::Result<()> {
/// let worker = Worker::builder()
///     .store_url("memory:")
///     .state(Mailer { from: "hello@shop.example" })
///     .build()
///     .await?;
/// # drop(worker);
/// # Ok(()) }
/// ```
///
/// In a file that has axum's `State` in scope, that one means the same here (feature `http`).
///
/// Take it in any order with the [`Context`](crate::Context), after the event. A helper gets what it needs as an ordinary
/// argument. A worker without the value fails in [`build`](crate::WorkerBuilder::build), with the function and the type in its
/// error.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct State<T>(pub T);

impl<T> Deref for State<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> DerefMut for State<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

/// The type of a state that a function takes.
#[derive(Debug, Clone, Copy)]
pub struct Need {
    id: TypeId,
    name: &'static str,
}

impl Need {
    pub(crate) fn of<T: 'static>() -> Self {
        Self {
            id: TypeId::of::<T>(),
            name: type_name::<T>(),
        }
    }

    /// Names a function that takes this.
    pub(crate) fn of_function(&self, function_id: &str) -> String {
        format!("`{function_id}` takes `State<{}>`", self.name)
    }
}

/// Says what functions take that a worker does not have; each of `lacks` names one function and one type.
pub(crate) fn missing(lacks: &[String], states: &States) -> String {
    let (which, how) = match lacks {
        [_] => ("no such state", "a value of that type"),
        _ => ("no such states", "a value of each type"),
    };
    let lacks = lacks.join("; ");
    let text = format!("{lacks}; the worker has {which}: add `.state(…)` with {how}");
    match states.names().as_slice() {
        [] => text,
        names => format!("{text}; it has: `{}`", names.join("`, `")),
    }
}

/// The states of a worker, one of each type.
#[derive(Clone, Default)]
pub(crate) struct States {
    held: HashMap<TypeId, Held>,
}

#[derive(Clone)]
struct Held {
    name: &'static str,
    value: Arc<dyn Any + Send + Sync>,
}

impl States {
    /// Holds the value, in place of what was held of its type.
    pub(crate) fn put<T: Send + Sync + 'static>(&mut self, value: T) {
        let held = Held {
            name: type_name::<T>(),
            value: Arc::new(value),
        };
        self.held.insert(TypeId::of::<T>(), held);
    }

    /// A clone of the value of this type.
    pub(crate) fn get<T: Clone + 'static>(&self) -> Option<T> {
        let held = self.held.get(&TypeId::of::<T>())?;
        held.value.downcast_ref::<T>().cloned()
    }

    pub(crate) fn has(&self, need: &Need) -> bool {
        self.held.contains_key(&need.id)
    }

    /// The types that are held, sorted by name.
    pub(crate) fn names(&self) -> Vec<&'static str> {
        let mut names: Vec<_> = self.held.values().map(|held| held.name).collect();
        names.sort_unstable();
        names
    }
}

impl fmt::Debug for States {
    /// The types alone: values may be secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.names()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_found_by_its_type_and_the_later_one_counts() {
        let mut states = States::default();
        states.put(1_u32);
        states.put("text");
        states.put(2_u32);
        assert_eq!(states.get::<u32>(), Some(2));
        assert_eq!(states.get::<&'static str>(), Some("text"));
        assert_eq!(states.get::<u64>(), None);
        assert!(states.has(&Need::of::<u32>()) && !states.has(&Need::of::<u64>()));
    }

    #[test]
    fn what_is_held_is_shown_by_type_alone() {
        let mut states = States::default();
        states.put("secret".to_owned());
        assert_eq!(format!("{states:?}"), r#"{"alloc::string::String"}"#);
    }
}
