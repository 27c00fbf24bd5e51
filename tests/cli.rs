//! The program as its users meet it: what goes to stdout and stderr, exit codes, and errors that name the file and the
//! way out.
#![cfg(feature = "torch")]

mod common;

use common::{truncate, write_model, write_sound};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Instant;
use tempfile::TempDir;

/// A folder with a model and recordings.
struct Bench {
    folder: TempDir,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("folder");
        let bench = Bench { folder };
        write_model(&bench.path("model"));
        write_sound(&bench.path("good.wav"), 2.0, 16_000, 1);
        write_sound(&bench.path("other.wav"), 1.5, 44_100, 2);
        bench
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn eddy(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_eddy"));
        command.current_dir(self.folder.path()).env_remove("EDDY_MODEL").env_remove("RUST_LOG");
        command.args(arguments).output().expect("eddy runs")
    }

    /// `eddy transcribe` with the bench's model.
    fn transcribe(&self, arguments: &[&str]) -> Output {
        self.eddy(&[&["transcribe", "--model", "model"], arguments].concat())
    }
}

fn out(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).expect("UTF-8")
}

fn err(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).expect("UTF-8")
}

fn code(output: &Output) -> i32 {
    output.status.code().expect("an exit code")
}

/// Asserts exit code 2, nothing on stdout and every part in one short message.
fn assert_refused(output: &Output, parts: &[&str]) {
    assert_eq!(code(output), 2, "{}", err(output));
    assert_eq!(out(output), "");
    for part in parts {
        assert!(err(output).contains(part), "{part:?} not in {:?}", err(output));
    }
    assert!(!err(output).contains("panicked"), "{}", err(output));
}

#[test]
fn one_file_gives_bare_text_and_several_give_their_paths() {
    let bench = Bench::new();
    let alone = bench.transcribe(&["good.wav"]);
    assert_eq!((code(&alone), err(&alone)), (0, ""));
    let text = out(&alone).strip_suffix('\n').expect("a line");
    assert!(!text.is_empty() && !text.contains(['\t', '\n']), "{text:?}");
    let both = bench.transcribe(&["good.wav", "other.wav"]);
    assert_eq!((code(&both), err(&both)), (0, ""));
    let lines: Vec<_> = out(&both).lines().collect();
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[0], format!("good.wav\t{text}"));
    assert!(lines[1].starts_with("other.wav\t"));
    for pieces in ["7", "100", "5000"] {
        assert_eq!(out(&bench.transcribe(&["good.wav", "--chunk-ms", pieces])), out(&alone), "{pieces} ms");
    }
}

#[test]
fn json_holds_words_with_times_inside_the_recording() {
    let bench = Bench::new();
    let output = bench.transcribe(&["--json", "good.wav", "other.wav"]);
    assert_eq!(code(&output), 0, "{}", err(&output));
    let objects: Vec<Value> = out(&output).lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(objects.len(), 2);
    assert_eq!(objects[0]["file"], "good.wav");
    assert_eq!((&objects[0]["duration"], &objects[1]["duration"]), (&2.0.into(), &1.5.into()));
    let number = |value: &Value| value.as_f64().expect("a number");
    for object in &objects {
        let mut texts = Vec::new();
        let mut last = 0.0;
        for segment in object["segments"].as_array().expect("segments") {
            let words = segment["words"].as_array().expect("words");
            let joined: Vec<_> = words.iter().map(|word| word["word"].as_str().expect("a word")).collect();
            assert_eq!(segment["text"], joined.join(" "));
            assert_eq!((&segment["start"], &segment["end"]), (&words[0]["start"], &words[words.len() - 1]["end"]));
            for word in words {
                assert!(last <= number(&word["start"]) && number(&word["start"]) < number(&word["end"]), "{word}");
                assert!((0.0..=1.0).contains(&number(&word["confidence"])));
                last = number(&word["end"]);
            }
            texts.push(segment["text"].as_str().expect("text").to_string());
        }
        assert!(last > 0.0 && last <= number(&object["duration"]));
        assert_eq!(object["text"], texts.join(" "));
    }
}

