//! A handle on one run: what it came to, from any process.

use std::{any::type_name, fmt, future::Future, marker::PhantomData, pin::Pin, sync::Arc};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    codec::{self, Decoded, Failure},
    error::{Error, ErrorKind, Result},
    inspect::status_in,
    live::outside_of_a_step,
    run::Child,
    step::{Answer, Within},
    store::RunStatus,
    worker::{Worker, installed::worker_for},
};

/// A run of a function, by its id: its result, its status, and its end, from any process on the store.
///
/// [`Call::start`](crate::Call::start) and, in a function, [`start!`](crate::start!) make one; [`run_of`](crate::run_of) makes one from a
/// known id, and [`Published::run_of`](crate::Published::run_of) one of a run that an event started. It serializes as its two ids, so it can be
/// sent, stored and recorded by a step; a worker named with [`via`](Self::via) has to be named again. `T` is the output of the
/// function.
///
/// ```rust,standalone_crate
/// use belts::{Event, RunHandle, Worker, step, store::{Memory, RunStatus}};
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
/// worker.install();
/// let run = charge_order(PaymentRequested { cents: 250 }).run_id("pay-o-17").start().await?;
///
/// // In another process, or later:
/// let stored = serde_json::to_string(&run).unwrap();
/// let run: RunHandle<u64> = serde_json::from_str(&stored).unwrap();
/// assert_eq!(run.result().await?, 250);
/// assert_eq!(belts::run_of(charge_order, "pay-o-17").status().await?, RunStatus::Completed);
/// # Ok(()) }
/// ```
#[derive(Serialize, Deserialize)]
#[serde(bound = "")]
pub struct RunHandle<T> {
    run_id: String,
    function_id: String,
    #[serde(skip)]
    worker: Option<Worker>,
    /// How the run that has started it waits for its end.
    #[serde(skip)]
    answer: Option<Answer>,
    #[serde(skip)]
    output: PhantomData<fn() -> T>,
}

impl<T> RunHandle<T> {
    pub(crate) fn new(run_id: String, function_id: String, worker: Option<Worker>) -> Self {
        Self {
            run_id,
            function_id,
            worker,
            answer: None,
            output: PhantomData,
        }
    }

    /// The handle in the run that has started it.
    pub(crate) fn within_run(mut self, answer: Answer) -> Self {
        self.answer = Some(answer);
        self
    }

    /// The run's id.
    pub fn run_id(&self) -> &str {
        &self.run_id
    }

    /// The id of its function.
    pub fn function_id(&self) -> &str {
        &self.function_id
    }

    /// Asks the store of this worker in place of that of the installed one.
    #[must_use]
    pub fn via(mut self, worker: &Worker) -> Self {
        self.worker = Some(worker.clone());
        self
    }

    /// Waits for the run to end and returns its output.
    ///
    /// If the run ends in this process, this returns at once. If it ends in another process, the store is asked, at least once per
    /// `sweep`. A worker without a loop drives the run itself meanwhile, if it has the function. Dropping the future does not stop
    /// the run.
    ///
    /// In the function that has started the run with [`start!`](crate::start!), the result is recorded under the key of that, and the
    /// run leaves memory while it waits. In any other function, call this in a step; that run keeps its place meanwhile.
    ///
    /// # Errors
    /// That of the run, if it failed; of kind [`Cancelled`](ErrorKind::Cancelled) if it was cancelled, and
    /// [`UnknownRun`](ErrorKind::UnknownRun) if the function has no run of this id: it was never started, a filter skipped it, or
    /// it was purged. Of kind [`Codec`](ErrorKind::Codec) if its output is no `T`, [`Shutdown`](ErrorKind::Shutdown) if the worker
    /// shuts down first, [`Busy`](ErrorKind::Busy) if the run was stopped at a step with [`until`](crate::Execute::until). And
    /// [`NoWorker`](ErrorKind::NoWorker) where there is none, and if the store fails. In the function that has started it, whatever
    /// kept it from completing is an error of kind [`Child`](ErrorKind::Child) that names it and its cause; an output that is no `T` fails
    /// that function, with an error of kind [`Mismatch`](ErrorKind::Mismatch).
    pub async fn result(&self) -> Result<T>
    where
        T: DeserializeOwned,
    {
        if let Some(answer) = self.answer_here() {
            loop {
                // `None`: it was recorded as a wait with a time limit, which ran out. Wait again.
                if let Some(said) = answer.event(None).await? {
                    return self.output(answer, &said).await;
                }
            }
        }
        self.belongs_here()?;
        let (worker, run_id, function_id) = self.parts()?;
        let ended = worker.shared().outcome(&run_id, &function_id).await?;
        ended.output()
    }

