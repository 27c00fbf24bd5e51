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

    /// Loss, dev error rates, learning rate, gradient and state norms, and how often gradients were clipped.
    pub fn panels(&self) -> Vec<Panel> {
        let panel = |title: &str, y_label: &str, logarithmic, lines| Panel {
            title: title.into(),
            x_label: "step".into(),
            y_label: y_label.into(),
            logarithmic,
            lines,
            ..Panel::default()
        };
        let mut norms = vec![self.gradient_norms("all")];
        norms.extend(self.by_layer("gradient_norms"));
        let rate = self.by_step("rate", &|figures| figures["learning_rate"].as_f64());
        let panels = [
            panel("loss a label, mean since the epoch's start", "nats", true, vec![self.losses("training")]),
            panel("dev word error rate", "%", false, self.error_rates()),
            panel("learning rate", "", false, vec![rate]),
            panel("gradient norm before clipping", "", true, norms),
            panel("steps with a clipped gradient", "%", false, vec![self.clip_rate()]),
            panel("norm of the forward state after the last step", "", false, self.by_layer("state_norms")),
        ];
        panels.into_iter().filter(|panel| panel.ranges().is_some()).collect()
    }

    /// The training loss a label.
    pub fn losses(&self, name: &str) -> Line {
        self.by_step(name, &|figures| figures["loss"].as_f64())
    }

    /// The gradient's norm before clipping.
    pub fn gradient_norms(&self, name: &str) -> Line {
        self.by_step(name, &|figures| figures["gradient_norm"].as_f64())
    }

    /// Word error rate of all dev sets together, in percent.
    pub fn error_rate(&self, name: &str) -> Line {
        self.by_epoch(name, &|figures| figures["dev_wer"].as_f64())
    }

    /// The training in a few figures; `None` before its first epoch's end.
    pub fn summary(&self) -> Option<Summary> {
        let last = self.epochs.values().next_back()?;
        let number = |figures: &Value, key: &str| figures[key].as_f64();
        let pairs = self.epochs.values().zip(self.epochs.values().skip(1));
        let paces = pairs.filter_map(|(a, b)| {
            let passed = |key: &str| Some(number(b, key)? - number(a, key)?);
            Some(passed("step")? / passed("wall_seconds")?)
        });
        let clipped: Vec<bool> = self.steps.values().filter_map(|figures| figures["clipped"].as_bool()).collect();
        Some(Summary {
            loss: number(last, "train_loss")?,
            best_wer: self.epochs.values().filter_map(|figures| number(figures, "dev_wer")).min_by(f64::total_cmp),
            steps: last["step"].as_u64()?,
            steps_per_second: median(paces.collect()),
            gradient_norm: median(self.steps.values().filter_map(|figures| number(figures, "gradient_norm")).collect()),
            clipped: clipped.iter().filter(|&&clipped| clipped).count() as f64 / clipped.len().max(1) as f64,
        })
    }

    fn by_step(&self, name: &str, value: &dyn Fn(&Value) -> Option<f64>) -> Line {
        let points = self.steps.iter().filter_map(|(&step, figures)| Some((step as f64, value(figures)?)));
        Line { name: name.into(), points: thinned(points.collect(), MOST_POINTS) }
    }

    fn by_epoch(&self, name: &str, value: &dyn Fn(&Value) -> Option<f64>) -> Line {
        let point = |figures: &Value| Some((figures["step"].as_f64()?, 100.0 * value(figures)?));
        Line { name: name.into(), points: self.epochs.values().filter_map(point).collect() }
    }

    /// A line a layer of what the log holds under `key`.
    fn by_layer(&self, key: &str) -> Vec<Line> {
        let layers = self.steps.values().filter_map(|figures| figures[key].as_object()).next_back();
        let layers = layers.into_iter().flat_map(serde_json::Map::keys);
        layers.map(|layer| self.by_step(layer, &|figures| figures[key][layer].as_f64())).collect()
    }

    /// Share of clipped steps in a hundredth of the training, in percent.
    fn clip_rate(&self) -> Line {
        let clipped = |figures: &Value| Some(if figures["clipped"].as_bool()? { 100.0 } else { 0.0 });
        let points = self.steps.iter().filter_map(|(&step, figures)| Some((step as f64, clipped(figures)?)));
        Line { name: String::new(), points: thinned(points.collect(), 100) }
    }

    /// All dev sets together, and each where there are several.
    fn error_rates(&self) -> Vec<Line> {
        let mut lines = vec![self.error_rate("all")];
        let sets = self.epochs.values().next_back().and_then(|figures| figures["dev"].as_array());
        let names: Vec<&str> = sets.into_iter().flatten().filter_map(|set| set["set"].as_str()).collect();
        for name in names.iter().filter(|_| names.len() > 1) {
            lines.push(self.by_epoch(name, &|figures| {
                figures["dev"].as_array()?.iter().find(|set| set["set"] == **name)?["wer"].as_f64()
            }));
        }
        lines
    }
}

