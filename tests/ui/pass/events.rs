// What events may be made of: checks, generic fns of serde's attributes, names that others have, what is deprecated.
#![forbid(unsafe_code)]
#![deny(warnings)]
#![allow(dead_code, non_upper_case_globals, non_camel_case_types)]

fn main() {}

/// `validate` on an enum did not compile.
mod validated {
    use belts::Event;
    use serde::{Deserialize, Serialize};

    #[derive(Serialize, Deserialize, Event)]
    #[event(validate = odd)]
    struct Inner {
        n: u32,
    }

    fn odd(inner: &Inner) -> Result<(), &'static str> {
        if inner.n % 2 == 1 { Ok(()) } else { Err("even") }
    }

    #[derive(Serialize, Deserialize, Event)]
    struct Other {}

    #[derive(Event)]
    #[event(validate = all)]
    enum All {
        Own { a: u32 },
        Unit,
        Inner(Inner),
        Boxed(Box<Other>),
    }

    fn all(_: &All) -> Result<(), &'static str> {
        Ok(())
    }

    #[derive(Event)]
    #[event(validate = Around::check_all)]
    enum Around {
        Inner(Inner),
    }

    impl Around {
        fn check_all(&self) -> Result<(), String> {
            Ok(())
        }
    }
}

/// The fns of a variant's fields saw a reference where those of a struct's saw the value.
mod generic_fns {
    use belts::Event;
    use serde::{Serialize, Serializer};

    fn is_default<T: Default + PartialEq>(value: &T) -> bool {
        *value == T::default()
    }

    fn doubled<T: Clone + Serialize, S: Serializer>(value: &T, out: S) -> Result<S::Ok, S::Error> {
        (value.clone(), value).serialize(out)
    }

    #[derive(Event)]
    enum Sparse {
        A {
            #[serde(skip_serializing_if = "std::ops::Not::not", default)]
            gift: bool,
            #[serde(skip_serializing_if = "is_default", default)]
            list: Vec<u32>,
        },
        B {
            #[serde(skip_serializing_if = "Vec::is_empty", default)]
            list: Vec<u32>,
            #[serde(serialize_with = "doubled")]
            r#match: u32,
        },
    }
}

/// A constant in scope was taken for a binding of the generated code.
mod names_that_others_have {
    use belts::Event;
    use serde::{Deserialize, Serialize};

    const event: u32 = 1;
    const event_type: u32 = 1;
    const payload: u32 = 1;
    const checked: u32 = 1;
    const reason: u32 = 1;
    static value: u32 = 1;
    struct output;

    fn parcel() {}

    #[derive(Event)]
    #[event(validate = any)]
    enum Parcels {
        Sent {
            parcel: String,
        },
        #[event(key = r#match)]
        Kept {
            r#match: u32,
        },
    }

    fn any(_: &Parcels) -> Result<(), String> {
        Ok(())
    }

    #[derive(Serialize, Deserialize, Event)]
    #[event(validate = fine)]
    struct Own {}

    fn fine(_: &Own) -> Result<(), String> {
        Ok(())
    }
}

/// The generated code named what is deprecated, and was warned of it.
mod deprecated_ones {
    use belts::Event;
    use serde::{Deserialize, Serialize};

    #[derive(Event)]
    enum Parts {
        #[deprecated]
        Variant { x: u32 },
        Field {
            #[deprecated]
            y: u32,
        },
    }

    #[deprecated]
    #[derive(Event)]
    enum Whole {
        Some { x: u32 },
    }

    #[deprecated(note = "publish another")]
    #[derive(Serialize, Deserialize, Event)]
    struct Old {
        x: u32,
    }
}

/// Serde's derives read the path of serde from a string, which cannot hold this one.
mod by_dollar_crate {
    pub mod kit {
        pub use belts;
    }

    macro_rules! events {
        ($one:ident, $any:ident) => {
            #[derive(serde::Serialize, serde::Deserialize, belts::Event)]
            #[event(crate = $crate::by_dollar_crate::kit::belts)]
            pub struct $one {
                pub x: u32,
            }

            #[derive(belts::Event)]
            #[event(crate = $crate::by_dollar_crate::kit::belts)]
            pub enum $any {
                Own {
                    #[serde(skip_serializing_if = "Option::is_none")]
                    x: Option<u32>,
                },
                $one($one),
            }
        };
    }

    events!(One, Any);
}

/// Both had a helper of one name.
mod two_enums_with_one_variant {
    use belts::Event;

    #[derive(Event)]
    enum OrderEvent {
        #[event(type = "order.created")]
        Created { id: u32 },
    }

    #[derive(Event)]
    enum UserEvent {
        #[event(type = "user.created", publish = publish_user_created)]
        Created { id: u32 },
    }

    #[derive(Event)]
    enum CartEvent {
        #[event(type = "cart.created", publish = false)]
        Created { id: u32 },
    }

    fn both() {
        drop((publish_created(1), publish_user_created(2)));
    }
}

/// `Self` in a variant was another type in the struct that stands for it.
mod of_itself {
    use belts::Event;
    use serde::{Deserialize, Serialize};

    #[derive(Serialize, Deserialize, Event)]
    enum Tree {
        Node {
            children: Vec<Self>,
            named: Vec<(Option<Box<Self>>, u8)>,
        },
        Leaf,
    }
}

/// The order of serde's attributes counted, and a rule for one direction stands beside one for the other.
mod renamed {
    use belts::Event;

    #[derive(Event)]
    #[serde(deny_unknown_fields, rename_all_fields = "camelCase")]
    enum One {
        A { order_id: u32 },
    }

    #[derive(Event)]
    #[serde(rename_all_fields(serialize = "camelCase"), tag = "type")]
    enum Two {
        B {
            order_id: u32,
        },
        #[serde(rename_all(deserialize = "UPPERCASE"))]
        C {
            order_id: u32,
        },
    }
}
