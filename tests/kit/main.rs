//! The testing kit, used as people use it.
