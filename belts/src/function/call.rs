//! Calling a function by its name: one run of it alone, and its result.

use std::{
    fmt,
    future::{Future, IntoFuture},
    marker::PhantomData,
    pin::Pin,
    sync::Arc,
    time::Duration,
};

use serde::de::DeserializeOwned;

use super::{
    definition::{Definition, FunctionDef},
    handle::RunHandle,
    returned::Returned,
};
use crate::{
    clock::Timestamp,
    error::{Error, ErrorKind, Result},
    event::{self, EncodedEvent, EventSet},
    id::{new_id, stable_id},
    live::{CURRENT_RUN, LiveRun, outside_of_a_step, step_key},
    store::{EventDigest, NewEvent, Target},
    worker::{Execute, Known, Worker, installed::worker_for},
};

/// A function with its event, about to be called: await it for the result of its run, with or without options.
///
/// The name of a function makes one, and runs nothing by itself. A call starts this function only, whoever else listens for the
/// event. It returns when the run has ended, which this process drives if it has the function; another one does otherwise. Who
/// stops waiting stops nothing: the run goes on.
///
/// Inside a function, pass it to [`call!`](crate::call!) or [`start!`](crate::start!), which record it. Awaited within a step it works
/// too: its run's id then follows from the run, the step and the event, so that a retried step finds the run that it has started.
/// Awaited anywhere else in a function, it is an error.
///
/// ```rust,standalone_crate
/// use belts::{Event, Worker, step, store::Memory};
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
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> belts::Result<()> {
/// let worker = Worker::builder().store(Memory::new()).build().await?;
/// let charged = charge_order(PaymentRequested { cents: 250 }).run_id("pay-o-17").via(&worker).await?;
/// assert_eq!(charged, 250);
/// # Ok(()) }
/// ```
#[must_use = "nothing runs until this is awaited: add `.await`"]
pub struct Call<E, R, D> {
    event: E,
    options: Options,
    types: PhantomData<fn() -> (R, D)>,
}

#[derive(Debug, Default)]
struct Options {
    run_id: Option<String>,
    retries: Option<u32>,
    delay: Option<Duration>,
    worker: Option<Worker>,
}

impl<E, R, D> Call<E, R, D> {
    pub(crate) fn new(event: E) -> Self {
        Self {
            event,
            options: Options::default(),
            types: PhantomData,
        }
    }

    /// Gives the run this id. If there is a run of this function under it, whatever its event, that one is waited for, and
    /// nothing is started. It is an error in `call!` and `start!`, where the id follows from the key.
    pub fn run_id(mut self, id: impl Into<String>) -> Self {
        self.options.run_id = Some(id.into());
        self
    }

    /// Retries of the run, in place of what the function says; 0 means none.
    pub fn retries(mut self, retries: u32) -> Self {
        self.options.retries = Some(retries);
        self
    }

    /// Starts the run after `delay`.
    pub fn delay(mut self, delay: Duration) -> Self {
        self.options.delay = Some(delay);
        self
    }

    /// Calls through this worker instead of the installed one. It is an error in `call!` and `start!`, which start the run on the store
    /// of the run that calls.
    pub fn via(mut self, worker: &Worker) -> Self {
        self.options.worker = Some(worker.clone());
        self
    }
}

impl<E, R, D> Call<E, R, D>
where
    E: EventSet,
    R: Returned,
    D: Definition,
{
    /// Starts the run and returns when it is durable, without waiting for its result, which the [handle](RunHandle) tells from any
    /// process.
    ///
    /// If there is a run of this function under the [`run_id`](Self::run_id), the handle is one of that run: nothing is started, and
    /// the run does not go on any sooner. A worker with a loop drives the run; one without drives it while somebody waits for the
    /// [`result`](RunHandle::result), or hands it to its dispatcher in push mode.
    ///
    /// ```rust,standalone_crate
    /// # use belts::{Event, Worker, step, store::Memory};
    /// # use serde::{Deserialize, Serialize};
    /// # #[derive(Serialize, Deserialize, Event)]
    /// # struct PaymentRequested { cents: u64 }
    /// # #[belts::function(id = "charge-order", on = PaymentRequested)]
    /// # async fn charge_order(payment: PaymentRequested) -> belts::Result<u64> {
    /// #     step!("charge", payment.cents).await
    /// # }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> belts::Result<()> {
    /// # let worker = Worker::builder().store(Memory::new()).build().await?;
    /// let run = charge_order(PaymentRequested { cents: 250 }).via(&worker).start().await?;
    /// println!("charging as {}", run.run_id());
    /// assert_eq!(run.result().await?, 250);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// The event is not valid or too large, no worker was named or installed, or the store cannot be written. In push mode the
    /// dispatcher may fail after the run is durable: the error then has its [`run_id`](Error::run_id), and a call with that id hands
    /// it on without starting another. Inside a function and outside of a step it is an error of kind
    /// [`Config`](ErrorKind::Config); write [`start!`](crate::start!) there.
    pub async fn start(self) -> Result<RunHandle<R::Output>> {
        let function = D::DEFINITION;
        let worker = self.options.worker.clone();
        let mut execute = execute(function, event::checked(&self.event), self.options)?;
        execute.in_background = true;
        execute.known = Known::Leave;
        let run_id = Box::pin(execute.leave()).await?;
        Ok(RunHandle::new(run_id, function.id.to_owned(), worker))
    }
}

impl<E: fmt::Debug, R, D: Definition> fmt::Debug for Call<E, R, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("function", &D::DEFINITION.id)
            .field("event", &self.event)
            .field("options", &self.options)
            .finish()
    }
}

