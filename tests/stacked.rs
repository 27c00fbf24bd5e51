//! Law 4 for files: batch mates do not matter. Many recordings in one step of the network give what each gives alone.
#![cfg(feature = "torch")]

mod common;

use eddy::pipeline::{BatchSummary, FileTranscript, transcribe_files, transcribe_stacked};
use eddy::{Device, Error, Recognizer, RecognizerConfig, Transcript};
use std::path::PathBuf;
use tempfile::TempDir;

/// Recordings of many lengths and two rates, some of which cannot be read.
fn recordings(folder: &TempDir) -> Vec<PathBuf> {
    let mut paths = Vec::new();
    for index in 0..14usize {
        let path = folder.path().join(format!("{index}.wav"));
        let rate = if index % 3 == 0 { 8_000 } else { 16_000 };
        match index {
            5 => std::fs::write(&path, "no audio at all").expect("written"),
            9 => {}
            _ => common::write_sound(&path, 0.1 + 0.61 * index as f64, rate, index as u64),
        }
        paths.push(path);
    }
    paths
}

fn recognizer(folder: &TempDir) -> Recognizer {
    let model = common::write_model(folder.path());
    let _making = common::MAKING_WEIGHTS.lock().expect("no test panics while it makes weights");
    Recognizer::load(model, Device::Cpu, RecognizerConfig::default()).expect("recognizer")
}

/// Words with their times; what is left of a confidence is its first two digits.
fn assert_same(alone: &Transcript, together: &Transcript, what: &str) {
    assert_eq!((alone.text(), alone.duration), (together.text(), together.duration), "{what}");
    let words = |transcript: &Transcript| -> Vec<_> {
        transcript.segments.iter().flat_map(|segment| segment.words.clone()).collect()
    };
    for (a, b) in words(alone).iter().zip(&words(together)) {
        assert_eq!((a.start, a.end), (b.start, b.end), "{what}: {}", a.text);
        assert!((a.confidence - b.confidence).abs() < 0.01, "{what}: {a:?} {b:?}");
    }
}

#[test]
fn many_at_once_give_what_each_gives_alone() {
    let folder = tempfile::tempdir().expect("folder");
    let recognizer = recognizer(&folder);
    let paths = recordings(&folder);
    let mut alone: Vec<Result<FileTranscript, String>> = Vec::new();
    let wanted = transcribe_files(&recognizer, &paths, None, |_, result| {
        alone.push(result.map_err(|error| error.to_string()));
        Ok::<(), Error>(())
    });
    let wanted = wanted.expect("summary");
    assert_eq!(wanted, BatchSummary { whole: 12, truncated: 0, failed: 2 });
    assert!(alone.iter().flatten().map(|file| file.transcript.text().len()).sum::<usize>() > 100, "there are words");
    for rows in [1, 3, 16] {
        let mut together: Vec<Option<Result<FileTranscript, String>>> = paths.iter().map(|_| None).collect();
        let summary = transcribe_stacked(&recognizer, &paths, rows, |index, result| {
            assert!(together[index].is_none(), "each once");
            together[index] = Some(result.map_err(|error| error.to_string()));
            Ok::<(), Error>(())
        });
        assert_eq!(summary.expect("summary"), wanted);
        for ((path, alone), together) in paths.iter().zip(&alone).zip(together) {
            let what = format!("{} with {rows} rows", path.display());
            match (alone, together.expect("done")) {
                (Ok(alone), Ok(together)) if rows == 1 => assert_eq!(alone, &together, "{what}"),
                (Ok(alone), Ok(together)) => assert_same(&alone.transcript, &together.transcript, &what),
                (Err(alone), Err(together)) => assert_eq!(alone, &together, "{what}"),
                (alone, together) => panic!("{what}: {alone:?} and {together:?}"),
            }
        }
    }
}

#[test]
fn a_caller_that_has_enough_ends_the_run() {
    let folder = tempfile::tempdir().expect("folder");
    let recognizer = recognizer(&folder);
    let mut seen = 0;
    let outcome = transcribe_stacked(&recognizer, &recordings(&folder), 2, |_, _| {
        seen += 1;
        Err(Error::Interrupted)
    });
    assert!(matches!(outcome, Err(Error::Interrupted)));
    assert_eq!(seen, 1);
    let none = transcribe_stacked(&recognizer, &[], 4, |_, _| Ok::<(), Error>(()));
    assert_eq!(none.expect("summary"), BatchSummary::default());
}
