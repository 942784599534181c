//! What this build of the program is called, where nobody says so: by the versions of the packages that its functions are in.

use std::{collections::BTreeMap, sync::Arc};

use super::Registry;

/// The most bytes of a name.
const MOST: usize = 100;

impl Registry {
    /// The version of the package, or, where several packages have several versions, each with its name.
    pub(crate) fn build(&self) -> Option<Arc<str>> {
        let functions = self.functions.iter().map(|function| function.def);
        let packages: BTreeMap<&str, &str> =
            functions.map(|def| (def.package, def.version)).collect();
        name(&packages)
    }
}

fn name(packages: &BTreeMap<&str, &str>) -> Option<Arc<str>> {
    let first = packages
        .values()
        .next()
        .filter(|version| !version.is_empty())?;
    if packages.values().all(|version| version == first) {
        return Some(Arc::from(*first));
    }
    let named = packages
        .iter()
        .map(|(package, version)| format!("{package} {version}"));
    let mut name = named.collect::<Vec<_>>().join(", ");
    while name.len() > MOST {
        // A comma is found: no package and version are as long together.
        name.truncate(name.rfind(", ").unwrap_or(0));
    }
    Some(name.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_version_is_the_name_and_several_come_with_their_packages() {
        let name = |packages: &[(&'static str, &'static str)]| {
            name(&packages.iter().copied().collect()).map(|name| name.to_string())
        };
        assert_eq!(name(&[]), None);
        assert_eq!(name(&[("shop", "1.2.0")]).as_deref(), Some("1.2.0"));
        let same = [("billing", "1.2.0"), ("shop", "1.2.0")];
        assert_eq!(name(&same).as_deref(), Some("1.2.0"));
        let two = [("shop", "1.2.0"), ("billing", "0.3.1")];
        assert_eq!(name(&two).as_deref(), Some("billing 0.3.1, shop 1.2.0"));
    }
}
