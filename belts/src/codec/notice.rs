//! A serializer around another that notices what JSON has no words for, and writes as `null`.
//!
//! It stands in the place of the other one, so that nothing is written or compiled a second time for it.

use std::cell::Cell;

use serde::{
    Serialize,
    ser::{
        SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
        SerializeTupleStruct, SerializeTupleVariant, Serializer,
    },
};

/// How often a value became a `null` that cannot be told from others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Lost {
    /// NaN and the infinite numbers.
    numbers: u32,
    /// `Some` of what is written as `null`: of a number above, of `()`, of `None`.
    somes: u32,
}

impl Lost {
    pub(crate) const NOTHING: Self = Self {
        numbers: 0,
        somes: 0,
    };

    pub(crate) fn is_nothing(self) -> bool {
        self == Self::NOTHING
    }

    /// Why, and what to do.
    pub(crate) fn reason(self) -> &'static str {
        if self.numbers > 0 {
            "JSON has no NaN and no infinite numbers, which are written as `null`: return an error in their place, or text"
        } else {
            "`Some` of `()` or of `None` is written as `null`, which is read as `None`: use a type that tells them apart"
        }
    }
}

/// Where it is counted.
#[derive(Default)]
pub(super) struct Seen(Cell<Lost>);

impl Seen {
    pub(super) fn lost(&self) -> Lost {
        self.0.get()
    }

    #[cold]
    fn add(&self, numbers: u32, somes: u32) {
        let lost = self.0.get();
        self.0.set(Lost {
            numbers: lost.numbers.saturating_add(numbers),
            somes: lost.somes.saturating_add(somes),
        });
    }
}

/// Passes everything on.
pub(super) struct Noticing<'a, S> {
    inner: S,
    seen: &'a Seen,
    /// Whether the value stands in a `Some`, with nothing written around it.
    in_some: bool,
}

/// A value whose parts are noticed too.
struct Noticed<'a, T: ?Sized> {
    value: &'a T,
    seen: &'a Seen,
    in_some: bool,
}

impl<T: Serialize + ?Sized> Serialize for Noticed<'_, T> {
    #[inline]
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.value.serialize(Noticing {
            inner: serializer,
            seen: self.seen,
            in_some: self.in_some,
        })
    }
}

impl<'a, S> Noticing<'a, S> {
    pub(super) fn new(inner: S, seen: &'a Seen) -> Self {
        let in_some = false;
        Self {
            inner,
            seen,
            in_some,
        }
    }

    #[inline]
    fn number(&self, is_finite: bool) {
        if !is_finite {
            self.seen.add(1, u32::from(self.in_some));
        }
    }

    #[inline]
    fn nothing(&self) {
        if self.in_some {
            self.seen.add(0, 1);
        }
    }

    #[inline]
    fn part<'b, T: ?Sized>(&self, value: &'b T, in_some: bool) -> Noticed<'b, T>
    where
        'a: 'b,
    {
        Noticed {
            value,
            seen: self.seen,
            in_some,
        }
    }
}

macro_rules! pass_on {
    ($($method:ident: $type:ty),* $(,)?) => {
        $(
            #[inline]
            fn $method(self, value: $type) -> Result<S::Ok, S::Error> {
                self.inner.$method(value)
            }
        )*
    };
}

macro_rules! open {
    ($($method:ident($($name:ident: $type:ty),*) -> $made:ident),* $(,)?) => {
        $(
            #[inline]
            fn $method(self, $($name: $type),*) -> Result<Self::$made, S::Error> {
                let inner = self.inner.$method($($name),*)?;
                Ok(Inside { inner, seen: self.seen })
            }
        )*
    };
}

impl<'a, S: Serializer> Serializer for Noticing<'a, S> {
    type Ok = S::Ok;
    type Error = S::Error;
    type SerializeSeq = Inside<'a, S::SerializeSeq>;
    type SerializeTuple = Inside<'a, S::SerializeTuple>;
    type SerializeTupleStruct = Inside<'a, S::SerializeTupleStruct>;
    type SerializeTupleVariant = Inside<'a, S::SerializeTupleVariant>;
    type SerializeMap = Inside<'a, S::SerializeMap>;
    type SerializeStruct = Inside<'a, S::SerializeStruct>;
    type SerializeStructVariant = Inside<'a, S::SerializeStructVariant>;

    pass_on! {
        serialize_bool: bool,
        serialize_i8: i8,
        serialize_i16: i16,
        serialize_i32: i32,
        serialize_i64: i64,
        serialize_i128: i128,
        serialize_u8: u8,
        serialize_u16: u16,
        serialize_u32: u32,
        serialize_u64: u64,
        serialize_u128: u128,
        serialize_char: char,
        serialize_str: &str,
        serialize_bytes: &[u8],
    }

