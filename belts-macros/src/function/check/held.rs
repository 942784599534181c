//! What the names of a body hold that runs later: closures, futures and iterators.

use proc_macro2::TokenStream;
use syn::{Ident, Pat};

/// What differs from run to run, and what to say of it.
#[derive(Debug, Clone)]
pub(super) struct Found {
    pub(super) at: TokenStream,
    pub(super) message: String,
    /// How many closures and `async` blocks are around it, of which nobody knows where they run.
    pub(super) depth: usize,
}

/// What a name holds.
#[derive(Debug, Clone)]
pub(super) enum Held {
    /// Nothing that runs later.
    Plain,
    /// A time that a step recorded.
    Time,
    /// A closure or an fn: what runs when it is called, and when what it returns is awaited.
    Closure {
        called: Vec<Found>,
        awaited: Vec<Found>,
    },
    /// A future: what runs when it is awaited.
    Future(Vec<Found>),
    /// An iterator: what runs where it is used.
    Iterator(Vec<Found>),
}

/// What becomes of a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is called, and what it returns may be awaited.
    Called { awaited: bool },
    /// It is mentioned otherwise.
    Used { awaited: bool },
}

/// The names of the blocks around a place.
#[derive(Default)]
pub(super) struct Names {
    names: Vec<Binding>,
    blocks: usize,
}

struct Binding {
    name: String,
    held: Held,
    block: usize,
}

impl Held {
    /// What runs, to be reported once.
    fn found(&mut self, fate: Fate) -> Vec<&mut Vec<Found>> {
        match (self, fate) {
            (Self::Closure { called, awaited }, Fate::Called { awaited: true }) => {
                vec![called, awaited]
            }
            (Self::Closure { called, .. }, Fate::Called { awaited: false }) => vec![called],
            (Self::Future(found), Fate::Used { awaited: true })
            | (Self::Iterator(found), Fate::Used { .. }) => vec![found],
            _ => Vec::new(),
        }
    }
}

impl Names {
    pub(super) fn enter(&mut self) {
        self.blocks += 1;
    }

    pub(super) fn leave(&mut self) {
        self.blocks -= 1;
        self.names.retain(|name| name.block <= self.blocks);
    }

    /// Takes note that a name is bound anew, as far as this block goes.
    pub(super) fn forget(&mut self, name: &Ident) {
        self.push(name, Held::Plain);
    }

    pub(super) fn bind(&mut self, pattern: &Pat, held: Held) {
        if let Some(name) = name_of(pattern) {
            self.push(name, held);
        }
    }

    fn push(&mut self, name: &Ident, held: Held) {
        self.names.push(Binding {
            name: name.to_string(),
            held,
            block: self.blocks,
        });
    }

    pub(super) fn of(&self, name: &Ident) -> Option<&Held> {
        let found = self.names.iter().rfind(|known| *name == known.name);
        found.map(|known| &known.held)
    }

    /// What runs if this becomes of a name; that is no longer held if `once`.
    pub(super) fn run(&mut self, name: &Ident, fate: Fate, once: bool) -> Vec<Found> {
        let Some(known) = self.names.iter_mut().rfind(|known| *name == known.name) else {
            return Vec::new();
        };
        let lists = known.held.found(fate).into_iter();
        lists
            .flat_map(|list| {
                if once {
                    std::mem::take(list)
                } else {
                    list.clone()
                }
            })
            .collect()
    }
}

/// The one name that a pattern binds.
pub(super) fn name_of(pattern: &Pat) -> Option<&Ident> {
    match pattern {
        Pat::Type(typed) => name_of(&typed.pat),
        Pat::Ident(name) if name.subpat.is_none() => Some(&name.ident),
        _ => None,
    }
}