#[test]
fn files_are_written_next_to_the_recordings_or_below_a_folder() {
    let bench = Bench::new();
    std::fs::create_dir_all(bench.path("talks/day1")).expect("folders");
    for (from, to) in
        [("good.wav", "talks/a.wav"), ("other.wav", "talks/day1/a.WAV"), ("good.wav", "talks/day1/a.b.wav")]
    {
        std::fs::copy(bench.path(from), bench.path(to)).expect("copied");
    }
    std::fs::write(bench.path("talks/notes.txt"), "not audio").expect("written");
    let read = |name: &str| std::fs::read_to_string(bench.path(name)).expect(name);
    let json: Value = serde_json::from_str(out(&bench.transcribe(&["--json", "good.wav"]))).expect("JSON");

    let beside = bench.transcribe(&["--format", "txt,json,srt,vtt,ctm,textgrid,csv", "good.wav", "./good.wav"]);
    assert_eq!((code(&beside), out(&beside)), (0, ""), "{}", err(&beside));
    assert_eq!(err(&beside), "eddy: transcripts of 1 of 1 recordings written\n");
    let text = read("good.txt").lines().collect::<Vec<_>>().join(" ");
    assert_eq!(json["text"], text);
    assert_eq!(serde_json::from_str::<Value>(&read("good.json")).expect("JSON"), json);
    assert!(read("good.srt").starts_with("1\n00:00:0") && read("good.vtt").starts_with("WEBVTT\n"));
    assert_eq!(read("good.ctm").lines().count(), text.split(' ').count());
    assert!(read("good.TextGrid").contains("xmax = 2\n") && read("good.csv").starts_with("file,start"));

    let direct = bench.transcribe(&["--output-dir", "flat", "talks"]);
    assert_eq!((code(&direct), err(&direct)), (0, "eddy: transcripts of 1 of 1 recordings written\n"));
    assert_eq!(read("flat/a.txt"), read("good.txt"));
    let tree =
        bench.transcribe(&["--recursive", "--format", "vtt,ctm", "--word-times", "--output-dir", "out/new", "talks"]);
    assert_eq!((code(&tree), err(&tree)), (0, "eddy: transcripts of 3 of 3 recordings written\n"));
    assert!(
        ["a.vtt", "a.ctm", "day1/a.vtt", "day1/a.b.ctm"].iter().all(|name| bench.path("out/new").join(name).is_file())
    );
    assert!(read("out/new/day1/a.b.ctm").starts_with("a.b 1 "));
    let printed = bench.transcribe(&["--recursive", "talks"]);
    let names: Vec<_> = out(&printed).lines().filter_map(|line| Some(line.split_once('\t')?.0)).collect();
    assert_eq!(names, ["talks/a.wav", "talks/day1/a.WAV", "talks/day1/a.b.wav"]);
}

#[test]
fn a_transcript_that_cannot_be_written_is_told_and_the_others_are_done() {
    let bench = Bench::new();
    std::fs::create_dir(bench.path("good.txt")).expect("a folder in the way");
    let output = bench.transcribe(&["--format", "txt", "good.wav", "other.wav", "missing.wav"]);
    assert_eq!((code(&output), out(&output)), (1, ""), "{}", err(&output));
    let mut messages: Vec<_> = err(&output).lines().collect();
    // Recordings are done in any order.
    messages[..2].sort_unstable();
    assert!(messages[0].starts_with("eddy: good.txt: "), "{messages:?}");
    assert!(messages[1].starts_with("eddy: missing.wav: "), "{messages:?}");
    assert_eq!(messages[2], "eddy: transcripts of 1 of 3 recordings written, 1 failed, 1 not written");
    assert!(bench.path("other.txt").is_file());
    assert_eq!(code(&bench.transcribe(&["--format", "txt", "good.wav"])), 2);
    assert_refused(&bench.transcribe(&["--format", "doc", "good.wav"]), &["doc", "one of txt, json, srt"]);
    assert_refused(&bench.transcribe(&["--format", "srt", "--nbest", "2", "good.wav"]), &["--nbest needs --json"]);
    assert_refused(&bench.transcribe(&["--word-times", "good.wav"]), &["--word-times needs --format vtt"]);
}

#[test]
fn a_bad_file_is_named_and_the_others_are_done() {
    let bench = Bench::new();
    std::fs::write(bench.path("empty.wav"), b"").expect("write");
    std::fs::write(bench.path("text.wav"), "hello, this is not audio").expect("write");
    let output = bench.transcribe(&["missing.wav", "good.wav", "empty.wav", "text.wav", "model"]);
    assert_eq!(code(&output), 1);
    assert_eq!(out(&output).lines().count(), 1);
    let messages: Vec<_> = err(&output).lines().collect();
    assert_eq!(messages.len(), 4, "{messages:?}");
    for (message, file) in messages.iter().zip(["missing.wav", "empty.wav", "text.wav", "model"]) {
        assert!(message.starts_with(&format!("eddy: {file}: ")), "{message}");
        assert_eq!(message.matches(file).count(), 1, "{message}");
    }
    assert_refused(&bench.transcribe(&["empty.wav", "missing.wav"]), &["empty.wav: is empty", "missing.wav"]);
}

