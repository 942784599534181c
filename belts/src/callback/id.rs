//! The ids of callbacks: 128 random bits, and the run.

use std::sync::Arc;

use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::id::stable_id;

/// The letters of the random part.
const LETTERS: usize = 32;

/// An id that nobody can guess. It names the run, so that it is found in any store without an index.
pub(crate) fn new_id(run_id: &str) -> Arc<str> {
    // Each has 122 random bits.
    let mut hash = Sha256::new();
    hash.update(Uuid::new_v4().as_bytes());
    hash.update(Uuid::new_v4().as_bytes());
    let digest = hash.finalize();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    format!("{:032x}.{run_id}", u128::from_be_bytes(bytes)).into()
}

/// The run that a callback of this id would be of.
pub(crate) fn run_of(id: &str) -> Option<&str> {
    let (random, run_id) = id.split_at_checked(LETTERS)?;
    let run_id = run_id.strip_prefix('.')?;
    random
        .bytes()
        .all(|letter| matches!(letter, b'0'..=b'9' | b'a'..=b'f'))
        .then_some(run_id)
}

/// The correlation key of the event that completes a callback: what stores and journals show of waits is no credential.
pub(crate) fn key_of(id: &str) -> String {
    stable_id(&["callback", id])
}

/// Whether two ids are the same. Their hashes are compared as a whole, so that timing tells nothing about either.
pub(crate) fn is_same(one: &str, other: &str) -> bool {
    let (one, other) = (Sha256::digest(one), Sha256::digest(other));
    let differ = one.iter().zip(&other).fold(0, |all, (a, b)| all | (a ^ b));
    differ == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_names_its_run_and_no_two_are_the_same() {
        for run_id in ["o-17", "", "a.b", "päid/1"] {
            let (one, other) = (new_id(run_id), new_id(run_id));
            assert_eq!(run_of(&one), Some(run_id));
            assert!(is_same(&one, &one) && !is_same(&one, &other));
        }
        for wrong in ["", "o-17", "0123456789abcdef0123456789abcdeF.r", "ä.r"] {
            assert_eq!(run_of(wrong), None, "{wrong}");
        }
    }
}
