//! What browsers are shown at a callback's URL: a question, and a button for each answer.

use std::mem::discriminant;

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{DeserializeOwned, Error as _, Visitor, value},
    forward_to_deserialize_any,
};

use super::completion::read;

/// A page as the run has recorded it, so that any process can show it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Page {
    /// The question.
    pub(crate) text: String,
    /// The answers: each is the name of a variant, as in JSON.
    pub(crate) choices: Vec<String>,
}

/// The variants of an enum without fields, as they are in JSON; of any other type, what it is.
///
/// # Errors
/// The type is no such enum.
pub(crate) fn choices<T: DeserializeOwned>() -> Result<Vec<&'static str>, String> {
    let mut names = None;
    // It always fails, having asked.
    let _ = T::deserialize(Asked(&mut names));
    let names = names.ok_or("is not an enum")?;
    let mut choices = Vec::new();
    let mut variants = Vec::new();
    for name in names {
        let json = serde_json::to_vec(name).unwrap_or_default();
        let value = read::<T>(&json).map_err(|_| format!("has fields in its variant `{name}`"))?;
        let variant = discriminant(&value);
        // Serde lists an alias like a variant.
        if !variants.contains(&variant) {
            variants.push(variant);
            choices.push(*name);
        }
    }
    if choices.is_empty() {
        return Err("has no variants".to_owned());
    }
    Ok(choices)
}

/// Takes note of which variants an enum asks for.
struct Asked<'a>(&'a mut Option<&'static [&'static str]>);

impl<'de> Deserializer<'de> for Asked<'_> {
    type Error = value::Error;

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, value::Error> {
        *self.0 = Some(variants);
        Err(value::Error::custom("it was only asked"))
    }

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, value::Error> {
        Err(value::Error::custom("it is no enum"))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    #[serde(rename_all = "kebab-case")]
    enum Decision {
        #[serde(alias = "yes")]
        Approve,
        NotNow,
    }

    #[derive(Deserialize)]
    enum Amount {
        None,
        Some(#[allow(dead_code)] u32),
    }

    #[test]
    fn the_choices_are_the_variants_as_json_has_them() {
        assert_eq!(choices::<Decision>(), Ok(vec!["approve", "not-now"]));
        let _ = (
            Decision::Approve,
            Decision::NotNow,
            Amount::None,
            Amount::Some(1),
        );
    }

    #[test]
    fn what_is_no_enum_without_fields_says_so() {
        assert_eq!(choices::<u32>(), Err("is not an enum".to_owned()));
        assert_eq!(
            choices::<Amount>(),
            Err("has fields in its variant `Some`".to_owned())
        );
    }
}
