//! Text of others: nothing in it is markup, and nothing in it steers what is read.

use belts::{Event, step};
use serde::{Deserialize, Serialize};

use super::browser::{Browser, builder};

const HOSTILE: &str = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>&\u{202e}";

#[derive(Debug, Serialize, Deserialize, Event)]
struct Nasty {
    text: String,
}

#[belts::function(id = "z-nasty", on = Nasty, retries = 0)]
async fn nasty(event: Nasty, cx: belts::Context) -> belts::Result<()> {
    let mild = event.text.replace('\u{202e}', "");
    cx.tag("name", &mild).await?;
    cx.set_status(&event).await?;
    step!("{mild}", event.text.clone()).await?;
    step!("fails", async {
        Err::<(), _>(belts::terminal(event.text.clone()))
    })
    .await
}

/// Every byte of a text as addresses may have it.
fn percent(text: &str) -> String {
    let bytes = text.bytes().map(|byte| format!("%{byte:02X}"));
    bytes.collect::<Vec<_>>().concat()
}

#[tokio::test]
async fn ids_values_tags_names_and_errors_are_shown_as_text() {
    let worker = builder().build().await.unwrap();
    let id = "x\"><script>alert(5)</script>/../&";
    let execute = worker.execute(Nasty {
        text: HOSTILE.to_owned(),
    });
    execute.function("z-nasty").run_id(id).await.unwrap();
    worker.runs().by(HOSTILE).rerun(id).await.unwrap();
    worker.runs().cancel(id).await.unwrap();
    let browser = Browser::signed_in(&worker).await;
    let (encoded, hostile) = (percent(id), percent(HOSTILE));
    let paths = [
        "/ui".to_owned(),
        "/ui/runs".to_owned(),
        format!("/ui/run?id={encoded}&values=true"),
        format!("/ui/runs/{encoded}?values=true"),
        format!("/ui/rerun?run={encoded}"),
        format!("/ui/cancel?run={encoded}"),
        "/ui/cancel?function=z-nasty".to_owned(),
        format!("/ui/pause?function={hostile}"),
        format!(
            "/ui/runs?function={hostile}&id={hostile}&tag=a%3D{hostile}&event={hostile}&parent={hostile}"
        ),
        format!("/ui/publish?type={hostile}&data={hostile}"),
    ];
    // A step that is not there.
    let unknown = format!("/ui/rerun?run={encoded}&from={hostile}");
    let page = browser.get(&unknown).await;
    assert_eq!(page.status, 404);
    page.hides("<script>alert");
    page.hides("<img");
    for path in paths {
        let page = browser.get(&path).await.good();
        for markup in ["<script>", "<img", "onerror=alert(2)>"] {
            assert!(
                !page.body.contains(markup),
                "{markup} on {path}: {}",
                page.body
            );
        }
        // What was asked for stands in fields as it was written.
        if !path.contains(&hostile) {
            page.hides("\u{202e}");
        }
    }
    let refused = [
        format!("/ui/runs?since={hostile}"),
        format!("/ui/runs?{hostile}=1"),
        format!("/ui/runs/{hostile}"),
        format!("/ui/settle?run={hostile}&step=x"),
        format!("/ui/runs?did={hostile}&status={hostile}"),
    ];
    for path in refused {
        let page = browser.get(&path).await;
        assert!(matches!(page.status, 400 | 404), "{path}: {}", page.status);
        page.hides("<script>");
        page.hides("\u{202e}");
    }
    let notice = browser.get(&format!("/ui/runs?did={hostile}")).await.good();
    notice.hides("role=\"status\"");
    assert_eq!(browser.get("/ui/runs/%00").await.status, 400);
    assert_eq!(browser.get("/ui/runs/%FF").await.status, 400);
}
