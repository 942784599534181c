//! Results in a map, and nothing of belts.

use std::{collections::HashMap, hint::black_box, time::Duration};

use crate::{
    Outcome,
    functions::{Receipt, receipt},
    measure::now,
};

/// How long it takes to write the results of `steps` steps as JSON into a map by key, and to read them back from there,
/// as what a step returns is what was recorded.
pub(crate) fn map_inserts(steps: u32) -> Outcome<Duration> {
    let start = now();
    let mut map: HashMap<String, Vec<u8>> = HashMap::new();
    for n in 0..steps {
        let value = serde_json::to_vec(&receipt(n))?;
        black_box(serde_json::from_slice::<Receipt>(&value)?);
        map.insert(format!("step-{n}"), value);
    }
    black_box(map);
    Ok(start.elapsed())
}

/// How long it takes to find each `block` of `steps` results by key in a map and to read their JSON.
pub(crate) fn map_hits(steps: u32, block: u32) -> Outcome<Vec<Duration>> {
    let mut map = HashMap::new();
    for n in 0..steps {
        map.insert(format!("step-{n}"), serde_json::to_vec(&receipt(n))?);
    }
    let mut times = Vec::new();
    for first in (0..steps).step_by(usize::try_from(block)?) {
        let start = now();
        for n in first..first + block {
            let value = map.get(&format!("step-{n}")).ok_or("the key is there")?;
            black_box(serde_json::from_slice::<Receipt>(value)?);
        }
        times.push(start.elapsed());
    }
    Ok(times)
}
