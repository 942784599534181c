// Events where nothing is in scope.
#![no_implicit_prelude]
#![forbid(unsafe_code)]
#![deny(warnings)]

#[derive(::serde::Serialize, ::serde::Deserialize, ::belts::Event)]
#[event(key = id, validate = check)]
pub struct Ordered {
    pub id: ::std::string::String,
}

fn check(_: &Ordered) -> ::core::result::Result<(), &'static str> {
    ::core::result::Result::Ok(())
}

#[derive(::belts::Event)]
#[event(validate = check_all)]
pub enum OrderEvent {
    Marked {
        #[serde(skip_serializing_if = "::core::ops::Not::not")]
        gift: bool,
    },
    Ordered(Ordered),
    Closed,
}

fn check_all(_: &OrderEvent) -> ::core::result::Result<(), &'static str> {
    ::core::result::Result::Ok(())
}

fn main() {}
