//! One line for each row, in the one format that tools read.

/// A measured row.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) value: f64,
    pub(crate) unit: &'static str,
    /// The raw limit in the same unit, where there is one.
    pub(crate) limit: Option<f64>,
    pub(crate) target: Target,
}

/// What must be reached.
#[derive(Clone, Copy)]
pub(crate) enum Target {
    /// The value is at most so many times the limit.
    TimesAtMost(f64),
    /// The value is at least so many times the limit.
    TimesAtLeast(f64),
    /// The value is at most this.
    AtMost(f64),
    /// The value is at least this.
    AtLeast(f64),
}

impl Row {
    /// Prints `bench <name> <value> <unit> limit <raw> ratio <value/raw> target <target> <met|missed>`.
    pub(crate) fn print(&self) {
        let Self {
            name, value, unit, ..
        } = self;
        let limit = self.limit.map_or_else(|| "-".into(), short);
        let ratio = self
            .ratio()
            .map_or_else(|| "-".into(), |ratio| format!("{ratio:.2}"));
        let verdict = if self.is_met() { "met" } else { "missed" };
        println!(
            "bench {name} {} {unit} limit {limit} ratio {ratio} target {} {verdict}",
            short(*value),
            self.target.text()
        );
    }

    fn ratio(&self) -> Option<f64> {
        self.limit.map(|limit| self.value / limit)
    }

    fn is_met(&self) -> bool {
        match self.target {
            Target::TimesAtMost(most) => self.ratio().is_some_and(|ratio| ratio <= most),
            Target::TimesAtLeast(least) => self.ratio().is_some_and(|ratio| ratio >= least),
            Target::AtMost(most) => self.value <= most,
            Target::AtLeast(least) => self.value >= least,
        }
    }
}

impl Target {
    fn text(self) -> String {
        match self {
            Self::TimesAtMost(times) => format!("<={times}x"),
            Self::TimesAtLeast(times) => format!(">={times}x"),
            Self::AtMost(most) => format!("<={}", short(most)),
            Self::AtLeast(least) => format!(">={}", short(least)),
        }
    }
}

/// Three digits that matter, or all before the point.
fn short(value: f64) -> String {
    match value.abs() {
        small if small < 10.0 => format!("{value:.3}"),
        middling if middling < 100.0 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}
