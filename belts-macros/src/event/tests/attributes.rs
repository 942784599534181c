//! That no attribute of an event is ignored, and what is said of those that do not count.

use proc_macro2::TokenStream;
use quote::quote;

use super::derive;

/// Every attribute that serde knows at some place, one that it does not, and a value for each.
fn serde_attributes() -> Vec<TokenStream> {
    let words = [
        "default",
        "deny_unknown_fields",
        "flatten",
        "other",
        "skip",
        "skip_serializing",
        "skip_deserializing",
        "transparent",
        "untagged",
        "variant_identifier",
        "field_identifier",
        "non_exhaustive",
        "borrow",
        "nonsense",
    ];
    let pairs = [
        "rename",
        "rename_all",
        "rename_all_fields",
        "alias",
        "tag",
        "content",
        "bound",
        "remote",
        "from",
        "try_from",
        "into",
        "crate",
        "expecting",
        "skip_serializing_if",
        "serialize_with",
        "deserialize_with",
        "with",
        "getter",
    ];
    let name = |word: &str| -> TokenStream { word.parse().expect("a word") };
    let words = words.into_iter().map(|word| {
        let word = name(word);
        quote!(#[serde(#word)])
    });
    let pairs = pairs.into_iter().map(|pair| {
        let pair = name(pair);
        quote!(#[serde(#pair = "camelCase")])
    });
    words.chain(pairs).collect()
}

fn event_attributes() -> Vec<TokenStream> {
    vec![
        quote!(#[event]),
        quote!(#[event(key)]),
        quote!(#[event(key = order_id)]),
        quote!(#[event(type = "other")]),
        quote!(#[event(validate = path)]),
        quote!(#[event(crate = path)]),
        quote!(#[event(publish = false)]),
        quote!(#[event(nonsense)]),
        quote!(#[event(nonsense = 3)]),
    ]
}

/// `#[event(key)]` on a field and most of serde's attributes on enums and variants had no effect, and nobody was told.
#[test]
fn no_attribute_is_ignored_wherever_it_stands() {
    let on_enum = |attribute: &TokenStream| {
        [
            quote!(#attribute enum A { B { order_id: u8 } }),
            quote!(enum A { #attribute B { order_id: u8 } }),
            quote!(enum A { B { #attribute order_id: u8 } }),
            quote!(enum A { #attribute B(C) }),
            quote!(enum A { B(#attribute C) }),
        ]
    };
    let on_struct = |attribute: &TokenStream| {
        [
            quote!(#attribute struct A { order_id: u8 }),
            quote!(struct A { #attribute order_id: u8 }),
        ]
    };
    let differs = |with: TokenStream, without: TokenStream| {
        let item = with.to_string();
        let (with, without) = (derive(with).to_string(), derive(without).to_string());
        assert!(with != without, "{item} is as if nothing stood there");
    };
    let none = TokenStream::new();
    let of_event = event_attributes();
    for attribute in serde_attributes().iter().chain(&of_event) {
        for (with, without) in on_enum(attribute).into_iter().zip(on_enum(&none)) {
            differs(with, without);
        }
    }
    // Serde's attributes on a struct are for serde's own derives, which say what they do not know.
    for attribute in &of_event {
        for (with, without) in on_struct(attribute).into_iter().zip(on_struct(&none)) {
            differs(with, without);
        }
    }
}

#[test]
fn serde_attributes_without_effect_are_answered_with_what_to_write() {
    for (item, answer) in [
        (
            quote!(
                enum A {
                    #[serde(rename = "order.gone")]
                    B { id: u8 },
                }
            ),
            "write `#[event(type = \\\"order.gone\\\")]`",
        ),
        (
            quote!(
                #[serde(rename_all = "snake_case")]
                enum A {
                    B { id: u8 },
                }
            ),
            "and `rename_all_fields` for their fields",
        ),
        (
            quote!(
                #[serde(tag = "kind")]
                enum A {
                    B { id: u8 },
                }
            ),
            "the event type is always in `type`",
        ),
        (
            quote!(
                enum A {
                    #[serde(skip)]
                    B { id: u8 },
                }
            ),
            "move what is not an event out of the enum",
        ),
        (
            quote!(
                #[serde(rename_all_field = "camelCase")]
                enum A {
                    B { id: u8 },
                }
            ),
            "did you mean `rename_all_fields`?",
        ),
        (
            quote!(
                #[serde(rename_all_fields)]
                enum A {
                    B { id: u8 },
                }
            ),
            "`rename_all_fields` needs a rule",
        ),
        (
            quote!(
                enum A {
                    B(#[serde(default)] C),
                }
            ),
            "a variant that wraps an event is serialized as that event",
        ),
        (
            quote!(
                struct A {
                    #[event(key)]
                    order_id: u8,
                }
            ),
            "write the key on the struct: `#[event(key = order_id)]`",
        ),
    ] {
        let text = derive(item).to_string();
        assert!(text.contains(answer), "{answer}: {text}");
    }
    // It says what is so.
    let text = derive(quote!(
        #[serde(tag = "type")]
        enum A {
            B { id: u8 },
        }
    ))
    .to_string();
    assert!(!text.contains("compile_error"), "{text}");
}

#[test]
fn nothing_is_written_or_read_as_type() {
    let refused = [
        "struct A { r#type: u8 }",
        "struct A { #[serde(rename(deserialize = \"type\"))] n: u8 }",
        "struct A { #[serde(rename(serialize = \"kind\"))] r#type: u8 }",
        "struct A { #[serde(alias = \"type\")] n: u8 }",
        "#[serde(rename_all = \"camelCase\")] struct A { type_: u8 }",
        "#[serde(tag = \"type\")] struct A { n: u8 }",
        "#[serde(rename_all_fields = \"camelCase\")] enum A { B { type_: u8 } }",
        "enum A { #[serde(rename_all = \"camelCase\")] B { _type: u8 } }",
    ];
    let accepted = [
        "struct A { #[serde(skip)] r#type: u8 }",
        "struct A { #[serde(flatten)] r#type: B }",
        "struct A { #[serde(rename = \"kind\")] r#type: u8 }",
        "#[serde(rename_all = \"PascalCase\")] struct A { type_: u8 }",
        "#[serde(tag = \"kind\")] struct A { n: u8 }",
    ];
    let is_refused = |item: &str| {
        let item: TokenStream = item.parse().expect("an item");
        derive(item).to_string().contains("compile_error")
    };
    for item in refused {
        assert!(is_refused(item), "{item}");
    }
    for item in accepted {
        assert!(!is_refused(item), "{item}");
    }
}
