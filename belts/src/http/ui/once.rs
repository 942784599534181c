//! A link that signs in once: its code is worth nothing when it was used, or when its time is over.

use std::{
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use uuid::Uuid;

use super::super::token::InspectionToken;
use crate::clock::Timestamp;

/// How long a link may be used.
const LIFE: Duration = Duration::from_secs(15 * 60);

/// The link that was made last.
#[derive(Default)]
pub(crate) struct Once(Mutex<Option<Link>>);

struct Link {
    /// Its code, of which only the hash is kept.
    code: InspectionToken,
    until: Timestamp,
    /// Whom it is for.
    name: String,
}

impl fmt::Debug for Once {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Once(..)")
    }
}

impl Once {
    /// The code of a new link for somebody, in place of the last one.
    pub(crate) fn make(&self, now: Timestamp, name: &str) -> String {
        let code = Uuid::new_v4().simple().to_string();
        *self.lock() = InspectionToken::new(&code).ok().map(|code| Link {
            code,
            until: now.after(LIFE),
            name: name.to_owned(),
        });
        code
    }

    /// Whom the link of this code is for; it is for nobody afterwards.
    pub(super) fn take(&self, code: &str, now: Timestamp) -> Option<String> {
        let mut kept = self.lock();
        let link = kept.take_if(|link| link.code.is(code))?;
        (now < link.until).then_some(link.name)
    }

    fn lock(&self) -> MutexGuard<'_, Option<Link>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
