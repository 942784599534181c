//! What asks for a change says all that it means: a field with no text or an unknown name would make it mean something else.

use super::super::refusal::Refusal;
use crate::plain::plain;

/// Fields that may come several times: runs have several tags.
const REPEATED: [&str; 2] = ["tag", "status"];

/// Checks that each field is one of these, says something, and comes once; those that a person may leave empty are named apart.
pub(super) fn only(
    fields: &[(String, String)],
    needed: &[&str],
    or_empty: &[&str],
) -> Result<(), Refusal> {
    for (name, value) in fields {
        let may_be_empty = or_empty.contains(&name.as_str());
        if !may_be_empty && !needed.contains(&name.as_str()) {
            let known: Vec<_> = needed.iter().chain(or_empty).collect();
            let known: Vec<_> = known.iter().map(|name| format!("`{name}`")).collect();
            return Err(Refusal::bad_request(format!(
                "there is no field `{}` here; known: {}",
                plain(name),
                known.join(", ")
            )));
        }
        if !may_be_empty && value.trim().is_empty() {
            return Err(Refusal::bad_request(format!("`{name}` is empty")));
        }
    }
    once(fields)
}

/// Checks that no field comes twice whose second value would be left out.
pub(super) fn once(fields: &[(String, String)]) -> Result<(), Refusal> {
    for (place, (name, _)) in fields.iter().enumerate() {
        let again = fields[..place].iter().any(|(other, _)| other == name);
        if again && !REPEATED.contains(&name.as_str()) {
            return Err(Refusal::bad_request(format!(
                "`{}` is there twice",
                plain(name)
            )));
        }
    }
    Ok(())
}
