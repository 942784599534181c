//! The key of a step: a string literal whose braces capture variables.

use proc_macro2::{Literal, Span};
use syn::{Ident, LitStr, ext::IdentExt as _, parse::Parser as _};

/// A key as written, and what it becomes at run time.
pub(crate) struct Key {
    pub(crate) literal: LitStr,
    pub(crate) kind: Kind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    /// No captures, unescaped.
    Plain(String),
    /// Goes through `format!`.
    Captures,
}

impl Key {
    /// Reads a key; the error is a whole message about the literal.
    pub(crate) fn new(literal: LitStr) -> Result<Self, syn::Error> {
        match read(&literal.value()) {
            Ok(kind) => Ok(Self { literal, kind }),
            Err(message) => Err(syn::Error::new(literal.span(), message)),
        }
    }

    /// For expanding further after a mistake.
    pub(crate) fn stand_in(literal: LitStr) -> Self {
        Self {
            literal,
            kind: Kind::Plain(String::new()),
        }
    }

    /// The key, if it has no captures.
    pub(crate) fn plain(&self) -> Option<&str> {
        match &self.kind {
            Kind::Plain(text) => Some(text),
            Kind::Captures => None,
        }
    }

    pub(crate) fn span(&self) -> Span {
        self.literal.span()
    }
}

fn read(text: &str) -> Result<Kind, String> {
    if text.is_empty() {
        return Err(
            "the key is empty; name what the step does, such as `\"charge-payment\"`".to_owned(),
        );
    }
    let mut plain = String::new();
    let mut captures = false;
    let mut letters = text.char_indices().peekable();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '{' | '}' if letters.next_if(|(_, next)| *next == letter).is_some() => {
                plain.push(letter);
            }
            '{' => {
                let rest = &text[at + 1..];
                let end = rest.find('}').ok_or_else(|| unbalanced('{'))?;
                capture(&rest[..end])?;
                captures = true;
                while letters.next_if(|(next, _)| *next <= at + 1 + end).is_some() {}
            }
            '}' => return Err(unbalanced('}')),
            other => plain.push(other),
        }
    }
    Ok(if captures {
        Kind::Captures
    } else {
        Kind::Plain(plain)
    })
}

/// The content of the braces: a variable, and perhaps a format after a colon.
fn capture(inside: &str) -> Result<(), String> {
    let name = inside.split(':').next().unwrap_or_default().trim();
    let digits_only = name.chars().all(|c| c.is_ascii_digit());
    if digits_only {
        return Err(format!(
            "name the variable inside the braces, as in `\"ship-{{sku}}\"`; `{{{inside}}}` takes none"
        ));
    }
    // As in `format!`: `{type}` is the variable `r#type`, and `{self}` is `self`.
    if Ident::parse_any.parse_str(name).is_err() {
        return Err(format!(
            "braces in a key take the name of a variable; bind it first, `let sku = {name};`, and write `{{sku}}`"
        ));
    }
    Ok(())
}

fn unbalanced(brace: char) -> String {
    format!("unbalanced `{brace}` in the key; write `{brace}{brace}` for a literal brace")
}

/// A literal with this text, located at the key.
pub(crate) fn text_at(text: &str, span: Span) -> Literal {
    let mut literal = Literal::string(text);
    literal.set_span(span);
    literal
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_undone_and_captures_are_seen() {
        assert_eq!(read("charge"), Ok(Kind::Plain("charge".to_owned())));
        assert_eq!(read("{{a}}"), Ok(Kind::Plain("{a}".to_owned())));
        assert_eq!(read("ship-{sku}"), Ok(Kind::Captures));
        assert_eq!(read("ü-{n:03}-{m:?}"), Ok(Kind::Captures));
        assert_eq!(read("{type}-{self}"), Ok(Kind::Captures));
    }

    #[test]
    fn only_names_are_captured() {
        for text in [
            "", "{}", "{0}", "{:?}", "{a.b}", "{a()}", "{", "a}", "{a", "{{}",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
