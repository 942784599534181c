//! Addresses: under any prefix, and nowhere else.

use std::collections::BTreeSet;

use axum::Router;

use super::browser::{Browser, Page, TOKEN, builder};
use crate::shop;

/// The path to which a relative address leads.
fn resolved(page: &str, address: &str) -> String {
    assert!(
        !address.starts_with('/') && !address.contains("://"),
        "{address} on {page}"
    );
    let (path, query) = address
        .split_once('?')
        .map_or((address, None), |(path, query)| (path, Some(query)));
    let (base, _) = page.split('?').next().unwrap().rsplit_once('/').unwrap();
    let mut parts: Vec<&str> = base.split('/').collect();
    for part in path.split('/') {
        match part {
            "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    let query = query.map(|query| format!("?{query}"));
    parts.join("/") + query.as_deref().unwrap_or_default()
}

/// The addresses that a page leads to, and those to which its forms are sent.
fn addresses(page: &Page) -> (Vec<String>, Vec<String>) {
    let links = ["href", "src"].map(|name| page.attributes(name)).concat();
    let links = links
        .into_iter()
        .filter(|address| !address.starts_with('#'));
    (links.collect(), page.attributes("action"))
}

/// Follows every link from the first page.
async fn crawl(app: Router, mount: &str, first: &str) -> BTreeSet<String> {
    let browser = Browser::at(app);
    let page = browser.get(first).await;
    let action = page.attributes("action").remove(0);
    let page = browser
        .post(&resolved(first, &action), &[("token", TOKEN)])
        .await;
    assert_eq!(page.status, 303);
    let mut left = vec![
        first.to_owned(),
        resolved(&resolved(first, &action), page.header("location")),
    ];
    let mut seen = BTreeSet::new();
    while let Some(path) = left.pop() {
        if !seen.insert(path.clone()) {
            continue;
        }
        assert!(path.starts_with(mount), "{path}");
        let page = browser.get(&path).await;
        assert_eq!(page.status, 200, "{path}");
        let (links, forms) = addresses(&page);
        for form in forms {
            assert!(
                resolved(&path, &form).starts_with(mount),
                "{form} on {path}"
            );
        }
        left.extend(links.iter().map(|address| resolved(&path, address)));
    }
    seen
}

#[tokio::test]
async fn every_link_leads_somewhere_below_any_prefix() {
    let worker = shop::with_failed_run(builder(), "links").await;
    worker.runs().rerun("failed").await.unwrap();
    worker.functions().pause("wait").await.unwrap();
    for id in ["a/b?c#d", "..", "plain-1"] {
        let execute = worker
            .execute(shop::order("links"))
            .function("process-order");
        execute.run_id(id).await.unwrap();
    }
    let routers = [
        (worker.router(), "/ui/", "/ui"),
        (worker.router(), "/ui/", "/ui/"),
        (
            Router::new().nest_service("/a/belts", worker.router()),
            "/a/belts/ui/",
            "/a/belts/ui/",
        ),
        (
            Router::new().nest("/a/belts", worker.router()),
            "/a/belts/ui/",
            "/a/belts/ui/runs",
        ),
        (
            Router::new().nest_service("/admin", worker.dashboard()),
            "/admin/",
            "/admin",
        ),
        (
            Router::new().nest("/admin", worker.dashboard()),
            "/admin/",
            "/admin",
        ),
        (worker.dashboard(), "/", "/"),
    ];
    for (app, mount, first) in routers {
        let seen = crawl(app, mount.trim_end_matches('/'), first).await;
        for page in [
            "functions",
            "runs",
            "schedules",
            "publish",
            "runs/failed",
            "runs/plain-1",
            "run?id=a%2Fb%3Fc%23d",
            "run?id=..",
        ] {
            assert!(
                seen.contains(&format!("{mount}{page}")),
                "{page} below {first}: {seen:#?}"
            );
        }
        assert!(seen.iter().any(|path| path.contains("/style.css?v=")));
        let reruns = |path: &String| path.contains("rerun?run=plain-1&from=");
        assert!(seen.iter().any(reruns), "{seen:#?}");
    }
}

#[tokio::test]
async fn no_page_has_scripts_or_styles_in_it_and_none_asks_elsewhere() {
    let worker = shop::with_failed_run(builder(), "policy").await;
    let browser = Browser::signed_in(&worker).await;
    let stranger = Browser::of(&worker);
    let mut pages = vec![
        stranger.get("/ui/runs").await,
        stranger.get("/ui/sign-in?once=used").await,
    ];
    for path in [
        "/ui",
        "/ui/runs",
        "/ui/runs?status=failed",
        "/ui/runs/failed",
        "/ui/runs/failed?values=true",
        "/ui/schedules",
        "/ui/publish",
        "/ui/rerun?run=failed&from=ship",
        "/ui/cancel?function=wait",
        "/ui/runs/nobody",
        "/ui/nothing",
        "/ui/runs?status=wrong",
    ] {
        pages.push(browser.get(path).await);
    }
    for page in pages {
        let policy = page.header("content-security-policy");
        assert!(
            policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self';"),
            "{policy}"
        );
        assert!(
            !policy.contains("unsafe") && policy.contains("frame-ancestors 'none'"),
            "{policy}"
        );
        assert_eq!(page.header("x-content-type-options"), "nosniff");
        assert_eq!(page.header("cache-control"), "no-store");
        for inline in [
            " style=\"",
            "<style",
            " onclick",
            " onload",
            "javascript:",
            "http://",
            "https://",
        ] {
            page.hides(inline);
        }
        let scripts = page.body.matches("<script").count();
        assert_eq!(scripts, page.body.matches("<script src=\"").count());
        assert!(page.body.starts_with("<!DOCTYPE html>"), "{}", page.body);
    }
    let style = browser.get("/ui/style.css").await.good();
    assert!(style.header("cache-control").contains("immutable"));
    style.hides("url(");
    style.hides("@import");
}
