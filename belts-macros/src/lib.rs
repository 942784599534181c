//! The macros of belts. Use them through the `belts` crate, which documents them as well.

mod bug;
mod diag;
mod duration;
mod event;
mod function;
mod names;
mod option;
mod schedule;
mod step;

use proc_macro::TokenStream;

use crate::step::Macro;

/// Makes a free `async fn(event)` a durable function.
///
/// After the event it may take the `belts::Context` of its run, and `belts::State<T>` for values given to the worker,
/// in any order: `async fn(order: OrderCreated, State(pool): State<PgPool>, cx: Context)`.
/// It returns a `Result<T, E>` with `T: Serialize` and any error `E`. Its name becomes a fn that takes the event and returns a
/// `belts::Call`, which runs nothing until it is awaited. The bare name is what `.function(…)`, `belts::id_of(…)` and the
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
#[doc = option::function_options!()]
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
/// Helpers may be generic, borrow, and return anything. They get one more, hidden argument at the end, which `scope!` adds and
/// `#[tracing::instrument]` skips. If a helper's `T` is a `Result`, a step of type `T` records it as a value: an `Err` in it is
/// recorded as a success. There is one option:
///
#[doc = option::helper_options!()]
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
/// Returns a future of `belts::Result<T>` that does nothing until awaited. The expression is a future or a plain value, of
/// `Result<T, E>` or of `T`, with an owned `T: Serialize + DeserializeOwned` and any error `E`. It may borrow locals, and is
/// evaluated again for each retry. It is the call itself, not a closure. `move` before it moves what it names, as before a
/// closure.
///
/// The key is a string literal that may capture variables, `"ship-{sku}"`, and is used once in a run. It may appear in only one
/// place of a function, not even in two arms of a `match`, so that a key tells which place a record belongs to. Places under
/// different `#[cfg]`s are separate.
///
/// Options follow the expression:
///
#[doc = option::step_options!()]
///
/// Temporaries that the expression borrows from live until its future is done, as in `f(&g()).await`. `?` and `return` in it
/// leave the step, not the function: what they return is the result of the attempt. `?` takes any error, and an `async` block
/// that ends with `Ok(…)` need not name its error type.
#[proc_macro]
pub fn step(input: TokenStream) -> TokenStream {
    in_body(Macro::Step, input)
}

/// `sleep!("key", "10m")`: waits for a duration, across crashes and restarts.
///
/// Returns a future of `belts::Result<()>`. The duration is a string checked at compile time, or a `Duration`.
#[proc_macro]
pub fn sleep(input: TokenStream) -> TokenStream {
    in_body(Macro::Sleep, input)
}

/// `sleep_until!("key", time)`: waits for a point in time, across crashes and restarts.
///
/// Returns a future of `belts::Result<()>`. The time is a `SystemTime` or anything that converts into one.
#[proc_macro]
pub fn sleep_until(input: TokenStream) -> TokenStream {
    in_body(Macro::SleepUntil, input)
}

/// `wait!("key", Event)`: waits for an event, across crashes and restarts.
///
/// Returns a future of `belts::Result<Event>`, or with a `timeout` of `belts::Result<Option<Event>>`. Options follow the type:
///
#[doc = option::wait_options!()]
///
/// An event that came before the wait is found, and each wait of a run takes the earliest after the last one that a wait of this
/// run for the same type and key took. Every run that waits gets the event. A union waits for any of its types.
#[proc_macro]
pub fn wait(input: TokenStream) -> TokenStream {
    in_body(Macro::Wait, input)
}

/// `callback!("key", Type)`: creates a URL, for people and systems that cannot publish events; the run waits until somebody uses it.
///
/// Returns a future of `belts::Result<belts::Callback<Type>>`. The callback is recorded; hand its `url()` or `id()` to whoever is
/// to complete it, in a step, and await its `result()`. There is one option:
///
#[doc = option::callback_options!()]
///
/// ```ignore (needs belts)
/// let approval = callback!("approval", Decision).await?;
/// step!("ask", mail(&manager, approval.url()?)).await?;
/// let decision: Decision = approval.result().await?;
/// ```
#[proc_macro]
pub fn callback(input: TokenStream) -> TokenStream {
    in_body(Macro::Callback, input)
}

/// `call!("key", function(event))`: starts a run of another function, and returns what it returns.
///
/// Returns a future of `belts::Result<T>`, where `T` is the output of the function. The run is started in the write that records the
/// call, once, whatever crashes. While this run waits it leaves memory. Options follow the call:
///
#[doc = option::call_options!()]
///
/// A run that failed, was cancelled, was skipped by its function's `when`, was purged or took too long makes this an error of kind
/// `Child`, which is recorded and never retried.
///
/// ```ignore (needs belts)
/// let receipt: Receipt = call!("pay", charge_order(PaymentRequested { order_id, cents })).await?;
/// ```
#[proc_macro]
pub fn call(input: TokenStream) -> TokenStream {
    in_body(Macro::Call, input)
}

/// `start!("key", function(event))`: starts a run of another function, without waiting for it.
///
/// Returns a future of `belts::Result<belts::RunHandle<T>>`, where `T` is the output of the function. The run is started in the write
/// that records it, once, whatever crashes. The handle's `result()` waits for the run, also much later, and its result is recorded
/// under the key. Options follow the call:
///
#[doc = option::start_options!()]
///
/// ```ignore (needs belts)
/// let audit = start!("audit", audit_order(AuditRequested { order_id })).await?;
/// // …
/// let report: Report = audit.result().await?;
/// ```
#[proc_macro]
pub fn start(input: TokenStream) -> TokenStream {
    in_body(Macro::Start, input)
}

