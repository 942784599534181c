//! The functions that are tortured: one for each way in which a run can go on, stop and fail.

use belts::{Context, Event, Failed, WorkerBuilder, call, race, scope, sleep, start, step, wait};
use futures_util::future::try_join_all;
use serde::{Deserialize, Serialize};

use crate::{Failure, trail::Trail};

/// Events are all alike; the function that listens makes the difference.
macro_rules! events {
    ($($name:ident),*) => {$(
        #[derive(Debug, Serialize, Deserialize, Event)]
        pub(crate) struct $name {
            pub(crate) key: String,
        }
    )*};
}

events!(
    Sequence, Fan, Lap, Stumble, Doomed, Restless, Nap, Overlap, Announce, Reply, Parcels,
    Exchange, Question, Family, Member, Contest, Voyage
);

/// What a run waits for that has asked.
#[derive(Debug, Serialize, Deserialize, Event)]
#[event(key = asked_by)]
pub(crate) struct Answered {
    asked_by: String,
    answer: String,
}

/// The functions that no version of the program does without.
pub(crate) fn of_both(builder: WorkerBuilder) -> WorkerBuilder {
    builder
        .function(sequence)
        .function(fan)
        .function(laps)
        .function(picky)
        .function(stumble)
        .function(doomed)
        .function(restless)
        .function(nap)
        .function(overlap)
        .function(announce)
        .function(reply)
        .function(parcels)
        .function(exchange)
        .function(respond)
        .function(family)
        .function(member)
        .function(contest)
        .function(voyage)
        .function(apology)
}

/// One after another.
#[belts::function(id = "sequence", on = Sequence)]
async fn sequence(event: Sequence, cx: Context) -> belts::Result<String> {
    let trail = Trail::start(&cx, &event.key);
    let reserve = trail.returned("reserve", step!("reserve", trail.act("reserve")).await?);
    let charge = trail.returned("charge", step!("charge", trail.act("charge")).await?);
    let pack = trail.returned("pack", step!("pack", trail.act("pack")).await?);
    let ship = trail.returned("ship", step!("ship", trail.act("ship")).await?);
    Ok(trail.end(&[reserve, charge, pack, ship]))
}

/// Side by side, each of two steps.
#[belts::function(id = "fan", on = Fan)]
async fn fan(event: Fan, cx: Context) -> belts::Result<String> {
    let trail = &Trail::start(&cx, &event.key);
    let parts = (0..4).map(|n| async move {
        let (weigh, label) = (format!("weigh-{n}"), format!("label-{n}"));
        let first = trail.returned(&weigh, step!("weigh-{n}", trail.act(&weigh)).await?);
        let second = trail.returned(&label, step!("label-{n}", trail.act(&label)).await?);
        belts::Result::Ok(first + "+" + &second)
    });
    let mut values = try_join_all(parts).await?;
    values.push(trail.returned("close", step!("close", trail.act("close")).await?));
    Ok(trail.end(&values))
}

/// Round and round.
#[belts::function(id = "laps", on = Lap)]
async fn laps(event: Lap, cx: Context) -> belts::Result<String> {
    let trail = Trail::start(&cx, &event.key);
    let mut values = Vec::new();
    for n in 0..6 {
        let lap = format!("lap-{n}");
        values.push(trail.returned(&lap, step!("lap-{n}", trail.act(&lap)).await?));
    }
    Ok(trail.end(&values))
}

/// Listens for the same event, and wants only some.
#[belts::function(id = "picky", on = Lap, when = |lap| wanted(&lap.key))]
async fn picky(event: Lap, cx: Context) -> belts::Result<String> {
    let trail = Trail::start(&cx, &event.key);
    let look = trail.returned("look", step!("look", trail.act("look")).await?);
    Ok(trail.end(&[look]))
}

/// Which events `picky` wants.
pub(crate) fn wanted(key: &str) -> bool {
    key.len().is_multiple_of(2)
}

/// A step panics, fails, and then succeeds.
#[belts::function(id = "stumble", on = Stumble)]
async fn stumble(event: Stumble, cx: Context) -> belts::Result<String> {
    let trail = Trail::start(&cx, &event.key);
    let call = step!(
        "call",
        trail.stumble("call"),
        retries = 5,
        backoff = "10ms..100ms"
    )
    .await?;
    let call = trail.returned("call", call);
    let after = trail.returned("after", step!("after", trail.act("after")).await?);
    Ok(trail.end(&[call, after]))
}

/// A step fails for good, and so does the run.
#[belts::function(id = "doomed", on = Doomed)]
async fn doomed(event: Doomed, cx: Context) -> belts::Result<String> {
    let trail = Trail::start(&cx, &event.key);
    match step!(
        "call",
        trail.fail("call"),
        retries = 2,
        backoff = "10ms..100ms"
    )
    .await
    {
        Ok(value) => drop(trail.returned("call", value)),
        Err(error) => drop(trail.failed("call", &error)),
    }
    trail.returned("undo", step!("undo", trail.act("undo")).await?);
    trail.end_failed();
    Err(belts::terminal("doomed"))
}

