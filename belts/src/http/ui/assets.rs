//! The style, the script and the icon: embedded, and kept by browsers until they change.

use std::sync::LazyLock;

use axum::{
    Router,
    body::Body,
    http::{HeaderValue, header},
    response::Response,
    routing::get,
};
use sha2::{Digest as _, Sha256};

use super::cookie::hex;
use crate::worker::Worker;

/// An embedded file.
pub(super) struct Asset {
    name: &'static str,
    kind: &'static str,
    text: &'static str,
    mark: LazyLock<String>,
}

pub(super) static STYLE: Asset = Asset {
    name: "style.css",
    kind: "text/css; charset=utf-8",
    text: include_str!("style.css"),
    mark: LazyLock::new(|| mark(include_str!("style.css"))),
};

pub(super) static SCRIPT: Asset = Asset {
    name: "script.js",
    kind: "text/javascript; charset=utf-8",
    text: include_str!("script.js"),
    mark: LazyLock::new(|| mark(include_str!("script.js"))),
};

pub(super) static ICON: Asset = Asset {
    name: "icon.svg",
    kind: "image/svg+xml",
    text: include_str!("icon.svg"),
    mark: LazyLock::new(|| mark(include_str!("icon.svg"))),
};

fn mark(text: &str) -> String {
    hex(&Sha256::digest(text)[..6])
}

impl Asset {
    /// Its address, which changes with it.
    pub(super) fn address(&self) -> String {
        format!("{}?v={}", self.name, *self.mark)
    }

    fn response(&self) -> Response {
        let mut response = Response::new(Body::from(self.text));
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(self.kind));
        let kept = HeaderValue::from_static("public, max-age=31536000, immutable");
        headers.insert(header::CACHE_CONTROL, kept);
        response
    }
}

pub(super) fn routes() -> Router<Worker> {
    [&STYLE, &SCRIPT, &ICON]
        .into_iter()
        .fold(Router::new(), |router, asset| {
            router.route(
                &format!("/{}", asset.name),
                get(|| async { asset.response() }),
            )
        })
}
