//! The variables that belts reads: their names, defaults and meanings. The readers, the warning of unknown ones, the documentation
//! of `Worker::from_env` and the tests of the other pages use this table.

use super::variable::Variable;

macro_rules! table {
    (
        worker { $($constant:ident: $name:literal $($default:literal)?, $text:literal;)* }
        program { $($other:ident: $other_name:literal, $other_text:literal;)* }
    ) => {
        $(pub(crate) const $constant: Variable = Variable {
            name: $name,
            default: table!(@default $($default)?),
            #[cfg(test)]
            text: $text,
        };)*
        $(pub(crate) const $other: Variable = Variable {
            name: $other_name,
            default: None,
            #[cfg(test)]
            text: $other_text,
        };)*
        /// Those that set up a worker.
        #[cfg(test)]
        const OF_WORKERS: &[Variable] = &[$($constant),*];
        /// Every variable.
        pub(super) const ALL: &[Variable] = &[$($constant,)* $($other),*];
        /// Those that set up a worker, as a table for rustdoc.
        macro_rules! variables_of_workers {
            () => {
                concat!(
                    "| variable | default | |\n|---|---|---|\n",
                    $("| `", $name, "` | ", $crate::environment::shown_default!($($default)?), " | ", $text, " |\n"),*
                )
            };
        }
        pub(crate) use variables_of_workers;
    };
    (@default $default:literal) => { Some($default) };
    (@default) => { None };
}

/// A default as tables show it.
macro_rules! shown_default {
    ($default:literal) => {
        concat!("`", $default, "`")
    };
    () => {
        "none"
    };
}
pub(crate) use shown_default;

table! {
    worker {
        STORE: "BELTS_STORE" "sqlite://belts.db",
            "where runs are kept: `postgres://user:password@host/database` (feature `postgres`), `redis://:password@host:6379` (feature `redis`), `memory:`; [their options](crate::store)";
        ADDR: "BELTS_ADDR" "127.0.0.1:8787",
            "where `serve` listens; any address but loopback, or a public `BELTS_URL`, needs a signing key, QStash's keys or `BELTS_INSECURE=1`";
        URL: "BELTS_URL",
            "the public URL at which the worker is mounted, to which dispatchers post and with which the URLs of callbacks begin";
        CONCURRENCY: "BELTS_CONCURRENCY" "64",
            "runs driven at once";
        MAX_CRASHES: "BELTS_MAX_CRASHES" "5",
            "how often in a row a worker may lose a run (its process died, or its lease expired) with nothing new recorded before the run fails";
        SIGNING_KEYS: "BELTS_SIGNING_KEYS",
            "comma-separated; deliveries must be signed by one of them ([Standard Webhooks](https://www.standardwebhooks.com)), and the first signs";
        ENCRYPTION_KEYS: "BELTS_ENCRYPTION_KEYS",
            "comma-separated `id:key`, each key 32 bytes as base64 (feature `encryption`); the first encrypts what users write, and all decrypt: [secrets](crate::guide::secrets)";
        INSPECTION_TOKEN: "BELTS_INSPECTION_TOKEN",
            "allows whoever has it to [inspect and change runs](crate::guide::inspection) over HTTP; without it nobody may, except with the token that `serve` makes on a development machine";
        INSPECTION: "BELTS_INSPECTION",
            "`local` declares a development machine, on which local requests may inspect without a token";
        INSECURE: "BELTS_INSECURE" "off",
            "`1` accepts deliveries without a key, in the router and on a public address";
        BUILD: "BELTS_BUILD",
            "what this build of the program is called, such as a commit, where it is not the version of its package; [runs](crate::guide::deploying) keep the one that began them";
        CHECK: "BELTS_CHECK" "off",
            "`1` [checks](crate::guide::deploying) the runs in flight against this program in place of starting it, writes nothing, and ends with 0 or 1";
        CHECK_MOST: "BELTS_CHECK_MOST" "1000",
            "the most runs of each function that are checked, the newest first";
        CHECK_ELSEWHERE: "BELTS_CHECK_ELSEWHERE",
            "comma-separated ids of functions that another program on the same store has, which a check leaves out; `billing/*` names all that begin so";
        CHECK_ACCEPT: "BELTS_CHECK_ACCEPT",
            "comma-separated steps that are gone on purpose, each behind its function, as in `process-order/send-mail`, where a check takes another one for it under a new key";
        DISPATCHER: "BELTS_DISPATCHER" "store",
            "how events reach a worker: `http`, `redis://…`, `sqs://…` or `qstash`, each with its feature; [what each needs](crate::dispatch)";
    }
    program {
        WORKER: "BELTS_WORKER",
            "the URL of the worker whose runs the program `belts` shows, in place of a store";
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(variable: &Variable) -> String {
        let (name, text) = (variable.name, without_links(variable.text));
        let default = variable.default;
        let default = default.map_or_else(|| "none".to_owned(), |default| format!("`{default}`"));
        format!("| `{name}` | {default} | {text} |")
    }

    /// `[text](target)` as `text`: rustdoc and a README link to different places.
    fn without_links(text: &str) -> String {
        let mut parts = text.split("](");
        let mut plain = parts.next().unwrap_or_default().replace('[', "");
        for part in parts {
            let (_, rest) = part.split_once(')').expect("the end of a link");
            plain += &rest.replace('[', "");
        }
        plain
    }

    #[test]
    fn the_readme_lists_every_variable_of_a_worker_as_it_is() {
        let page = include_str!("../../README.md");
        let listed: Vec<String> = page
            .lines()
            .filter(|line| line.starts_with("| `BELTS_"))
            .map(without_links)
            .collect();
        let expected: Vec<String> = OF_WORKERS.iter().map(row).collect();
        assert_eq!(
            listed,
            expected,
            "but for links, the table should read:\n{}",
            expected.join("\n")
        );
    }

    #[test]
    fn the_page_on_operations_lists_every_variable_of_a_worker_with_its_default() {
        let page = include_str!("../../docs/operations.md");
        for variable in OF_WORKERS {
            let name = format!("`{variable}`");
            let local = format!("`{variable}=local`");
            let mut rows = page
                .lines()
                .map(|line| line.split('|').map(str::trim).collect::<Vec<_>>());
            let row = rows
                .find(|cells| cells.len() == 6 && [&name, &local].contains(&&cells[2].to_owned()));
            let row = row.unwrap_or_else(|| panic!("{name} is not listed"));
            let default = variable.default.unwrap_or_default();
            assert!(
                row[3].contains(default),
                "{name}: {default}, not {}",
                row[3]
            );
        }
    }

    #[test]
    fn the_page_on_inspection_lists_every_variable_of_the_program() {
        let page = include_str!("../../docs/inspection.md");
        for variable in [STORE, WORKER, INSPECTION_TOKEN, SIGNING_KEYS] {
            assert!(page.contains(&format!("`{variable}`")), "{variable}");
        }
    }
}
