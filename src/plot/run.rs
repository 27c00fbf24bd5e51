//! A training's curves from its `metrics.jsonl`.
//!
//! Layer 8.

use super::{Line, Panel, draw};
use crate::error::{Error, Result};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;

/// Points a line shows at most; more are averaged in groups.
const MOST_POINTS: usize = 1500;

/// What a training's `metrics.jsonl` tells.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RunCurves {
    /// Step -> its figures. A step that a resumed training repeated counts once, as it was last.
    steps: BTreeMap<u64, Value>,
    /// Epoch -> its figures.
    epochs: BTreeMap<u64, Value>,
}

impl RunCurves {
    /// Reads the `metrics.jsonl` of a run folder.
    ///
    /// # Errors
    /// When there is none, or no line of it can be used. A last line that is cut short is passed over: the training runs.
    pub fn read(run: &Path) -> Result<Self> {
        let path = run.join("metrics.jsonl");
        let text = std::fs::read_to_string(&path).map_err(|error| Error::io(&path, error))?;
        let mut curves = RunCurves::default();
        for line in text.lines() {
            let Ok(figures) = serde_json::from_str::<Value>(line) else {
                continue;
            };
            let number = |key: &str| figures[key].as_u64();
            match (figures.get("train_loss"), number("epoch"), number("step")) {
                (Some(_), Some(epoch), _) => drop(curves.epochs.insert(epoch, figures)),
                (None, _, Some(step)) => drop(curves.steps.insert(step, figures)),
                _ => {}
            }
        }
        if curves.steps.is_empty() {
            return Err(Error::invalid(path.display().to_string(), "no step", "the log of a training"));
        }
        Ok(curves)
    }

    /// Loss, dev error rates, learning rate and gradient norms.
    pub fn panels(&self) -> Vec<Panel> {
        let panel = |title: &str, y_label: &str, logarithmic, lines| Panel {
            title: title.into(),
            x_label: "step".into(),
            y_label: y_label.into(),
            logarithmic,
            lines,
        };
        let by_step = |name: &str, value: &dyn Fn(&Value) -> Option<f64>| {
            let points = self.steps.iter().filter_map(|(&step, figures)| Some((step as f64, value(figures)?)));
            Line { name: name.into(), points: thinned(points.collect()) }
        };
        let mut norms = vec![by_step("all", &|figures| figures["gradient_norm"].as_f64())];
        let layers = self.steps.values().filter_map(|figures| figures["gradient_norms"].as_object()).next_back();
        for layer in layers.into_iter().flat_map(serde_json::Map::keys) {
            norms.push(by_step(layer, &|figures| figures["gradient_norms"][layer].as_f64()));
        }
        let panels = [
            panel(
                "loss a label, mean since the epoch's start",
                "nats",
                true,
                vec![by_step("training", &|figures| figures["loss"].as_f64())],
            ),
            panel("dev word error rate", "%", false, self.error_rates()),
            panel("learning rate", "", false, vec![by_step("rate", &|figures| figures["learning_rate"].as_f64())]),
            panel("gradient norm before clipping", "", true, norms),
        ];
        panels.into_iter().filter(|panel| panel.ranges().is_some()).collect()
    }

    /// All dev sets together, and each where there are several.
    fn error_rates(&self) -> Vec<Line> {
        let by_epoch = |name: &str, value: &dyn Fn(&Value) -> Option<f64>| {
            let point = |figures: &Value| Some((figures["step"].as_f64()?, 100.0 * value(figures)?));
            Line { name: name.into(), points: self.epochs.values().filter_map(point).collect() }
        };
        let mut lines = vec![by_epoch("all", &|figures| figures["dev_wer"].as_f64())];
        let sets = self.epochs.values().next_back().and_then(|figures| figures["dev"].as_array());
        let names: Vec<&str> = sets.into_iter().flatten().filter_map(|set| set["set"].as_str()).collect();
        for name in names.iter().filter(|_| names.len() > 1) {
            lines.push(by_epoch(name, &|figures| {
                figures["dev"].as_array()?.iter().find(|set| set["set"] == **name)?["wer"].as_f64()
            }));
        }
        lines
    }
}

/// Means of groups of neighbours, so that no more than [`MOST_POINTS`] are left.
fn thinned(points: Vec<(f64, f64)>) -> Vec<(f64, f64)> {
    let group = points.len().div_ceil(MOST_POINTS).max(1);
    let mean = |points: &[(f64, f64)]| {
        let count = points.len() as f64;
        (points.iter().map(|p| p.0).sum::<f64>() / count, points.iter().map(|p| p.1).sum::<f64>() / count)
    };
    points.chunks(group).map(mean).collect()
}

/// Draws a run's curves, one panel below another.
///
/// # Errors
/// As for [`RunCurves::read`] and [`draw`].
pub fn plot_run(run: &Path, out: &Path) -> Result<()> {
    let panels = RunCurves::read(run)?.panels();
    draw(out, (900, 280 * panels.len().max(1) as u32), &panels)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn curves_come_from_the_log_and_a_repeated_step_counts_once() {
        let folder = tempfile::tempdir().expect("folder");
        assert!(RunCurves::read(folder.path()).expect_err("no log").to_string().contains("metrics.jsonl"));
        let log = r#"{"step": 1, "loss": 3.0, "learning_rate": 0.1, "gradient_norm": 2.0, "gradient_norms": {"layers.0": 1.5}}
{"step": 2, "loss": 2.5, "learning_rate": 0.2, "gradient_norm": 1.0, "gradient_norms": {"layers.0": 0.5}}
{"step": 2, "loss": 2.0, "learning_rate": 0.2, "gradient_norm": 1.0, "gradient_norms": {"layers.0": 0.5}}
{"epoch": 0, "step": 2, "train_loss": 2.5, "dev_wer": 0.5, "dev": [{"set": "x", "wer": 0.25}, {"set": "y", "wer": 0.75}]}
{"step": 3, "lo"#;
        std::fs::write(folder.path().join("metrics.jsonl"), log).expect("write");
        let panels = RunCurves::read(folder.path()).expect("curves").panels();
        assert_eq!(panels.len(), 4);
        assert_eq!(panels[0].lines[0].points, [(1.0, 3.0), (2.0, 2.0)]);
        let rates: Vec<_> = panels[1].lines.iter().map(|line| (line.name.as_str(), line.points.clone())).collect();
        assert_eq!(rates, [("all", vec![(2.0, 50.0)]), ("x", vec![(2.0, 25.0)]), ("y", vec![(2.0, 75.0)])]);
        assert_eq!(panels[3].lines[1].points, [(1.0, 1.5), (2.0, 0.5)]);
        plot_run(folder.path(), &folder.path().join("run.svg")).expect("drawn");
    }

    #[test]
    fn long_runs_are_thinned_to_means() {
        let points = thinned((0..6000).map(|i| (i as f64, 2.0 * i as f64)).collect());
        assert_eq!((points.len(), points[0], points[1499]), (1500, (1.5, 3.0), (5997.5, 11995.0)));
    }
}
