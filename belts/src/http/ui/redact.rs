//! What is shown of a run without the values of fields that are hidden.

use serde_json::value::RawValue;

use super::{hidden::Hidden, json::written};
use crate::{
    codec::Failure,
    inspect::shape::{ShownPage, ShownRun},
};

impl Hidden {
    /// Hides values in all that is shown of a run.
    pub(super) fn hide(&self, run: &mut ShownRun) {
        let run_values = [&mut run.payload, &mut run.output, &mut run.status_value];
        for value in run_values {
            self.hide_in(value);
        }
        self.hide_in_failure(run.error.as_mut());
        for step in run.steps.iter_mut().flatten() {
            self.hide_in(&mut step.progress);
            self.hide_in(&mut step.output);
            self.hide_in_failure(step.error.as_mut());
        }
    }

    pub(super) fn hide_in_list(&self, page: &mut ShownPage) {
        page.runs.iter_mut().for_each(|run| self.hide(run));
    }

    fn hide_in(&self, value: &mut Option<Box<RawValue>>) {
        if let Some(json) = value {
            *json = self.without(json);
        }
    }

    fn hide_in_failure(&self, failure: Option<&mut Failure>) {
        if let Some(value) = failure.and_then(|failure| failure.value.as_mut()) {
            value.json = self.without(&value.json);
        }
    }

    /// The same value without what is hidden; none at all if it could not be read.
    fn without(&self, json: &RawValue) -> Box<RawValue> {
        if self.is_empty() {
            return json.to_owned();
        }
        RawValue::from_string(written(json.get(), self, false)).unwrap_or_default()
    }
}
