//! What generated code says of the flow of a function.

pub use crate::{
    function::{BatchOf, FlowDef, LaneDef, flow_first as first, flow_key as key},
    store::{Batch, Debounce, Flow, Lane, Once, Rate, Singleton, Then},
};
