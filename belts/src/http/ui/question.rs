//! The question before a change: what will happen, and a button that does it.

use axum::response::Response;
use maud::{Markup, html};
use serde::Serialize;

use super::{
    answer,
    layout::{Place, hidden},
    visit::Visit,
};

/// A change that is asked about.
pub(super) struct Question<'a> {
    pub(super) title: &'a str,
    /// What will happen.
    pub(super) text: Markup,
    /// The path that does it.
    pub(super) action: &'a str,
    /// What it is done to.
    pub(super) fields: Vec<(&'a str, &'a str)>,
    /// What else is to be said.
    pub(super) inputs: Markup,
    pub(super) button: &'a str,
    /// Whether it cannot be taken back.
    pub(super) is_grave: bool,
    /// Where nothing is done.
    pub(super) back: String,
}

#[derive(Serialize)]
struct Asks<'a> {
    question: &'a str,
    post: &'a str,
    fields: Vec<(&'a str, &'a str)>,
}

impl Question<'_> {
    pub(super) fn page(self, visit: &Visit) -> Response {
        let asks = Asks {
            question: self.title,
            post: self.action,
            fields: self.fields.clone(),
        };
        answer::page(visit, Place::Elsewhere, self.title, &asks, || {
            self.html(visit)
        })
    }

    fn html(&self, visit: &Visit) -> Markup {
        html! {
            section.question {
                h1 { (self.title) }
                (self.text)
                @if visit.operates {
                    form method="post" action=(visit.to(self.action)) {
                        (hidden("form", &visit.form))
                        @for (name, value) in &self.fields { (hidden(name, value)) }
                        (self.inputs)
                        div.buttons {
                            button.danger[self.is_grave] { (self.button) }
                            a.button href=(visit.to(&self.back)) { "Leave it as it is" }
                        }
                    }
                } @else {
                    p.reason { "You may look at everything here, and change nothing." }
                    p { a href=(visit.to(&self.back)) { "Back" } }
                }
            }
        }
    }
}
