//! Values: on demand, and without what is hidden.

use belts::{Error, Event, step};
use serde::{Deserialize, Serialize};

use super::browser::{Browser, builder};

#[derive(Debug, Serialize, Deserialize, Event)]
struct SignedUp {
    name: String,
    password: String,
    card: Card,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Card {
    #[serde(rename = "cardNumber")]
    number: u64,
}

#[derive(Debug, Serialize, Deserialize)]
struct Declined {
    card: Card,
}

impl std::fmt::Display for Declined {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("declined")
    }
}

impl std::error::Error for Declined {}

#[belts::function(id = "z-sign-up", on = SignedUp, retries = 0)]
async fn sign_up(event: SignedUp, cx: belts::Context) -> belts::Result<()> {
    cx.set_status(&event.card).await?;
    step!("keep", event.card.clone()).await?;
    let declined = || Declined {
        card: event.card.clone(),
    };
    step!(
        "charge",
        async { Err::<(), _>(Error::from_value(declined())) },
        retries = 0
    )
    .await
}

#[tokio::test]
async fn values_are_shown_on_demand_and_without_what_is_hidden() {
    let worker = builder()
        .redact(["password", "card_number"])
        .build()
        .await
        .unwrap();
    let signed_up = SignedUp {
        name: "ada-of-london".to_owned(),
        password: "hunter2-hunter2".to_owned(),
        card: Card {
            number: 4_242_424_242_424_242,
        },
    };
    worker
        .execute(signed_up)
        .function("z-sign-up")
        .run_id("r-1")
        .await
        .unwrap();
    let browser = Browser::signed_in(&worker).await;
    for path in ["/ui/runs/r-1", "/ui/runs", "/ui/runs?function=z-sign-up"] {
        for page in [
            browser.get(path).await.good(),
            browser.json(path).await.good(),
        ] {
            page.hides("ada-of-london");
            page.hides("hunter2");
            page.hides("4242424242424242");
        }
    }
    for page in [
        browser.get("/ui/runs/r-1?values=true").await.good(),
        browser.json("/ui/runs/r-1?values=true").await.good(),
    ] {
        page.says("ada-of-london");
        page.says("[redacted]");
        page.hides("hunter2");
        page.hides("4242424242424242");
    }
    let json = browser.json("/ui/runs/r-1?values=true").await.good().json();
    assert_eq!(json["payload"]["password"], "[redacted]");
    assert_eq!(json["steps"][0]["output"]["cardNumber"], "[redacted]");
    assert_eq!(
        json["steps"][1]["error"]["value"]["json"]["card"]["cardNumber"],
        "[redacted]"
    );
    assert_eq!(json["statusValue"]["cardNumber"], "[redacted]");
}

#[derive(Debug, Serialize, Deserialize, Event)]
struct Lengthy {
    steps: u64,
}

#[belts::function(id = "z-lengthy", on = Lengthy)]
async fn lengthy(event: Lengthy) -> belts::Result<()> {
    for number in 0..event.steps {
        step!("step-{number}", "long ".repeat(10_000)).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_page_stays_small_however_much_a_run_has_recorded() {
    let worker = builder().build().await.unwrap();
    worker
        .execute(Lengthy { steps: 450 })
        .function("z-lengthy")
        .run_id("long")
        .await
        .unwrap();
    let browser = Browser::signed_in(&worker).await;
    let page = browser.get("/ui/runs/long?values=true").await.good();
    assert!(page.body.len() < 1_000_000, "{}", page.body.len());
    page.says("Steps 1 to 200 of 450");
    page.says("step-199");
    page.hides("step-200");
    page.says("It is longer");
    let later = page
        .attributes("href")
        .into_iter()
        .find(|it| it.contains("from=200"))
        .unwrap();
    assert!(later.contains("values=true"));
    let last = browser.get("/ui/runs/long?from=400").await.good();
    last.says("Steps 401 to 450 of 450");
    browser.get("/ui/runs/long?from=100000").await.good();
    assert_eq!(browser.get("/ui/runs/long?from=x").await.status, 400);
}
