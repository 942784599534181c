//! What a step returns and an event brings is what was given, or an error says that it is not.
//!
//! One in ten `f64` came back as its neighbour, and `Some(NaN)`, `Some(())` and `Some(None)` as `None`, without a word.
#![expect(clippy::option_option, reason = "what comes of these is what is tried")]

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    time::Duration,
};

use belts::{
    ErrorKind, Event,
    codec::{self, Decoded},
    step,
    testing::Harness,
};
use proptest::{collection, option, prelude::*};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::gated::{Named, named, within};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Shape {
    Unit,
    Newtype(f64),
    Tuple(i8, Option<f32>),
    Struct {
        text: String,
        inner: Option<Box<Shape>>,
    },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Wide {
    floats: (f64, f32, Vec<f64>),
    whole: (i64, u64, i128, u128),
    maps: (BTreeMap<String, Option<i16>>, HashMap<u32, bool>),
    text: (char, String, Option<String>),
    shape: Shape,
    time: Duration,
    result: Result<u8, Vec<u8>>,
    pair: [Option<bool>; 2],
}

fn finite() -> impl Strategy<Value = f64> {
    any::<u64>()
        .prop_map(f64::from_bits)
        .prop_filter("JSON has no others", |number| number.is_finite())
}

fn finite_f32() -> impl Strategy<Value = f32> {
    any::<u32>()
        .prop_map(f32::from_bits)
        .prop_filter("JSON has no others", |number| number.is_finite())
}

fn shape() -> impl Strategy<Value = Shape> {
    let leaf = prop_oneof![
        Just(Shape::Unit),
        finite().prop_map(Shape::Newtype),
        (any::<i8>(), option::of(finite_f32())).prop_map(|(one, two)| Shape::Tuple(one, two)),
    ];
    leaf.prop_recursive(3, 8, 1, |inner| {
        (any::<String>(), option::of(inner)).prop_map(|(text, inner)| {
            let inner = inner.map(Box::new);
            Shape::Struct { text, inner }
        })
    })
}

fn wide() -> impl Strategy<Value = Wide> {
    let maps = (
        collection::btree_map(any::<String>(), option::of(any::<i16>()), 0..4),
        collection::hash_map(any::<u32>(), any::<bool>(), 0..4),
    );
    let time = (any::<u32>(), 0..1_000_000_000_u32);
    (
        (finite(), finite_f32(), collection::vec(finite(), 0..4)),
        any::<(i64, u64, i128, u128)>(),
        maps,
        any::<(char, String, Option<String>)>(),
        shape(),
        time.prop_map(|(secs, nanos)| Duration::new(secs.into(), nanos)),
        any::<Result<u8, Vec<u8>>>(),
        any::<[Option<bool>; 2]>(),
    )
        .prop_map(
            |(floats, whole, maps, text, shape, time, result, pair)| Wide {
                floats,
                whole,
                maps,
                text,
                shape,
                time,
                result,
                pair,
            },
        )
}

fn back<T: Serialize + DeserializeOwned>(value: &T) -> T {
    match codec::decode(&codec::encode_ok(value).unwrap()).unwrap() {
        Decoded::Ok(back) => back,
        Decoded::Err(failure) => panic!("{failure:?}"),
    }
}

proptest! {
    #[test]
    fn every_value_that_json_can_hold_comes_back_as_it_is(value in wide()) {
        prop_assert_eq!(&back(&value), &value);
        let plain = serde_json::to_vec(&value).unwrap();
        let written = codec::encode_ok(&value).unwrap();
        prop_assert_eq!(&written[br#"{"v":1,"ok":"#.len()..written.len() - 1], &plain[..]);
    }

    #[test]
    fn every_finite_number_comes_back_to_the_last_bit(number in finite(), small in finite_f32()) {
        prop_assert_eq!(back(&number).to_bits(), number.to_bits());
        prop_assert_eq!(back(&Some(small)).map(f32::to_bits), Some(small.to_bits()));
    }
}

/// Reads the `null` of a NaN as NaN.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Lenient(#[serde(deserialize_with = "number_or_nan")] f64);

fn number_or_nan<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    let number = Option::<f64>::deserialize(deserializer)?;
    Ok(number.unwrap_or(f64::NAN))
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Nothing;

#[belts::function(id = "lossy", on = Named)]
async fn lossy(event: Named) -> belts::Result<String> {
    Ok(match &*event.name {
        "number" => told(step!("a", f64::NAN).await),
        "infinity" => told(step!("b", vec![1.0_f32, f32::INFINITY]).await),
        "some number" => told(step!("c", Some(f64::NAN)).await),
        "some unit" => told(step!("d", Some(())).await),
        "some none" => told(step!("e", Some(None::<u8>)).await),
        "some deep" => told(step!("f", BTreeMap::from([("k", 1)]).map_values()).await),
        "some nothing" => told(step!("g", (1, Some(Nothing))).await),
        "lenient" => told(step!("h", Lenient(f64::NAN)).await),
        "plain" => told(
            step!(
                "i",
                (Some(0.1), None::<()>, (), Nothing, Some([None::<u8>]))
            )
            .await,
        ),
        other => panic!("{other}"),
    })
}

trait MapValues {
    fn map_values(self) -> BTreeMap<String, Option<Option<u8>>>;
}

impl MapValues for BTreeMap<&str, u8> {
    fn map_values(self) -> BTreeMap<String, Option<Option<u8>>> {
        self.into_keys()
            .map(|key| (key.to_owned(), Some(None)))
            .collect()
    }
}

fn told<T: fmt::Debug>(result: belts::Result<T>) -> String {
    match result {
        Ok(value) => format!("{value:?}"),
        Err(error) => error.report(),
    }
}

#[tokio::test]
async fn a_result_that_would_come_back_as_another_is_a_failure_that_says_so() {
    let harness = Harness::builder().function(lossy).build().await.unwrap();
    let cases = [
        (
            "number",
            "step `a` failed: the result cannot be read back as `f64`",
        ),
        ("number", "JSON has no NaN"),
        ("infinity", "step `b` failed"),
        (
            "some number",
            "step `c` failed: the result would change when read back: JSON has no NaN",
        ),
        (
            "some unit",
            "step `d` failed: the result would change when read back: `Some` of `()`",
        ),
        ("some none", "step `e` failed"),
        ("some deep", "step `f` failed"),
        ("some nothing", "step `g` failed"),
        ("lenient", "Lenient(NaN)"),
        ("plain", "(Some(0.1), None, (), Nothing, Some([None]))"),
    ];
    for (name, wanted) in cases {
        let run = within("the run", harness.run(lossy, named(name)))
            .await
            .unwrap();
        let text = run.output().unwrap();
        assert!(text.contains(wanted), "{name}: {text}");
        assert_eq!(run.journal()[0].attempts, 1, "{name}");
    }
}

#[derive(Debug, Serialize, Deserialize, Event)]
struct Summed {
    total: f64,
    share: Option<f64>,
}

#[belts::function(id = "summed", on = Summed)]
async fn summed(event: Summed) -> belts::Result<f64> {
    Ok(event.total)
}

#[tokio::test]
async fn an_event_that_no_function_could_read_is_not_published() {
    let harness = Harness::builder().function(summed).build().await.unwrap();
    for (total, share, wanted) in [
        (f64::NAN, None, "cannot be read back"),
        (1.0, Some(f64::NEG_INFINITY), "would change when read back"),
    ] {
        let error = harness.publish(Summed { total, share }).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidEvent);
        let text = error.to_string();
        assert!(text.contains("`summed`") && text.contains(wanted), "{text}");
    }
    let total = 122.416_294_033_786_58;
    let event = Summed { total, share: None };
    let run = within("the run", harness.run(summed, event)).await.unwrap();
    assert_eq!(run.output().unwrap().to_bits(), total.to_bits());
}
