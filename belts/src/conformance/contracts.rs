//! The contracts and the cases agree: no rule without a case, no case without a rule.

use std::collections::BTreeMap;

/// The rules of a contract: the list items behind `# Contract`, each on one line. It is a file, or stands before its trait.
fn rules(source: &str) -> Vec<String> {
    let (_, contract) = source.split_once("# Contract").expect("a contract");
    let (contract, _) = contract.split_once("\n#[").unwrap_or((contract, ""));
    let mut rules: Vec<String> = Vec::new();
    for line in contract.lines().map(|line| line.trim_start_matches("///")) {
        match (line.trim().strip_prefix("- "), rules.last_mut()) {
            (Some(begun), _) => rules.push(begun.to_owned()),
            (None, Some(rule)) if line.starts_with("  ") => {
                rule.push(' ');
                rule.push_str(line.trim());
            }
            (None, _) => {}
        }
    }
    rules
}

/// The cases in the brackets at the end of a rule; none if the brackets say why.
fn cases(rule: &str) -> Option<Vec<&str>> {
    let (_, brackets) = rule.strip_suffix(')')?.rsplit_once('(')?;
    if brackets.starts_with("no case: ") {
        return Some(Vec::new());
    }
    let quoted = brackets.split(", ");
    quoted
        .map(|name| name.strip_prefix('`')?.strip_suffix('`'))
        .collect()
}

fn agree(source: &str, suite: &[&str]) {
    let mut rules_of = BTreeMap::<&str, usize>::new();
    let rules = rules(source);
    assert!(rules.len() > 10, "the contract was not found");
    for rule in &rules {
        let cases = cases(rule);
        let cases = cases.unwrap_or_else(|| panic!("this rule names no case: {rule}"));
        for case in cases {
            assert!(suite.contains(&case), "there is no case `{case}`: {rule}");
            *rules_of.entry(case).or_default() += 1;
        }
    }
    let silent: Vec<_> = suite
        .iter()
        .filter(|case| !rules_of.contains_key(*case))
        .collect();
    assert!(silent.is_empty(), "no rule names these cases: {silent:?}");
    let twice: Vec<_> = rules_of.iter().filter(|(_, rules)| **rules > 1).collect();
    assert!(
        twice.is_empty(),
        "these cases stand at several rules: {twice:?}"
    );
}

#[test]
fn the_contract_of_stores_and_its_cases_say_the_same() {
    let cases: Vec<_> = super::store::CASES.iter().map(|case| case.name).collect();
    agree(include_str!("../store/contract.md"), &cases);
}

#[cfg(feature = "http")]
#[test]
fn the_contract_of_dispatchers_and_its_cases_say_the_same() {
    let cases: Vec<_> = super::dispatch::CASES
        .iter()
        .map(|case| case.name)
        .collect();
    agree(include_str!("../dispatch/mod.rs"), &cases);
}

#[test]
#[should_panic(expected = "this rule names no case: It is said and not tried.")]
fn a_rule_without_a_case_is_seen() {
    let rule = "/// - It is said and not tried.\n";
    let filler = (0..12).map(|n| format!("/// - Rule. (`case_{n}`)\n"));
    let filler = filler.collect::<Vec<_>>().concat();
    let source = format!("/// # Contract\n{filler}{rule}#[async_trait]");
    let cases: Vec<String> = (0..12).map(|n| format!("case_{n}")).collect();
    agree(
        &source,
        &cases.iter().map(String::as_str).collect::<Vec<_>>(),
    );
}
