//! `eddy corpus`: every layout that is imported, from a small corpus made here.

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;

/// A folder with recordings of known length.
struct Bench {
    folder: TempDir,
}

impl Bench {
    fn new() -> Self {
        Bench { folder: tempfile::tempdir().expect("folder") }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn text(&self, name: &str, text: &str) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        std::fs::write(path, text).expect("written");
    }

    /// A tone of `seconds` at 16 kHz.
    fn wav(&self, name: &str, seconds: f64) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        let spec = hound::WavSpec {
            channels: 1,
            sample_rate: 16_000,
            bits_per_sample: 16,
            sample_format: hound::SampleFormat::Int,
        };
        let mut writer = hound::WavWriter::create(path, spec).expect("wav");
        for i in 0..(seconds * 16_000.0) as usize {
            writer.write_sample(((i as f32 * 0.2).sin() * 9000.0) as i16).expect("sample");
        }
        writer.finalize().expect("finished");
    }

    fn eddy(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_eddy"));
        command.current_dir(self.folder.path()).env_remove("RUST_LOG");
        command.args(arguments).output().expect("eddy runs")
    }

    /// Imports `corpus` and gives the exit code, the messages and the manifest's lines.
    fn import(&self, kind: &str, corpus: &str) -> (i32, String, Vec<Value>) {
        std::fs::create_dir_all(self.path("lists")).expect("made");
        let output = self.eddy(&["corpus", "import", kind, corpus, "-o", "lists/m.jsonl"]);
        assert_eq!(output.stdout, b"");
        let messages = String::from_utf8(output.stderr).expect("UTF-8");
        assert!(!messages.contains("panicked"), "{messages}");
        let manifest = std::fs::read_to_string(self.path("lists/m.jsonl")).unwrap_or_default();
        let lines: Vec<Value> = manifest.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        for line in &lines {
            let audio = self.path("lists").join(line["audio"].as_str().expect("audio"));
            assert!(audio.is_file() && Path::new(line["audio"].as_str().expect("audio")).is_relative(), "{line}");
        }
        (output.status.code().expect("a code"), messages, lines)
    }
}

/// Asserts a line's facts.
#[track_caller]
fn assert_line(line: &Value, audio: &str, text: &str, duration: f64, speaker: Option<&str>) {
    assert_eq!((&line["audio"], &line["text"]), (&audio.into(), &text.into()));
    assert_eq!((line["duration"].as_f64(), line["speaker"].as_str()), (Some(duration), speaker), "{line}");
}

#[test]
fn librispeech() {
    let bench = Bench::new();
    bench.wav("c/84/121/84-121-0000.wav", 1.5);
    bench.text("c/84/121/84-121.trans.txt", "84-121-0000 GO ON\n84-121-0001 NOT THERE\n84-121-0000\n");
    let (code, messages, lines) = bench.import("librispeech", "c");
    assert_eq!((code, lines.len()), (1, 1), "{messages}");
    assert_line(&lines[0], "../c/84/121/84-121-0000.wav", "GO ON", 1.5, Some("84"));
    assert!(messages.contains("84-121.trans.txt:2: ") && messages.contains("84-121-0001.flac"), "{messages}");
    assert!(messages.contains("84-121.trans.txt:3: ") && messages.contains("has no words"), "{messages}");
    assert!(messages.contains("1 utterances, 0.00 h, 1 speakers; 2 left out"), "{messages}");
}

#[test]
fn common_voice() {
    let bench = Bench::new();
    bench.wav("cv/clips/a.wav", 1.0);
    bench.wav("cv/clips/b.wav", 2.0);
    bench.text(
        "cv/train.tsv",
        "client_id\tpath\tsentence\tage\nx1\ta.wav\tIt \"was\" 5.\t\nx2\tb.wav\nx2\tb.wav\tYes\t20\n",
    );
    bench.text("cv/reported.tsv", "sentence\tsentence_id\nx\ty\n");
    let (code, messages, lines) = bench.import("common-voice", "cv");
    assert_eq!((code, lines.len()), (1, 2), "{messages}");
    assert_line(&lines[0], "../cv/clips/a.wav", "It \"was\" 5.", 1.0, Some("x1"));
    assert_line(&lines[1], "../cv/clips/b.wav", "Yes", 2.0, Some("x2"));
    assert!(messages.contains("train.tsv:3: 2 columns: must be 4"), "{messages}");
    bench.text("cv/test.tsv", "client_id\tpath\tsentence\n");
    let (code, messages, _) = bench.import("common-voice", "cv");
    assert!(code == 2 && messages.contains("several tables") && messages.contains("cv/test.tsv"), "{messages}");
    assert_eq!(bench.import("common-voice", "cv/train.tsv").0, 1);
}

