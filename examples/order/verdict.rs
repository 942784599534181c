//! What the effects log proves, as a table and a last line.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use crate::{effects::Line, shop::OrderCreated};

/// What the log shows.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    orders: usize,
    steps: usize,
    crashes: u32,
    resumed_runs: usize,
    run_twice: usize,
    recorded_run_twice: usize,
    without_outcome: Vec<String>,
    /// Orders shipped and declined, and what was earned, by currency.
    table: BTreeMap<String, (usize, usize, u64)>,
}

impl Verdict {
    pub(crate) fn of(orders: &[OrderCreated], lines: &[Line], crashes: u32) -> Self {
        let mut verdict = Self {
            orders: orders.len(),
            crashes,
            ..Self::default()
        };
        let mut done: HashMap<(&str, &str), u32> = HashMap::new();
        let mut returned = HashSet::new();
        let mut broken = HashSet::new();
        let mut pids: HashMap<(&str, bool), BTreeSet<u32>> = HashMap::new();
        for line in lines {
            let step = (line.order.as_str(), line.step.as_str());
            // The two functions make two runs of each order.
            pids.entry((&line.order, line.step.starts_with("credit")))
                .or_default()
                .insert(line.pid);
            match line.what.as_str() {
                "done" => {
                    *done.entry(step).or_default() += 1;
                    if returned.contains(&step) {
                        broken.insert(step);
                    }
                }
                "returned" => drop(returned.insert(step)),
                _ => {}
            }
        }
        verdict.steps = returned.len();
        verdict.run_twice = done.values().filter(|count| **count > 1).count();
        verdict.recorded_run_twice = broken.len();
        verdict.resumed_runs = pids.values().filter(|pids| pids.len() > 1).count();
        verdict.judge_orders(orders, lines);
        verdict
    }

    fn judge_orders(&mut self, orders: &[OrderCreated], lines: &[Line]) {
        let outcomes: HashSet<_> = lines
            .iter()
            .filter(|line| line.what == "outcome")
            .map(|line| (line.order.as_str(), line.step.as_str()))
            .collect();
        for order in orders {
            let has = |outcome| outcomes.contains(&(order.order_id.as_str(), outcome));
            let total: u64 = order
                .items
                .iter()
                .map(|item| item.unit_price * item.quantity)
                .sum();
            let row = self.table.entry(order.currency.clone()).or_default();
            if has("shipped") && has("credited") {
                row.0 += 1;
                row.2 += total;
            } else if has("declined") {
                row.1 += 1;
            } else {
                self.without_outcome.push(order.order_id.clone());
            }
        }
    }

    /// Whether every order is finished.
    pub(crate) fn is_complete(&self) -> bool {
        self.without_outcome.is_empty()
    }

    /// Whether belts kept its promise.
    pub(crate) fn is_good(&self) -> bool {
        self.is_complete() && self.recorded_run_twice == 0
    }

    pub(crate) fn print(&self) {
        println!("\ncurrency   shipped   declined          revenue");
        for (currency, (shipped, declined, revenue)) in &self.table {
            let revenue = if currency == "JPY" {
                format!("{revenue}")
            } else {
                format!("{}.{:02}", revenue / 100, revenue % 100)
            };
            println!("{currency:<8} {shipped:>9} {declined:>10} {revenue:>16}");
        }
        for order in self.without_outcome.iter().take(10) {
            println!("no outcome: {order}");
        }
        let plural = if self.crashes == 1 {
            "crash"
        } else {
            "crashes"
        };
        println!(
            "\n{} orders · {} steps · {} {plural} · {} resumed runs · {} steps run twice of which {} were recorded",
            self.orders,
            self.steps,
            self.crashes,
            self.resumed_runs,
            self.run_twice,
            self.recorded_run_twice
        );
    }
}
