//! Who may come in: asked at each request, before anything is read.

use std::panic::{AssertUnwindSafe, catch_unwind};

use axum::{
    body::Body,
    extract::{OriginalUri, Request, State},
    http::{Method, header, request::Parts},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use uuid::Uuid;

use super::{
    Access,
    answer::{self, Wrong},
    browser,
    cookie::{self, Session},
    fields::Fields,
    forgery, sign_in,
    visit::Visit,
};
use crate::{
    dispatch::wire,
    http::{
        access::{self, Inspector},
        body,
        refusal::Refusal,
        refused,
    },
    telemetry::Door,
    worker::Worker,
};

/// The cookie of whoever needs none to come in, for the forms that are made for them.
const FORM_COOKIE: &str = "belts-ui-form";
/// The header with what a form has, for programs that send none.
const FORM_HEADER: &str = "x-belts-form";

/// Why a request may come in, or what is missing.
enum Right {
    /// The application says so.
    Host(Access),
    /// It has the inspection token in its headers, which no page of others can have a browser send.
    Token,
    Session(Session),
    ThisMachine,
    /// Somebody who could sign in.
    Nobody,
    /// There is nothing to sign in with.
    Nowhere,
}

fn right(worker: &Worker, parts: &Parts) -> Right {
    let http = &worker.shared().http;
    if let Some(access) = &http.ui.access {
        let decided = catch_unwind(AssertUnwindSafe(|| access(parts)));
        return Right::Host(decided.unwrap_or_else(|_| {
            tracing::error!(
                "what `access` decides about the dashboard panicked; the request is denied"
            );
            Access::Denied
        }));
    }
    match access::inspector(worker, parts) {
        Inspector::Token => Right::Token,
        Inspector::ThisMachine => Right::ThisMachine,
        Inspector::Nobody => Right::Nowhere,
        Inspector::WithoutToken => {
            let token = http.token();
            let session =
                token.and_then(|token| cookie::session(token, &parts.headers, worker.now()));
            session.map_or(Right::Nobody, Right::Session)
        }
    }
}

/// Lets in whoever may come, with what their answer needs.
pub(super) async fn guard(State(worker): State<Worker>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let right = right(&worker, &parts);
    let mut visit = visit(&worker, &parts, &right);
    let is_open = is_open(parts.uri.path());
    let refusal = match &right {
        Right::Nowhere => Some(Refusal::not_found()),
        Right::Host(Access::Denied) => Some(Refusal::no_access()),
        Right::Nobody if !is_open => Some(Refusal::unauthorized()),
        _ => None,
    };
    if let Some(refusal) = refusal {
        // Whoever looks for the first time has done nothing that is to be told.
        let looks = matches!(right, Right::Nobody) && !visit.json && parts.method != Method::POST;
        if !looks {
            refused::tell(worker.shared(), Door::Inspection, &parts, &refusal);
        }
        let response = if matches!(right, Right::Nobody) && !visit.json {
            if parts.method == Method::POST {
                // What was sent is not sent again, and its address alone would be another question.
                visit.here = String::new();
            }
            sign_in::form(&visit, browser::comes_from_elsewhere(&parts.headers), false)
        } else {
            refusal.into_response()
        };
        return answer::sealed(response);
    }
    let mut made = None;
    // What caches may keep for others has none.
    let is_asset = is_open && parts.uri.path() != "/sign-in";
    if matches!(right, Right::Host(_) | Right::ThisMachine) && !is_asset {
        let sent = cookie::cookies(&parts.headers, FORM_COOKIE).next();
        let value = sent.map_or_else(|| Uuid::new_v4().simple().to_string(), str::to_owned);
        visit.form = cookie::form_token(&value);
        made = sent.is_none().then_some(value);
    }
    let secure = browser::speaks_tls(&worker, &parts);
    let mut request = if parts.method == Method::POST {
        match changing(&worker, parts, body, &right, &visit).await {
            Ok(request) => request,
            Err(refusal) => return answer::sealed(answer::refused(&visit, &refusal)),
        }
    } else {
        Request::from_parts(parts, body)
    };
    request.extensions_mut().insert(visit.clone());
    let mut response = next.run(request).await;
    if let Some(Wrong(refusal)) = response.extensions().get() {
        response = answer::refused(&visit, &refusal.clone());
    }
    if let Some(set) = made.and_then(|value| cookie::set(FORM_COOKIE, &value, secure)) {
        response.headers_mut().append(header::SET_COOKIE, set);
    }
    answer::sealed(response)
}

/// Whether whoever has not signed in may see it.
fn is_open(path: &str) -> bool {
    matches!(path, "/sign-in" | "/style.css" | "/script.js" | "/icon.svg")
}

/// A request that changes something, read: it must come from a page of ours, from whoever may change anything.
async fn changing(
    worker: &Worker,
    parts: Parts,
    body: Body,
    right: &Right,
    visit: &Visit,
) -> Result<Request, Refusal> {
    let shared = worker.shared();
    let tell = |refusal: Refusal| {
        refused::tell(shared, Door::Inspection, &parts, &refusal);
        refusal
    };
    let is_program = matches!(right, Right::Token);
    if !is_program && !forgery::is_own(&shared.http, &parts) {
        return Err(tell(Refusal::foreign_change()));
    }
    let signs_in = parts.uri.path() == "/sign-in";
    let signs_out = parts.uri.path() == "/sign-out";
    if !visit.operates && !signs_in && !signs_out {
        return Err(tell(Refusal::only_reads()));
    }
    if parts.uri.query().is_some_and(|query| !query.is_empty()) {
        let text = "what is to be changed is said in the body, and the address has a query that would be left out";
        return Err(Refusal::bad_request(text));
    }
    body::require_plain(&parts.headers)?;
    let (limit, limits) = (shared.settings.max_body_bytes, &shared.http.limits);
    let bytes = body::read_in_time(body, limit, limits, &*shared.clock).await?;
    let fields = Fields::read(&parts.headers, &bytes)?;
    if !is_program && !signs_in {
        let header = parts.headers.get(FORM_HEADER);
        let given = fields.get("form").or_else(|| header?.to_str().ok());
        if !given.is_some_and(|given| cookie::same(given, &visit.form)) {
            return Err(tell(Refusal::stale_form()));
        }
    }
    let mut request = Request::from_parts(parts, Body::empty());
    request.extensions_mut().insert(fields);
    Ok(request)
}

fn visit(worker: &Worker, parts: &Parts, right: &Right) -> Visit {
    let headers = &parts.headers;
    let text = |name: header::HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let accepts = text(header::ACCEPT).unwrap_or_default();
    let path = parts.uri.path();
    let query = parts.uri.query().map(|query| format!("?{query}"));
    let (operates, reason, form) = match right {
        Right::Host(access) => (*access == Access::Operate, "dashboard", None),
        Right::Token => (true, "token", None),
        Right::Session(session) => (true, "dashboard", Some(session)),
        Right::ThisMachine => (true, "dashboard on this machine", None),
        Right::Nobody | Right::Nowhere => (false, "nobody", None),
    };
    let name = match form {
        Some(session) => Some(session.name.clone()),
        None => headers
            .get(wire::ACTOR)
            .map(|name| String::from_utf8_lossy(name.as_bytes()).into_owned()),
    };
    let from = refused::peer(parts).map_or_else(String::new, |peer| format!(" from {peer}"));
    let name = name.filter(|name| !name.is_empty());
    let name = name.map_or_else(String::new, |name| format!(", {name}"));
    Visit {
        operates,
        signed_in: form.is_some(),
        by: format!("{reason}{from}{name}"),
        form: form.map_or_else(String::new, |session| cookie::form_token(&session.value)),
        json: accepts.contains("application/json") && !accepts.contains("text/html"),
        base: base(parts),
        here: format!(
            "{}{}",
            path.trim_start_matches('/'),
            query.unwrap_or_default()
        ),
        has: text(header::IF_NONE_MATCH).map(str::to_owned),
        now: worker.now(),
    }
}

/// What leads from the address of a request to those of the dashboard, whatever stands before them.
fn base(parts: &Parts) -> String {
    let depth = parts.uri.path().matches('/').count();
    if depth > 1 {
        return "../".repeat(depth - 1);
    }
    let original = parts.extensions.get::<OriginalUri>();
    let path = original.map_or("/", |original| original.0.path());
    let is_root = parts.uri.path().trim_matches('/').is_empty();
    match path.rsplit_once('/') {
        // `/belts/ui`, from where `runs` would lead to `/belts/runs`.
        Some((_, last)) if is_root && !last.is_empty() => format!("{last}/"),
        _ => String::new(),
    }
}