    #[inline]
    fn serialize_f32(self, value: f32) -> Result<S::Ok, S::Error> {
        self.number(value.is_finite());
        self.inner.serialize_f32(value)
    }

    #[inline]
    fn serialize_f64(self, value: f64) -> Result<S::Ok, S::Error> {
        self.number(value.is_finite());
        self.inner.serialize_f64(value)
    }

    #[inline]
    fn serialize_none(self) -> Result<S::Ok, S::Error> {
        self.nothing();
        self.inner.serialize_none()
    }

    #[inline]
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<S::Ok, S::Error> {
        let part = self.part(value, true);
        self.inner.serialize_some(&part)
    }

    #[inline]
    fn serialize_unit(self) -> Result<S::Ok, S::Error> {
        self.nothing();
        self.inner.serialize_unit()
    }

    #[inline]
    fn serialize_unit_struct(self, name: &'static str) -> Result<S::Ok, S::Error> {
        self.nothing();
        self.inner.serialize_unit_struct(name)
    }

    #[inline]
    fn serialize_unit_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
    ) -> Result<S::Ok, S::Error> {
        self.inner.serialize_unit_variant(name, index, variant)
    }

    #[inline]
    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result<S::Ok, S::Error> {
        // Nothing is written around it.
        let part = self.part(value, self.in_some);
        self.inner.serialize_newtype_struct(name, &part)
    }

    #[inline]
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<S::Ok, S::Error> {
        let part = self.part(value, false);
        self.inner
            .serialize_newtype_variant(name, index, variant, &part)
    }

    open! {
        serialize_seq(len: Option<usize>) -> SerializeSeq,
        serialize_tuple(len: usize) -> SerializeTuple,
        serialize_tuple_struct(name: &'static str, len: usize) -> SerializeTupleStruct,
        serialize_tuple_variant(name: &'static str, index: u32, variant: &'static str, len: usize) -> SerializeTupleVariant,
        serialize_map(len: Option<usize>) -> SerializeMap,
        serialize_struct(name: &'static str, len: usize) -> SerializeStruct,
        serialize_struct_variant(name: &'static str, index: u32, variant: &'static str, len: usize) -> SerializeStructVariant,
    }

    #[inline]
    fn collect_str<T: std::fmt::Display + ?Sized>(self, value: &T) -> Result<S::Ok, S::Error> {
        self.inner.collect_str(value)
    }

    #[inline]
    fn is_human_readable(&self) -> bool {
        self.inner.is_human_readable()
    }
}

/// What holds other values, and is being written.
pub(super) struct Inside<'a, C> {
    inner: C,
    seen: &'a Seen,
}

impl<'a, C> Inside<'a, C> {
    #[inline]
    fn part<'b, T: ?Sized>(&self, value: &'b T) -> Noticed<'b, T>
    where
        'a: 'b,
    {
        Noticed {
            value,
            seen: self.seen,
            in_some: false,
        }
    }
}

macro_rules! in_rows {
    ($($compound:ident::$method:ident),*) => {
        $(
            impl<C: $compound> $compound for Inside<'_, C> {
                type Ok = C::Ok;
                type Error = C::Error;

                #[inline]
                fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), C::Error> {
                    let part = self.part(value);
                    self.inner.$method(&part)
                }

                #[inline]
                fn end(self) -> Result<C::Ok, C::Error> {
                    self.inner.end()
                }
            }
        )*
    };
}

macro_rules! in_fields {
    ($($compound:ident),*) => {
        $(
            impl<C: $compound> $compound for Inside<'_, C> {
                type Ok = C::Ok;
                type Error = C::Error;

                #[inline]
                fn serialize_field<T: Serialize + ?Sized>(
                    &mut self,
                    key: &'static str,
                    value: &T,
                ) -> Result<(), C::Error> {
                    let part = self.part(value);
                    self.inner.serialize_field(key, &part)
                }

                #[inline]
                fn skip_field(&mut self, key: &'static str) -> Result<(), C::Error> {
                    self.inner.skip_field(key)
                }

                #[inline]
                fn end(self) -> Result<C::Ok, C::Error> {
                    self.inner.end()
                }
            }
        )*
    };
}

in_rows!(
    SerializeSeq::serialize_element,
    SerializeTuple::serialize_element,
    SerializeTupleStruct::serialize_field,
    SerializeTupleVariant::serialize_field
);
in_fields!(SerializeStruct, SerializeStructVariant);

impl<C: SerializeMap> SerializeMap for Inside<'_, C> {
    type Ok = C::Ok;
    type Error = C::Error;

    #[inline]
    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), C::Error> {
        self.inner.serialize_key(key)
    }

    #[inline]
    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), C::Error> {
        let part = self.part(value);
        self.inner.serialize_value(&part)
    }

    #[inline]
    fn end(self) -> Result<C::Ok, C::Error> {
        self.inner.end()
    }
}
