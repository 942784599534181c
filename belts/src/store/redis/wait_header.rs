//! What an entry that waits has in its header.

use std::{borrow::Cow, sync::Arc};

use serde::{Deserialize, Serialize};

use super::{error::Fault, reply};
use crate::store::{After, AwaitedType, Timestamp, Wait};

/// The greatest place that scripts can count with.
const LAST_PLACE: i64 = (1 << 53) - 1;

/// A wait as the header of its entry has it.
#[derive(Serialize, Deserialize)]
pub(super) struct WaitHeader<'a> {
    #[serde(rename = "k", borrow, default, skip_serializing_if = "Option::is_none")]
    key: Option<Cow<'a, str>>,
    #[serde(rename = "t", borrow)]
    types: Vec<Cow<'a, str>>,
    /// Behind what each type is looked for. The last one, so that scripts can put places into it.
    #[serde(rename = "c")]
    after: Vec<Cursor>,
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Cursor {
    Place(i64),
    Word(String),
}

impl<'a> WaitHeader<'a> {
    pub(super) fn of(wait: &'a Wait) -> Self {
        let Wait::Event { types, key } = wait;
        let cursor = |awaited: &AwaitedType| match awaited.after {
            After::Place(place) => Cursor::Place(place),
            after => Cursor::Word(after_text(after)),
        };
        let type_of = |awaited: &'a AwaitedType| Cow::Borrowed(&*awaited.event_type);
        Self {
            key: key.as_deref().map(Cow::Borrowed),
            types: types.iter().map(type_of).collect(),
            after: types.iter().map(cursor).collect(),
        }
    }

    pub(super) fn read(self) -> Result<Wait, Fault> {
        let types = self.types.iter().zip(&self.after);
        let types =
            types.map(|(event_type, cursor)| Ok(AwaitedType::new(&**event_type, cursor.read()?)));
        Ok(Wait::Event {
            types: types.collect::<Result<_, Fault>>()?,
            key: self.key.as_deref().map(Arc::from),
        })
    }
}

impl Cursor {
    fn read(&self) -> Result<After, Fault> {
        let word = match self {
            Self::Place(place) => return Ok(After::Place(*place)),
            Self::Word(word) => word,
        };
        match word.split_at_checked(1) {
            Some(("s", "")) => Ok(After::Start),
            Some(("n", "")) => Ok(After::Now),
            Some(("t", time)) => reply::number(time.as_bytes())
                .map(Timestamp::from_millis)
                .map(After::Time),
            _ => Err(Fault::Word("beginning of a wait")),
        }
    }
}

/// Behind what a wait looks, as scripts read it.
pub(super) fn after_text(after: After) -> String {
    match after {
        After::Start => "s".to_owned(),
        After::Now => "n".to_owned(),
        After::Time(time) => format!("t{}", time.as_millis()),
        After::Place(place) => format!("p{}", place.clamp(0, LAST_PLACE)),
    }
}
