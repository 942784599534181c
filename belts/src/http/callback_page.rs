//! The page of a callback: a question, and a button for each answer. It has no script, and asks nothing of other sites.

use std::fmt::Write as _;

use axum::{
    body::Body,
    http::{HeaderValue, StatusCode, header},
    response::Response,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use sha2::{Digest as _, Sha256};

use crate::{callback::Page, inspect::Shown};

const STYLE: &str = ":root{color-scheme:light dark;font:1.1rem/1.5 system-ui,sans-serif}\
    body{max-width:34rem;margin:12vh auto;padding:0 1rem}\
    h1{font-size:1.4rem;overflow-wrap:anywhere}\
    form{display:flex;flex-wrap:wrap;gap:.75rem}\
    button{font:inherit;padding:.6rem 1.2rem;min-width:7rem}";

/// The question, or the answer that was given.
pub(super) fn page(shown: &Shown) -> Response {
    match &shown.answer {
        Some(answer) => answered(&shown.page, answer),
        None => html(StatusCode::OK, &shown.page.text, &form(&shown.page)),
    }
}

/// It is done.
pub(super) fn answered(page: &Page, answer: &str) -> Response {
    let said = if answer.is_empty() {
        "<p>This was answered.</p>".to_owned()
    } else {
        format!("<p>Answered: <strong>{}</strong></p>", escaped(answer))
    };
    html(StatusCode::OK, &page.text, &said)
}

/// Another answer was faster.
pub(super) fn conflict(page: &Page) -> Response {
    let said = "<p>This was already answered differently. The first answer counts.</p>";
    html(StatusCode::CONFLICT, &page.text, said)
}

/// Nobody waits for an answer any more.
pub(super) fn closed() -> Response {
    let said = "<p>The answer is no longer needed.</p>";
    html(StatusCode::GONE, "This is over", said)
}

fn form(page: &Page) -> String {
    let mut form = "<form method=\"post\">".to_owned();
    for choice in &page.choices {
        let choice = escaped(choice);
        // Writing to a string does not fail.
        let _ = write!(
            form,
            "<button name=\"answer\" value=\"{choice}\">{choice}</button>"
        );
    }
    form.push_str("</form>");
    form
}

fn html(status: StatusCode, title: &str, body: &str) -> Response {
    let title = escaped(title);
    let page = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width\"><title>{title}</title><style>{STYLE}</style></head><body><h1>{title}</h1>{body}</body></html>\n"
    );
    let mut response = Response::new(Body::from(page));
    *response.status_mut() = status;
    let style = STANDARD.encode(Sha256::digest(STYLE));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{style}'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    );
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
        // The address is a credential. Not `no-referrer`, with which browsers hide that the form is of this site.
        (header::REFERRER_POLICY, "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if let Ok(policy) = HeaderValue::try_from(policy) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    response
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
    out
}
