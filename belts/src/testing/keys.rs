//! Whether a path that a test presets belongs to a step of any function.

use crate::{
    error::{Error, ErrorKind, Result},
    function::KeyDef,
    registry::Registered,
};

/// # Errors
/// None of the functions has such a step. The error names the closest one.
pub(crate) fn check(functions: &[Registered], path: &str) -> Result<()> {
    let keys: Vec<KeyDef> = functions
        .iter()
        .flat_map(|function| function.def.keys.iter().copied())
        .collect();
    if keys.iter().any(|key| key.leads_to(path)) {
        return Ok(());
    }
    let text = match keys.iter().find(|key| key.is(path)) {
        Some(KeyDef::Sleep(_)) => format!(
            "`{path}` is a sleep, but a preset replaces a step's expression; a sleep ends when the clock reaches \
             its time"
        ),
        Some(KeyDef::Wait(_)) => {
            format!("`{path}` is a wait; publish the event that it waits for")
        }
        Some(KeyDef::Callback(_)) => format!(
            "`{path}` is a callback; complete it with `harness.complete(run.callback(\"{path}\")?, &value)`"
        ),
        Some(KeyDef::Start(_)) => format!(
            "`{path}` is a `start!`, which cannot be preset; preset the steps of the function that it starts"
        ),
        Some(KeyDef::Race(_)) => format!(
            "`{path}` is a race; preset a step in one of its arms, as in `{path}/scored/score` for the step `score` of the arm `scored`"
        ),
        Some(KeyDef::Scope(..)) => {
            format!("`{path}` is a scope; preset a step in it, as in `{path}/label`")
        }
        _ => format!(
            "no function of this harness has a step `{path}`; {}",
            nearest(&keys, path)
        ),
    };
    Err(Error::new(ErrorKind::Config, text))
}

fn nearest(keys: &[KeyDef], path: &str) -> String {
    let part = path.split('/').next().unwrap_or(path);
    let steps = keys.iter().filter(|key| {
        !matches!(
            key,
            KeyDef::Sleep(_) | KeyDef::Wait(_) | KeyDef::Callback(_) | KeyDef::Start(_)
        )
    });
    match steps.min_by_key(|key| strsim::levenshtein(part, &key.fixed())) {
        Some(KeyDef::Scope(pattern, _)) => {
            format!("the closest are those of the scope `{pattern}`, such as `{pattern}/label`")
        }
        Some(KeyDef::Race(pattern)) => {
            format!(
                "the closest are those of the race `{pattern}`, such as `{pattern}/scored/score`"
            )
        }
        Some(key) => format!("the closest is `{}`", key.pattern()),
        None => "no function of this harness has any steps".to_owned(),
    }
}
