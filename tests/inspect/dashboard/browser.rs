//! A browser without a screen: it keeps cookies, and sends the forms that it was shown.

use std::{cell::RefCell, collections::BTreeMap, net::SocketAddr};

use axum::{
    Router,
    body::Body,
    extract::ConnectInfo,
    http::{HeaderMap, Request, request},
};
use belts::{Worker, WorkerBuilder};
use http_body_util::BodyExt as _;
use serde_json::Value;
use tower::ServiceExt as _;

pub(super) const TOKEN: &str = "correct-horse-battery-staple";

/// A worker with the token.
pub(super) fn builder() -> WorkerBuilder {
    Worker::builder()
        .store(belts::store::Memory::new())
        .inspection_token(TOKEN)
}

pub(super) struct Page {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: String,
}

impl Page {
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    #[track_caller]
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("{}", self.body))
    }

    /// The page, if it is one.
    #[track_caller]
    pub(super) fn good(self) -> Self {
        assert_eq!(self.status, 200, "{}", self.body);
        self
    }

    #[track_caller]
    pub(super) fn says(&self, text: &str) {
        assert!(self.body.contains(text), "`{text}` is not in {}", self.body);
    }

    #[track_caller]
    pub(super) fn hides(&self, text: &str) {
        assert!(!self.body.contains(text), "`{text}` is in {}", self.body);
    }

    /// What its forms have that were made for this visitor.
    pub(super) fn form(&self) -> Option<String> {
        let (_, rest) = self.body.split_once("name=\"form\" value=\"")?;
        Some(rest.split_once('"')?.0.to_owned())
    }

    /// The values of an attribute, as a browser reads them.
    pub(super) fn attributes(&self, name: &str) -> Vec<String> {
        let before = format!(" {name}=\"");
        let mut parts = self.body.split(&before);
        parts.next();
        let values = parts.filter_map(|part| Some(part.split_once('"')?.0));
        values.map(|value| value.replace("&amp;", "&")).collect()
    }
}

pub(super) struct Browser {
    app: Router,
    cookies: RefCell<BTreeMap<String, String>>,
    form: RefCell<String>,
}

impl Browser {
    pub(super) fn of(worker: &Worker) -> Self {
        Self::at(worker.router())
    }

    pub(super) fn at(app: Router) -> Self {
        Self {
            app,
            cookies: RefCell::default(),
            form: RefCell::default(),
        }
    }

    /// One that has signed in.
    pub(super) async fn signed_in(worker: &Worker) -> Self {
        let browser = Self::of(worker);
        let fields = [("token", TOKEN), ("name", "Ada")];
        let page = browser.post("/ui/sign-in", &fields).await;
        assert_eq!((page.status, page.header("location")), (303, "functions"));
        browser
    }

    pub(super) async fn get(&self, path: &str) -> Page {
        self.send(Request::get(path).header("accept", "text/html,*/*"), "")
            .await
    }

    pub(super) async fn json(&self, path: &str) -> Page {
        self.send(Request::get(path).header("accept", "application/json"), "")
            .await
    }

    /// Sends a form as a page of ours does.
    pub(super) async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Page {
        let request = Request::post(path).header("sec-fetch-site", "same-origin");
        self.post_as(request, fields).await
    }

    pub(super) async fn post_as(&self, request: request::Builder, fields: &[(&str, &str)]) -> Page {
        let form = self.form.borrow().clone();
        let mut all = vec![("form", form.as_str())];
        all.extend(fields);
        self.post_only(request, &all).await
    }

    /// Sends these fields and no others.
    pub(super) async fn post_only(
        &self,
        request: request::Builder,
        fields: &[(&str, &str)],
    ) -> Page {
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        let request = request.header("accept", "text/html");
        self.send(request, &encoded(fields)).await
    }

    pub(super) async fn send(&self, request: request::Builder, body: &str) -> Page {
        let mut request = request.body(Body::from(body.to_owned())).unwrap();
        let headers = request.headers_mut();
        headers
            .entry("host")
            .or_insert("belts.example".parse().unwrap());
        let cookies = self.sent_cookies();
        if !cookies.is_empty() {
            headers.insert("cookie", cookies.parse().unwrap());
        }
        let peer: SocketAddr = "127.0.0.1:5000".parse().unwrap();
        request.extensions_mut().insert(ConnectInfo(peer));
        let answer = self.app.clone().oneshot(request).await.unwrap();
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        for set in headers.get_all("set-cookie") {
            let line = set.to_str().unwrap().split(';').next().unwrap();
            let (name, value) = line.split_once('=').unwrap();
            self.cookies
                .borrow_mut()
                .insert(name.to_owned(), value.to_owned());
        }
        let page = Page {
            status,
            headers,
            body: String::from_utf8(body.into()).unwrap(),
        };
        if let Some(form) = page.form() {
            self.form.replace(form);
        }
        page
    }

    fn sent_cookies(&self) -> String {
        let cookies = self.cookies.borrow();
        let pairs = cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"));
        pairs.collect::<Vec<_>>().join("; ")
    }

    pub(super) fn cookie(&self) -> String {
        self.cookies
            .borrow()
            .values()
            .next()
            .cloned()
            .unwrap_or_default()
    }

    pub(super) fn forge(&self, value: &str) {
        for kept in self.cookies.borrow_mut().values_mut() {
            value.clone_into(kept);
        }
    }
}

/// Fields as a form has them.
pub(super) fn encoded(fields: &[(&str, &str)]) -> String {
    let part = |text: &str| -> String {
        text.bytes()
            .map(|byte| match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' => {
                    char::from(byte).to_string()
                }
                byte => format!("%{byte:02X}"),
            })
            .collect()
    };
    let pairs = fields
        .iter()
        .map(|(name, value)| format!("{}={}", part(name), part(value)));
    pairs.collect::<Vec<_>>().join("&")
}
