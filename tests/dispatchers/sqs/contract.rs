//! What the contract of dispatchers asks, sentence by sentence, on a standard queue.

use std::{collections::BTreeSet, time::Duration};

use belts::{
    Clock as _, SystemClock,
    dispatch::{Dispatcher as _, Message, MessageOptions, Nack, SqsOptions, Verdict},
};

use super::queue::*;

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test]
#[cfg_attr(not(has_python), ignore = "no python3 with pip found: install them")]
async fn body_arrives_as_sent() {
    let queue = queue().await;
    let sqs = open(&queue).await;
    let bodies: [&[u8]; 4] = [
        b"{\"a\":\"\xc3\xa9\n\t\"}",
        "\u{ffff} & <b> \u{1F980}".as_bytes(),
        &[0, 1, 2, 254, 255],
        b" \r\n",
    ];
    let message = |body: &&[u8]| Message::new("m", *body);
    send(&sqs, bodies.iter().map(message).collect()).await;
    let came: BTreeSet<_> = receive(&sqs, 4)
        .await
        .into_iter()
        .map(|it| it.body)
        .collect();
    assert_eq!(came, bodies.iter().map(|body| body.to_vec()).collect());
}

#[tokio::test]
#[cfg_attr(not(has_python), ignore = "no python3 with pip found: install them")]
async fn delay_is_kept() {
    let queue = queue().await;
    let sqs = open(&queue).await;
    let sent = SystemClock.now();
    let delay = Duration::from_millis(1_200);
    send(&sqs, vec![Message::new("m", *b"{}").with_delay(delay)]).await;
    receive_one(&sqs).await;
    assert!(SystemClock.now().since(sent) >= delay);
    assert_eq!(sqs.capabilities().max_delay, Duration::from_secs(900));
}

#[tokio::test]
#[cfg_attr(not(has_python), ignore = "no python3 with pip found: install them")]
async fn many_messages_go_and_come_in_calls_of_ten() {
    let queue = queue().await;
    let sqs = builder(&queue).visibility(SOON).open().await.unwrap();
    let body = |number: usize| format!("{{\"number\":{number}}}");
    let messages =
        (0..75).map(|number| Message::new(format!("m-{number}"), body(number).into_bytes()));
    send(&sqs, messages.collect()).await;
    let mut missing: BTreeSet<_> = (0..75).map(body).collect();
    // A standard queue may bring a message a second time.
    while !missing.is_empty() {
        let came = soon("messages come", async { sqs.receive(20).await.unwrap() }).await;
        for body in bodies(&came) {
            missing.remove(body);
        }
        sqs.ack(receipts(&came)).await.unwrap();
    }
    assert_eq!(queue.len().await.unwrap(), 0);
}

#[tokio::test]
#[cfg_attr(not(has_python), ignore = "no python3 with pip found: install them")]
async fn unacknowledged_comes_again_and_says_how_often() {
    let queue = queue().await;
    let (first, second) = (open(&queue).await, open(&queue).await);
    send(&first, vec![Message::new("m", *b"{}")]).await;
    let once = receive_one(&first).await;
    let again = receive_one(&second).await;
    assert_eq!((once.arrivals, again.arrivals), (1, 2));
    assert_eq!(once.message_id, again.message_id);
    assert!(
        once.message_id.starts_with(queue.name()),
        "{}",
        once.message_id
    );
}

#[tokio::test]
#[cfg_attr(not(has_python), ignore = "no python3 with pip found: install them")]
async fn acknowledged_is_gone() {
    let queue = queue().await;
    let sqs = open(&queue).await;
    send(&sqs, vec![Message::new("m", *b"{}")]).await;
    let came = receive_one(&sqs).await;
    sqs.ack(vec![came.receipt.clone()]).await.unwrap();
    assert_eq!(queue.len().await.unwrap(), 0);
    receive_nothing(&sqs, 2 * SECOND).await;
    sqs.ack(vec![came.receipt]).await.unwrap();
}

