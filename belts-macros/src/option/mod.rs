//! Options, `name = value`: how they are parsed, what is said of wrong ones, and readers for their values.

use proc_macro2::{Ident, TokenStream, TokenTree};
use quote::{ToTokens as _, quote};
use syn::{
    Expr, Lit, LitStr, Path, Token,
    ext::IdentExt as _,
    parse::{ParseStream, Parser as _},
    spanned::Spanned as _,
};

use crate::{
    diag::{Errors, quoted, suggest},
    duration,
    names::{Krate, Runtime},
};

mod table;
mod tables;

pub(crate) use table::Table;
pub(crate) use tables::*;

/// One option as written by the user.
pub(crate) struct Opt {
    pub(crate) key: Ident,
    /// Of an option with options of its own, its name.
    pub(crate) value: Expr,
    /// The options of its own, where it is written `name(…)`.
    pub(crate) args: Option<TokenStream>,
    example: &'static str,
}

/// The options of one call; every name is known and occurs once.
#[derive(Default)]
pub(crate) struct Given(Vec<Opt>);

impl Given {
    pub(crate) fn parse(tokens: TokenStream, table: &Table, errors: &mut Errors) -> Self {
        let mut given = Self::default();
        let all = |input: ParseStream<'_>| {
            given.read(input, table, errors);
            Ok(())
        };
        if let Err(error) = all.parse2(tokens) {
            errors.add(error);
        }
        given
    }

    /// Reads to the end of the input, past mistakes.
    pub(crate) fn read(&mut self, input: ParseStream<'_>, table: &Table, errors: &mut Errors) {
        while !input.is_empty() {
            match one(input, table) {
                Ok(opt) => self.insert(opt, errors),
                Err(error) => {
                    errors.add(error);
                    skip_option(input);
                }
            }
            if input.is_empty() {
                break;
            }
            if let Err(error) = input.parse::<Token![,]>() {
                errors.add(error);
                skip_option(input);
                // The comma itself, or the end.
                let _ = input.parse::<Token![,]>();
            }
        }
    }

    fn insert(&mut self, opt: Opt, errors: &mut Errors) {
        // A function may have several limits of runs at once.
        let again = |earlier: &Opt| {
            let another =
                opt.key == "concurrency" && (earlier.args.is_some() || opt.args.is_some());
            earlier.key == opt.key && !another
        };
        if self.0.iter().any(again) {
            errors.at(
                &opt.key,
                format!("option `{}` is given twice; keep one", opt.key),
            );
        } else {
            self.0.push(opt);
        }
    }

    pub(crate) fn take(&mut self, name: &str) -> Option<Opt> {
        let at = self.0.iter().position(|opt| opt.key == name)?;
        Some(self.0.remove(at))
    }

    /// The option of this name that is written `name = value`.
    pub(crate) fn take_plain(&mut self, name: &str) -> Option<Opt> {
        let plain = |opt: &Opt| opt.key == name && opt.args.is_none();
        let at = self.0.iter().position(plain)?;
        Some(self.0.remove(at))
    }

    /// The options of this name that are written `name(…)`, in their order.
    pub(crate) fn take_called(&mut self, name: &str) -> Vec<Opt> {
        let mut called = Vec::new();
        while let Some(at) = self
            .0
            .iter()
            .position(|opt| opt.key == name && opt.args.is_some())
        {
            called.push(self.0.remove(at));
        }
        called
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|opt| opt.key == name)
    }

    /// The name of an option, as the user has written it.
    pub(crate) fn key_of(&self, name: &str) -> Option<&Ident> {
        let found = self.0.iter().find(|opt| opt.key == name);
        found.map(|opt| &opt.key)
    }

    /// The time that an option says, as far as it is written here.
    pub(crate) fn known_time(&self, name: &str) -> Option<std::time::Duration> {
        let found = self.0.iter().find(|opt| opt.key == name);
        found.and_then(Opt::known_duration)
    }

    /// Whether the value of an option contains this word.
    pub(crate) fn mentions(&self, option: &str, word: &str) -> bool {
        let mut values = self.0.iter().filter(|opt| opt.key == option);
        values.any(|opt| holds(opt.value.to_token_stream(), word))
    }

    pub(crate) fn krate(&mut self, errors: &mut Errors) -> Krate {
        match self.take("crate").and_then(|opt| opt.path(errors)) {
            Some(path) => Krate::new(quote!(#path)),
            None => Krate::default(),
        }
    }
}

fn holds(tokens: TokenStream, word: &str) -> bool {
    tokens.into_iter().any(|token| match token {
        TokenTree::Group(group) => holds(group.stream(), word),
        TokenTree::Ident(ident) => ident == word,
        _ => false,
    })
}

fn one(input: ParseStream<'_>, table: &Table) -> syn::Result<Opt> {
    let Ok(key) = input.call(Ident::parse_any) else {
        let message = match table.names().as_slice() {
            [] => "unexpected; there are no options here".to_owned(),
            names => format!(
                "expected an option, `name = value`; known here: {}",
                quoted(names)
            ),
        };
        return Err(input.error(message));
    };
    let name = key.to_string();
    if !table.names().contains(&name.as_str()) {
        return Err(syn::Error::new(key.span(), table.unknown(&name)));
    }
    let example = table.example(&name);
    if table.takes_args(&name) && input.peek(syn::token::Paren) {
        let args;
        syn::parenthesized!(args in input);
        return Ok(Opt {
            value: syn::parse_quote!(#key),
            args: Some(args.parse()?),
            key,
            example,
        });
    }
    if table.takes_args_only(&name) {
        return Err(syn::Error::new(
            key.span(),
            format!("`{name}` has options of its own: `{example}`"),
        ));
    }
    if table.is_flag(&name) && (input.is_empty() || input.peek(Token![,])) {
        let value = syn::parse_quote_spanned!(key.span()=> true);
        return Ok(Opt {
            key,
            value,
            args: None,
            example,
        });
    }
    if input.is_empty() || !input.peek(Token![=]) {
        return Err(syn::Error::new(
            key.span(),
            format!("`{name}` needs a value: `{example}`"),
        ));
    }
    input.parse::<Token![=]>()?;
    if input.is_empty() || input.peek(Token![,]) {
        return Err(syn::Error::new(
            key.span(),
            format!("`{name}` needs a value: `{example}`"),
        ));
    }
    Ok(Opt {
        value: input.parse()?,
        key,
        args: None,
        example,
    })
}

fn skip_option(input: ParseStream<'_>) {
    while !input.is_empty() && !input.peek(Token![,]) {
        if input.parse::<TokenTree>().is_err() {
            return;
        }
    }
}

/// Readers; each says what it expects if the value is something else.
impl Opt {
    pub(crate) fn example(&self) -> &'static str {
        self.example
    }

    fn wrong(&self, wanted: &str, errors: &mut Errors) {
        errors.at(
            &self.value,
            format!("`{}` takes {wanted}: `{}`", self.key, self.example),
        );
    }

    pub(crate) fn text(&self, errors: &mut Errors) -> Option<LitStr> {
        if let Some(Lit::Str(text)) = literal(&self.value) {
            return Some(text.clone());
        }
        self.wrong("a string", errors);
        None
    }

    pub(crate) fn path(&self, errors: &mut Errors) -> Option<Path> {
        if let Expr::Path(path) = ungrouped(&self.value)
            && path.qself.is_none()
        {
            return Some(path.path.clone());
        }
        self.wrong("a path", errors);
        None
    }

    pub(crate) fn ident(&self, errors: &mut Errors) -> Option<Ident> {
        if let Expr::Path(path) = ungrouped(&self.value)
            && let Some(ident) = path.path.get_ident()
        {
            return Some(ident.clone());
        }
        self.wrong("the name of a field", errors);
        None
    }

    /// The name of a helper, or `None` for `false`.
    pub(crate) fn helper(&self, errors: &mut Errors) -> Option<Ident> {
        match ungrouped(&self.value) {
            Expr::Path(path) if path.path.get_ident().is_some() => path.path.get_ident().cloned(),
            Expr::Lit(literal) if matches!(&literal.lit, Lit::Bool(yes) if !yes.value) => None,
            _ => {
                self.wrong("a name for the helper, or `false` for none", errors);
                None
            }
        }
    }

    /// One path or several in brackets.
    pub(crate) fn paths(&self, errors: &mut Errors) -> Vec<Expr> {
        let items: Vec<&Expr> = match ungrouped(&self.value) {
            Expr::Array(array) => array.elems.iter().collect(),
            other => vec![other],
        };
        let all_paths = items
            .iter()
            .all(|item| matches!(ungrouped(item), Expr::Path(_)));
        if items.is_empty() || !all_paths {
            let wanted = match self.key.to_string().as_str() {
                "cancel_on" => {
                    "an event type, or several as `cancel_on = [OrderWithdrawn, CustomerLeft]`"
                }
                "on_failure" => {
                    "the name of a function, or several as `on_failure = [process_order, ship_order]`"
                }
                _ => "an event type, or several as `on = [OrderCreated, OrderCancelled]`",
            };
            self.wrong(wanted, errors);
            return Vec::new();
        }
        items
            .into_iter()
            .map(|item| ungrouped(item).clone())
            .collect()
    }

    /// A number; only literals are checked here.
    pub(crate) fn number(self, least: u32, errors: &mut Errors) -> TokenStream {
        match literal(&self.value) {
            Some(Lit::Int(number)) => match number.base10_parse::<u32>() {
                Ok(number) if number >= least => {}
                Ok(_) => errors.at(number, format!("`{}` must be at least {least}", self.key)),
                Err(_) => self.wrong("a number up to 4294967295", errors),
            },
            Some(_) => self.wrong("a whole number", errors),
            None => {}
        }
        let value = self.value;
        quote!(#value)
    }

    /// Whether something holds that may be said without a value.
    pub(crate) fn flag(&self, errors: &mut Errors) -> bool {
        if let Some(Lit::Bool(yes)) = literal(&self.value) {
            return yes.value;
        }
        self.wrong("`true` or `false`", errors);
        false
    }

    /// One of a few words.
    pub(crate) fn word(&self, words: &[&str], errors: &mut Errors) -> Option<String> {
        let text = self.text(errors)?;
        let word = text.value();
        if words.contains(&word.as_str()) {
            return Some(word);
        }
        errors.at(
            &text,
            format!(
                "`{}` cannot be `{word}`; {}",
                self.key,
                suggest(&word, words)
            ),
        );
        None
    }

    pub(crate) fn duration(self, names: &Krate, errors: &mut Errors) -> TokenStream {
        duration_value(&self.value, names, errors)
    }

    /// The duration, as far as it is written here.
    pub(crate) fn known_duration(&self) -> Option<std::time::Duration> {
        match literal(&self.value) {
            Some(Lit::Str(text)) => duration::parse(&text.value()).ok(),
            _ => None,
        }
    }

    /// A duration that is not over at once.
    pub(crate) fn some_duration(self, names: &Krate, errors: &mut Errors) -> TokenStream {
        if let Some(Lit::Str(text)) = literal(&self.value)
            && duration::parse(&text.value()) == Ok(std::time::Duration::ZERO)
        {
            let (key, example) = (&self.key, self.example);
            errors.at(
                text,
                format!("`{key}` cannot be zero; write a time, such as `{example}`"),
            );
        }
        self.duration(names, errors)
    }

    pub(crate) fn backoff(self, names: &Krate, errors: &mut Errors) -> TokenStream {
        let value = &self.value;
        let names = names.at(value.span());
        let Some(literal) = literal(value) else {
            return quote!(#value);
        };
        let parsed = match literal {
            Lit::Str(text) => duration::parse_backoff(&text.value()),
            _ => Err(format!(
                "`backoff` takes a string such as `{}`, or a `belts::Backoff`",
                self.example
            )),
        };
        let (first, max) = recover(parsed, value, errors);
        let (first, max) = (duration_tokens(first, &names), duration_tokens(max, &names));
        let backoff = names.backoff;
        quote!(#backoff { first: #first, max: #max })
    }
}

/// A string with a duration, checked here, or any other expression unchanged.
pub(crate) fn duration_value(value: &Expr, names: &Krate, errors: &mut Errors) -> TokenStream {
    let Some(literal) = literal(value) else {
        return quote!(#value);
    };
    let parsed = match literal {
        Lit::Str(text) => duration::parse(&text.value()),
        _ => Err(
            "a duration needs a unit: write a string such as `\"30s\"`, or a `Duration`".to_owned(),
        ),
    };
    let duration = recover(parsed, value, errors);
    duration_tokens(duration, &names.at(value.span()))
}

/// The value, or a placeholder and the mistake.
fn recover<T: Default>(parsed: Result<T, String>, at: &Expr, errors: &mut Errors) -> T {
    parsed.unwrap_or_else(|message| {
        errors.at(at, message);
        T::default()
    })
}

fn duration_tokens(duration: std::time::Duration, names: &Runtime) -> TokenStream {
    let (secs, nanos) = (duration.as_secs(), duration.subsec_nanos());
    let path = &names.duration;
    quote!(#path(#secs, #nanos))
}

/// Without the invisible brackets that `macro_rules!` puts around its fragments.
pub(crate) fn ungrouped(mut expr: &Expr) -> &Expr {
    while let Expr::Group(group) = expr {
        expr = &group.expr;
    }
    expr
}

fn literal(expr: &Expr) -> Option<&Lit> {
    match ungrouped(expr) {
        Expr::Lit(literal) => Some(&literal.lit),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Its table has a column for where an option may stand, so it is written there.
    #[test]
    fn the_docs_of_the_derive_list_every_option_where_it_is_known() {
        let rows = include_str!("../lib.rs")
            .lines()
            .skip_while(|line| !line.starts_with("/// | `#[event(…)]` | where |"))
            .skip(2)
            .take_while(|line| line.starts_with("/// |"));
        let rows: Vec<Vec<&str>> = rows
            .map(|line| line.split('|').map(str::trim).collect())
            .collect();
        for (place, table) in [("struct", STRUCT), ("enum", ENUM), ("variant", VARIANT)] {
            let mut listed: Vec<&str> = rows
                .iter()
                .filter(|cells| cells[2].split(", ").any(|listed| listed == place))
                .filter_map(|cells| cells[1].trim_start_matches('`').split(' ').next())
                .collect();
            let mut known = table.names();
            known.sort_unstable();
            listed.sort_unstable();
            assert_eq!(listed, known, "on a {place}");
        }
    }

    #[test]
    fn the_examples_are_what_the_parser_reads() {
        for table in [
            FUNCTION,
            STEPS,
            STEP,
            CALL,
            START,
            CONCURRENCY,
            THROTTLE,
            RATE_LIMIT,
            DEBOUNCE,
            BATCH,
            SINGLETON,
            IDEMPOTENT,
            STRUCT,
            ENUM,
            VARIANT,
        ] {
            let mut errors = Errors::default();
            let all: Vec<&str> = table.0.iter().map(|(_, example)| *example).collect();
            let tokens: TokenStream = all.join(", ").parse().expect("tokens");
            let given = Given::parse(tokens, &table, &mut errors);
            assert!(errors.is_empty(), "{all:?}: {errors:?}");
            assert_eq!(given.0.len(), all.len());
        }
    }
}
