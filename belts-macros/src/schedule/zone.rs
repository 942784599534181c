//! The names of time zones.

/// Those of the database that the runtime has built in, sorted.
const NAMES: &str = include_str!("zones.txt");

pub(super) fn names() -> impl Iterator<Item = &'static str> {
    NAMES.lines()
}

/// Checks the name of a zone; the error is a whole message.
pub(crate) fn check(name: &str) -> Result<(), String> {
    if names().any(|known| known == name) {
        return Ok(());
    }
    let lower = name.to_lowercase().replace(' ', "_");
    let nearest = names()
        .map(|known| (distance(&lower, &known.to_lowercase()), known))
        .min();
    let advice = match nearest {
        Some((far, known)) if far <= 1.max(lower.chars().count() / 4) => {
            format!("did you mean `{known}`?")
        }
        _ => "name it as IANA does, such as `Europe/Berlin`, or `UTC`".to_owned(),
    };
    Err(format!("there is no time zone `{name}`; {advice}"))
}

/// How far a name is from a known one, or from its city.
fn distance(name: &str, known: &str) -> usize {
    let city = known.rsplit('/').next().unwrap_or(known);
    strsim::levenshtein(name, known).min(strsim::levenshtein(name, city))
}
