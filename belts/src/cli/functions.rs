//! The commands about functions: `functions`, `pause`, `resume` and `forget`.

use super::{
    place::Place,
    print::{self, Out, plain, plural, time},
    runs::agree,
    table::Table,
    wrong::Wrong,
};
use crate::inspect::{
    functions::MOST_COUNTED,
    shape::{ChangedFunction, ShownFunction},
};

pub(super) async fn list(place: &dyn Place, orphaned: bool, out: Out) -> Result<(), Wrong> {
    let mut functions = place.functions().await?;
    functions.retain(|function| !orphaned || function.is_orphaned());
    if out.json {
        return functions.iter().try_for_each(print::object);
    }
    if functions.is_empty() {
        print::tell(if orphaned {
            "a running worker has every function"
        } else {
            "no worker has registered a function yet"
        });
        return Ok(());
    }
    let mut table = Table::new(&["FUNCTION", "WORKERS", "UNFINISHED", "EVENTS"], usize::MAX);
    for function in functions {
        let mut workers = if function.living { "living" } else { "none" }.to_owned();
        if let Some(since) = function.paused_at {
            workers = format!("{workers}, paused since {}", time(since));
        }
        let unfinished = count(&function);
        table.row(&[function.id, workers, unfinished, function.events.join(", ")]);
    }
    print::write(&table.text(out))
}

fn count(function: &ShownFunction) -> String {
    let more = if function.unfinished >= MOST_COUNTED {
        "+"
    } else {
        ""
    };
    format!("{}{more}", function.unfinished)
}

pub(super) async fn pause(place: &dyn Place, id: &str, out: Out) -> Result<(), Wrong> {
    let done = place.pause(id).await?;
    say(&done, "paused", "was paused before", out)
}

pub(super) async fn resume(place: &dyn Place, id: &str, out: Out) -> Result<(), Wrong> {
    let done = place.resume(id).await?;
    say(&done, "resumed", "was not paused", out)
}

fn say(done: &ChangedFunction, what: &str, before: &str, out: Out) -> Result<(), Wrong> {
    let id = plain(&done.function_id);
    if out.json {
        print::object(done)
    } else if done.changed {
        print::write(&format!("{what} {id}\n"))
    } else {
        print::write(&format!("{id} {before}\n"))
    }
}

pub(super) async fn forget(place: &dyn Place, id: &str, yes: bool, out: Out) -> Result<(), Wrong> {
    let functions = place.functions().await?;
    let Some(function) = functions.iter().find(|function| function.id == id) else {
        return Err(Wrong::Failed(format!(
            "there is no function `{id}` with subscriptions or unfinished runs; `belts functions` lists the functions"
        )));
    };
    if function.living {
        return Err(Wrong::Failed(format!(
            "a running worker has the function `{id}`: shut down the workers that have it, then forget it"
        )));
    }
    if function.unfinished > 0 && !yes {
        agree(
            &format!("{} of `{}`", runs(function), plain(id)),
            "be cancelled, since no running worker has the function",
        )?;
    }
    let forgotten = place.forget(id).await?;
    if out.json {
        return print::object(&forgotten);
    }
    print::write(&format!(
        "forgot {}, cancelled {}\n",
        plain(id),
        plural(forgotten.cancelled, "run")
    ))
}

fn runs(function: &ShownFunction) -> String {
    match function.unfinished {
        1 => "1 run".to_owned(),
        _ => format!("{} runs", count(function)),
    }
}
