//! What a test wants an attempt to come to, in place of its expression.

#[cfg(feature = "testing")]
use std::{future::pending, pin::pin, sync::Arc};

#[cfg(feature = "testing")]
use super::{Expression, evaluate::evaluate};
use super::{begun::Begun, evaluate::Evaluated, values::Values};
use crate::{error::Result, live::LiveRun};

/// What a test wants this attempt to come to.
#[cfg(feature = "testing")]
pub(super) async fn preset<'a, T>(
    run: &Arc<LiveRun>,
    begun: &Begun,
    step: Evaluated<'a>,
    values: &Values<T>,
) -> Result<Result<T>, Evaluated<'a>> {
    use crate::testing::{Instead, misfit};

    let probe = run.host.probe.as_ref();
    let instead =
        probe.and_then(|probe| probe.consult(&run.run_id, &begun.path, begun.failed_attempts));
    match instead {
        None => Err(step),
        Some(Instead::Return(json)) => {
            let misfits = |error| misfit(&begun.path, std::any::type_name::<T>(), error);
            Ok((values.preset)(&json).map_err(misfits))
        }
        Some(Instead::Fail(error)) => Ok(Err(error)),
        Some(Instead::Hang) => {
            let limit = step.limits.shortest();
            let hang = async {
                // The sleep moves a clock that skips sleeps, and so the time limit runs out.
                if let Some(limit) = limit {
                    let clock = &run.host.clock;
                    clock.sleep_until(clock.now().after(limit)).await;
                }
                pending().await
            };
            let mut hang: Expression<'_, T> = pin!(Some(hang));
            Ok(Box::pin(evaluate(run, step, &mut hang)).await)
        }
    }
}

#[cfg(not(feature = "testing"))]
pub(super) async fn preset<'a, T>(
    _: &LiveRun,
    _: &Begun,
    step: Evaluated<'a>,
    _: &Values<T>,
) -> Result<Result<T>, Evaluated<'a>> {
    Err(step)
}
