//! The macros, their names and an example of each.

/// Which of the macros.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Macro {
    Step,
    Sleep,
    SleepUntil,
    Wait,
    Callback,
    Call,
    Start,
    Race,
    Scope,
    Transaction,
}

impl Macro {
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        match name {
            "step" => Some(Self::Step),
            "sleep" => Some(Self::Sleep),
            "sleep_until" => Some(Self::SleepUntil),
            "wait" => Some(Self::Wait),
            "callback" => Some(Self::Callback),
            "call" => Some(Self::Call),
            "start" => Some(Self::Start),
            "race" => Some(Self::Race),
            "scope" => Some(Self::Scope),
            "transaction" => Some(Self::Transaction),
            _ => None,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Step => "step!",
            Self::Sleep => "sleep!",
            Self::SleepUntil => "sleep_until!",
            Self::Wait => "wait!",
            Self::Callback => "callback!",
            Self::Call => "call!",
            Self::Start => "start!",
            Self::Race => "race!",
            Self::Scope => "scope!",
            Self::Transaction => "transaction!",
        }
    }

    /// A whole call, for messages.
    pub(crate) fn example(self) -> &'static str {
        match self {
            Self::Step => "step!(\"charge-payment\", charge(&order))",
            Self::Sleep => "sleep!(\"cool-off\", \"10m\")",
            Self::SleepUntil => "sleep_until!(\"opening\", time)",
            Self::Wait => "wait!(\"payment\", OrderPaid, key = &order.order_id)",
            Self::Callback => "callback!(\"approval\", Decision)",
            Self::Call => "call!(\"pay\", charge_order(payment))",
            Self::Start => "start!(\"audit\", audit_order(request))",
            Self::Race => {
                "race!(\"answer\", { paid = wait!(…) => …, late = sleep!(\"late\", \"3d\") => … })"
            }
            Self::Scope => "scope!(\"parcel-{n}\", ship_parcel(&order, n))",
            Self::Transaction => "transaction!(\"debit\", async |tx| { … })",
        }
    }
}
