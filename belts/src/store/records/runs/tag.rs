//! What a run is about, so that it is found by it.

use std::{fmt, sync::Arc};

/// A tag of a run: a name, such as `customer`, and a value.
///
/// ```
/// use belts::store::Tag;
/// assert_eq!(Tag::new("customer", "c-17").to_string(), "customer=c-17");
/// assert_eq!(Tag::parse("customer=c-17"), Some(Tag::new("customer", "c-17")));
/// assert_eq!(Tag::parse("customer"), None);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub struct Tag {
    /// The name; it has no `=` in it.
    pub name: Arc<str>,
    /// The value.
    pub value: Arc<str>,
}

impl Tag {
    /// The most tags of a run.
    pub const MOST: usize = 50;

    /// The most bytes of a name.
    pub const MAX_NAME: usize = 64;

    /// The most bytes of a value.
    pub const MAX_VALUE: usize = 256;

    /// This value under this name.
    pub fn new(name: impl Into<Arc<str>>, value: impl Into<Arc<str>>) -> Self {
        Self {
            name: name.into(),
            value: value.into(),
        }
    }

    /// Reads `name=value`; the value may have further `=` in it. `None` where there is no name or no `=`.
    pub fn parse(text: &str) -> Option<Self> {
        let (name, value) = text.split_once('=')?;
        (!name.is_empty()).then(|| Self::new(name, value))
    }
}

/// Tags as stores have them, in the order in which records tell them. What is none is left out.
pub(crate) fn sorted_tags<'a>(texts: impl Iterator<Item = &'a str>) -> Vec<Tag> {
    let mut tags: Vec<Tag> = texts.filter_map(Tag::parse).collect();
    tags.sort_unstable();
    tags
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.name, self.value)
    }
}
