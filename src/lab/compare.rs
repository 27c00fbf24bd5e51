//! Cells and directions compared: one recipe, one number of weights, one schedule.
//!
//! Layer 8.

use crate::error::{Error, Result};
use crate::model_dir::{CellKind, DirectionConfig, EncoderConfig};
use crate::plot::{Line, Panel, RunCurves, Summary};
use crate::train::{Evaluation, TrainConfig};

/// Most units a direction that a variant may get.
const MOST_UNITS: usize = 4096;

/// One network of the comparison.
#[derive(Debug, Clone, PartialEq)]
pub struct Variant {
    /// `lstm-forward`, say: its name, and that of its run folder.
    pub name: String,
    /// Which way it runs.
    pub way: Way,
    /// Its recipe.
    pub config: TrainConfig,
    /// Weights that it has.
    pub weights: usize,
}

/// Which way a network of the comparison runs; the grids are the recipe's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    /// Left to right only.
    Forward,
    /// Bidirectional in blocks.
    LatencyControlled,
    /// Bidirectional over the whole recording.
    Full,
}

impl Way {
    /// As users write it.
    pub fn name(self) -> &'static str {
        match self {
            Way::Forward => "forward",
            Way::LatencyControlled => "latency-controlled",
            Way::Full => "full",
        }
    }

    fn config(self, recipe: &TrainConfig) -> DirectionConfig {
        match self {
            Way::Forward => DirectionConfig::Forward,
            Way::LatencyControlled => recipe.model.direction.clone(),
            Way::Full => DirectionConfig::Full,
        }
    }
}

/// As users write a cell.
pub fn cell_name(cell: CellKind) -> &'static str {
    match cell {
        CellKind::Rnn => "rnn",
        CellKind::Lstm => "lstm",
        CellKind::Gru => "gru",
    }
}

/// The recipe with every cell and way, its own number of units where it names that network itself, and elsewhere as many
/// units as come nearest to its number of weights. `vocabulary`: tokens of the recipe's table.
///
/// # Errors
/// When the recipe is not latency-controlled: it says the grids.
pub fn variants(recipe: &TrainConfig, vocabulary: usize, cells: &[CellKind], ways: &[Way]) -> Result<Vec<Variant>> {
    if !matches!(recipe.model.direction, DirectionConfig::LatencyControlled(_)) {
        let found = format!("{:?}", recipe.model.direction);
        return Err(Error::invalid("model.direction", found, "latency_controlled, which says the blocks to compare"));
    }
    let wanted = recipe.network(vocabulary).num_weights();
    let mut variants = Vec::new();
    for &cell in cells {
        for &way in ways {
            let mut config = recipe.clone();
            config.name = format!("{}-{}", cell_name(cell), way.name());
            config.model.cell = cell;
            config.model.direction = way.config(recipe);
            if (cell, way) != (recipe.model.cell, Way::LatencyControlled) {
                let network = config.network(vocabulary);
                let with = |hidden| EncoderConfig { hidden, ..network.clone() }.num_weights();
                let nearest = (1..=MOST_UNITS).min_by_key(|&hidden| with(hidden).abs_diff(wanted));
                config.model.hidden = nearest.unwrap_or(recipe.model.hidden);
            }
            let weights = config.network(vocabulary).num_weights();
            variants.push(Variant { name: config.name.clone(), way, config, weights });
        }
    }
    Ok(variants)
}

/// What came of one variant.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The network.
    pub variant: Variant,
    /// Its algorithmic latency in ms; `None` waits for the end.
    pub latency_ms: Option<f64>,
    /// Its training's curves.
    pub curves: RunCurves,
    /// Errors of its best weights on each test manifest.
    pub tests: Vec<Evaluation>,
}

/// A Markdown table, a row an outcome; `tests` names the test manifests.
pub fn table(outcomes: &[Outcome], tests: &[String]) -> String {
    let mut head: Vec<String> =
        ["Cell", "Direction", "Hidden", "Weights", "Latency", "Dev WER %"].map(Into::into).into();
    for test in tests {
        head.extend([format!("{test} WER %"), "S".into(), "D".into(), "I".into(), "CER %".into()]);
    }
    head.extend(["Training loss", "Steps", "Steps/s", "Gradient norm", "Clipped %"].map(Into::into));
    let mut text = format!("| {} |\n|{}\n", head.join(" | "), "-|".repeat(head.len()));
    for Outcome { variant, latency_ms, curves, tests } in outcomes {
        let model = &variant.config.model;
        let (cell, direction) = (cell_name(model.cell), variant.way.name());
        let latency = latency_ms.map_or("whole recording".to_string(), |ms| format!("{ms:.0} ms"));
        let mut row =
            vec![cell.into(), direction.into(), model.hidden.to_string(), variant.weights.to_string(), latency];
        let percent = |fraction: f64| format!("{:.2}", 100.0 * fraction);
        let summary = curves.summary();
        row.push(summary.and_then(|summary| summary.best_wer).map_or("-".into(), percent));
        for test in tests {
            let words = &test.words;
            row.push(percent(words.rate()));
            row.extend([words.substitutions, words.deletions, words.insertions].map(|count| count.to_string()));
            row.push(percent(test.characters.rate()));
        }
        row.extend(match summary {
            Some(Summary { loss, steps, steps_per_second, gradient_norm, clipped, .. }) => [
                format!("{loss:.3}"),
                steps.to_string(),
                format!("{steps_per_second:.2}"),
                format!("{gradient_norm:.2}"),
                format!("{:.0}", 100.0 * clipped),
            ],
            None => ["-"; 5].map(Into::into),
        });
        text += &format!("| {} |\n", row.join(" | "));
    }
    text
}