#[test]
fn a_truncated_recording_is_transcribed_with_a_warning() {
    let bench = Bench::new();
    truncate(&bench.path("good.wav"), 0.7);
    let output = bench.transcribe(&["--json", "good.wav"]);
    assert_eq!(code(&output), 1);
    assert!(err(&output).starts_with("eddy: good.wav: warning: "), "{}", err(&output));
    assert_eq!(err(&output).lines().count(), 1);
    let object: Value = serde_json::from_str(out(&output)).expect("JSON");
    assert!((object["duration"].as_f64().expect("a number") - 1.4).abs() < 0.01);
}

#[test]
fn bad_flags_are_usage_errors() {
    let bench = Bench::new();
    assert_refused(&bench.transcribe(&[]), &["FILE", "Usage"]);
    assert_refused(&bench.transcribe(&["--decoder", "oracle", "good.wav"]), &["oracle", "greedy"]);
    assert_refused(&bench.transcribe(&["--chunk-ms", "0", "good.wav"]), &["chunk-ms", "1..=600000"]);
    assert_refused(&bench.transcribe(&["--latency", "500", "good.wav"]), &["--latency = 500 ms", "195, 1515"]);
    assert_refused(&bench.transcribe(&["--device", "tpu", "good.wav"]), &["must be cpu, cuda, cuda:N or mps"]);
    assert_eq!(code(&bench.transcribe(&["--latency", "1515", "good.wav"])), 0);
    assert_refused(&bench.eddy(&["transcribe", "good.wav", "--model", "nowhere"]), &["nowhere", "no such model"]);
}

