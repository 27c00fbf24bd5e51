//! The examples build and run: the crate inside another program.
#![cfg(feature = "torch")]

mod common;

use std::path::{Path, PathBuf};
use std::process::Command;

/// Runs an example with the profile and features of this test, so that nothing is built twice.
fn run_example(name: &str, arguments: &[&Path]) -> String {
    let executable = std::env::current_exe().expect("this test's path");
    let profile = executable.ancestors().nth(2).and_then(Path::file_name).and_then(|name| name.to_str());
    let profile = match profile {
        Some("debug") | None => "dev",
        Some(name) => name,
    };
    let features: &[&str] = if cfg!(feature = "mic") { &[] } else { &["--no-default-features", "--features", "torch"] };
    let mut command = Command::new(env!("CARGO"));
    command.current_dir(env!("CARGO_MANIFEST_DIR")).args(["run", "--quiet", "--offline", "--profile", profile]);
    command.args(features).args(["--example", name, "--"]).args(arguments);
    let output = command.output().expect("cargo runs");
    assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// The shipped model and recording where they are, else random weights and noise.
fn model_and_recording(folder: &Path) -> (PathBuf, PathBuf) {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/an4");
    if let (true, Some(recording)) = (shipped.is_dir(), common::shipped_recording()) {
        return (shipped, recording);
    }
    let (model, recording) = (folder.join("model"), folder.join("sound.wav"));
    common::write_model(&model);
    common::write_sound(&recording, 2.0, 22_050, 1);
    (model, recording)
}

#[test]
fn both_examples_give_the_same_words() {
    let folder = tempfile::tempdir().expect("folder");
    let (model, recording) = model_and_recording(folder.path());
    let at_once = run_example("transcribe", &[&model, &recording]);
    let text = at_once.lines().last().expect("the text");
    assert!(!text.is_empty());
    assert_eq!(at_once.lines().count(), text.split(' ').count() + 1, "a line a word, and the text");
    let streamed = run_example("stream", &[&model, &recording]);
    let segments: Vec<_> = streamed.lines().filter_map(|line| Some(line.split_once(": ")?.1)).collect();
    assert_eq!(segments.join(" "), text);
}
