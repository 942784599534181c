//! What operators see and set: metrics, spans and middleware.
