//! Races: the keys of an arm are its own, and what others call a race is not recorded.

use proc_macro2::{Delimiter, Ident, TokenStream, TokenTree};
use quote::ToTokens as _;
use syn::{
    Expr, ExprMethodCall, Path, Token,
    parse::{ParseStream, Parser as _},
};

use super::bound::{UNORDERED, says_unordered};
use crate::{
    names::spelled,
    step::{Macro, key::Key, race},
};

/// Macros that go on with the first of several futures to end.
const MACROS: [&str; 2] = ["select", "select_biased"];
/// Functions that do.
const FUNCTIONS: [&str; 4] = ["race", "select", "select_all", "select_ok"];

/// What goes on with the first of several futures to end, and does not record which.
#[derive(Debug, Clone)]
pub(super) struct Select {
    name: String,
    /// Whether this is in one of the futures; what is awaited in the arguments of a function is over before it begins.
    inside: bool,
}

/// Whether a macro is one of those.
pub(super) fn is_select(path: &Path) -> bool {
    let last = path.segments.last();
    last.is_some_and(|last| MACROS.iter().any(|select| last.ident == select))
}

impl Select {
    pub(super) fn of_macro(path: &Path) -> Self {
        Self {
            name: format!("{}!", spelled(&path.to_token_stream())),
            inside: true,
        }
    }

    /// As in `future::select_all(…)`. A lone `select(…)` may be anything.
    pub(super) fn of_fn(callee: &Expr) -> Option<Self> {
        let Expr::Path(path) = callee else {
            return None;
        };
        let segments = &path.path.segments;
        let last = &segments.last()?.ident;
        if last == "from_iter" && says_unordered(path) {
            return Some(Self::unordered());
        }
        let known = FUNCTIONS.iter().any(|race| last == race);
        let is_theirs = segments.len() > 1 || last.to_string().contains('_');
        (known && is_theirs).then(|| Self {
            name: spelled(&path.to_token_stream()),
            inside: false,
        })
    }

    /// What goes on with whichever of its futures is first, as often as it is asked.
    pub(super) fn unordered() -> Self {
        Self {
            name: UNORDERED.to_owned(),
            inside: false,
        }
    }

    /// As in `(one, other).race()`.
    pub(super) fn of_method(call: &ExprMethodCall) -> Option<Self> {
        if call.method == "collect" && says_unordered(&call.turbofish) {
            return Some(Self::unordered());
        }
        (call.method == "race").then(|| Self {
            name: ".race()".to_owned(),
            inside: false,
        })
    }

    pub(super) fn inside(self) -> Self {
        Self {
            inside: true,
            ..self
        }
    }

    pub(super) fn awaited(self) -> Option<Self> {
        self.inside.then_some(self)
    }

    pub(super) fn message(&self, which: Macro, name: &str) -> String {
        let instead = self.instead(which);
        let select = &self.name;
        format!(
            "`{name}` is inside `{select}`, which does not record its winner, so the run may go on with a different one when it resumes; \
             {instead}"
        )
    }

    /// What to say of a name that holds a future of ours.
    pub(super) fn message_of_name(&self, name: &Ident, which: Macro) -> String {
        let (held, instead) = (which.name(), self.instead(which));
        let select = &self.name;
        format!(
            "`{name}` holds a `{held}`, and `{select}` does not record its winner, so the run may go on with a different one when it \
             resumes; {instead}"
        )
    }

    fn instead(&self, which: Macro) -> String {
        let one = match which {
            Macro::Callback => "callback.result()".to_owned(),
            which => format!("{}(…)", which.name()),
        };
        let all = if self.name == UNORDERED {
            ", or await all of them with `join_all`"
        } else {
            ""
        };
        format!("write `race!(\"first\", {{ one = {one} => …, other = … => … }})`{all}")
    }
}

/// The key of a race and what is between its braces; `None` if the macro itself will report it.
pub(super) fn split(tokens: &TokenStream) -> Option<(Key, Vec<race::Arm>)> {
    let parser = |input: ParseStream<'_>| {
        let key = Key::new(input.parse()?)?;
        input.parse::<Token![,]>()?;
        input.parse::<Option<Token![move]>>()?;
        let TokenTree::Group(group) = input.parse()? else {
            return Ok((key, TokenStream::new()));
        };
        input.parse::<TokenStream>()?;
        let is_braced = group.delimiter() == Delimiter::Brace;
        Ok((
            key,
            if is_braced {
                group.stream()
            } else {
                TokenStream::new()
            },
        ))
    };
    let (key, arms) = parser.parse2(tokens.clone()).ok()?;
    Some((key, race::parse(arms).ok()?))
}
