//! What a worker says when it begins to serve.

use std::{
    collections::BTreeMap,
    fmt,
    io::{self, Write as _},
    net::SocketAddr,
    path::PathBuf,
};

use crate::{
    http::development,
    registry::Registered,
    serve::Place,
    worker::{
        Worker,
        announce::{events, no_functions, options, tell_of_functions},
    },
};

/// Tells the log, or whoever watches the terminal where there is no log.
///
/// `open` says that whoever reaches the place reaches the router, and not an application that has it somewhere.
pub(crate) fn announce(worker: &Worker, place: &Place, open: bool) {
    let summary = Summary {
        worker,
        place,
        open,
    };
    if !tracing::dispatcher::has_been_set() {
        // In one write, and whoever reads it may have gone.
        let _ = io::stderr().write_all(summary.to_string().as_bytes());
        return;
    }
    let shared = worker.shared();
    let functions = shared.registry.functions().len();
    let address = place.address.map(tracing::field::display);
    let socket = place.address.is_none().then_some(place.shown.as_str());
    tracing::info!(address, socket, store = %shared.http.store, functions, "belts listens");
    if let Some(file) = token_file(worker) {
        tracing::info!(file = %file.display(), "made a token for inspection");
    }
    #[cfg(feature = "dashboard")]
    if let Some(url) = dashboard(worker, place, open) {
        tracing::info!(%url, "serves the dashboard");
        // Its code is for whoever watches, and for no log.
        if let Some(link) = link(worker, &url) {
            let _ = writeln!(io::stderr(), "dashboard: {link}");
        }
    }
    tell_of_functions(shared);
    for note in summary.notes() {
        tracing::warn!("{note}");
    }
}

/// The file with the token that was made for development.
fn token_file(worker: &Worker) -> Option<PathBuf> {
    let http = &worker.shared().http;
    http.made_token.get()?;
    http.store_file.as_deref().map(development::beside)
}

/// Where the dashboard is, on a machine for development.
#[cfg(feature = "dashboard")]
fn dashboard(worker: &Worker, place: &Place, open: bool) -> Option<String> {
    let http = &worker.shared().http;
    let is_for_development = http.made_token.get().is_some() || http.inspection_local;
    let address = place.address.filter(|_| open && is_for_development)?;
    Some(format!("http://{address}/ui"))
}

/// A link that signs in once, if a person watches.
#[cfg(feature = "dashboard")]
fn link(worker: &Worker, url: &str) -> Option<String> {
    use std::io::IsTerminal as _;

    let http = &worker.shared().http;
    let signs_in = http.made_token.get().is_some() && io::stderr().is_terminal();
    signs_in.then(|| {
        let code = http.ui.once.make(worker.now(), "the terminal");
        format!("{url}/sign-in?once={code}")
    })
}

/// The start, for a person to read.
struct Summary<'a> {
    worker: &'a Worker,
    place: &'a Place,
    open: bool,
}

impl Summary<'_> {
    /// What is missing, and what to do about it.
    fn notes(&self) -> Vec<&'static str> {
        let shared = self.worker.shared();
        let local = |address: SocketAddr| address.ip().to_canonical().is_loopback();
        let local = self.place.address.is_none_or(local);
        let mut notes = Vec::new();
        if !shared.store.capabilities().durable {
            notes.push(
                "the store is lost when this process ends, and every run with it; one at `sqlite://belts.db` is kept",
            );
        }
        match (self.open && !shared.verifies(), local) {
            (true, true) => notes.push("no signing key: whoever runs on this machine can start functions; BELTS_SIGNING_KEYS sets one"),
            (true, false) => notes.push("no signing key: whoever reaches this address can start functions; BELTS_SIGNING_KEYS sets one"),
            (false, _) => {}
        }
        if shared.registry.functions().is_empty() {
            notes.push(no_functions(shared.http.picked));
        }
        notes
    }
}

impl fmt::Display for Summary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shared = self.worker.shared();
        let functions = shared.registry.functions();
        writeln!(
            f,
            "belts {} listens on {}",
            env!("CARGO_PKG_VERSION"),
            self.place.shown
        )?;
        if let Some(url) = &shared.http.url {
            writeln!(f, "  url        {url}")?;
        }
        writeln!(f, "  store      {}", shared.http.store)?;
        if let Some(file) = token_file(self.worker) {
            writeln!(f, "  inspection its token is in {}", file.display())?;
        }
        #[cfg(feature = "dashboard")]
        if let Some(url) = dashboard(self.worker, self.place, self.open) {
            let link = link(self.worker, &url).unwrap_or(url);
            writeln!(f, "  dashboard  {link}")?;
        }
        if let Some(dispatcher) = &shared.dispatcher {
            writeln!(f, "  dispatcher {dispatcher:?}")?;
        }
        writeln!(f, "  functions  {}", counted(functions))?;
        let width = functions
            .iter()
            .map(|function| function.id.len())
            .max()
            .unwrap_or(0);
        for function in functions {
            let line = format!(
                "    {:width$}  on {}  {}",
                function.id,
                events(function),
                options(function)
            );
            writeln!(f, "{}", line.trim_end())?;
        }
        for note in self.notes() {
            writeln!(f, "  note: {note}")?;
        }
        Ok(())
    }
}

/// How many functions there are, and how many of them each package has: one that is missing is not linked in.
fn counted(functions: &[Registered]) -> String {
    let mut packages = BTreeMap::<&str, usize>::new();
    for function in functions {
        *packages.entry(function.def.package).or_default() += 1;
    }
    let each: Vec<_> = packages
        .iter()
        .map(|(package, count)| format!("{count} of {package}"))
        .collect();
    match each.len() {
        0 => "0".to_owned(),
        _ => format!("{} ({})", functions.len(), each.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{function::FunctionDef, registry::Registry};

    const fn def(id: &'static str, package: &'static str) -> FunctionDef {
        FunctionDef {
            id,
            events: &[&["ping"]],
            package,
            ..FunctionDef::BLANK
        }
    }

    static CHARGE: FunctionDef = def("charge", "payments");
    static REFUND: FunctionDef = def("refund", "payments");
    static SHIP: FunctionDef = def("ship", "warehouse");

    /// A crate that was only in Cargo.toml lost its functions, and the start did not show whose were found.
    #[test]
    fn the_start_says_how_many_functions_each_package_has() {
        let registry = Registry::of([&SHIP, &CHARGE, &REFUND]).expect("three ids");
        assert_eq!(
            counted(registry.functions()),
            "3 (2 of payments, 1 of warehouse)"
        );
        assert_eq!(counted(&[]), "0");
    }
}
