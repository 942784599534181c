//! `volatile!`, the mark on what may differ from run to run.

/// `volatile!(expr)`: evaluates an expression, and says that it may differ whenever the run resumes.
///
/// Code outside of steps runs again on every attempt and after every restart. So in a function or helper the macros refuse what gives
/// something else each time: clocks, random numbers and ids, environment variables, and pauses that nobody records. A step is the place
/// for them, `step!("now", SystemTime::now())`. Where nothing that the run does depends on the value, as in a line of a log, this macro
/// says so. It changes nothing else: it is the expression, of the same type, wherever an expression may stand. Steps in it are steps.
///
/// ```rust,standalone_crate
/// use std::time::Instant;
///
/// use belts::{Event, step, volatile};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize, Event)]
/// struct OrderCreated { id: String }
///
/// #[belts::function(id = "process-order", on = OrderCreated)]
/// async fn process(order: OrderCreated) -> belts::Result<usize> {
///     let began = volatile!(Instant::now());
///     let length = step!("measure", order.id.len()).await?;
///     println!("this attempt took {:?} until {:?}", began.elapsed(), volatile!(Instant::now()));
///     Ok(length)
/// }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> belts::Result<()> {
/// # let worker = belts::Worker::builder().store(belts::store::Memory::new()).build().await?;
/// # let executed = worker.execute(OrderCreated { id: "o-17".into() }).await?;
/// # assert_eq!(executed.output::<usize>("process-order")?, 4);
/// # Ok(()) }
/// ```
#[macro_export]
macro_rules! volatile {
    ($expr:expr $(,)?) => {
        $expr
    };
    ($($other:tt)*) => {
        ::core::compile_error!(
            "`volatile!` takes the one expression that may differ whenever the run resumes: `volatile!(SystemTime::now())`"
        )
    };
}
