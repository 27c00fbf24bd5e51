//! Which classes are taken for which.
//!
//! Layer 4.

use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

/// Counts of recognised classes for each true one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Confusion {
    counts: BTreeMap<String, BTreeMap<String, u64>>,
}

impl Confusion {
    /// Counts one recording.
    pub fn add(&mut self, truth: &str, recognized: &str) {
        *self.counts.entry(truth.to_string()).or_default().entry(recognized.to_string()).or_default() += 1;
    }

    fn count(&self, truth: &str, recognized: &str) -> u64 {
        self.counts.get(truth).and_then(|row| row.get(recognized)).copied().unwrap_or(0)
    }

    /// Share of recordings whose class is right, in `0.0..=1.0`; 0 without any.
    pub fn accuracy(&self) -> f64 {
        let all: u64 = self.counts.values().flat_map(BTreeMap::values).sum();
        let right: u64 = self.counts.keys().map(|class| self.count(class, class)).sum();
        if all > 0 { right as f64 / all as f64 } else { 0.0 }
    }

    /// `{truth: {recognised: count}}`.
    pub fn as_json(&self) -> Value {
        let row = |row: &BTreeMap<String, u64>| json!(row);
        Value::Object(self.counts.iter().map(|(truth, counts)| (truth.clone(), row(counts))).collect::<Map<_, _>>())
    }

    /// For people: a row a true class, a column a recognised one.
    pub fn as_table(&self) -> String {
        let classes: BTreeSet<&str> =
            self.counts.iter().flat_map(|(truth, row)| row.keys().chain([truth])).map(String::as_str).collect();
        let shown = |class: &str| if class.is_empty() { "(none)".to_string() } else { class.to_string() };
        let width = classes.iter().map(|class| shown(class).chars().count()).max().unwrap_or(0).max(5);
        let mut table = format!("accuracy {:.2} %\n{:>width$}", 100.0 * self.accuracy(), "");
        for class in &classes {
            let _ = write!(table, " {:>width$}", shown(class));
        }
        table.push('\n');
        for truth in self.counts.keys() {
            let _ = write!(table, "{:>width$}", shown(truth));
            for recognized in &classes {
                let count = self.count(truth, recognized);
                let cell = if count == 0 { ".".to_string() } else { count.to_string() };
                let _ = write!(table, " {cell:>width$}");
            }
            table.push('\n');
        }
        table
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_of_four_are_right() {
        let mut confusion = Confusion::default();
        assert_eq!(confusion.accuracy(), 0.0);
        for (truth, recognized) in [("one", "one"), ("one", "nine"), ("nine", "nine"), ("one", "one")] {
            confusion.add(truth, recognized);
        }
        assert_eq!(confusion.accuracy(), 0.75);
        assert_eq!(confusion.as_json().to_string(), r#"{"nine":{"nine":1},"one":{"nine":1,"one":2}}"#);
        let wanted = "accuracy 75.00 %\n       nine   one\n nine     1     .\n  one     1     2\n";
        assert_eq!(confusion.as_table(), wanted);
    }

    #[test]
    fn nothing_recognized_is_a_column() {
        let mut confusion = Confusion::default();
        confusion.add("one", "");
        assert_eq!(confusion.as_table(), "accuracy 0.00 %\n       (none)    one\n   one      1      .\n");
    }
}