#[test]
fn broken_models_are_named_with_the_way_out() {
    let bench = Bench::new();
    let attempt = |file: &str, content: Option<&str>, parts: &[&str]| {
        let path = bench.path("model").join(file);
        let original = std::fs::read(&path).expect("read");
        match content {
            Some(content) => std::fs::write(&path, content).expect("write"),
            None => std::fs::remove_file(&path).expect("removed"),
        }
        let name = Path::new("model").join(file).display().to_string();
        let parts = [&[name.as_str()], parts].concat();
        assert_refused(&bench.transcribe(&["good.wav"]), &parts);
        std::fs::write(&path, original).expect("restored");
    };
    for file in ["model.json", "tokens.txt", "cmvn.json", "model.safetensors"] {
        attempt(file, None, &["is missing"]);
    }
    let json = std::fs::read_to_string(bench.path("model/model.json")).expect("model.json");
    attempt("model.json", Some(&json[..json.len() / 2]), &["EOF"]);
    attempt("model.json", Some(&json.replace("\"chunk\": 12,", "\"chunk\": 0,")), &["chunk = 0: must be 1..=3000"]);
    attempt("model.json", Some(&json.replace("\"cell\"", "\"sell\"")), &["sell"]);
    attempt("model.json", Some(&json.replace("\"format\": 1", "\"format\": 7")), &["format = 7: must be 1"]);
    attempt("tokens.txt", Some("<blank>\na\n"), &["2 tokens: must be"]);
    attempt("cmvn.json", Some(r#"{"frames":1,"sum":[0.0],"sum_squares":[1.0]}"#), &["1 values: must be 13"]);
    attempt("model.safetensors", Some("not weights at all"), &["fetch it again"]);
    let weights = bench.path("model/model.safetensors");
    let whole = std::fs::read(&weights).expect("weights");
    truncate(&weights, 0.5);
    assert_refused(&bench.transcribe(&["good.wav"]), &["model.safetensors", "fetch it again"]);
    assert_refused(&bench.eddy(&["inspect", "model"]), &["model.safetensors", "fetch it again"]);
    std::fs::write(&weights, whole).expect("restored");
    // Weights of another network.
    let wider = json.replace("\"hidden\": 12", "\"hidden\": 16");
    std::fs::write(bench.path("model/model.json"), wider).expect("write");
    assert_refused(&bench.transcribe(&["good.wav"]), &["model.safetensors"]);
}

#[test]
fn inspect_tells_shape_size_latency_and_tokens() {
    let bench = Bench::new();
    let output = bench.eddy(&["inspect", "model", "--json"]);
    assert_eq!(code(&output), 0, "{}", err(&output));
    let object: Value = serde_json::from_str(out(&output)).expect("JSON");
    let latencies = object["latencies"].as_array().expect("latencies");
    let stated: Vec<_> = latencies.iter().map(|entry| (&entry["latency_ms"], &entry["default"])).collect();
    assert_eq!(stated, [(&195.0.into(), &true.into()), (&1515.0.into(), &false.into())]);
    assert_eq!(object["encoder"]["cell"], "lstm");
    assert_eq!(object["tokens"][0], "<blank>");
    let tokens = object["tokens"].as_array().expect("tokens").len() as u64;
    // 2 layers x 2 directions x 4 gates of 12 units with two biases each, and the output layer.
    let gates = |inputs: u64| 2 * 4 * (12 * (inputs + 12) + 2 * 12);
    assert_eq!(object["parameters"], gates(39) + gates(24) + tokens * 24 + tokens);
    let size = |name: &str| std::fs::metadata(bench.path("model").join(name)).expect("a file").len();
    let total: u64 = ["model.json", "tokens.txt", "cmvn.json", "model.safetensors"].map(size).iter().sum();
    assert_eq!(object["bytes"], total);
    let words = bench.eddy(&["inspect", "model"]);
    for part in
        ["2 layers of 12 LSTM units", "195 ms: chunks of 12 frames, 6 of look-ahead  (default)", "1515 ms", "▁one"]
    {
        assert!(out(&words).contains(part), "{part:?} not in {}", out(&words));
    }
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let bench = Bench::new();
    let transcribe = ["transcribe", "--model", "model", "good.wav", "other.wav"].as_slice();
    let gates = ["lab", "gates", "--model", "model", "good.wav"].as_slice();
    let gradients = ["lab", "gradients", "--cell", "gru", "--length", "5", "good.wav"].as_slice();
    for arguments in [transcribe, gates, gradients] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_eddy"));
        command.current_dir(bench.folder.path()).args(arguments);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("eddy runs");
        drop(child.stdout.take());
        let output = child.wait_with_output().expect("eddy ends");
        assert_eq!((code(&output), err(&output)), (0, ""), "{arguments:?}");
    }
    // What the commands are for is done all the same.
    for name in ["gates.png", "gates.csv", "gradients.svg", "gradients.csv"] {
        assert!(bench.folder.path().join(name).metadata().is_ok_and(|file| file.len() > 0), "{name}");
    }
}

/// Every file below a folder but the journal, with what it holds.
fn files(folder: &Path) -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten() {
        let path = entry.expect("entry").path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if !path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(".eddy-journal")) {
            found.insert(path.clone(), std::fs::read_to_string(&path).expect("text"));
        }
    }
    found
}

