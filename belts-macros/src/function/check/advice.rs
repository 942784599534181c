//! What to say of what differs from run to run, and what to write instead.

use proc_macro2::TokenStream;

use super::sources::Kind;
use crate::names::spelled;

/// What changes what it is given, or gives what borrows from it: a step cannot record that.
const BORROW: [&str; 5] = [
    "choice",
    "choose_multiple",
    "fill",
    "random_iter",
    "shuffle",
];

/// Draw one of a kind, and are given nothing.
const DRAW_ONE: [&str; 8] = [
    "alphabetic",
    "alphanumeric",
    "bool",
    "f32",
    "f64",
    "lowercase",
    "random",
    "uppercase",
];

/// Where a source stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Place {
    /// Where something can be awaited.
    #[default]
    Here,
    /// In a closure that is called here.
    Closure,
    /// By its name, in a call that calls it.
    Given,
}

/// A call that is reported, as it is to be shown.
#[derive(Debug)]
pub(super) struct Call<'a> {
    pub(super) path: &'a str,
    /// As far as they are known.
    pub(super) arguments: Option<&'a TokenStream>,
    pub(super) place: Place,
    /// Where `volatile!` is.
    pub(super) krate: &'a str,
}

impl Call<'_> {
    pub(super) fn message(&self, kind: Kind) -> String {
        let why = match kind {
            Kind::Time => "gives another time whenever the run resumes",
            Kind::Elapsed => "reads the clock, which gives another time whenever the run resumes",
            Kind::Instant => {
                "gives another time whenever the run resumes, and an `Instant` cannot be recorded"
            }
            Kind::Id => "gives another id whenever the run resumes",
            Kind::Random | Kind::Generator(_) => "draws anew whenever the run resumes",
            Kind::Variable | Kind::Variables => {
                "may differ in the process in which the run resumes"
            }
            Kind::Sleep | Kind::SleepUntil | Kind::Timeout | Kind::Interval => {
                "begins anew whenever the run resumes"
            }
        };
        let (path, instead, meant) = (self.path, self.instead(kind), self.meant(kind));
        format!("`{path}` outside a step {why}; {instead} `{meant}` where that is meant")
    }

    /// What to write instead, up to the last "or".
    fn instead(&self, kind: Kind) -> String {
        let (call, krate) = (self.written(kind), self.krate);
        let place = match self.place {
            Place::Here => "",
            Place::Closure => " before this closure",
            Place::Given => " before this call",
        };
        let write = |what: &str| format!("write {what}{place}, or");
        let step = |key: &str, expr: &str| write(&format!("`step!(\"{key}\", {expr}).await?`"));
        match kind {
            Kind::Time => step("now", &call),
            Kind::Elapsed => step("elapsed", &call),
            Kind::Instant => step("now", "SystemTime::now()"),
            Kind::Id => step("id", &call),
            Kind::Random if self.borrows(&call) => {
                format!(
                    "write `step!(\"random\", draw()).await?`{place} with an fn that returns what it draws, or"
                )
            }
            Kind::Random => step("random", &call),
            Kind::Generator(draw) => step("random", draw),
            // The journal is no place for a password.
            Kind::Variable => {
                let unset = if self.name() == "var" { ".ok()" } else { "" };
                format!(
                    "read it at start and pass it as `{krate}::State`, or write `step!(\"variable\", {call}{unset}).await?`{place} if it \
                     is no secret, or"
                )
            }
            Kind::Variables => {
                format!("read what you need at start and pass it as `{krate}::State`, or write")
            }
            Kind::SleepUntil => write("`sleep_until!(\"pause\", time).await?` with a `SystemTime`"),
            Kind::Sleep => write("`sleep!(\"pause\", \"10m\").await?`"),
            Kind::Timeout => format!(
                "write `step!(\"work\", work(), timeout = \"30s\").await?`{place}, or a `race!` with a `sleep!`, or"
            ),
            Kind::Interval => write("a loop with `sleep!(\"tick-{n}\", \"10m\").await?`"),
        }
    }

    /// The last part of the path.
    fn name(&self) -> &str {
        let path = self.path.split("::<").next().unwrap_or_default();
        path.rsplit("::").next().unwrap_or_default()
    }

    fn borrows(&self, call: &str) -> bool {
        BORROW.contains(&self.name()) || call.contains("&mut") || call.contains('…')
    }

    /// The call in `volatile!`.
    fn meant(&self, kind: Kind) -> String {
        let (krate, call) = (self.krate, self.written(kind));
        let parameters = match (self.place, call.ends_with("()")) {
            (Place::Given, true) => "|| ",
            (Place::Given, false) => "|x| ",
            _ => "",
        };
        let call = match self.place {
            Place::Given => call.replace('…', "x"),
            _ => call,
        };
        format!("{parameters}{krate}::volatile!({call})")
    }

    /// Whether the fn is called without arguments, where only its name is known.
    fn takes_nothing(&self, kind: Kind) -> bool {
        match kind {
            Kind::Time | Kind::Instant | Kind::Id | Kind::Generator(_) | Kind::Variables => true,
            Kind::Random => DRAW_ONE.contains(&self.name()),
            _ => false,
        }
    }

    /// The call as it is written, unless that is long.
    fn written(&self, kind: Kind) -> String {
        let path = self.path;
        let arguments = match self.arguments {
            Some(arguments) => spelled(arguments),
            None if self.takes_nothing(kind) => String::new(),
            None => "…".to_owned(),
        };
        if arguments.chars().count() > 40 || arguments.contains('\n') {
            return format!("{path}(…)");
        }
        format!("{path}({arguments})")
    }
}
