//! Encryption of what users write: keys, and how a value is sealed for one place and opened there again.
//!
//! A value is compressed where that makes it smaller, and sealed by XChaCha20-Poly1305 with a random nonce. The [place](Place) where it
//! is kept is authenticated with it, so a value that was moved does not open. This module does no IO but to draw nonces; the store
//! [`Encrypted`](crate::store::Encrypted) and the worker's messages use it.

mod cipher;
mod hash;
mod keyring;
mod place;
mod squeeze;

pub(crate) use cipher::{Opened, Sealer};
pub use keyring::{Keyring, Secret};
pub(crate) use place::Place;
