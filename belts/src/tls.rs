//! Cryptography for TLS, the same for every client.

/// Gives rustls the cryptography that belts brings, unless the program has chosen another.
pub(crate) fn ready() {
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // Who comes second finds that it is there.
        drop(rustls::crypto::ring::default_provider().install_default());
    }
}
