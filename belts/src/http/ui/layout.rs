//! What every page has around it.

use maud::{DOCTYPE, Markup, html};

use super::{assets, notice, visit::Visit};
use crate::plain::plain;

/// Which part of the dashboard a page is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Functions,
    Runs,
    Schedules,
    Publish,
    Elsewhere,
}

const PARTS: [(Place, &str, &str); 4] = [
    (Place::Functions, "functions", "Functions"),
    (Place::Runs, "runs", "Runs"),
    (Place::Schedules, "schedules", "Schedules"),
    (Place::Publish, "publish", "Publish"),
];

/// A whole page. With a mark it is live: the script asks for it again as long as somebody looks.
pub(super) fn page(
    visit: &Visit,
    place: Place,
    title: &str,
    mark: Option<&str>,
    body: &Markup,
) -> Markup {
    frame(
        visit,
        title,
        &html! {
            header.top {
                a.brand href=(visit.to("functions")) { "belts" }
                nav aria-label="Main" {
                    @for (part, path, name) in PARTS {
                        a href=(visit.to(path)) aria-current=[(part == place).then_some("page")] { (name) }
                    }
                }
                @if visit.signed_in {
                    form.inline method="post" action=(visit.to("sign-out")) {
                        (hidden("form", &visit.form))
                        button.plain { "Sign out" }
                    }
                }
            }
            main #main tabindex="-1" data-mark=[mark] {
                (notice::of(visit))
                (body)
            }
            footer {
                @if mark.is_some() {
                    button.plain #live type="button" aria-pressed="true" hidden { "Live" }
                }
                span { "belts " (env!("CARGO_PKG_VERSION")) }
            }
        },
    )
}

/// The page without what leads elsewhere.
pub(super) fn frame(visit: &Visit, title: &str, body: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (plain(title)) " · belts" }
                link rel="icon" href=(visit.to(assets::ICON.address())) type="image/svg+xml";
                link rel="stylesheet" href=(visit.to(assets::STYLE.address()));
                script src=(visit.to(assets::SCRIPT.address())) defer {}
            }
            body {
                a.skip href="#main" { "Skip to the content" }
                (body)
            }
        }
    }
}

/// A field that nobody sees.
pub(super) fn hidden(name: &str, value: &str) -> Markup {
    html! { input type="hidden" name=(name) value=(value); }
}

/// What stands where nothing is, and what to do about it.
pub(super) fn empty(title: &str, advice: &Markup) -> Markup {
    html! {
        div.empty {
            p.strong { (title) }
            div { (advice) }
        }
    }
}