#[test]
fn a_resumed_run_does_only_what_is_left() {
    let bench = Bench::new();
    write_sound(&bench.path("cut.wav"), 1.0, 16_000, 3);
    truncate(&bench.path("cut.wav"), 0.7);
    std::fs::write(bench.path("text.wav"), "no audio").expect("written");
    let run = |more: &[&str]| {
        let flags = ["--resume", "--output-dir", "out", "--format", "txt,json"];
        let recordings = ["good.wav", "text.wav", "cut.wav", "other.wav"];
        bench.transcribe(&[&flags[..], &recordings, more].concat())
    };
    let last = |output: &Output| err(output).lines().last().expect("a summary").to_string();
    let first = run(&[]);
    assert_eq!(code(&first), 1, "{}", err(&first));
    assert_eq!(last(&first), "eddy: transcripts of 3 of 4 recordings written, 1 cut short, 1 failed");
    let made = files(&bench.path("out"));
    assert_eq!(made.len(), 6);
    let written = |name: &str| std::fs::metadata(bench.path(name)).and_then(|facts| facts.modified()).expect("time");
    let before = written("out/good.txt");

    let again = run(&[]);
    assert_eq!(last(&again), "eddy: transcripts of 0 of 4 recordings written, 3 done before, 1 failed");
    assert!(err(&again).starts_with("eddy: text.wav: ") && code(&again) == 1, "{}", err(&again));
    assert_eq!(written("out/good.txt"), before);
    std::fs::remove_file(bench.path("out/other.json")).expect("removed");
    assert!(last(&run(&[])).contains("of 1 of 4 recordings written, 2 done before"));
    assert!(last(&run(&["--nbest", "2"])).contains("of 3 of 4"), "other flags");
    std::fs::write(bench.path("words"), "one").expect("written");
    assert!(last(&run(&["--hotwords", "words"])).contains("of 3 of 4"));
    assert!(last(&run(&["--hotwords", "words"])).contains("of 0 of 4"));
    std::fs::write(bench.path("words"), "two").expect("written");
    assert!(last(&run(&["--hotwords", "words"])).contains("of 3 of 4"), "other words");
    assert!(last(&run(&["--batch-streams", "1"])).contains("of 3 of 4"));
    assert_eq!(files(&bench.path("out")).len(), made.len());
    assert_refused(&bench.transcribe(&["--resume", "good.wav"]), &["--resume needs files"]);

    let all_done = bench.transcribe(&["--resume", "--output-dir", "two", "good.wav", "other.wav"]);
    assert_eq!(code(&all_done), 0);
    let nothing_left = bench.transcribe(&["--resume", "--output-dir", "two", "good.wav", "other.wav"]);
    assert_eq!(code(&nothing_left), 0);
    assert_eq!(err(&nothing_left), "eddy: transcripts of 0 of 2 recordings written, 2 done before\n");
}

#[test]
fn workers_share_the_recordings() {
    let bench = Bench::new();
    std::fs::create_dir(bench.path("talks")).expect("folder");
    for index in 0..7usize {
        write_sound(&bench.path(&format!("talks/{index}.wav")), 0.2 + 0.3 * index as f64, 8_000, index as u64);
    }
    assert_eq!(code(&bench.transcribe(&["--output-dir", "whole", "talks"])), 0);
    let mut shares = Vec::new();
    for shard in ["1/3", "2/3", "3/3"] {
        let output = bench.transcribe(&["--shard", shard, "--resume", "--output-dir", "shared", "talks"]);
        assert_eq!(code(&output), 0, "{}", err(&output));
        let printed = bench.transcribe(&["--shard", shard, "talks"]);
        shares.push(out(&printed).lines().count());
    }
    assert!(shares.iter().sum::<usize>() == 7 && shares.iter().all(|&share| share >= 1), "{shares:?}");
    let texts = |folder: &str| files(&bench.path(folder)).into_values().collect::<Vec<_>>();
    assert_eq!(texts("shared"), texts("whole"));
    let whole = bench.transcribe(&["--resume", "--output-dir", "shared", "talks"]);
    assert_eq!(err(&whole), "eddy: transcripts of 0 of 7 recordings written, 7 done before\n");
    for shard in ["0/3", "4/3", "3", "a/b"] {
        assert_refused(&bench.transcribe(&["--shard", shard, "talks"]), &["must be K/N"]);
    }
}

