//! Signing in, with the inspection token or a link that does it once; and out.

use axum::{
    extract::State,
    http::{StatusCode, header, request::Parts},
    response::{IntoResponse as _, Response},
};
use maud::html;
use serde::Serialize;

use super::{
    answer::{self, Wrong},
    browser, cookie,
    fields::Fields,
    layout::{self, hidden},
    visit::{Asked, Visit},
};
use crate::{
    http::{refusal::Refusal, refused},
    telemetry::Door,
    worker::Worker,
};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Signed {
    signed_in: bool,
}

/// `GET /sign-in`, perhaps with the code of a link.
pub(super) async fn page(
    State(worker): State<Worker>,
    visit: Visit,
    parts: Parts,
) -> Result<Response, Wrong> {
    let asked = Asked::of(&parts.uri)?;
    let http = &worker.shared().http;
    if let (Some(code), Some(token)) = (asked.get("once"), http.token()) {
        let Some(name) = http.ui.once.take(code, worker.now()) else {
            let refusal = Refusal::unauthorized();
            refused::tell(worker.shared(), Door::Inspection, &parts, &refusal);
            return Ok(used_link(&visit));
        };
        let value = cookie::signed_in(token, &name, worker.now());
        let response = answer::see_other("functions");
        return Ok(with_session(&worker, &parts, response, &value));
    }
    if visit.operates {
        return Ok(answer::see_other("functions"));
    }
    Ok(form(
        &visit,
        browser::comes_from_elsewhere(&parts.headers),
        false,
    ))
}

/// `POST /sign-in`
pub(super) async fn sign_in(
    State(worker): State<Worker>,
    visit: Visit,
    fields: Fields,
    parts: Parts,
) -> Result<Response, Wrong> {
    let token = worker
        .shared()
        .http
        .token()
        .filter(|_| worker.shared().http.ui.access.is_none());
    let given = fields.get("token").unwrap_or_default().trim();
    let Some(token) = token.filter(|token| token.is(given)) else {
        let refusal = Refusal::unauthorized();
        refused::tell(worker.shared(), Door::Inspection, &parts, &refusal);
        return Ok(if visit.json {
            refusal.into_response()
        } else {
            form(&visit, false, true)
        });
    };
    let value = cookie::signed_in(token, fields.get("name").unwrap_or_default(), worker.now());
    let to = fields.get("to").filter(|to| is_inside(to));
    let response = answer::done(
        &visit,
        to.unwrap_or("functions"),
        &Signed { signed_in: true },
    );
    Ok(with_session(&worker, &parts, response, &value))
}

/// `POST /sign-out`
pub(super) async fn sign_out(State(worker): State<Worker>, visit: Visit, parts: Parts) -> Response {
    let response = answer::done(&visit, "sign-in", &Signed { signed_in: false });
    with_session(&worker, &parts, response, "")
}

fn with_session(worker: &Worker, parts: &Parts, mut response: Response, value: &str) -> Response {
    if let Some(set) = browser::session_cookie(worker, parts, value) {
        response.headers_mut().append(header::SET_COOKIE, set);
    }
    response
}

/// Whether an address leads to a page of the dashboard, from there.
fn is_inside(to: &str) -> bool {
    let (path, _) = to.split_once('?').unwrap_or((to, ""));
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'/');
    path.starts_with(|first: char| first.is_ascii_lowercase())
        && path.bytes().all(is_plain)
        && !path.contains("//")
        && !path.starts_with("sign-")
        && to.bytes().all(|byte| byte.is_ascii_graphic())
}

/// The page that asks for the token.
pub(super) fn form(visit: &Visit, again: bool, is_wrong: bool) -> Response {
    let page = layout::frame(
        visit,
        "Sign in",
        &html! {
            main #main .narrow {
                @if again { meta http-equiv="refresh" content="0"; }
                h1 { "Sign in to belts" }
                @if is_wrong {
                    p.notice.bad role="alert" { "This is not the token." }
                }
                form method="post" action=(visit.to("sign-in")) {
                    @if is_inside(&visit.here) { (hidden("to", &visit.here)) }
                    label { "Your name " span.faint { "for the record of what you change" }
                        input name="name" autocomplete="username" maxlength="60";
                    }
                    label { "Inspection token"
                        input name="token" type="password" autocomplete="current-password" required autofocus;
                    }
                    div.buttons { button { "Sign in" } }
                }
                p.faint {
                    "The token is what " code { "BELTS_INSPECTION_TOKEN" } " says, or, on a development machine, what stands in the file "
                    "beside the store whose name ends in " code { "-token" } "."
                }
            }
        },
    );
    answer::html_page(StatusCode::UNAUTHORIZED, page)
}

fn used_link(visit: &Visit) -> Response {
    let page = layout::frame(
        visit,
        "Sign in",
        &html! {
            main #main .narrow {
                h1 { "This link is used up" }
                p { "A link signs in once, within fifteen minutes. Start the program again for another, or sign in with the token." }
                p { a href=(visit.to("sign-in")) { "Sign in with the token" } }
            }
        },
    );
    answer::html_page(StatusCode::UNAUTHORIZED, page)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_led_elsewhere_after_signing_in() {
        for inside in [
            "runs",
            "runs?status=failed&since=24h",
            "runs/0198-a_b",
            "run?id=%2F",
        ] {
            assert!(is_inside(inside), "{inside}");
        }
        for outside in [
            "",
            "/runs",
            "//evil.example",
            "https://evil.example",
            "https:evil.example",
            "runs//x",
            "../runs",
            "run\\x",
            "javascript:alert(1)",
            "sign-out",
            "runs?a=\r\nx: y",
        ] {
            assert!(!is_inside(outside), "{outside}");
        }
    }
}
