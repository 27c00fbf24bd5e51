//! `eddy tune` and `eddy bench latency` as their users meet them, on the recordings of `audio/`.
#![cfg(feature = "torch")]

use eddy::ModelDir;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;

/// The digits and letters, which the model knows.
const KNOWN: usize = 4;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A copy of the shipped model, and a manifest of the recordings that it knows.
struct Bench {
    folder: TempDir,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("folder");
        let model = folder.path().join("model");
        std::fs::create_dir(&model).expect("made");
        for name in ["model.json", "model.safetensors", "tokens.txt", "cmvn.json"] {
            std::fs::copy(root().join("models/an4").join(name), model.join(name)).expect("copied");
        }
        let listed = std::fs::read_to_string(root().join("audio/manifest.jsonl")).expect("manifest");
        let audio = root().join("audio/").display().to_string();
        let lines =
            listed.lines().take(KNOWN).map(|line| line.replace("\"audio\": \"", &format!("\"audio\": \"{audio}")));
        std::fs::write(folder.path().join("known.jsonl"), lines.collect::<Vec<_>>().join("\n")).expect("written");
        Bench { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn eddy(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_eddy"));
        command.current_dir(self.folder.path()).env_remove("RUST_LOG").env("EDDY_MODEL", "model");
        command.args(arguments).output().expect("eddy runs")
    }

    /// What a command that must do its work printed on stdout.
    fn done(&self, arguments: &[&str]) -> String {
        let output = self.eddy(arguments);
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("UTF-8")
    }

    /// A language model of digits and letters.
    fn write_lm(&self) {
        let text = "three one four one five nine\ntwo nine three four zero\nsix seven eight\ne d d y\nr u s t\na b c\n";
        std::fs::write(self.path("text.txt"), text.repeat(3)).expect("written");
        self.done(&["lm", "estimate", "--order", "2", "text.txt", "-o", "lm.arpa"]);
        self.done(&["lm", "build", "lm.arpa", "-o", "lm.bin"]);
    }
}

fn json(text: &str) -> Value {
    serde_json::from_str(text.trim()).expect("JSON")
}

#[test]
fn tuning_finds_nothing_worse_than_it_began_with_and_the_model_keeps_it() {
    let bench = Bench::new();
    let output = bench.eddy(&["tune", "known.jsonl"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("no language model"), "{output:?}");
    bench.write_lm();
    let dry = bench.done(&["tune", "--lm", "lm.bin", "--dry-run", "--beam", "8", "known.jsonl"]);
    assert!(!bench.path("model/decoder.json").exists(), "a dry run writes nothing");
    std::fs::copy(bench.path("lm.bin"), bench.path("model/lm.bin")).expect("copied");
    let tuned = bench.done(&["tune", "--beam", "8", "known.jsonl"]);
    assert_eq!(tuned, dry, "the same recordings, the same result");
    let mean = |row: &str| row.split_whitespace().nth(5).and_then(|word| word.parse::<f64>().ok());
    let rates: Vec<f64> = tuned.lines().filter_map(mean).collect();
    let least = rates.iter().copied().fold(f64::INFINITY, f64::min);
    assert!(rates.len() > 8 && rates.last() == Some(&least), "{tuned}");
    let model = ModelDir::open(&bench.path("model")).expect("model");
    let config = model.beam_config().expect("settings").expect("written");
    assert_eq!(config.beam, 8);
    assert!(model.calibration().expect("calibration").is_some());
    assert!(model.priors().expect("priors").is_some());
    // What was tuned is what is served.
    let served = json(&bench.done(&["evaluate", "--json", "known.jsonl"]));
    let wer = served["wer"].as_f64().expect("a number");
    assert!((100.0 * wer - least).abs() < 0.01, "{served} {least}");
    assert!(served["confidence_error"].as_f64().expect("a number") <= 1.0);
    let broken = r#"{"scale": -1.0, "shift": 0.0}"#;
    std::fs::write(bench.path("model/confidence.json"), broken).expect("written");
    let output = bench.eddy(&["evaluate", "known.jsonl"]);
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(2) && message.contains("confidence.json: scale = -1"), "{message}");
}

#[test]
fn latency_is_measured_from_the_ends_of_words() {
    let bench = Bench::new();
    let report = json(&bench.done(&["bench", "latency", "--limit", "2", "--json", "known.jsonl"]));
    assert_eq!(report["recordings"], 2);
    assert!(report["words"].as_u64().expect("a number") >= 2, "{report}");
    assert_eq!(report["algorithmic_latency_ms"], 975.0);
    let p50 = |name: &str| report[name]["p50_ms"].as_f64().expect("a number");
    assert!(p50("shown") <= p50("committed"), "{report}");
    let table = bench.done(&["bench", "latency", "--limit", "1", "known.jsonl"]);
    assert!(table.contains("recording's end to the last final"), "{table}");
    let output = bench.eddy(&["bench", "latency", "absent.jsonl"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("absent.jsonl"));
}