#[tokio::test]
#[cfg_attr(not(has_python), ignore = "no python3 with pip found: install them")]
async fn visible_to_one_receiver_as_long_as_it_is_extended() {
    let queue = queue().await;
    let (mine, other) = (
        builder(&queue).visibility(2 * SECOND).open().await.unwrap(),
        open(&queue).await,
    );
    assert_eq!(mine.capabilities().visibility, Some(2 * SECOND));
    send(&mine, vec![Message::new("m", *b"{}")]).await;
    let came = receive_one(&mine).await;
    // Each look takes a second, so they are longer than the visibility together.
    for _ in 0..4 {
        mine.extend(std::slice::from_ref(&came.receipt))
            .await
            .unwrap();
        receive_nothing(&other, Duration::from_millis(1)).await;
    }
    receive_one(&other).await;
}

#[tokio::test]
#[cfg_attr(not(has_python), ignore = "no python3 with pip found: install them")]
async fn put_off_comes_later() {
    let queue = queue().await;
    let sqs = open(&queue).await;
    send(&sqs, vec![Message::new("m", *b"{}")]).await;
    let came = receive_one(&sqs).await;
    let put_off = SystemClock.now();
    let pause = Duration::from_millis(2_300);
    let nack = Nack::new(came.receipt, Verdict::Later(pause), "busy");
    sqs.nack(vec![nack]).await.unwrap();
    let again = receive_one(&sqs).await;
    assert!(SystemClock.now().since(put_off) >= pause);
    assert_eq!(again.arrivals, 2);
}

#[tokio::test]
#[cfg_attr(not(has_python), ignore = "no python3 with pip found: install them")]
async fn dropped_receive_loses_nothing() {
    let queue = queue().await;
    let sqs = open(&queue).await;
    // The server goes on with what the dropped call asked, and may take the message.
    for _ in 0..3 {
        let dropped = tokio::time::timeout(Duration::from_millis(50), sqs.receive(10)).await;
        assert!(dropped.is_err());
    }
    send(&sqs, vec![Message::new("m", *b"{}")]).await;
    receive_one(&sqs).await;
}

#[tokio::test]
#[cfg_attr(not(has_python), ignore = "no python3 with pip found: install them")]
async fn batch_is_answered_in_order_and_one_refused_keeps_no_other() {
    let queue = queue().await;
    let sqs = open(&queue).await;
    let big = vec![b'1'; sqs.capabilities().max_bytes.unwrap() + 1];
    let answers = sqs
        .send(vec![
            Message::new("first", *b"1"),
            Message::new("big", big),
            Message::new("last", *b"3"),
        ])
        .await
        .unwrap();
    let kinds: Vec<_> = answers
        .iter()
        .map(|it| it.as_ref().err().map(belts::Error::kind))
        .collect();
    assert_eq!(kinds, [None, Some(belts::ErrorKind::TooLarge), None]);
    let came = receive(&sqs, 2).await;
    assert_eq!(
        bodies(&came).into_iter().collect::<BTreeSet<_>>(),
        ["1", "3"].into()
    );
}

#[tokio::test]
#[cfg_attr(not(has_python), ignore = "no python3 with pip found: install them")]
async fn attributes_of_a_message_are_for_others_to_read() {
    let queue = queue().await;
    let sqs = open(&queue).await;
    let mut options = MessageOptions::default();
    options.insert(SqsOptions::new().attribute("tenant", "acme"));
    send(&sqs, vec![Message::new("m", *b"{}").with_options(options)]).await;
    let asked = queue
        .client()
        .receive_message()
        .queue_url(queue.url())
        .message_attribute_names("All");
    let answer = asked.send().await.unwrap();
    let attributes = answer.messages()[0].message_attributes().unwrap();
    assert_eq!(attributes["tenant"].string_value(), Some("acme"));
}