#[test]
fn kaldi_with_segments_and_refused_pipes() {
    let bench = Bench::new();
    bench.wav("k/rec.wav", 4.0);
    bench.text("k/wav.scp", "rec rec.wav\npiped sph2pipe -f wav x.sph |\n");
    bench.text("k/text", "u1 go\nu2 stop now\nu3 too late\nu4 never\n");
    bench.text("k/utt2spk", "u1 anna\nu2 ben\n");
    bench.text("k/segments", "u1 rec 0.5 1.25\nu2 rec 2 -1\nu3 rec 3.5 9\nu4 rec 2 1\nu5 rec 0 1\n");
    let (code, messages, lines) = bench.import("kaldi", "k");
    assert_eq!((code, lines.len()), (1, 2), "{messages}");
    assert_line(&lines[0], "../k/rec.wav", "go", 0.75, Some("anna"));
    assert_eq!(lines[0]["offset"], 0.5);
    assert_line(&lines[1], "../k/rec.wav", "stop now", 2.0, Some("ben"));
    for part in ["wav.scp:2: `sph2pipe", "text:3: ", "segments:4: ", "no line for u5", "4 left out"] {
        assert!(messages.contains(part), "{part:?} not in {messages}");
    }
    std::fs::remove_file(bench.path("k/segments")).expect("removed");
    bench.text("k/text", "rec all of it\npiped no\n");
    let (code, _, lines) = bench.import("kaldi", "k");
    assert_eq!((code, lines.len(), &lines[0]["offset"]), (1, 1, &Value::Null));
    assert_line(&lines[0], "../k/rec.wav", "all of it", 4.0, None);
}

#[test]
fn nemo_deepspeech_and_ljspeech() {
    let bench = Bench::new();
    bench.wav("n/a.wav", 3.0);
    let nemo = r#"{"audio_filepath": "a.wav", "text": "hi", "duration": 1.0, "offset": 1.5}"#;
    bench.text("n/train.json", &format!("{nemo}\n{{\"audio_filepath\": \"a.wav\"}}\n"));
    let (code, messages, lines) = bench.import("nemo", "n");
    assert!(code == 1 && messages.contains("train.json:2: not a line of a NeMo manifest"), "{messages}");
    assert_line(&lines[0], "../n/a.wav", "hi", 1.0, None);
    assert_eq!(lines[0]["offset"], 1.5);
    bench.wav("d/a.wav", 1.0);
    bench.text("d/dev.csv", "wav_filename,wav_filesize,transcript\na.wav,9,\"yes, go\"\na.wav\n");
    let (code, messages, lines) = bench.import("deepspeech", "d");
    assert!(code == 1 && messages.contains("dev.csv:3: 1 columns: must be 3"), "{messages}");
    assert_line(&lines[0], "../d/a.wav", "yes, go", 1.0, None);
    bench.wav("lj/wavs/LJ1.wav", 1.0);
    bench.text("lj/metadata.csv", "LJ1|Dr. X, 2|Doctor X, two\n");
    let (code, messages, lines) = bench.import("ljspeech", "lj");
    assert_eq!((code, lines.len()), (0, 1), "{messages}");
    assert_line(&lines[0], "../lj/wavs/LJ1.wav", "Doctor X, two", 1.0, None);
}

#[test]
fn nothing_to_import_is_a_failure_that_says_why() {
    let bench = Bench::new();
    bench.text("empty/note", "");
    for kind in ["librispeech", "common-voice", "kaldi", "nemo", "deepspeech", "ljspeech"] {
        let (code, messages, lines) = bench.import(kind, "empty");
        assert!(code == 2 && messages.contains("empty") && lines.is_empty(), "{kind}: {messages}");
    }
    let (code, messages, _) = bench.import("kaldi", "nowhere");
    assert!(code == 2 && messages.contains("nowhere: no such corpus"), "{messages}");
}

#[test]
fn a_part_of_a_recording_is_what_is_heard() {
    let bench = Bench::new();
    bench.wav("a.wav", 2.0);
    let line = |more: &str| format!("{{\"audio\": \"a.wav\", \"text\": \"go\"{more}}}\n");
    let more = [", \"offset\": 0.5, \"duration\": 1", ", \"offset\": 1.5", ", \"offset\": 1.5, \"duration\": 2", ""];
    bench.text("m.jsonl", &more.map(line).concat());
    let manifest = eddy::corpus::Manifest::read(&bench.path("m.jsonl")).expect("manifest");
    let heard: Vec<(usize, bool)> = manifest
        .utterances
        .iter()
        .map(|utterance| {
            let mut source = utterance.open().expect("open");
            let samples = eddy::audio::read_all(source.as_mut()).expect("samples");
            let whole = eddy::audio::read_all(manifest.utterances[3].open().expect("open").as_mut()).expect("samples");
            let first = (utterance.offset.unwrap_or(0.0) * 16_000.0) as usize;
            assert_eq!(samples, whole[first..first + samples.len()]);
            (samples.len(), source.truncation().is_some())
        })
        .collect();
    assert_eq!(heard, [(16_000, false), (8_000, false), (8_000, true), (32_000, false)]);
}
