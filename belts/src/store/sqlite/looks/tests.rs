use std::path::Path;

use rusqlite::Connection;

use super::super::{
    inspect::{ENDED, LIST, LIST_OF_FAILED, LIST_OF_OPEN, LIST_OF_PARENT, LIST_OF_TAG},
    schema,
};

/// How SQLite goes about a statement, a line for each table.
fn plan(sql: &str) -> Vec<String> {
    let connection = Connection::open_in_memory().expect("a database");
    schema::migrate(&connection, Path::new("plans")).expect("tables");
    let mut statement = connection
        .prepare(&format!("EXPLAIN QUERY PLAN {sql}"))
        .expect("a statement");
    let parameters = statement.parameter_count();
    for place in 1..=parameters {
        statement
            .raw_bind_parameter(place, rusqlite::types::Null)
            .expect("a parameter");
    }
    let mut rows = statement.raw_query();
    let mut lines = Vec::new();
    while let Some(row) = rows.next().expect("a row") {
        lines.push(row.get(3).expect("a text"));
    }
    lines
}

/// A list of a dashboard read the whole table where few runs matched.
#[test]
fn no_list_goes_through_all_runs() {
    let bounded = "SEARCH runs USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)";
    let failed = "SEARCH runs USING INDEX runs_failed (number>? AND number<?)";
    for (sql, by) in [
        (LIST, bounded),
        (LIST_OF_FAILED, failed),
        (
            LIST_OF_OPEN,
            "SEARCH runs USING INTEGER PRIMARY KEY (rowid=?)",
        ),
        (
            LIST_OF_PARENT,
            "SEARCH runs USING INDEX runs_started (parent=? AND number>? AND number<?)",
        ),
        (
            LIST_OF_TAG,
            "SEARCH of USING PRIMARY KEY (tag=? AND run>? AND run<?)",
        ),
        (
            ENDED,
            "SEARCH runs USING INDEX runs_finished (finished_at>?)",
        ),
    ] {
        let lines = plan(sql);
        assert!(lines.iter().any(|line| line == by), "{by}: {lines:#?}");
        let scans = |line: &&String| {
            line.starts_with("SCAN runs") && !line.contains("INDEX")
                || line.contains("TEMP B-TREE FOR ORDER BY")
        };
        let scanned: Vec<_> = lines.iter().filter(scans).collect();
        // Those that are open are few, and are sorted.
        assert!(scanned.is_empty() || sql == LIST_OF_OPEN, "{lines:#?}");
        assert!(!lines.iter().any(|line| line == "SCAN runs"), "{lines:#?}");
    }
}
