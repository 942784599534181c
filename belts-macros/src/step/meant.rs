//! What is in `volatile!`, which is the expression that it is given.

use syn::{
    Expr, Macro, Token,
    parse::{ParseStream, Parser as _},
};

/// The expression, if this is that macro.
pub(super) fn expr(call: &Macro) -> Option<Expr> {
    let last = call.path.segments.last()?;
    let parser = |input: ParseStream<'_>| {
        let expr = input.parse()?;
        input.parse::<Option<Token![,]>>()?;
        Ok(expr)
    };
    let is_meant = last.ident == "volatile";
    is_meant.then(|| parser.parse2(call.tokens.clone()).ok())?
}
