//! The error type of an `async` block in a step: if nothing in the block determines it, the macro does.

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens as _;
use syn::{Expr, PathArguments, Stmt};

use crate::option::ungrouped;

/// Macros that do not leave a block by themselves.
const PLAIN: [&str; 25] = [
    "assert",
    "assert_eq",
    "assert_ne",
    "concat",
    "dbg",
    "debug",
    "debug_assert",
    "debug_assert_eq",
    "eprint",
    "eprintln",
    "error",
    "format",
    "include_str",
    "info",
    "json",
    "matches",
    "print",
    "println",
    "span",
    "trace",
    "vec",
    // What is in it is looked at like everything else.
    "volatile",
    "warn",
    "write",
    "writeln",
];

/// Whether the expression is an `async` block that ends with a bare `Ok(…)` and names no error anywhere: no `Err`, no `return`,
/// no macro that may contain one. rustc asks for its type, and any error will do.
pub(super) fn leaves_error_open(expr: &Expr) -> bool {
    let Expr::Async(block) = ungrouped(expr) else {
        return false;
    };
    let Some(Stmt::Expr(last, None)) = block.block.stmts.last() else {
        return false;
    };
    is_bare_ok(last) && !names_error(block.block.to_token_stream())
}

/// The same of the body of a closure, whose last expression may be all of it.
pub(super) fn block_leaves_error_open(body: &Expr) -> bool {
    let last = match ungrouped(body) {
        Expr::Block(block) => match block.block.stmts.last() {
            Some(Stmt::Expr(last, None)) => last,
            _ => return false,
        },
        last => last,
    };
    is_bare_ok(last) && !names_error(body.to_token_stream())
}

fn is_bare_ok(expr: &Expr) -> bool {
    let Expr::Call(call) = ungrouped(expr) else {
        return false;
    };
    let Expr::Path(path) = ungrouped(&call.func) else {
        return false;
    };
    path.path.segments.last().is_some_and(|last| {
        path.path.segments.len() == 1
            && last.ident == "Ok"
            && matches!(last.arguments, PathArguments::None)
    })
}

fn names_error(tokens: TokenStream) -> bool {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    tokens.iter().enumerate().any(|(at, token)| match token {
        TokenTree::Group(group) => names_error(group.stream()),
        // `Err(…)?` takes any error, as every `?` does.
        TokenTree::Ident(word) if word == "Err" => !matches!(
            (tokens.get(at + 1), tokens.get(at + 2)),
            (Some(TokenTree::Group(_)), Some(TokenTree::Punct(mark))) if mark.as_char() == '?'
        ),
        TokenTree::Ident(word) if word == "return" => true,
        TokenTree::Ident(word) => {
            let is_macro = matches!(
                (tokens.get(at + 1), tokens.get(at + 2)),
                (Some(TokenTree::Punct(bang)), Some(TokenTree::Group(_))) if bang.as_char() == '!'
            );
            is_macro && !PLAIN.iter().any(|plain| word == plain)
        }
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_blocks_that_name_no_error_are_told_theirs() {
        let open: [Expr; 5] = [
            syn::parse_quote!(async {
                if a {
                    Err(belts::terminal("no"))?;
                }
                Ok(1)
            }),
            syn::parse_quote!(async { Ok(1) }),
            syn::parse_quote!(async move {
                let a = charge(1).await?;
                println!("{a}");
                Ok(a)
            }),
            syn::parse_quote!(async {
                let began = volatile!(Instant::now());
                charge(1).await?;
                info!("{:?}", began.elapsed());
                Ok(1)
            }),
            syn::parse_quote!(async {
                if a != (b) {
                    c().await?;
                }
                Ok(())
            }),
        ];
        for expr in open {
            assert!(leaves_error_open(&expr), "{}", expr.to_token_stream());
        }
        let told: [Expr; 8] = [
            syn::parse_quote!(async { Ok::<_, MyError>(1) }),
            syn::parse_quote!(async {
                if a {
                    return Err(MyError);
                }
                Ok(1)
            }),
            syn::parse_quote!(async {
                anyhow::ensure!(a, "no");
                Ok(1)
            }),
            syn::parse_quote!(async {
                volatile!(return Err(MyError));
                Ok(1)
            }),
            syn::parse_quote!(async { charge(1).await }),
            syn::parse_quote!(async {
                Ok(1);
            }),
            syn::parse_quote!(Ok(1)),
            syn::parse_quote!(charge(1)),
        ];
        for expr in told {
            assert!(!leaves_error_open(&expr), "{}", expr.to_token_stream());
        }
    }
}
