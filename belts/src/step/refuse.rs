//! What ends a run whose code, journal or store cannot be right.

use std::{future::pending, sync::Arc};

use crate::{
    error::{Error, ErrorKind},
    live::LiveRun,
};

/// Ends the run where its store keeps no waits, which this needs.
pub(super) async fn need_waits(run: &LiveRun, path: &Arc<str>, what: &str) {
    if !run.host.keeps.waits {
        let text = format!(
            "this store keeps no waits, which `{what}(\"{path}\", …)` needs; choose another store"
        );
        refuse::<()>(run, path, ErrorKind::Config, text).await;
    }
}

/// Ends the run with what no arm of a race is to win with, nor the function to handle: its code or its journal is wrong.
pub(super) async fn refuse<T>(run: &LiveRun, path: &Arc<str>, kind: ErrorKind, text: String) -> T {
    run.abandon(Error::new(kind, text).with_step(path));
    pending().await
}