/// A column of panels a way: loss, dev word error rate, gradient norm, a line a cell. And the number of columns.
pub fn panels(outcomes: &[Outcome]) -> (Vec<Panel>, usize) {
    let mut ways: Vec<Way> = Vec::new();
    for outcome in outcomes {
        if !ways.contains(&outcome.variant.way) {
            ways.push(outcome.variant.way);
        }
    }
    let row = |title: &str, y_label: &str, logarithmic: bool, line: &dyn Fn(&Outcome, &str) -> Line| -> Vec<Panel> {
        let column = |wanted: &Way| Panel {
            title: format!("{}: {title}", wanted.name()),
            x_label: "step".into(),
            y_label: y_label.into(),
            logarithmic,
            lines: outcomes
                .iter()
                .filter(|outcome| outcome.variant.way == *wanted)
                .map(|outcome| line(outcome, cell_name(outcome.variant.config.model.cell)))
                .collect(),
            ..Panel::default()
        };
        ways.iter().map(column).collect()
    };
    let rows = [
        row("training loss a label", "nats", true, &|outcome, name| outcome.curves.losses(name)),
        row("dev word error rate", "%", false, &|outcome, name| outcome.curves.error_rate(name)),
        row("gradient norm before clipping", "", true, &|outcome, name| outcome.curves.gradient_norms(name)),
    ];
    (rows.concat(), ways.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plot::RunCurves;

    fn recipe() -> TrainConfig {
        toml::from_str(
            r#"
            name = "x"
            [model]
            cell = "gru"
            layers = 3
            hidden = 144
            stacking = 6
            direction = { latency_controlled = [{ chunk = 72, look_ahead = 24 }] }
            tokens = "characters"
            [data]
            train = ["x.jsonl"]
            "#,
        )
        .expect("a recipe")
    }

    const CELLS: [CellKind; 3] = [CellKind::Rnn, CellKind::Lstm, CellKind::Gru];
    const WAYS: [Way; 3] = [Way::Forward, Way::LatencyControlled, Way::Full];

    #[test]
    fn variants_have_one_number_of_weights_and_the_recipes_own_network_is_among_them() {
        let variants = variants(&recipe(), 100, &CELLS, &WAYS).expect("variants");
        assert_eq!(variants.len(), 9);
        for variant in &variants {
            // Counted by hand: 3 layers of 2 x 3 x 144 units and 100 tokens; the others are as near as a unit allows.
            assert!((variant.weights as f64 / 1_112_356.0 - 1.0).abs() < 0.005, "{variant:?}");
            variant.config.validate().expect("a good recipe");
        }
        let own = variants.iter().find(|variant| variant.name == "gru-latency-controlled").expect("it");
        assert_eq!((own.weights, &own.config.model), (1_112_356, &recipe().model));
        let mut forward = recipe();
        forward.model.direction = DirectionConfig::Forward;
        assert!(super::variants(&forward, 100, &CELLS, &WAYS).expect_err("no grid").to_string().contains("blocks"));
    }

    #[test]
    fn the_table_has_a_row_a_variant_and_the_picture_a_column_a_way() {
        let folder = tempfile::tempdir().expect("folder");
        let log = r#"{"step": 1, "loss": 3.0, "gradient_norm": 2.0, "clipped": true}
{"epoch": 0, "step": 1, "train_loss": 3.0, "dev_wer": 0.5, "wall_seconds": 1.0, "dev": []}
{"epoch": 1, "step": 5, "train_loss": 2.0, "dev_wer": 0.25, "wall_seconds": 3.0, "dev": []}"#;
        std::fs::write(folder.path().join("metrics.jsonl"), log).expect("write");
        let curves = RunCurves::read(folder.path()).expect("curves");
        let outcomes: Vec<Outcome> = variants(&recipe(), 100, &CELLS[1..], &WAYS[..2])
            .expect("variants")
            .into_iter()
            .map(|variant| Outcome { variant, latency_ms: Some(975.0), curves: curves.clone(), tests: Vec::new() })
            .collect();
        let text = table(&outcomes, &[]);
        let rows: Vec<&str> = text.lines().collect();
        assert_eq!(rows.len(), 6);
        assert_eq!(
            rows[5],
            "| gru | latency-controlled | 144 | 1112356 | 975 ms | 25.00 | 2.000 | 5 | 2.00 | 2.00 | 100 |"
        );
        let columns = |row: &str| row.matches('|').count();
        assert!(rows.iter().all(|row| columns(row) == columns(rows[0])), "{text}");
        let (panels, columns) = panels(&outcomes);
        assert_eq!((panels.len(), columns), (6, 2));
        assert_eq!(panels[3].title, "latency-controlled: dev word error rate");
        assert_eq!(panels[3].lines[1].points, [(1.0, 50.0), (5.0, 25.0)]);
    }
}
