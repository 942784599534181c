//! What an event is on the wire, and what is refused before it gets there.

use belts::{ErrorKind, Event, EventSet, Worker, store::Memory};
use serde::{Deserialize, Serialize};

use crate::gated::within;

#[derive(Debug, Serialize, Deserialize, Event)]
#[event(type = "weighed", validate = has_weight)]
struct Weighed {
    grams: u32,
}

fn has_weight(event: &Weighed) -> Result<(), &'static str> {
    if event.grams == 0 {
        return Err("it weighs nothing");
    }
    Ok(())
}

#[derive(Debug, Event)]
#[event(validate = Freight::is_allowed)]
enum Freight {
    Weighed(Box<Weighed>),
    #[event(type = "freight.labelled", publish = label_freight)]
    Labelled {
        text: String,
    },
    #[event(publish = false)]
    Lost,
}

impl Freight {
    fn is_allowed(&self) -> Result<(), String> {
        match self {
            Self::Weighed(weighed) if weighed.grams > 1000 => Err("it is too heavy".to_owned()),
            Self::Labelled { text } if text.is_empty() => Err("the label is empty".to_owned()),
            _ => Ok(()),
        }
    }
}

#[belts::function(id = "read-freight", on = Freight)]
async fn read_freight(event: Freight) -> belts::Result<u32> {
    Ok(match event {
        Freight::Weighed(weighed) => weighed.grams,
        Freight::Labelled { .. } | Freight::Lost => 0,
    })
}

async fn worker() -> Worker {
    let worker = Worker::builder()
        .store(Memory::new())
        .function(read_freight)
        .max_body_bytes(1000)
        .build();
    worker.await.unwrap()
}

/// `validate` on an enum did not compile, and the checks of events within its variants would not have run beside it.
#[tokio::test]
async fn an_enum_is_validated_and_so_is_the_event_in_its_variant() {
    let worker = worker().await;
    let weighed = |grams| Freight::Weighed(Box::new(Weighed { grams }));
    let label = |text: &str| Freight::Labelled { text: text.into() };
    for (event, reason) in [
        (
            weighed(0),
            "event `weighed` is not valid: it weighs nothing",
        ),
        (
            weighed(1001),
            "event `weighed` is not valid: it is too heavy",
        ),
        (
            label(""),
            "event `freight.labelled` is not valid: the label is empty",
        ),
    ] {
        let error = worker.execute(event).await.unwrap_err();
        assert_eq!(
            (error.kind(), error.to_string().as_str()),
            (ErrorKind::InvalidEvent, reason)
        );
    }
    let executed = within("a run", worker.execute(weighed(7))).await.unwrap();
    assert_eq!(executed.output::<u32>("read-freight").unwrap(), 7);
    label_freight("fragile".into()).via(&worker).await.unwrap();
    assert_eq!(Freight::TYPES, ["weighed", "freight.labelled", "lost"]);
    Freight::Lost.check().unwrap();
}

#[derive(Debug, PartialEq, Event)]
#[serde(deny_unknown_fields, rename_all_fields = "camelCase")]
enum Renamed {
    Both {
        order_id: u32,
    },
    #[serde(rename_all(serialize = "SCREAMING_SNAKE_CASE"))]
    OneWay {
        order_id: u32,
    },
}

fn json_of(event: &impl EventSet) -> String {
    String::from_utf8(event.encode().unwrap().payload.to_vec()).unwrap()
}

/// `rename_all_fields` counted only where it stood before `deny_unknown_fields`.
#[test]
fn the_order_of_serdes_attributes_changes_nothing_on_the_wire() {
    let event = Renamed::Both { order_id: 1 };
    assert_eq!(json_of(&event), r#"{"orderId":1}"#);
    assert_eq!(Renamed::decode("both", br#"{"orderId":1}"#).unwrap(), event);
    Renamed::decode("both", br#"{"orderId":1,"more":2}"#).expect_err("unknown fields are denied");
    let event = Renamed::OneWay { order_id: 1 };
    assert_eq!(json_of(&event), r#"{"ORDER_ID":1}"#);
    assert_eq!(
        Renamed::decode("one-way", br#"{"orderId":1}"#).unwrap(),
        event
    );
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

mod as_text {
    use std::{fmt::Display, str::FromStr};

    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<T: Display, S: Serializer>(
        value: &T,
        out: S,
    ) -> Result<S::Ok, S::Error> {
        out.collect_str(value)
    }

    pub(super) fn deserialize<'de, T: FromStr, D: Deserializer<'de>>(from: D) -> Result<T, D::Error>
    where
        T::Err: Display,
    {
        String::deserialize(from)?.parse().map_err(D::Error::custom)
    }
}

#[derive(Debug, PartialEq, Serialize, Deserialize, Event)]
enum Sparse {
    Parts {
        #[serde(skip_serializing_if = "std::ops::Not::not", default)]
        gift: bool,
        #[serde(skip_serializing_if = "is_default", default)]
        count: u32,
        #[serde(with = "as_text")]
        cents: u64,
        children: Vec<Self>,
    },
}

/// Serde's derives for a variant see a reference to each field, for which the very same fn was another one.
#[test]
fn generic_fns_of_serdes_attributes_work_in_variants_as_they_do_in_structs() {
    let parts = |gift, count| Sparse::Parts {
        gift,
        count,
        cents: 5,
        children: Vec::new(),
    };
    assert_eq!(json_of(&parts(false, 0)), r#"{"cents":"5","children":[]}"#);
    assert_eq!(
        json_of(&parts(true, 2)),
        r#"{"gift":true,"count":2,"cents":"5","children":[]}"#
    );
    let back = Sparse::decode("parts", br#"{"cents":"5","children":[]}"#).unwrap();
    assert_eq!(back, parts(false, 0));
}

/// All events whose key had been forgotten became one event, the first.
#[tokio::test]
async fn an_idempotency_key_of_nothing_is_an_error() {
    let worker = worker().await;
    for key in ["", " ", "\t\n"] {
        let publish = label_freight("fragile".into()).idempotency_key(key);
        let error = publish.via(&worker).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(
            error.to_string().contains("the idempotency key is empty"),
            "{error}"
        );
    }
    let page = worker.runs().list().await.unwrap();
    assert!(page.runs.is_empty());
}

/// What was refused with 413 by HTTP was accepted from Rust, and then could not be handed to any other worker.
#[tokio::test]
async fn an_event_has_one_limit_by_http_and_from_rust() {
    let worker = worker().await;
    let around = r#"{"event":{"type":"freight.labelled","text":""}}"#.len();
    let label = |bytes: usize| "x".repeat(bytes - around);
    label_freight(label(1000)).via(&worker).await.unwrap();
    let published = label_freight(label(1001)).via(&worker).await.unwrap_err();
    let text = label(1001);
    let executed = worker
        .execute(Freight::Labelled { text })
        .await
        .unwrap_err();
    for error in [published, executed] {
        assert_eq!(error.kind(), ErrorKind::TooLarge);
        assert!(
            error
                .to_string()
                .contains("1001 bytes as a message, over the limit of 1000"),
            "{error}"
        );
    }
}
