//! Calls of our macros in a body: where they may stand, and whose keys they use.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::{
    Expr, ExprMethodCall, Token,
    parse::{ParseStream, Parser as _},
    visit::Visit as _,
};

use super::{race, walk::Walk};
use crate::{
    names::spelled,
    step::{Macro, key::Key},
};

impl Walk<'_> {
    pub(super) fn call(&mut self, which: Macro, at: &syn::Path, tokens: &TokenStream) {
        self.stands(which, which.name(), at);
        if which == Macro::Race {
            return self.race(tokens);
        }
        let parts = match which {
            // A type is no expression.
            Macro::Callback => key_alone(tokens).map(|key| (key, Vec::new())),
            _ => split(tokens),
        };
        let Some((key, arguments)) = parts else {
            return;
        };
        self.key(&key);
        let outside = self.step.clone();
        if matches!(which, Macro::Step | Macro::Transaction) {
            self.step = Some(key.literal.value());
        }
        for argument in &arguments {
            self.meant(is_recorded(which), |walk| {
                walk.awaiting(false, |walk| walk.visit_expr(argument));
            });
        }
        self.step = outside;
    }

    /// Reports what may not stand where it is.
    pub(super) fn stands(&mut self, which: Macro, name: &str, at: &dyn ToTokens) {
        let at = at.to_token_stream();
        if let Some(task) = self.task {
            self.errors.at(&at, task.message(name));
        }
        if let Some(step) = &self.step {
            let message = format!(
                "`{name}` is inside the expression of step `{step}`, but a step is recorded as a whole; \
                 await this one first and use its value"
            );
            self.errors.at(&at, message);
        }
        if let Some(select) = &self.select {
            self.errors.at(&at, select.message(which, name));
        }
    }

    /// Reports where the result of a callback may not be asked for.
    pub(super) fn ask(&mut self, call: &ExprMethodCall) {
        if self.bound.asks(call) {
            let (callback, method) = (&call.receiver, &call.method);
            let name = spelled(&quote!(#callback.#method()));
            self.stands(Macro::Callback, &name, method);
        }
    }

    /// Visits the arms of a race, of which each has keys of its own, and the handlers, which are part of the function.
    fn race(&mut self, tokens: &TokenStream) {
        let Some((key, arms)) = race::split(tokens) else {
            return;
        };
        self.key(&key);
        // In a step it is the race itself that was reported.
        let step = self.step.take();
        self.races += 1;
        let number = self.races;
        for arm in &arms {
            let scope = format!("{number}/{}", arm.text());
            let scope = std::mem::replace(&mut self.scope, scope);
            // If the race is reached again its key has to differ, and with that all of these.
            let (repeat, select) = (self.repeat.take(), self.select.take());
            self.awaiting(true, |walk| walk.visit_expr(&arm.future));
            (self.scope, self.repeat, self.select) = (scope, repeat, select);
            self.awaiting(false, |walk| walk.visit_expr(&arm.handler));
        }
        self.step = step;
    }

    fn key(&mut self, key: &Key) {
        self.captured(&key.literal.to_token_stream());
        let Some(plain) = key.plain() else {
            return;
        };
        self.keys.add(key, plain, &self.scope, self.cfg.as_deref());
        if let Some(repeat) = &self.repeat {
            let message = repeat.message(plain);
            self.errors.at(&key.literal, message);
        }
    }
}

/// Whether what comes of the arguments is fixed when the macro is first reached, and read from the journal from then on. What a `when`
/// goes by may differ, since the event that it let pass is recorded.
fn is_recorded(which: Macro) -> bool {
    matches!(
        which,
        Macro::Sleep | Macro::SleepUntil | Macro::Wait | Macro::Call | Macro::Start
    )
}

/// The key of a call, whatever comes after it.
fn key_alone(tokens: &TokenStream) -> Option<Key> {
    let parser = |input: ParseStream<'_>| {
        let key = Key::new(input.parse()?)?;
        input.parse::<TokenStream>()?;
        Ok(key)
    };
    parser.parse2(tokens.clone()).ok()
}

/// The key of a call and the expressions after it; `None` if the macro itself will report it.
pub(super) fn split(tokens: &TokenStream) -> Option<(Key, Vec<Expr>)> {
    let parser = |input: ParseStream<'_>| {
        let key = Key::new(input.parse()?)?;
        let mut arguments = Vec::new();
        while input.parse::<Option<Token![,]>>()?.is_some() && !input.is_empty() {
            if input.peek(Token![move]) && !input.peek2(Token![|]) && !input.peek2(Token![||]) {
                input.parse::<Token![move]>()?;
            }
            arguments.push(input.parse::<Expr>()?);
        }
        Ok((key, arguments))
    };
    parser.parse2(tokens.clone()).ok()
}