#[test]
fn standard_input_patterns_and_manifests_are_recordings_too() {
    let bench = Bench::new();
    let text = |arguments: &[&str]| {
        let output = bench.transcribe(arguments);
        assert_eq!((code(&output), err(&output)), (0, ""));
        out(&output).to_string()
    };
    let from_stdin = |bytes: &[u8], arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_eddy"));
        command.current_dir(bench.folder.path()).args(["transcribe", "--model", "model"]).args(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("eddy runs");
        let mut stdin = child.stdin.take().expect("stdin");
        // A program that has enough reads no further.
        let _ = stdin.write_all(bytes);
        drop(stdin);
        child.wait_with_output().expect("eddy ends")
    };
    let wav = std::fs::read(bench.path("good.wav")).expect("read");
    let wanted = text(&["good.wav"]);
    assert_eq!(out(&from_stdin(&wav, &["-"])), wanted);
    let mut source = eddy::audio::open(&bench.path("good.wav")).expect("opened");
    let samples = eddy::audio::read_all(source.as_mut()).expect("samples");
    let raw: Vec<u8> = samples.iter().flat_map(|sample| sample.to_be_bytes()).collect();
    assert_eq!(out(&from_stdin(&raw, &["--raw", "16000,f32be,1", "-"])), wanted);
    let short = from_stdin(&raw[..raw.len() - 1], &["--raw", "16000,f32be,1", "--output-dir", "out", "-"]);
    assert_eq!(code(&short), 1, "{}", err(&short));
    assert!(err(&short).contains("-: warning: the last sample is cut short"), "{}", err(&short));
    assert!(bench.path("out/stdin.txt").is_file());
    assert_refused(&from_stdin(b"", &["-"]), &["-: is empty"]);
    assert_refused(&from_stdin(b"hello, world, hello", &["-"]), &["-: is not audio", "--raw"]);
    assert_refused(&bench.transcribe(&["--raw", "16000,s16le,1", "good.wav"]), &["--raw is for standard input"]);
    assert_refused(&bench.transcribe(&["--raw", "16000", "-"]), &["16000,s16le,1"]);

    assert_eq!(text(&["*o*.wav"]), text(&["good.wav", "other.wav"]));
    let lines = "{\"audio\": \"other.wav\"}\n{\"audio\": \"good.wav\", \"offset\": 0, \"duration\": 0.5}\n";
    std::fs::write(bench.path("list.jsonl"), lines).expect("written");
    let listed = text(&["list.jsonl"]);
    assert!(listed.starts_with(text(&["other.wav", "good.wav"]).lines().next().expect("a line")));
    assert_eq!(listed.lines().count(), 2);
    assert_eq!(code(&bench.transcribe(&["--output-dir", "listed", "list.jsonl", "good.wav"])), 0);
    let names: Vec<_> = files(&bench.path("listed")).into_keys().collect();
    assert_eq!(names, ["good-0ms.txt", "good.txt", "other.txt"].map(|name| bench.path("listed").join(name)));
}

#[test]
fn hypotheses_are_told_where_they_are_asked_for() {
    let bench = Bench::new();
    std::fs::write(bench.path("m.jsonl"), "{\"audio\": \"good.wav\", \"text\": \"GO\"}\n").expect("manifest");
    let flags = ["--model", "model", "--decoder", "beam", "--nbest", "3"];
    let output = bench.eddy(&[&["evaluate", "m.jsonl", "--details", "d.jsonl"][..], &flags].concat());
    assert_eq!(code(&output), 0, "{}", err(&output));
    let details: Value =
        serde_json::from_str(&std::fs::read_to_string(bench.path("d.jsonl")).expect("details")).expect("JSON");
    let segments = details["nbest"].as_array().expect("segments");
    let first: Vec<&str> = segments.iter().map(|segment| segment[0]["text"].as_str().expect("a text")).collect();
    assert_eq!(first.join(" "), details["hypothesis"]);
    assert!(segments.iter().all(|segment| (1..=3).contains(&segment.as_array().expect("hypotheses").len())));
    let output = bench.eddy(&[&["listen", "--from", "good.wav", "--json"][..], &flags].concat());
    assert_eq!(code(&output), 0, "{}", err(&output));
    let events: Vec<Value> = out(&output).lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let mut finals = events.iter().filter(|event| event["event"] == "final");
    let told = finals.next().expect("a final");
    assert_eq!(told["nbest"][0]["text"], told["text"]);
    assert_refused(&bench.eddy(&[&["evaluate", "m.jsonl"][..], &flags].concat()), &["--nbest needs --details"]);
    assert_refused(&bench.eddy(&[&["listen", "--from", "good.wav"][..], &flags].concat()), &["--nbest needs --json"]);
}

#[test]
fn an_adapted_model_is_not_written_over_its_own_beginning() {
    let bench = Bench::new();
    std::fs::write(bench.path("m.jsonl"), "{\"audio\": \"good.wav\", \"text\": \"GO\"}\n").expect("manifest");
    let adapt = |output: &str| bench.eddy(&["adapt", "--model", "model", "m.jsonl", "-o", output]);
    assert_refused(&adapt("model"), &["model", "is the model to start from"]);
    assert_refused(&adapt("m.jsonl"), &["m.jsonl"]);
}

#[test]
fn a_run_may_end_at_the_first_failure() {
    let bench = Bench::new();
    let arguments = ["good.wav", "missing.wav", "other.wav", "--batch-streams", "1", "--fail-fast"];
    let output = bench.transcribe(&arguments);
    assert_eq!((code(&output), out(&output).lines().count()), (1, 1));
    assert_eq!(err(&output).lines().count(), 1);
    let output = bench.transcribe(&[&arguments[..], &["--output-dir", "out"]].concat());
    assert_eq!(code(&output), 1);
    assert!(
        err(&output).ends_with("transcripts of 1 of 3 recordings written, 1 failed, 1 not done\n"),
        "{}",
        err(&output)
    );
    assert_eq!(code(&bench.transcribe(&["missing.wav", "good.wav", "--fail-fast", "--batch-streams", "1"])), 2);
}

