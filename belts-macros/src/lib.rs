//! The macros of belts. Use them through the `belts` crate, which documents them too.

mod bug;
mod diag;
mod duration;
mod event;
mod function;
mod names;
mod option;
mod step;

use proc_macro::TokenStream;

use crate::step::Macro;

/// Makes a free `async fn(event)` a durable function.
///
/// After the event it may take the `belts::Context` of its run, and `belts::State<T>` for what the application gave the worker,
/// in any order: `async fn(order: OrderCreated, State(pool): State<PgPool>, cx: Context)`.
/// It returns a `Result<T, E>` with `T: Serialize` and any error `E`. Its name becomes a fn that takes the event and makes a
/// `belts::Call`, which runs nothing until it is awaited; the name alone is what `.function(…)`, `belts::id_of(…)` and the
/// testing kit take.
///
/// ```ignore (needs belts)
/// #[belts::function(id = "process-order", on = OrderCreated, retries = 5, timeout = "30s")]
/// async fn process_order(order: OrderCreated) -> belts::Result<Receipt> {
///     let stock = step!("check-inventory", check_inventory(&order.product_id)).await?;
///     step!("charge-payment", charge(&order, stock)).await
/// }
/// ```
///
/// | option | what it says |
/// |---|---|
/// | `id = "…"` | required: 1 to 100 characters of `a-z 0-9 - _ . /`, unique in the program |
/// | `on = Type`, `on = [A, B]` | required: the events that start it; the argument's type holds them all |
/// | `when = \|event\| bool` | starts only for events that pass |
/// | `retries = 3` | of the function as a whole |
/// | `backoff = "1s..60s"` | the wait between them, or a `belts::Backoff` |
/// | `timeout = "30s"` | the longest that one attempt may be driven without a pause, or a `Duration` |
/// | `concurrency = 4` | the most runs at once in one process |
/// | `max_steps = 1000` | the most steps of one run; 10,000 unless the worker says otherwise |
/// | `continuation = "inline"`, `"per-step"` | whether the next step follows in place or in a delivery of its own |
/// | `crate = path` | where belts is, if not at `::belts` |
#[proc_macro_attribute]
pub fn function(args: TokenStream, item: TokenStream) -> TokenStream {
    let item = item.into();
    bug::in_attribute("`#[belts::function]`", &item, || {
        function::function(args.into(), &item)
    })
    .into()
}

/// Makes an `async fn` or method a helper that may contain steps; call it with [`scope!`].
///
/// Helpers may be generic, borrow, and return anything. They take one hidden argument more, the last, which `scope!` adds and
/// `#[tracing::instrument]` skips. In a helper whose `T` is a `Result`, a step of `T` is a step of a value: an `Err` in it is
/// recorded as a success. The one option is `crate = path`.
#[proc_macro_attribute]
pub fn steps(args: TokenStream, item: TokenStream) -> TokenStream {
    let item = item.into();
    bug::in_attribute("`#[belts::steps]`", &item, || {
        function::steps::expand(args.into(), &item)
    })
    .into()
}

/// `step!("key", expr)`: runs an expression once in a run, and remembers its value.
///
/// A future of `belts::Result<T>` that does nothing until awaited. The expression is a future or a plain value, of
/// `Result<T, E>` or of `T`, with an owned `T: Serialize + DeserializeOwned` and any error `E`; it may borrow locals, and is
/// evaluated anew for each retry. It is the call itself and no closure. `move` before it takes what it names, as before a
/// closure.
///
/// The key is a string literal that may capture variables, `"ship-{sku}"`, and is reached once in a run. It stands in one place
/// of a function: not in two arms of a `match` either, so that a key tells which place a record is from. Places under different
/// `#[cfg]`s are told apart by the build.
///
/// After the expression come options: `retries = 5`, `backoff = "1s..60s"`, `timeout = "30s"` (of each attempt; an expression
/// that blocks its thread is not cut off, and counts as timed out when it returns).
///
/// What the expression borrows from temporaries lives until its future is done, as in `f(&g()).await`. `?` and `return` in it
/// leave the step and not the function: what they return is what the attempt came to. `?` takes any error, and an `async` block
/// that ends with `Ok(…)` need not say which error it has.
#[proc_macro]
pub fn step(input: TokenStream) -> TokenStream {
    in_body(Macro::Step, input)
}

/// `sleep!("key", "10m")`: waits for a time, over crashes and restarts.
///
/// A future of `belts::Result<()>`. The time is a string checked at compile time, or a `Duration`.
#[proc_macro]
pub fn sleep(input: TokenStream) -> TokenStream {
    in_body(Macro::Sleep, input)
}

/// `sleep_until!("key", time)`: waits for a point in time, over crashes and restarts.
///
/// A future of `belts::Result<()>`. The time is a `SystemTime` or whatever converts into one.
#[proc_macro]
pub fn sleep_until(input: TokenStream) -> TokenStream {
    in_body(Macro::SleepUntil, input)
}

/// `scope!("key", helper(…))`: calls a helper marked [`macro@steps`]; the helper's keys live under this one.
///
/// A future of whatever the helper returns. `move` before the call takes what it names.
#[proc_macro]
pub fn scope(input: TokenStream) -> TokenStream {
    in_body(Macro::Scope, input)
}

/// Makes a struct with named fields an event, or an enum a union of events.
///
/// With the type come helpers of its visibility: `publish_order_created(event)` for a struct `OrderCreated`, and
/// `publish_cancelled(fields…)` for a variant `Cancelled { … }`. A variant around one other event, `Created(OrderCreated)` or
/// `Created(Box<OrderCreated>)`, takes that event's type and checks, and has no helper of its own. A struct needs serde's
/// `Serialize` and `Deserialize`; an enum needs neither.
///
/// A type on the wire has one Rust type in a program, or its worker is not built: the error names both places. A variant
/// `Cancelled` is `cancelled` there, whatever its enum is called; where another enum has one too, give it a `type`.
///
/// | `#[event(…)]` | where | what it says |
/// |---|---|---|
/// | `type = "…"` | struct, variant | the type on the wire; the name in kebab-case without it |
/// | `key = field` | struct, variant | the field with the correlation key |
/// | `publish = name`, `publish = false` | variant | what its helper is called, or that it has none: two enums in one module may have a variant of one name, and "the name `publish_created` is defined multiple times" |
/// | `validate = path` | struct, enum | a `fn(&Self) -> Result<(), impl Display>` that checks each event |
/// | `crate = path` | struct, enum | where belts is, if not at `::belts` |
///
/// Of serde's attributes, a struct and the fields of a variant take them all. An enum takes `rename_all_fields` and
/// `deny_unknown_fields`, and a variant `rename_all`; the others are refused, with what to write in their place. `type` on
/// the wire is the event's own type, so no field may be written or read under that name.
#[proc_macro_derive(Event, attributes(event, serde))]
pub fn derive_event(item: TokenStream) -> TokenStream {
    bug::in_macro("`#[derive(Event)]`", || event::derive(item.into())).into()
}

fn in_body(which: Macro, input: TokenStream) -> TokenStream {
    let name = format!("`{}`", which.name());
    bug::in_macro(&name, || step::expand(which, input.into())).into()
}