impl<E, R, D> IntoFuture for Call<E, R, D>
where
    E: EventSet,
    R: Returned,
    R::Output: DeserializeOwned + 'static,
    D: Definition,
{
    type Output = Result<R::Output>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        let event = event::checked(&self.event);
        Box::pin(async move {
            let function = D::DEFINITION;
            let executed = execute(function, event, self.options)?.await?;
            executed.output(function.id)
        })
    }
}

impl<E, R, D> Call<E, R, D>
where
    E: EventSet,
    D: Definition,
{
    /// The event that starts it as the run of this id, called by the step of this path.
    pub(crate) fn into_start(
        self,
        worker: &Worker,
        path: &str,
        run_id: Arc<str>,
        now: Timestamp,
    ) -> Result<NewEvent> {
        let function = D::DEFINITION.id;
        let Options {
            run_id: chosen,
            retries,
            delay,
            worker: named,
        } = self.options;
        let out_of_place = match (chosen, named) {
            (Some(_), _) => Some((
                "run_id",
                "the id of the run follows from the run that starts it and the key",
            )),
            (_, Some(_)) => Some(("via", "a run starts others on its own store")),
            (None, None) => None,
        };
        if let Some((option, why)) = out_of_place {
            let text = format!(
                "`.{option}(…)` cannot be used in `{path}`, which starts `{function}`: {why}; leave it out"
            );
            return Err(Error::new(ErrorKind::Config, text));
        }
        let event = event::checked(&self.event)?;
        let shared = worker.shared();
        shared.check_event_size(&event)?;
        let due_at = delay.map_or(now, |delay| now.after(delay));
        let EncodedEvent {
            event_type,
            payload,
            correlation_key,
            ..
        } = event;
        let mut new = NewEvent::new(new_id(), event_type, payload, due_at)
            .with_retries(retries)
            .with_target(Target::function(function, Some(run_id)));
        new.correlation_key = correlation_key;
        new.traceparent = shared.traceparent();
        Ok(new)
    }
}

/// What makes a call: one run of this function.
fn execute(
    function: &FunctionDef,
    event: Result<EncodedEvent>,
    options: Options,
) -> Result<Execute> {
    let event = event?;
    let caller = CURRENT_RUN.try_with(Arc::clone).ok();
    let worker = worker_for(options.worker)?;
    worker.shared().check_event_size(&event)?;
    if let Some(caller) = outside_of_a_step() {
        return Err(again(&caller, function.id));
    }
    let run_id = match (options.run_id, &caller) {
        (None, Some(caller)) => child_id(caller, function.id, &event),
        (run_id, _) => run_id,
    };
    let due_at = options.delay.map(|delay| worker.now().after(delay));
    let mut execute = Execute::new(worker, Ok(event)).function(function.id);
    execute.run_id = run_id;
    execute.retries = options.retries;
    execute.due_at = due_at;
    execute.known = Known::AtItsTime;
    Ok(execute)
}

fn again(caller: &LiveRun, function: &str) -> Error {
    Error::new(
        ErrorKind::Config,
        format!(
            "the run `{}` calls `{function}` outside of a step, so it would call it again whenever it resumes; write \
             call!(\"…\", the_call).await, or start!(\"…\", the_call).await to go on without its result",
            caller.run_id
        ),
    )
}

/// The id of a run that another one calls: what a retried step calls again is found by it.
fn child_id(caller: &LiveRun, function: &str, event: &EncodedEvent) -> Option<String> {
    let digest = EventDigest::of(&event.event_type, &event.payload);
    let key = step_key(&caller.run_id, digest)?;
    Some(stable_id(&["call", function, &key]))
}