/// The function itself fails twice.
#[belts::function(id = "restless", on = Restless, retries = 3, backoff = "20ms..200ms")]
async fn restless(event: Restless, cx: Context) -> Result<String, Failure> {
    let trail = Trail::start(&cx, &event.key);
    let one = trail.returned("one", step!("one", trail.act("one")).await?);
    if cx.attempt() < 2 {
        return Err("not yet".into());
    }
    let two = trail.returned("two", step!("two", trail.act("two")).await?);
    if cx.attempt() < 3 {
        return Err("nor now".into());
    }
    let three = trail.returned("three", step!("three", trail.act("three")).await?);
    Ok(trail.end(&[one, two, three]))
}

/// Sleeps in memory, and then for so long that it leaves memory.
#[belts::function(id = "nap", on = Nap)]
async fn nap(event: Nap, cx: Context) -> belts::Result<String> {
    let trail = Trail::start(&cx, &event.key);
    sleep!("nap", "150ms").await?;
    trail.slept("nap");
    let before = trail.returned("before", step!("before", trail.act("before")).await?);
    sleep!("night", "3500ms").await?;
    trail.slept("night");
    let after = trail.returned("after", step!("after", trail.act("after")).await?);
    Ok(trail.end(&[before, after]))
}

/// A long sleep beside steps.
#[belts::function(id = "overlap", on = Overlap)]
async fn overlap(event: Overlap, cx: Context) -> belts::Result<String> {
    let trail = Trail::start(&cx, &event.key);
    let steps = async {
        let left = trail.returned("left", step!("left", trail.act("left")).await?);
        Ok(left + "+" + &trail.returned("right", step!("right", trail.act("right")).await?))
    };
    let (steps, ()) = tokio::try_join!(steps, sleep!("night", "3300ms"))?;
    trail.slept("night");
    let after = trail.returned("after", step!("after", trail.act("after")).await?);
    Ok(trail.end(&[steps, after]))
}

/// Publishes from a step, which fails after it published for the first time.
#[belts::function(id = "announce", on = Announce)]
async fn announce(event: Announce, cx: Context) -> belts::Result<String> {
    let trail = Trail::start(&cx, &event.key);
    let prepare = trail.returned("prepare", step!("prepare", trail.act("prepare")).await?);
    let sent = step!(
        "announce",
        publish_once(&trail, &event.key),
        retries = 5,
        backoff = "10ms..100ms"
    )
    .await?;
    let sent = trail.returned("announce", sent);
    Ok(trail.end(&[prepare, sent]))
}

async fn publish_once(trail: &Trail, key: &str) -> Result<String, Failure> {
    let mark = trail.begin("announce").await;
    publish_reply(Reply {
        key: reply_key(key),
    })
    .await?;
    if trail.first_time("announce") {
        return Ok(trail.fail("announce").await?);
    }
    Ok(trail.done("announce", mark))
}

/// The key of the event that the run for `key` publishes.
pub(crate) fn reply_key(key: &str) -> String {
    format!("reply-to-{key}")
}

/// The second generation.
#[belts::function(id = "reply", on = Reply)]
async fn reply(event: Reply, cx: Context) -> belts::Result<String> {
    let trail = Trail::start(&cx, &event.key);
    let read = trail.returned("read", step!("read", trail.act("read")).await?);
    let answer = trail.returned("answer", step!("answer", trail.act("answer")).await?);
    Ok(trail.end(&[read, answer]))
}

/// Helpers with steps, two of them side by side.
#[belts::function(id = "parcels", on = Parcels)]
async fn parcels(event: Parcels, cx: Context) -> belts::Result<String> {
    let trail = Trail::start(&cx, &event.key);
    let first = scope!("parcel-0", parcel(&trail, 0)).await?;
    let (second, third) = tokio::try_join!(
        scope!("parcel-1", parcel(&trail, 1)),
        scope!("parcel-2", parcel(&trail, 2))
    )?;
    Ok(trail.end(&[first, second, third]))
}

#[belts::steps]
async fn parcel(trail: &Trail, n: u32) -> belts::Result<String> {
    let (pack, post) = (format!("parcel-{n}/pack"), format!("parcel-{n}/post"));
    let packed = trail.returned(&pack, step!("pack", trail.act(&pack)).await?);
    Ok(packed + "+" + &trail.returned(&post, step!("post", trail.act(&post)).await?))
}

