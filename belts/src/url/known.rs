//! Tables of what a URL can name. The parser, the messages and the tests of the docs read the same table.

/// A store or a dispatcher that belts knows, with what reads its URLs.
pub(crate) struct Known<R> {
    pub(crate) name: &'static str,
    pub(crate) schemes: &'static [&'static str],
    /// The feature that a program needs for it.
    pub(crate) feature: Option<&'static str>,
    /// Suggested where a URL is wrong; the docs list the first.
    pub(crate) examples: &'static [&'static str],
    /// `None` in a program without the feature.
    pub(crate) read: Option<R>,
}

/// What reads a URL, or what is wrong with it. URLs of servers hold passwords, so only the scheme is repeated.
pub(crate) fn find<'a, R>(table: &'a [Known<R>], what: &str, url: &str) -> Result<&'a R, String> {
    let scheme = url.split(':').next().unwrap_or_default();
    let Some(known) = table.iter().find(|known| known.schemes.contains(&scheme)) else {
        return Err(format!(
            "names no {what} that belts knows; use {}",
            examples(table)
        ));
    };
    known.read.as_ref().ok_or_else(|| {
        format!(
            "asks for `{scheme}`, and the {} {what} is left out of this program: turn on the feature `{}` of belts",
            known.name,
            known.feature.unwrap_or_default()
        )
    })
}

/// "`a`, `b` or `c`".
fn examples<R>(table: &[Known<R>]) -> String {
    let all = table.iter().flat_map(|known| known.examples);
    let all: Vec<String> = all.map(|example| format!("`{example}`")).collect();
    match all.split_last() {
        Some((last, others)) if !others.is_empty() => format!("{} or {last}", others.join(", ")),
        _ => all.concat(),
    }
}

#[cfg(test)]
impl<R> Known<R> {
    /// Fails if the rows of a table in the docs, which begin with a name, an example and a feature, are not those of this table.
    pub(crate) fn assert_listed(table: &[Self], page: &str, variable: &str) {
        let header = format!("`{variable}` | feature |");
        let rows = page.lines().skip_while(|line| !line.contains(&header));
        let rows: Vec<Vec<&str>> = rows
            .skip(2)
            .take_while(|line| line.starts_with('|'))
            .map(|line| line.split('|').map(str::trim).skip(2).take(2).collect())
            .filter(|cells: &Vec<&str>| cells[0] != "–")
            .collect();
        assert_eq!(rows.len(), table.len(), "{rows:?}");
        for known in table {
            let example = format!("`{}`", known.examples[0]);
            let feature = known
                .feature
                .map_or_else(|| "–".to_owned(), |name| format!("`{name}`"));
            let is_listed = rows
                .iter()
                .any(|cells| cells[0] == example && cells[1].starts_with(&feature));
            assert!(is_listed, "no row has {example} and {feature}: {rows:?}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: [Known<()>; 2] = [
        Known {
            name: "Memory",
            schemes: &["memory"],
            feature: None,
            examples: &["memory:"],
            read: Some(()),
        },
        Known {
            name: "Postgres",
            schemes: &["postgres", "postgresql"],
            feature: Some("postgres"),
            examples: &["postgres://host/a", "postgres://host/b"],
            read: None,
        },
    ];

    #[test]
    fn an_unknown_scheme_is_answered_with_the_known_urls() {
        assert_eq!(
            find(&TABLE, "store", "mysql://ada:hunter2@host").unwrap_err(),
            "names no store that belts knows; use `memory:`, `postgres://host/a` or `postgres://host/b`"
        );
        assert_eq!(find(&TABLE, "store", "memory:"), Ok(&()));
    }

    #[test]
    fn what_is_left_out_names_its_feature() {
        assert_eq!(
            find(&TABLE, "store", "postgresql://ada:hunter2@host").unwrap_err(),
            "asks for `postgresql`, and the Postgres store is left out of this program: turn on the feature `postgres` of belts"
        );
    }
}
