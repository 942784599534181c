//! The command `functions`.

use super::{
    place::Place,
    print::{self, Out},
    table::Table,
    wrong::Wrong,
};

pub(super) async fn list(place: &dyn Place, out: Out) -> Result<(), Wrong> {
    let functions = place.functions().await?;
    if out.json {
        return functions.iter().try_for_each(print::object);
    }
    if functions.is_empty() {
        print::tell("no worker has subscribed a function yet");
        return Ok(());
    }
    let mut table = Table::new(&["FUNCTION", "EVENTS"], usize::MAX);
    for function in functions {
        table.row(&[function.id, function.events.join(", ")]);
    }
    print::write(&table.text(out))
}