/// Asks another run, and waits for its answers; then for one that never comes.
#[belts::function(id = "exchange", on = Exchange)]
async fn exchange(event: Exchange, cx: Context) -> belts::Result<String> {
    let trail = Trail::start(&cx, &event.key);
    let mut values = vec![trail.returned("ask", step!("ask", ask(&trail, &event.key)).await?)];
    for n in 0..2 {
        let answered = wait!("heard-{n}", Answered, key = &event.key).await?;
        values.push(trail.returned(&format!("heard-{n}"), answered.answer));
    }
    let third = wait!("heard-2", Answered, key = &event.key, timeout = "3s").await?;
    match third {
        None => trail.slept("heard-2"),
        Some(late) => values.push(trail.returned("heard-2", late.answer)),
    }
    values.push(trail.returned("close", step!("close", trail.act("close")).await?));
    Ok(trail.end(&values))
}

async fn ask(trail: &Trail, key: &str) -> Result<String, Failure> {
    let mark = trail.begin("ask").await;
    publish_question(Question {
        key: question_key(key),
    })
    .await?;
    Ok(trail.done("ask", mark))
}

const QUESTION: &str = "question-of-";

/// The key of the event that the run for `key` publishes to be answered.
pub(crate) fn question_key(key: &str) -> String {
    format!("{QUESTION}{key}")
}

/// Answers twice, in order.
#[belts::function(id = "respond", on = Question)]
async fn respond(event: Question, cx: Context) -> belts::Result<String> {
    let trail = Trail::start(&cx, &event.key);
    let asked_by = event.key.strip_prefix(QUESTION).unwrap_or_default();
    let mut values = Vec::new();
    for n in 0..2 {
        let answer = format!("answer-{n}");
        let value = step!("answer-{n}", reply_to(&trail, asked_by, &answer)).await?;
        values.push(trail.returned(&answer, value));
    }
    Ok(trail.end(&values))
}

async fn reply_to(trail: &Trail, asked_by: &str, answer: &str) -> Result<String, Failure> {
    let mark = trail.begin(answer).await;
    publish_answered(Answered {
        asked_by: asked_by.to_owned(),
        answer: answer.to_owned(),
    })
    .await?;
    Ok(trail.done(answer, mark))
}

/// Calls two others side by side, starts a third, and hears of all of them.
#[belts::function(id = "family", on = Family)]
async fn family(event: Family, cx: Context) -> belts::Result<String> {
    let trail = Trail::start(&cx, &event.key);
    let of = |n: u32| Member {
        key: member_key(&event.key, n),
    };
    let third = start!("third", member(of(2))).await?;
    let (first, second) = tokio::try_join!(
        call!("first", member(of(0))),
        call!("second", member(of(1)))
    )?;
    let mut values = vec![trail.returned("first", first)];
    values.push(trail.returned("second", second));
    values.push(trail.returned("third/result", third.result().await?));
    values.push(trail.returned("close", step!("close", trail.act("close")).await?));
    Ok(trail.end(&values))
}

/// The key of the event with which the run for `key` calls.
pub(crate) fn member_key(key: &str, n: u32) -> String {
    format!("member-{n}-of-{key}")
}

/// Is called.
#[belts::function(id = "member", on = Member)]
async fn member(event: Member, cx: Context) -> belts::Result<String> {
    let trail = Trail::start(&cx, &event.key);
    let work = trail.returned("work", step!("work", trail.act("work")).await?);
    Ok(trail.end(&[work]))
}

/// Two arms race with steps that take equally long.
#[belts::function(id = "contest", on = Contest)]
async fn contest(event: Contest, cx: Context) -> belts::Result<String> {
    let trail = Trail::start(&cx, &event.key);
    let won = race!("won", {
        left = step!("work", trail.act("won/left/work")) => trail.returned("won/left/work", left?),
        right = step!("work", trail.act("won/right/work")) => trail.returned("won/right/work", right?)
    })
    .await?;
    let after = trail.returned("after", step!("after", trail.act("after")).await?);
    Ok(trail.end(&[won, after]))
}

/// Fails when two of its steps are done, and they are undone.
#[belts::function(id = "voyage", on = Voyage, retries = 0)]
async fn voyage(event: Voyage, cx: Context) -> belts::Result<String> {
    let trail = Trail::start(&cx, &event.key);
    let (of_flight, of_hotel) = (trail.clone(), trail.clone());
    let flight = step!(
        "flight",
        trail.act("flight"),
        undo = move |_: String| of_flight.clone().undo("flight")
    )
    .await?;
    trail.returned("flight", flight);
    let hotel = step!(
        "hotel",
        trail.act("hotel"),
        undo = move |_: String| of_hotel.clone().undo("hotel")
    )
    .await?;
    trail.returned("hotel", hotel);
    trail.end_failed();
    Err(belts::terminal("no seat is left"))
}

/// Starts once the voyage is undone.
#[belts::function(id = "apology", on_failure = voyage)]
async fn apology(failure: Failed<Voyage>, cx: Context) -> belts::Result<String> {
    let trail = Trail::start(&cx, &failure.event.key);
    let sorry = trail.returned("sorry", step!("sorry", trail.act("sorry")).await?);
    Ok(trail.end(&[sorry]))
}