/// `race!("key", { name = future => handler, … })`: goes on with the first of several futures to finish, and records which.
///
/// Returns a future of `belts::Result<T>`, where `T` is the type of the handlers. Each arm binds the output of its future, a `Result`
/// for belts' macros, to its name, and the name of the winner is recorded: once an arm has won, it wins on every later attempt and
/// after every crash. The other arms are dropped before the handler runs; their waits are closed, and nothing more of theirs is
/// recorded.
///
/// ```ignore (needs belts)
/// let outcome = race!("decision", {
///     approved = wait!("approval", OrderApproved, key = &order.id) => Outcome::Approved(approved?.by),
///     scored = step!("score", score(&order)) => Outcome::Scored(scored?),
///     late = sleep!("deadline", "3d") => { late?; Outcome::Expired }
/// }).await?;
/// ```
///
/// An arm is one of belts' macros, without `.await`, a callback's `result()`, or an `async` block with several. Its keys are prefixed with the race's key and
/// its name: `decision/approved/approval`. If two arms finish at the same moment, the first in the order of writing wins.
///
/// A handler may change locals, and use `?` with any error; `?` leaves the race, and `return`, `break` and `bail!` are compile errors.
/// `move` before the braces moves the captured locals into the race.
#[proc_macro]
pub fn race(input: TokenStream) -> TokenStream {
    in_body(Macro::Race, input)
}

/// `scope!("key", helper(…))`: calls a helper marked [`macro@steps`]; the helper's keys are nested under this one.
///
/// Returns a future of the helper's output. `move` before the call moves what it names.
#[proc_macro]
pub fn scope(input: TokenStream) -> TokenStream {
    in_body(Macro::Scope, input)
}

/// Makes a struct with named fields an event, or an enum a union of events.
///
/// It also generates helpers with the type's visibility: `publish_order_created(event)` for a struct `OrderCreated`, and
/// `publish_cancelled(fields…)` for a variant `Cancelled { … }`. A variant that wraps another event, `Created(OrderCreated)` or
/// `Created(Box<OrderCreated>)`, uses that event's type and checks, and has no helper of its own. A struct needs serde's
/// `Serialize` and `Deserialize`; an enum needs neither.
///
/// A type on the wire belongs to one Rust type in a program; otherwise the worker is not built, and the error names both places.
/// A variant `Cancelled` is `cancelled` on the wire, whatever its enum is called; if another enum has one too, set its `type`.
///
/// | `#[event(…)]` | where | meaning |
/// |---|---|---|
/// | `type = "…"` | struct, variant | the type on the wire; by default the name in kebab-case |
/// | `key = field` | struct, variant | the field with the correlation key |
/// | `publish = name`, `publish = false` | variant | the name of its helper, or that it has none; for two enums in one module with variants of the same name ("the name `publish_created` is defined multiple times") |
/// | `validate = path` | struct, enum | a `fn(&Self) -> Result<(), impl Display>` that validates each event |
/// | `crate = path` | struct, enum | the path of belts, if not `::belts` |
///
/// A struct and the fields of a variant accept all of serde's attributes. An enum accepts `rename_all_fields` and
/// `deny_unknown_fields`, and a variant `rename_all`; others are refused, with what to write instead. `type` on
/// the wire is the event type, so no field may be written or read under that name.
#[proc_macro_derive(Event, attributes(event, serde))]
pub fn derive_event(item: TokenStream) -> TokenStream {
    bug::in_macro("`#[derive(Event)]`", || event::derive(item.into())).into()
}

/// `transaction!("key", async |tx| { … })`: a step whose rows and whose record are one commit.
///
/// Returns a future of `belts::Result<T>`, as `step!` does. Whatever the closure writes by the transaction is committed together
/// with the record of the step, or neither is: it happens exactly once, also if the process dies at any point. The rows have to be in
/// the database of the store, Postgres or SQLite.
///
/// On Postgres the closure is `async |tx|`, and `tx` is a `&mut sqlx::Transaction<'_, sqlx::Postgres>`: write `&mut **tx` where sqlx
/// wants a connection. On SQLite it is `|tx|`, and `tx` is a `&rusqlite::Transaction<'_>`. It returns a value or a `Result`, and `?` takes any error, which rolls the
/// transaction back and counts as a failed attempt. Options follow the closure:
///
#[doc = option::transaction_options!()]
///
/// The closure is expanded in place, so it borrows locals as any code, and may be evaluated several times: for each attempt, and where
/// the database rolls it back since others changed the same rows.
///
/// ```ignore (needs belts and a Postgres store)
/// let balance: i64 = transaction!("debit", async |tx| {
///     sqlx::query("INSERT INTO debits (account, cents) VALUES ($1, $2)").bind(&account).bind(cents).execute(&mut **tx).await?;
///     let balance = sqlx::query_scalar("SELECT balance FROM accounts WHERE id = $1").bind(&account);
///     Ok(balance.fetch_one(&mut **tx).await?)
/// }).await?;
/// ```
#[proc_macro]
pub fn transaction(input: TokenStream) -> TokenStream {
    in_body(Macro::Transaction, input)
}

fn in_body(which: Macro, input: TokenStream) -> TokenStream {
    let name = format!("`{}`", which.name());
    bug::in_macro(&name, || step::expand(which, input.into())).into()
}
