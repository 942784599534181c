//! Functions: what stands for one in code, and their options.

mod argument;
mod ask;
mod call;
mod cancel;
#[cfg_attr(
    not(feature = "http"),
    allow(dead_code, reason = "described over HTTP alone")
)]
mod contract;
mod definition;
mod failed;
mod flow;
mod handle;
mod keys;
mod options;
mod returned;
pub(crate) mod state;
mod whole;

pub use argument::Argument;
pub use ask::Ask;
pub use call::Call;
pub use cancel::{CancelOn, Cancels};
#[cfg(feature = "http")]
pub(crate) use contract::contract;
pub(crate) use contract::own_keys;
pub use definition::{
    AwaitEntry, Definition, Driven, EventEntry, FunctionDef, FunctionEntry, Handled, HelperEntry,
    Invocation, UNFINISHED,
};
pub(crate) use failed::{FAILED, Told};
pub use failed::{Failed, Handles};
pub use flow::{BatchOf, FlowDef, LaneDef, first as flow_first, key as flow_key};
pub use handle::RunHandle;
pub(crate) use keys::matches;
pub use keys::{ArmKey, KeyDef, TransactionKind};
pub use options::{Continuation, FunctionOptions, OnCancel};
pub use returned::Returned;
pub use state::State;
pub(crate) use whole::{is_whole, whole};

/// A function of belts, by its name: what takes one as an argument asks for this.
///
/// `#[belts::function]` makes a name such as `fn welcome(signup: Signup) -> Call<Signup, belts::Result<usize>, …>`. Nothing
/// else implements this, and nobody has to: a helper that passes functions on writes
/// `fn my_helper<M, F: belts::Function<M>>(function: F)` and leaves `M` to the compiler.
///
/// ```
/// use belts::{Event, step};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize, Event)]
/// struct Signup { email: String }
///
/// #[belts::function(id = "welcome-by-mail", on = Signup)]
/// async fn welcome(signup: Signup) -> belts::Result<usize> {
///     step!("count", signup.email.len()).await
/// }
///
/// fn shout<M, F: belts::Function<M>>(function: F) -> String {
///     belts::id_of(function).to_uppercase()
/// }
/// assert_eq!(shout(welcome), "WELCOME-BY-MAIL");
/// ```
#[diagnostic::on_unimplemented(
    message = "this is not a belts function",
    label = "expected the name of an `async fn` marked `#[belts::function]`",
    note = "give the name of an `async fn` marked `#[belts::function]`, without parentheses: `process_order`"
)]
pub trait Function<M>: sealed::Sealed<M> {
    /// The event that it takes.
    type Event;
    /// What it returns when it succeeds.
    type Output;

    #[doc(hidden)]
    fn definition() -> &'static FunctionDef;
}

mod sealed {
    use super::{Call, Definition};

    pub trait Sealed<M> {}

    impl<F, E, R, D: Definition> Sealed<Call<E, R, D>> for F where F: Fn(E) -> Call<E, R, D> {}
}

#[diagnostic::do_not_recommend]
impl<F, E, R: Returned, D: Definition> Function<Call<E, R, D>> for F
where
    F: Fn(E) -> Call<E, R, D>,
{
    type Event = E;
    type Output = R::Output;

    fn definition() -> &'static FunctionDef {
        D::DEFINITION
    }
}

/// The id of a function, as it stands in its attribute.
///
/// ```
/// use belts::{Event, step};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize, Event)]
/// struct Signup { email: String }
///
/// #[belts::function(id = "welcome-by-mail", on = Signup)]
/// async fn welcome(signup: Signup) -> belts::Result<usize> {
///     step!("count", signup.email.len()).await
/// }
///
/// assert_eq!(belts::id_of(welcome), "welcome-by-mail");
/// ```
pub fn id_of<M, F: Function<M>>(function: F) -> &'static str {
    of(function).id
}

/// A handle on the run of this id; nothing is looked up before it is used.
///
/// ```
/// use belts::{Event, step};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize, Event)]
/// struct PaymentRequested { cents: u64 }
///
/// #[belts::function(id = "charge-order", on = PaymentRequested)]
/// async fn charge_order(payment: PaymentRequested) -> belts::Result<u64> {
///     step!("charge", payment.cents).await
/// }
///
/// let run = belts::run_of(charge_order, "pay-o-17");
/// assert_eq!((run.run_id(), run.function_id()), ("pay-o-17", "charge-order"));
/// ```
pub fn run_of<M, F: Function<M>>(_: F, run_id: impl Into<String>) -> RunHandle<F::Output> {
    RunHandle::new(run_id.into(), F::definition().id.to_owned(), None)
}

/// The definition of the function that a name stands for.
pub(crate) fn of<M, F: Function<M>>(_: F) -> &'static FunctionDef {
    F::definition()
}
