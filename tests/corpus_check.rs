//! `eddy corpus check`: a small corpus with one of each fault.

use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// A folder with recordings and manifests.
struct Bench {
    folder: TempDir,
}

/// What a run gave.
struct Ran {
    code: i32,
    stdout: String,
    stderr: String,
}

impl Bench {
    fn new() -> Self {
        let bench = Bench { folder: tempfile::tempdir().expect("folder") };
        std::fs::create_dir(bench.path("clips")).expect("made");
        std::fs::create_dir(bench.path("lists")).expect("made");
        bench
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A tone of its own `pitch`, so that no two files are the same.
    fn wav(&self, name: &str, seconds: f64, rate: u32, pitch: f32) {
        let mut writer = eddy::audio::WavWriter::create(&self.path(name), rate).expect("wav");
        let samples: Vec<f32> =
            (0..(seconds * f64::from(rate)) as usize).map(|i| 0.3 * (i as f32 * 0.01 * pitch).sin()).collect();
        writer.write(&samples).expect("samples");
        writer.finish().expect("finished");
    }

    fn manifest(&self, name: &str, lines: &[Value]) {
        let lines: Vec<String> = lines.iter().map(|line| format!("{line}\n")).collect();
        std::fs::write(self.path(name), lines.concat()).expect("written");
    }

    fn check(&self, arguments: &[&str]) -> Ran {
        let mut command = Command::new(env!("CARGO_BIN_EXE_eddy"));
        command.current_dir(self.folder.path()).env_remove("RUST_LOG").args(["corpus", "check"]).args(arguments);
        let output = command.output().expect("eddy runs");
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
        let (stdout, stderr) = (text(output.stdout), text(output.stderr));
        assert!(!stderr.contains("panicked"), "{stderr}");
        Ran { code: output.status.code().expect("a code"), stdout, stderr }
    }

    fn lines(&self, name: &str) -> Vec<Value> {
        let text = std::fs::read_to_string(self.path(name)).expect("manifest");
        text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    }
}

/// Asserts that a finding stands in the output, as a whole line.
#[track_caller]
fn assert_found(ran: &Ran, line: &str) {
    assert!(ran.stdout.lines().any(|found| found == line), "no {line:?} in\n{}{}", ran.stdout, ran.stderr);
}

fn copy(from: &Path, to: &Path) {
    std::fs::copy(from, to).expect("copied");
}

/// Every fault once, but those that need many lines.
fn faulty() -> Bench {
    let bench = Bench::new();
    for (name, seconds, pitch) in
        [("a", 1.0, 1.0), ("b", 1.0, 2.0), ("c", 1.0, 3.0), ("d", 0.1, 4.0), ("e", 2.0, 5.0), ("f", 1.0, 6.0)]
    {
        bench.wav(&format!("clips/{name}.wav"), seconds, 16_000, pitch);
    }
    bench.wav("clips/cut.wav", 1.0, 16_000, 7.0);
    let whole = std::fs::read(bench.path("clips/cut.wav")).expect("read");
    std::fs::write(bench.path("clips/cut.wav"), &whole[..whole.len() / 2]).expect("written");
    std::fs::write(bench.path("clips/text.wav"), "no sound").expect("written");
    copy(&bench.path("clips/c.wav"), &bench.path("clips/copy.wav"));
    bench.manifest(
        "lists/m.jsonl",
        &[
            json!({"audio": "../clips/a.wav", "text": "Good, 1!", "duration": 1.04, "more": {"b": 1, "a": [2.50]}}),
            json!({"audio": "../clips/b.wav", "text": "go on", "duration": 1.2}),
            json!({"audio": "../clips/c.wav", "text": "go on", "duration": 1.0}),
            json!({"audio": "../clips/copy.wav", "text": "Go on.", "duration": 1.0}),
            json!({"audio": "../clips/d.wav", "text": "good"}),
            json!({"audio": "../clips/e.wav", "text": "first half", "offset": 0, "duration": 1.0}),
            json!({"audio": "../clips/e.wav", "text": "second half", "offset": 1, "duration": 1.0}),
            json!({"audio": "../clips/e.wav", "text": "third half", "offset": 1.5, "duration": 1.0}),
            json!({"audio": "../clips/cut.wav", "text": "cut", "duration": 1.0}),
            json!({"audio": "../clips/text.wav", "text": "no sound", "duration": 1.0}),
            json!({"audio": "../clips/gone.wav", "text": "gone", "duration": 1.0}),
            json!({"audio": "../clips/a.wav", "text": "?!"}),
            json!({"text": "nothing to hear"}),
            json!({"audio": "../clips/f.wav", "kind": "rain"}),
        ],
    );
    bench
}

#[test]
fn each_fault_is_named_with_its_line() {
    let bench = faulty();
    let ran = bench.check(&["lists/m.jsonl", "-o", "clean.jsonl"]);
    assert_eq!(ran.code, 1, "{}{}", ran.stdout, ran.stderr);
    let found = |line: &str, rest: &str| assert_found(&ran, &format!("lists/m.jsonl:{line}: lists/../clips/{rest}"));
    found("2", "b.wav: wrong-duration: duration = 1.200: the recording has 1.000 s");
    found("4", "copy.wav: duplicate: the same sound and text as lists/m.jsonl:3 (lists/../clips/c.wav)");
    found("5", "d.wav: too-short: too short for its text: 3 output frames, must be at least 5");
    found(
        "8",
        "e.wav: unreadable-audio: the recording ends 0.50 s before the segment does: its text may not fit what is left",
    );
    found(
        "9",
        "cut.wav: unreadable-audio: 32034 of 64000 bytes of audio are missing: its text may not fit what is left",
    );
    assert!(ran.stdout.contains("lists/m.jsonl:10: lists/../clips/text.wav: unreadable-audio: is not audio"));
    assert!(ran.stdout.contains("lists/m.jsonl:11: lists/../clips/gone.wav: unreadable-audio: No such file"));
    found("12", "a.wav: empty-text: `text` is empty");
    assert_found(&ran, "lists/m.jsonl:13: bad-line: `audio` is missing");
    for line in ["unreadable-audio         4", "duplicate                1", "bad-line                 1"] {
        assert_found(&ran, line);
    }
    assert_found(&ran, "lists/m.jsonl: 5 good lines, 0.00 h; 9 bad, 0.00 h");
    assert_eq!(ran.stderr, "clean.jsonl: 5 lines\n");
}

#[test]
fn the_cleaned_manifest_keeps_fields_and_finds_its_recordings() {
    let bench = faulty();
    bench.check(&["lists/m.jsonl", "-o", "clean.jsonl"]);
    let (before, clean) = (bench.lines("lists/m.jsonl"), bench.lines("clean.jsonl"));
    let names: Vec<&str> = clean.iter().filter_map(|line| line["audio"].as_str()).collect();
    assert_eq!(names, ["clips/a.wav", "clips/c.wav", "clips/e.wav", "clips/e.wav", "clips/f.wav"]);
    for field in ["text", "duration", "more"] {
        assert_eq!(clean[0][field], before[0][field]);
    }
    let again = bench.check(&["clean.jsonl"]);
    assert_eq!(again.code, 0, "notes are no faults: {}{}", again.stdout, again.stderr);
    assert_found(&again, "clean.jsonl: 5 good lines, 0.00 h; 0 bad, 0.00 h");
    assert_eq!(bench.check(&["lists/m.jsonl", "-o", "lists/c.jsonl"]).code, 1);
    let first =
        |name: &str| std::fs::read_to_string(bench.path(name)).expect("read").lines().next().map(str::to_string);
    assert_eq!(first("lists/c.jsonl"), first("lists/m.jsonl"), "in the same folder a line stays as it is");
}

#[test]
fn manifests_are_held_against_each_other() {
    let bench = Bench::new();
    for (name, pitch) in [("a", 1.0), ("b", 2.0), ("c", 3.0), ("d", 4.0)] {
        bench.wav(&format!("clips/{name}.wav"), 1.0, 8_000, pitch);
    }
    copy(&bench.path("clips/b.wav"), &bench.path("lists/b.wav"));
    let line = |audio: &str, text: &str| json!({"audio": audio, "text": text});
    let test = [line("clips/a.wav", "Go."), line("clips/b.wav", "yes")];
    bench.manifest("test.jsonl", &test);
    let train = [("../clips/a.wav", "go"), ("b.wav", "no"), ("../clips/c.wav", "go"), ("../clips/d.wav", "on")];
    bench.manifest("lists/train.jsonl", &train.map(|(audio, text)| line(audio, text)));
    let ran = bench.check(&["test.jsonl", "lists/train.jsonl", "-o", "lists/both.jsonl"]);
    assert_eq!(ran.code, 1, "{}{}", ran.stdout, ran.stderr);
    assert_found(
        &ran,
        "test.jsonl:2: clips/b.wav: conflicting-text: \"yes\", but \"no\" for the same sound at lists/train.jsonl:2 (lists/b.wav)",
    );
    assert_found(
        &ran,
        "lists/train.jsonl:1: lists/../clips/a.wav: duplicate: the same sound and text as test.jsonl:1 (clips/a.wav)",
    );
    assert!(ran.stdout.contains("lists/train.jsonl:2: lists/b.wav: conflicting-text: \"no\", but \"yes\""));
    assert_found(&ran, "sentences in both: 1, in 1 of 2 lines of test.jsonl and 2 of 4 lines of lists/train.jsonl");
    assert_found(&ran, "all: 3 good lines, 0.00 h; 3 bad, 0.00 h");
    let clean: Vec<Value> = bench.lines("lists/both.jsonl").iter().map(|line| line["audio"].clone()).collect();
    assert_eq!(clean, ["../clips/a.wav", "../clips/c.wav", "../clips/d.wav"]);
}

#[test]
fn texts_are_held_against_tokens_and_odd_rates_are_found() {
    let bench = Bench::new();
    let mut lines: Vec<Value> = (0..24)
        .map(|index| {
            bench.wav(&format!("clips/{index}.wav"), 2.0, 8_000, index as f32);
            json!({"audio": format!("clips/{index}.wav"), "text": if index % 2 == 0 { "good evening" } else { "good night" }})
        })
        .collect();
    lines[5]["text"] = "good evening and good night to all of you who came".into();
    lines[6]["text"] = "g".into();
    lines[7]["text"] = "good züge".into();
    bench.manifest("m.jsonl", &lines);
    let ran = bench.check(&["m.jsonl", "--json"]);
    let objects: Vec<Value> = ran.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let odd: Vec<&Value> = objects.iter().filter(|finding| finding["kind"] == "odd-rate").collect();
    assert_eq!(odd.iter().map(|finding| &finding["line"]).collect::<Vec<_>>(), [6, 7], "{}", ran.stdout);
    assert!(
        odd[0]["reason"]
            .as_str()
            .is_some_and(|reason| reason.starts_with("20.00 characters a second: must be at most "))
    );
    let summary = &objects.last().expect("a summary")["summary"];
    assert_eq!((&summary["bad"], &summary["kinds"]["odd-rate"]), (&json!(2), &json!(2)));
    assert_eq!((&summary["characters"]["z"], &summary["good_seconds"]), (&json!(1), &json!(44.0)));
    let table = eddy::text::TokenTable::characters(["good evening night and to all of you who came"]).expect("table");
    table.save(&bench.path("tokens.txt")).expect("saved");
    let ran = bench.check(&["m.jsonl", "--tokens", "tokens.txt"]);
    assert_found(
        &ran,
        "m.jsonl:8: clips/7.wav: unknown-characters: text = \"zuge\": must be of characters in the token table: 'z' is not",
    );
    assert!(!ran.stdout.contains("\ncharacters: "), "{}", ran.stdout);
    let slow = bench.check(&["m.jsonl", "--stacking", "16", "--frame-shift", "20", "--speed", "1.5"]);
    assert!(slow.stdout.contains("m.jsonl:1: clips/0.wav: too-short: "), "{}", slow.stdout);
}

#[test]
fn a_rare_character_is_a_note() {
    let bench = Bench::new();
    bench.wav("clips/a.wav", 60.0, 8_000, 1.0);
    let text = format!("{}ж", "go on ".repeat(260));
    bench.manifest("m.jsonl", &[json!({"audio": "clips/a.wav", "text": text})]);
    let ran = bench.check(&["m.jsonl"]);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    let note = "rare-character: 'ж' occurs once in all texts, here first: too rare to be learned";
    assert_found(&ran, &format!("m.jsonl:1: clips/a.wav: {note}"));
    assert_found(&ran, "rare-character           1  (note)");
    assert_found(&ran, "characters: o 520, g 260, n 260, ж 1");
    let ran = bench.check(&["m.jsonl", "--json"]);
    let note: Value = serde_json::from_str(ran.stdout.lines().next().expect("a line")).expect("JSON");
    assert_eq!((&note["kind"], &note["fault"], &note["line"]), (&json!("rare-character"), &json!(false), &json!(1)));
}

#[test]
fn what_cannot_be_done_is_refused() {
    let bench = Bench::new();
    bench.wav("clips/a.wav", 1.0, 8_000, 1.0);
    bench.manifest("m.jsonl", &[json!({"audio": "clips/a.wav", "text": "go", "duration": 5.0})]);
    let before = std::fs::read(bench.path("m.jsonl")).expect("read");
    std::fs::write(bench.path("empty.jsonl"), "\n").expect("written");
    let refused = |arguments: &[&str], part: &str| {
        let ran = bench.check(arguments);
        assert!(ran.code == 2 && ran.stderr.contains(part), "{part:?} not in {:?}", ran.stderr);
        ran.stdout
    };
    assert_eq!(refused(&["gone.jsonl"], "gone.jsonl: No such file"), "");
    refused(&["m.jsonl", "empty.jsonl"], "empty.jsonl: is empty");
    refused(&["m.jsonl", "lists/../m.jsonl"], "lists/../m.jsonl: is given twice");
    refused(&["m.jsonl", "-o", "lists/../m.jsonl"], "is one of the manifests to check");
    refused(&["m.jsonl", "-o", "nowhere/c.jsonl"], "nowhere: no such folder");
    refused(&["m.jsonl", "--model", "nowhere"], "nowhere: no such model directory");
    refused(&["m.jsonl", "--model", "x", "--stacking", "2"], "cannot be used with");
    refused(&["m.jsonl", "--tokens", "m.jsonl"], "m.jsonl: tokens = ");
    refused(&["m.jsonl", "--frame-shift", "0"], "frame_shift_ms = 0: must be 1..=25 ms");
    refused(&["m.jsonl", "--speed", "0"], "--speed = 0: must be 0.5..=2");
    let found = refused(&["m.jsonl", "-o", "c.jsonl"], "c.jsonl: not written: no good line is left");
    assert!(found.contains("wrong-duration"), "the findings are told all the same: {found}");
    assert!(!bench.path("c.jsonl").exists());
    assert_eq!(std::fs::read(bench.path("m.jsonl")).expect("read"), before);
}
