//! Whether a server can keep runs: what belts asks of it before it is used.

use redis::Value;

use super::{
    error::Fault,
    link::Link,
    reply::{self, Row},
    script::{self, Call},
};
use crate::{
    environment::is_check,
    error::{Error, Result},
    redis::server::{self, config, refused},
};

/// The version of the layout of keys that this belts knows.
const FORMAT: u32 = 1;

/// Connects, and makes sure that the server can keep runs.
pub(super) async fn check(link: &Link, keys: &str) -> Result<()> {
    let about = server::check(link, script::all()).await?;
    // Opening tries what it may write.
    let script = if is_check() {
        &script::FORMAT
    } else {
        &script::OPEN
    };
    let answer = link.run(|_| Call::new(script, keys)).await;
    let answer = answer.map_err(|fault| match fault {
        Fault::Redis(error) => refused(error, "EVALSHA", link),
        fault @ (Fault::Reply(_) | Fault::Word(_)) => link.opening_error(fault),
    })?;
    check_format(answer, link)?;
    about.warn(link).await;
    Ok(())
}

/// The answer to the script that opens: the format of the data, or a command that failed.
fn check_format(answer: Value, link: &Link) -> Result<()> {
    let address = link.address();
    if let Value::Array(_) = answer {
        let mut row = Row::of(answer).map_err(|fault| link.error(fault))?;
        let (command, why) = (row.text(), row.text());
        let (Ok(command), Ok(why)) = (command, why) else {
            return Err(link.error(Fault::Reply("command")));
        };
        return Err(forbidden(link, &command, &why));
    }
    let format = reply::raw(answer).and_then(|bytes| reply::number::<u32>(&bytes));
    let format = format.map_err(|fault| link.error(fault))?;
    if format > FORMAT {
        return Err(config(
            address,
            &format!("holds data of format {format}, and this belts knows {FORMAT}; upgrade belts"),
        ));
    }
    Ok(())
}

/// The error of a command that failed in a script.
fn forbidden(link: &Link, command: &str, why: &str) -> Error {
    // As Redis 6.2 and 7 say it, and as later ones do.
    if ["user executing the script", "ACL failure", "NOPERM"]
        .iter()
        .any(|words| why.contains(words))
    {
        let message = match command {
            "PUBLISH" => "does not let this user publish on the channel of this store".to_owned(),
            _ => format!("does not let this user run {command} on the keys of this store"),
        };
        return config(
            link.address(),
            &format!("{message}; grant it with `ACL SETUSER`"),
        );
    }
    let text = why.trim_start_matches('-');
    let (code, detail) = text.split_once(' ').unwrap_or((text, ""));
    let error = redis::make_extension_error(code.to_owned(), Some(detail.to_owned()));
    link.opening_error(Fault::from(error))
}
