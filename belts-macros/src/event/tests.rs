//! What derives expand to, and that half-typed ones do not panic.

mod attributes;

use quote::quote;

use super::*;

#[test]
fn the_type_is_the_name_in_kebab_case_or_as_given() {
    let text = derive(quote!(
        struct OrderCreated {}
    ))
    .to_string();
    assert!(
        text.contains("const TYPE : & 'static str = \"order-created\""),
        "{text}"
    );
    let text = derive(quote!(
        #[event(type = "a.b")]
        struct OrderCreated {}
    ))
    .to_string();
    assert!(
        text.contains("const TYPE : & 'static str = \"a.b\""),
        "{text}"
    );
}

#[test]
fn helpers_have_the_types_visibility() {
    let text = derive(quote!(
        pub(crate) struct OrderCreated {
            pub id: u8,
        }
    ))
    .to_string();
    assert!(
        text.contains("pub (crate) fn publish_order_created (__belts_event : OrderCreated)"),
        "{text}"
    );
    let text = derive(quote!(
        pub enum Order {
            Created { id: u8, n: u16 },
            Closed,
            Other(Inner),
        }
    ))
    .to_string();
    assert!(
        text.contains("pub fn publish_created (id : u8 , n : u16)"),
        "{text}"
    );
    assert!(text.contains("pub fn publish_closed ()"), "{text}");
    assert!(!text.contains("publish_other"), "{text}");
}

#[test]
fn mistakes_in_options_keep_the_impls() {
    for item in [
        quote!(
            #[event]
            struct A {}
        ),
        quote!(
            #[event(type)]
            struct A {}
        ),
        quote!(
            #[event(type = )]
            struct A {}
        ),
        quote!(
            #[event(key = id)]
            struct A {}
        ),
        quote!(
            #[event(typo = "a")]
            struct A {}
        ),
    ] {
        let text = derive(item).to_string();
        assert!(
            text.contains("EventSet for A") && text.contains("compile_error"),
            "{text}"
        );
    }
}

#[test]
fn serde_attributes_of_variants_reach_the_shadow_structs() {
    let text = derive(quote! {
        #[serde(rename_all_fields = "camelCase", deny_unknown_fields)]
        enum Order { Created { #[serde(default)] order_id: u8 } }
    })
    .to_string();
    let wanted = "# [serde (deny_unknown_fields , rename_all = \"camelCase\")]";
    let swapped = "# [serde (rename_all = \"camelCase\" , deny_unknown_fields)]";
    assert_eq!(
        text.matches(wanted).count() + text.matches(swapped).count(),
        2,
        "{text}"
    );
    assert_eq!(
        text.matches("# [serde (default)] order_id").count(),
        2,
        "{text}"
    );
}

#[test]
fn a_variant_names_its_helper_or_has_none() {
    let text = derive(quote! {
        enum Order { #[event(publish = publish_order_created)] Created {}, #[event(publish = false)] Closed }
    })
    .to_string();
    assert!(text.contains("fn publish_order_created ()"), "{text}");
    assert!(
        !text.contains("publish_created") && !text.contains("publish_closed"),
        "{text}"
    );
}

/// A constant of the user's in the same module was taken for the binding, which then could not be one.
#[test]
fn bindings_have_names_that_no_user_writes() {
    for item in [
        quote!(
            #[event(key = id, validate = check)]
            struct A {
                id: u8,
            }
        ),
        quote!(
            #[event(validate = check)]
            enum A {
                #[event(key = id)]
                B {
                    id: u8,
                },
                C(D),
            }
        ),
    ] {
        let text = derive(item).to_string();
        for word in [
            "event",
            "event_type",
            "payload",
            "checked",
            "reason",
            "value",
        ] {
            for binding in [
                format!("({word} :"),
                format!("| {word} |"),
                format!("({word})"),
            ] {
                assert!(!text.contains(&binding), "{binding} {text}");
            }
        }
    }
}
