//! A middleware, and how one calls the next, and the last of them the function or the step.

use std::{fmt, future::Future, pin::Pin, pin::pin, sync::Arc};

use async_trait::async_trait;

use super::info::{RunInfo, StepInfo};
use crate::{
    error::{Error, ErrorKind, Result},
    panic::catch_future,
};

/// What came of a function or a step, without its value.
pub type Outcome = Result<()>;

/// Code around functions and steps; see the [module](crate::middleware).
///
/// Put [`#[async_trait]`](https://docs.rs/async-trait) on an impl.
#[async_trait]
pub trait Middleware: Send + Sync + 'static {
    /// Is called around each drive of a run's function.
    ///
    /// # Errors
    /// An error is the outcome of the function's attempt.
    async fn run(&self, run: &RunInfo, next: Next<'_>) -> Outcome {
        let _ = run;
        next.call().await
    }

    /// Is called around each attempt of a step.
    ///
    /// ```
    /// # use async_trait::async_trait;
    /// use belts::middleware::{Middleware, Next, Outcome, StepInfo};
    ///
    /// /// Prints how each attempt of a step ended.
    /// struct Report;
    ///
    /// #[async_trait]
    /// impl Middleware for Report {
    ///     async fn step(&self, step: &StepInfo, next: Next<'_>) -> Outcome {
    ///         let outcome = next.call().await;
    ///         let word = outcome.as_ref().map_or_else(|error| error.kind().as_str(), |()| "ok");
    ///         println!("{} of {}, attempt {}: {word}", step.path(), step.run().run_id(), step.attempt());
    ///         outcome
    ///     }
    /// }
    /// ```
    ///
    /// # Errors
    /// An error is the outcome of the attempt.
    async fn step(&self, step: &StepInfo, next: Next<'_>) -> Outcome {
        let _ = step;
        next.call().await
    }
}

/// The middleware of a worker, outermost first.
pub(crate) type Layers = Vec<Arc<dyn Middleware>>;

/// What is inside a middleware: the next one, or the function or the step itself.
#[must_use = "nothing runs until `call`"]
pub struct Next<'a> {
    rest: &'a [Arc<dyn Middleware>],
    around: Around<'a>,
    body: Pin<&'a mut (dyn Future<Output = Outcome> + Send + 'a)>,
}

/// What the middleware is around.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Around<'a> {
    Run(&'a RunInfo),
    Step(&'a StepInfo),
}

impl Next<'_> {
    /// Goes on, and says what came of it. To drop the future that this returns ends what is inside.
    ///
    /// # Errors
    /// The function or the attempt failed.
    pub async fn call(self) -> Outcome {
        let Self { rest, around, body } = self;
        let Some((first, rest)) = rest.split_first() else {
            return body.await;
        };
        let next = Next { rest, around, body };
        match around {
            Around::Run(run) => first.run(run, next).await,
            Around::Step(step) => first.step(step, next).await,
        }
    }
}

impl fmt::Debug for Next<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Next")
            .field("around", &self.around)
            .finish_non_exhaustive()
    }
}

/// Runs `body` inside the middleware, and keeps its value from it.
pub(crate) async fn around<T: Send>(
    layers: &[Arc<dyn Middleware>],
    around: Around<'_>,
    body: Pin<&mut (impl Future<Output = Result<T>> + Send)>,
) -> Result<T> {
    let mut value = None;
    let outcome = {
        let body = pin!(async {
            value = Some(body.await?);
            Ok(())
        });
        let next = Next {
            rest: layers,
            around,
            body,
        };
        catch_future(next.call()).await
    };
    outcome?;
    value.ok_or_else(|| {
        Error::new(
            ErrorKind::Config,
            "a middleware answered `Ok` without a value: let it call `next`, or return an error",
        )
    })
}