/// A training in a few figures.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Summary {
    /// Mean training loss a label of the last epoch.
    pub loss: f64,
    /// Lowest dev word error rate, as a fraction; `None` without a dev set.
    pub best_wer: Option<f64>,
    /// Steps done.
    pub steps: u64,
    /// Steps a second, validation and all else included: the median over epochs. NaN with a single epoch.
    pub steps_per_second: f64,
    /// The gradient's norm before clipping: the median over steps.
    pub gradient_norm: f64,
    /// Share of steps whose gradient was clipped.
    pub clipped: f64,
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Means of groups of neighbours, so that no more than `most` are left.
fn thinned(points: Vec<(f64, f64)>, most: usize) -> Vec<(f64, f64)> {
    let group = points.len().div_ceil(most).max(1);
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
    draw(out, (900, 280 * panels.len().max(1) as u32), 1, &panels)
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
{"step": 2, "loss": 2.0, "learning_rate": 0.2, "gradient_norm": 1.0, "gradient_norms": {"layers.0": 0.5}, "state_norms": {"layers.0": 4.0}, "clipped": true}
{"epoch": 0, "step": 2, "train_loss": 2.5, "dev_wer": 0.5, "wall_seconds": 8.0, "dev": [{"set": "x", "wer": 0.25}, {"set": "y", "wer": 0.75}]}
{"epoch": 1, "step": 6, "train_loss": 1.5, "dev_wer": 0.75, "wall_seconds": 16.0, "dev": [{"set": "x", "wer": 0.5}, {"set": "y", "wer": 1}]}
{"step": 3, "lo"#;
        std::fs::write(folder.path().join("metrics.jsonl"), log).expect("write");
        let panels = RunCurves::read(folder.path()).expect("curves").panels();
        assert_eq!(panels.len(), 6);
        assert_eq!(panels[0].lines[0].points, [(1.0, 3.0), (2.0, 2.0)]);
        let rates: Vec<_> = panels[1].lines.iter().map(|line| (line.name.as_str(), line.points.clone())).collect();
        assert_eq!(
            rates,
            [
                ("all", vec![(2.0, 50.0), (6.0, 75.0)]),
                ("x", vec![(2.0, 25.0), (6.0, 50.0)]),
                ("y", vec![(2.0, 75.0), (6.0, 100.0)])
            ]
        );
        assert_eq!(panels[3].lines[1].points, [(1.0, 1.5), (2.0, 0.5)]);
        assert_eq!((&panels[4].lines[0].points, &panels[5].lines[0].points), (&vec![(2.0, 100.0)], &vec![(2.0, 4.0)]));
        let summary = RunCurves::read(folder.path()).expect("curves").summary().expect("two epochs");
        let wanted = Summary {
            loss: 1.5,
            best_wer: Some(0.5),
            steps: 6,
            steps_per_second: 0.5,
            gradient_norm: 2.0,
            clipped: 1.0,
        };
        assert_eq!(summary, wanted);
        plot_run(folder.path(), &folder.path().join("run.svg")).expect("drawn");
    }

    #[test]
    fn long_runs_are_thinned_to_means() {
        let points = thinned((0..6000).map(|i| (i as f64, 2.0 * i as f64)).collect(), 1500);
        assert_eq!((points.len(), points[0], points[1499]), (1500, (1.5, 3.0), (5997.5, 11995.0)));
    }
}
