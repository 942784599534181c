//! Tags: what a run is about is kept once, whatever crashes, and finds the run.

use std::time::Duration;

use belts::{
    Context, ErrorKind, race, sleep, step,
    store::{Memory, RunStatus, Tag},
    testing::{Reopen, SqliteFile, sweep},
    wait,
};
use tokio::try_join;

use crate::{
    gated::{Named, effect, effects, named, only, within_time},
    places::{InSchema, UnderPrefix},
    progress::{HOUR, begun, harness_of},
};

/// A server takes a while to open a store.
const LIMIT: Duration = Duration::from_secs(90);

fn texts(tags: &[Tag]) -> Vec<String> {
    tags.iter().map(Tag::to_string).collect()
}

#[belts::function(id = "z-tagged", on = Named)]
async fn tagged(event: Named, cx: Context) -> belts::Result<()> {
    cx.tag("name", &event.name).await?;
    step!("number", {
        cx.tag("number", 7).await?;
        Ok::<_, belts::Error>(())
    })
    .await?;
    sleep!("night", "1h").await?;
    cx.tag("name", &event.name).await?;
    cx.tag("name", format!("{} again", event.name)).await?;
    step!("effect", effect(format!("{} tagged", event.name))).await?;
    try_join!(cx.tag("z", 'z'), cx.tag("y", true))?;
    Ok(())
}

#[tokio::test]
async fn a_run_is_found_by_its_tags_from_when_they_are_added() {
    let harness = harness_of("tagged", tagged).await;
    let id = begun(&harness, named("tagged")).await;
    let found = async |name: &str, value: &str| {
        let runs = harness.worker().runs();
        let page = runs.list().tag(name, value).await.unwrap();
        page.runs
            .iter()
            .map(|run| run.run_id.to_string())
            .collect::<Vec<_>>()
    };
    assert_eq!(found("name", "tagged").await, [&*id]);
    assert_eq!(found("number", "7").await, [&*id]);
    assert!(found("name", "tagged again").await.is_empty());
    harness.restart().await.unwrap();
    harness.travel(HOUR).await.unwrap();
    let run = only(harness.runs_of(tagged).await);
    run.assert_steps(&["number", "night", "effect"]);
    let tags = &run.record().unwrap().tags;
    let all = [
        "name=tagged",
        "name=tagged again",
        "number=7",
        "y=true",
        "z=z",
    ];
    assert_eq!(texts(tags), all);
    let runs = harness.worker().runs();
    assert_eq!(runs.get(&id).await.unwrap().tags, *tags);
    let both = runs
        .list()
        .tag("y", true)
        .tag("number", 7)
        .status(RunStatus::Completed);
    assert_eq!(both.await.unwrap().runs.len(), 1);
    assert_eq!(effects("tagged tagged"), 1);
}

#[belts::function(id = "z-tags-wrong", on = Named)]
async fn wrong(_event: Named, cx: Context) -> belts::Result<Vec<String>> {
    let mut kinds = Vec::new();
    for (name, value) in [
        ("", "v"),
        ("a=b", "v"),
        ("a", "v\n"),
        ("a", &"v".repeat(257)),
    ] {
        let error = cx.tag(name, value).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        kinds.push(error.to_string());
    }
    let elsewhere = tokio::spawn({
        let cx = cx.clone();
        async move { cx.tag("a", 1).await }
    });
    let elsewhere = elsewhere.await.unwrap().unwrap_err();
    kinds.push(elsewhere.to_string());
    for number in 0..Tag::MOST {
        cx.tag("number", number).await?;
    }
    cx.tag("number", 0).await?;
    kinds.push(cx.tag("one", "more").await.unwrap_err().to_string());
    Ok(kinds)
}

#[tokio::test]
async fn a_tag_that_cannot_be_is_refused() {
    let harness = harness_of("tags-wrong", wrong).await;
    let run = harness.run(wrong, named("tags-wrong")).await.unwrap();
    let said = run.output().unwrap();
    let parts = [
        "1 to 64 bytes",
        "`a=b`",
        "control character",
        "257 bytes",
        "spawned",
        "50 tags",
    ];
    for (said, part) in said.iter().zip(parts) {
        assert!(said.contains(part), "{said}");
    }
    assert_eq!(said.len(), parts.len());
    assert_eq!(run.record().unwrap().tags.len(), Tag::MOST);
}

#[belts::function(id = "z-tags-many", on = Named)]
async fn many(_event: Named, cx: Context) -> belts::Result<usize> {
    let mut refused = 0;
    for day in 0..4 {
        for number in 0..20 {
            let tagged = cx.tag("number", 100 * day + number).await;
            refused += usize::from(tagged.is_err());
        }
        cx.tag("number", 0).await?;
        sleep!("day-{day}", "1h").await?;
    }
    Ok(refused)
}

#[tokio::test]
async fn the_limit_holds_for_the_run_however_often_it_is_resumed() {
    let harness = harness_of("tags-many", many).await;
    begun(&harness, named("tags-many")).await;
    for _ in 0..4 {
        harness.restart().await.unwrap();
        harness.travel(HOUR).await.unwrap();
    }
    let run = only(harness.runs_of(many).await);
    assert_eq!(run.output().unwrap(), 30);
    assert_eq!(run.record().unwrap().tags.len(), Tag::MOST);
}

#[belts::function(id = "z-tags-race", on = Named)]
async fn raced(event: Named, cx: Context) -> belts::Result<()> {
    race!("first", {
        quick = step!("quick", effect("quick")) => quick?,
        slow = async {
            wait!("never", Named).await?;
            cx.tag("slow", 1).await
        } => slow?,
    })
    .await?;
    cx.tag("name", &event.name).await
}

#[tokio::test]
async fn an_arm_that_has_lost_adds_no_tag() {
    let harness = harness_of("tags-race", raced).await;
    let run = harness.run(raced, named("tags-race")).await.unwrap();
    run.output().unwrap();
    assert_eq!(texts(&run.record().unwrap().tags), ["name=tags-race"]);
}

async fn every_crash<P: Reopen>(place: fn() -> P) {
    let swept = sweep(place).function(tagged).event(named("swept"));
    let swept = swept
        .harness(|builder| builder.function(tagged))
        .check(|case| {
            let tags = texts(&case.run.record().unwrap().tags);
            let all = [
                "name=swept",
                "name=swept again",
                "number=7",
                "y=true",
                "z=z",
            ];
            assert_eq!(tags, all);
        });
    let report = within_time(LIMIT, "a sweep", swept).await.unwrap();
    assert!(report.writes >= 7, "{report:?}");
}

macro_rules! on {
    ($store:ident, $place:expr $(, $attribute:meta)?) => {
        $(#[$attribute])?
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $store() {
            every_crash($place).await;
        }
    };
}

mod every_tag_is_there_whatever_crashes {
    use super::*;

    on!(memory, Memory::new);
    on!(sqlite, SqliteFile::temporary);
    on!(
        postgres,
        InSchema::new,
        cfg_attr(
            not(has_postgres),
            ignore = "no PostgreSQL server found: install it or set BELTS_TEST_POSTGRES_URL"
        )
    );
    on!(
        redis,
        UnderPrefix::new,
        cfg_attr(
            not(has_redis),
            ignore = "no Redis server found: install it or set BELTS_TEST_REDIS_URL"
        )
    );
}