/// Many small recordings, every fifth damaged, by a process that may hold few files open: none is forgotten or left open.
#[cfg(unix)]
#[test]
fn of_many_recordings_every_damaged_one_is_named_and_the_others_are_done() {
    const COUNT: usize = 500;
    let bench = Bench::new();
    std::fs::create_dir(bench.path("many")).expect("folder");
    let damaged = |index: usize| index % 5 == 3;
    for index in 0..COUNT {
        let path = bench.path(&format!("many/{index:03}.wav"));
        match index % 20 {
            3 => std::fs::write(&path, b"").expect("written"),
            8 => std::fs::write(&path, "RIFF, but no more").expect("written"),
            13 => std::fs::create_dir(&path).expect("folder"),
            18 => {
                write_sound(&path, 0.3, 16_000, index as u64);
                let mut bytes = std::fs::read(&path).expect("read");
                bytes[22] = 0;
                std::fs::write(&path, bytes).expect("written");
            }
            _ => write_sound(&path, 0.3, 16_000, index as u64),
        }
    }
    let names: Vec<String> = (0..COUNT).map(|index| format!("many/{index:03}.wav")).collect();
    for streams in ["1", "8"] {
        let mut command = Command::new("sh");
        command.current_dir(bench.folder.path()).args(["-c", r#"ulimit -n 48; exec "$@""#, "sh"]);
        command.arg(env!("CARGO_BIN_EXE_eddy")).args(["transcribe", "--model", "model", "--output-dir", streams]);
        let output = command.args(["--batch-streams", streams]).args(&names).output().expect("eddy runs");
        assert_eq!(code(&output), 1, "{}", err(&output));
        let written = files(&bench.path(streams));
        for (index, name) in names.iter().enumerate() {
            let named = err(&output).lines().filter(|line| line.starts_with(&format!("eddy: {name}: "))).count();
            assert_eq!(named, usize::from(damaged(index)), "{name} with {streams} streams");
            let transcript = bench.path(streams).join(&name["many/".len()..]).with_extension("txt");
            assert_eq!(written.contains_key(&transcript), !damaged(index), "{name} with {streams} streams");
        }
        assert!(err(&output).contains("400 of 500 recordings written, 100 failed"), "{}", err(&output));
    }
}

/// Killed at any moment and resumed, a run leaves what an uninterrupted one leaves.
#[test]
fn a_killed_run_is_resumed() {
    let bench = Bench::new();
    std::fs::create_dir(bench.path("talks")).expect("folder");
    for index in 0..40usize {
        write_sound(&bench.path(&format!("talks/{index}.wav")), 1.0 + (index % 7) as f64, 16_000, index as u64);
    }
    let arguments = |folder: &'static str, streams: &'static str| {
        let flags =
            ["transcribe", "--model", "model", "--resume", "--format", "txt,json,srt", "--batch-streams", streams];
        [&flags[..], &["--output-dir", folder, "talks"]].concat()
    };
    let whole = |folder, streams| {
        let output = bench.eddy(&arguments(folder, streams));
        assert_eq!(code(&output), 0, "{}", err(&output));
        let left = |(path, text): (PathBuf, String)| {
            (path.strip_prefix(bench.path(folder)).expect("below").to_path_buf(), text)
        };
        (files(&bench.path(folder)).into_iter().map(left).collect::<BTreeMap<_, _>>(), err(&output).to_string())
    };
    let mut random = common::random(7);
    for (uninterrupted, resumed, streams) in [("a", "b", "1"), ("c", "d", "16")] {
        let start = Instant::now();
        let (wanted, _) = whole(uninterrupted, streams);
        let took = start.elapsed();
        let mut landed = 0;
        for _ in 0..20 {
            let mut command = Command::new(env!("CARGO_BIN_EXE_eddy"));
            command.current_dir(bench.folder.path()).args(arguments(resumed, streams));
            let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("eddy runs");
            std::thread::sleep(took.mul_f64(f64::from(random().abs()) * 0.3));
            landed += u32::from(child.try_wait().expect("a state").is_none());
            child.kill().expect("killed");
            child.wait().expect("ended");
        }
        assert!(landed >= 5, "{landed} of 20 kills met a run at work");
        let (found, summary) = whole(resumed, streams);
        assert!(found.keys().eq(wanted.keys()), "{summary}: {:?}", found.keys());
        for ((path, text), wanted) in found.iter().zip(wanted.values()) {
            // The JSON has confidences, which batch mates may change in their last digits.
            if streams == "1" || path.extension().is_some_and(|kind| kind != "json") {
                assert_eq!(text, wanted, "{}", path.display());
            }
        }
    }
}

/// A disk that fills up while a session is recorded, by a limit on the size of files: the session goes on and says so.
#[cfg(unix)]
#[test]
fn a_recording_that_cannot_grow_costs_no_text() {
    let bench = Bench::new();
    write_sound(&bench.path("long.wav"), 20.0, 16_000, 3);
    let whole = bench.eddy(&["listen", "--model", "model", "--plain", "--from", "long.wav"]);
    assert_eq!(code(&whole), 0, "{}", err(&whole));
    // Blocks of 512 or 1024 bytes, by shell; the recording is of 1.3 MB.
    let script = "trap '' XFSZ; ulimit -f 400; exec \"$0\" listen --model model --plain --from long.wav --record r.wav";
    let mut command = Command::new("sh");
    command.current_dir(bench.folder.path()).env_remove("RUST_LOG").args(["-c", script, env!("CARGO_BIN_EXE_eddy")]);
    let limited = command.output().expect("sh runs");
    assert_eq!(code(&limited), 1, "{}", err(&limited));
    assert!(err(&limited).contains("the recording ends, the session goes on"), "{}", err(&limited));
    assert_eq!(out(&limited), out(&whole));
    let mut recorded = eddy::audio::open(&bench.path("r.wav")).expect("what was written can be read");
    let samples = eddy::audio::read_all(recorded.as_mut()).expect("samples").len();
    assert!(samples > 16_000, "{samples}");
    // Nothing is taken away by a session that cannot start.
    std::fs::write(bench.path("keep.txt"), "yesterday").expect("write");
    let failed = bench.eddy(&[
        "listen",
        "--model",
        "model",
        "--from",
        "good.wav",
        "--record",
        "nowhere/r.wav",
        "--out",
        "keep.txt",
    ]);
    assert_eq!(code(&failed), 2, "{}", err(&failed));
    assert_eq!(std::fs::read_to_string(bench.path("keep.txt")).expect("kept"), "yesterday");
}

#[test]
fn what_is_cut_short_or_bad_among_inputs_is_told_everywhere() {
    let bench = Bench::new();
    std::fs::copy(bench.path("good.wav"), bench.path("cut.wav")).expect("copied");
    truncate(&bench.path("cut.wav"), 0.5);
    let lines = "{\"audio\": \"cut.wav\", \"text\": \"go\"}\nnonsense\n{\"audio\": \"good.wav\", \"offset\": 0.5, \"duration\": 1}\n";
    std::fs::write(bench.path("m.jsonl"), lines).expect("manifest");
    let scored = bench.eddy(&["evaluate", "--model", "model", "m.jsonl"]);
    assert_eq!(code(&scored), 1);
    assert!(err(&scored).contains("cut.wav: warning:") && err(&scored).contains("m.jsonl:2:"), "{}", err(&scored));
    let gates = bench.eddy(&["lab", "gates", "--model", "model", "cut.wav"]);
    assert_eq!(code(&gates), 1, "{}", err(&gates));
    assert!(err(&gates).contains("cut.wav: warning:"), "{}", err(&gates));
    let heard = bench.transcribe(&["m.jsonl", "missing.jsonl", "good.wav", "no*.wav"]);
    assert_eq!(code(&heard), 1);
    for part in ["m.jsonl:2:", "missing.jsonl: No such file", "no*.wav: no recording matches", "cut.wav: warning:"] {
        assert!(err(&heard).contains(part), "{part:?} not in {}", err(&heard));
    }
    let names: Vec<&str> = out(&heard).lines().filter_map(|line| line.split('\t').next()).collect();
    assert_eq!(names, ["cut.wav", "good.wav#t=0.5,1.5", "good.wav"], "{}", out(&heard));
    let over = bench.eddy(&["features", "good.wav", "--out", "./good.wav"]);
    assert_refused(&over, &["good.wav is needed: name another file"]);
}