    /// As [`result`](Self::result), but only for so long; `None` if the run goes on after that. With no time at all it looks once.
    ///
    /// The time is a `Duration`, or text such as `"2d"`.
    ///
    /// # Errors
    /// As [`result`](Self::result), and of kind [`Config`](ErrorKind::Config) if the text is no time.
    pub fn result_within(
        &self,
        limit: impl Within,
    ) -> Pin<Box<dyn Future<Output = Result<Option<T>>> + Send + '_>>
    where
        T: DeserializeOwned,
    {
        let limit = limit.within();
        Box::pin(async move {
            let limit = limit.map_err(|text| {
                let text = format!(
                    "`result_within(\"{text}\")` of the run `{}` has no length of time; write one such as `90s`, `24h` or `2d`",
                    self.run_id
                );
                Error::new(ErrorKind::Config, text)
            })?;
            if let Some(answer) = self.answer_here() {
                let Some(said) = answer.event(Some(limit)).await? else {
                    return Ok(None);
                };
                return self.output(answer, &said).await.map(Some);
            }
            self.belongs_here()?;
            let (worker, run_id, function_id) = self.parts()?;
            let deadline = worker.now().after(limit);
            let ended = worker
                .shared()
                .outcome_by(&run_id, &function_id, deadline)
                .await?;
            ended.map(|run| run.output()).transpose()
        })
    }

    /// Where the run stands.
    ///
    /// # Errors
    /// Of kind [`UnknownRun`](ErrorKind::UnknownRun) if the function has no run of this id, and if the store fails.
    pub async fn status(&self) -> Result<RunStatus> {
        let worker = self.worker()?;
        let record = worker
            .shared()
            .record(&self.run_id, &self.function_id)
            .await?;
        Ok(record.status)
    }

    /// What the run shows of itself: the value that its function set last with
    /// [`Context::set_status`](crate::Context::set_status); `None` if it has set none. It stays when the run has ended.
    ///
    /// It is read from the run's whole journal, with the results of its steps: ask now and then where that is large.
    ///
    /// # Errors
    /// As [`status`](Self::status), and of kind [`Codec`](ErrorKind::Codec) if the value is no `V`.
    pub async fn status_value<V: DeserializeOwned>(&self) -> Result<Option<V>> {
        let worker = self.worker()?;
        let shared = worker.shared();
        shared.record(&self.run_id, &self.function_id).await?;
        status_in(&shared.store.journal(&self.run_id).await?)
            .map_err(|error| error.with_run(&self.run_id.as_str().into()))
    }

    /// Cancels the run, and its [attached children](crate::guide::calling#inside-a-function-call) with it; `false` if it had ended
    /// already.
    ///
    /// # Errors
    /// As [`status`](Self::status), and if the store cannot be written.
    pub async fn cancel(&self) -> Result<bool> {
        let worker = self.worker()?;
        worker
            .shared()
            .record(&self.run_id, &self.function_id)
            .await?;
        worker.runs().cancel(&self.run_id).await
    }

    /// What to wait for, if this is called in the function that started the run, outside of a step.
    fn answer_here(&self) -> Option<&Answer> {
        self.answer
            .as_ref()
            .filter(|_| outside_of_a_step().is_some())
    }

    /// The output or the error, from the event that tells the end, for the run that started it.
    async fn output(&self, answer: &Answer, said: &[u8]) -> Result<T>
    where
        T: DeserializeOwned,
    {
        let child = Child {
            run_id: self.run_id.as_str().into(),
            function: self.function_id.as_str().into(),
            path: Arc::clone(answer.path()),
        };
        let output = child
            .ended(said)
            .map_err(|error| Failure::of(&error).into_recorded().with_step(answer.path()))?;
        let reason = match codec::decode::<T>(&output) {
            Ok(Decoded::Ok(output)) => return Ok(output),
            Ok(Decoded::Err(failure)) => return Err(failure.into_error()),
            Err(error) => error.to_string(),
        };
        let expected = type_name::<T>();
        answer.misread(child.function, expected, reason).await
    }

    fn worker(&self) -> Result<Worker> {
        worker_for(self.worker.clone())
    }

    fn parts(&self) -> Result<(Worker, Arc<str>, Arc<str>)> {
        let (run_id, function_id) = (self.run_id.as_str(), self.function_id.as_str());
        Ok((self.worker()?, run_id.into(), function_id.into()))
    }

    /// Refuses to wait in a function outside of its steps.
    fn belongs_here(&self) -> Result<()> {
        let Some(caller) = outside_of_a_step() else {
            return Ok(());
        };
        Err(Error::new(
            ErrorKind::Config,
            format!(
                "the run `{}` waits for the run `{}` outside of a step, so it would wait again whenever it resumes; put it into a \
                 step: step!(\"…\", run.result())",
                caller.run_id, self.run_id
            ),
        ))
    }
}

impl<T> Clone for RunHandle<T> {
    fn clone(&self) -> Self {
        let (run_id, function_id) = (self.run_id.clone(), self.function_id.clone());
        Self {
            answer: self.answer.clone(),
            ..Self::new(run_id, function_id, self.worker.clone())
        }
    }
}

/// By the ids alone.
impl<T> PartialEq for RunHandle<T> {
    fn eq(&self, other: &Self) -> bool {
        (&self.run_id, &self.function_id) == (&other.run_id, &other.function_id)
    }
}

impl<T> Eq for RunHandle<T> {}

impl<T> fmt::Debug for RunHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunHandle")
            .field("run_id", &self.run_id)
            .field("function_id", &self.function_id)
            .finish_non_exhaustive()
    }
}
