//! Law 4 for files: batch mates do not matter. Many recordings in one step of the network give what each gives alone.
#![cfg(feature = "torch")]

mod common;

use eddy::audio::{Recording, SampleSource, Splitter};
use eddy::corpus::Manifest;
use eddy::pipeline::{BatchControl, BatchOptions, BatchSummary, FileTranscript, transcribe_recordings};
use eddy::{Device, Error, ModelDir, Recognizer, RecognizerConfig, Transcript};
use std::path::PathBuf;
use std::time::Duration;
use tempfile::TempDir;

/// Recordings of many lengths and two rates, some of which cannot be read.
fn recordings(folder: &TempDir) -> Vec<Recording> {
    let mut paths: Vec<PathBuf> = Vec::new();
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
    paths.into_iter().map(Recording::file).collect()
}

type Results = Vec<Option<Result<FileTranscript, String>>>;

/// What came of each recording.
fn transcribe(recognizer: &Recognizer, recordings: &[Recording], options: BatchOptions) -> (Results, BatchSummary) {
    let mut results: Results = recordings.iter().map(|_| None).collect();
    let summary = transcribe_recordings(recognizer, recordings, &options, &BatchControl::default(), |index, result| {
        assert!(results[index].is_none(), "each once");
        results[index] = Some(result.map_err(|error| error.to_string()));
        Ok::<(), Error>(())
    });
    (results, summary.expect("summary"))
}

fn alone() -> BatchOptions {
    BatchOptions { streams: 1, ..Default::default() }
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

/// What came of each recording alone came of it with others.
fn assert_all_same(recordings: &[Recording], one_by_one: &Results, together: Results, streams: usize) {
    for ((recording, alone), together) in recordings.iter().zip(one_by_one).zip(together) {
        let what = format!("{} with {streams} streams", recording.path.display());
        match (alone.as_ref().expect("done"), together.expect("done")) {
            (Ok(alone), Ok(together)) => assert_same(&alone.transcript, &together.transcript, &what),
            (Err(alone), Err(together)) => assert_eq!(alone, &together, "{what}"),
            (alone, together) => panic!("{what}: {alone:?} and {together:?}"),
        }
    }
}

#[test]
fn many_at_once_give_what_each_gives_alone() {
    let folder = tempfile::tempdir().expect("folder");
    let recognizer = recognizer(&folder);
    let recordings = recordings(&folder);
    let (one_by_one, wanted) = transcribe(&recognizer, &recordings, alone());
    assert_eq!(wanted, BatchSummary { whole: 12, truncated: 0, failed: 2 });
    let letters = one_by_one.iter().flatten().flatten().map(|file| file.transcript.text().len()).sum::<usize>();
    assert!(letters > 100, "there are words");
    for (streams, jobs) in [(3, None), (3, Some(3)), (16, Some(40)), (16, None)] {
        let (together, summary) = transcribe(&recognizer, &recordings, BatchOptions { streams, jobs, ..alone() });
        assert_eq!(summary, wanted);
        assert_all_same(&recordings, &one_by_one, together, streams);
    }
}

/// The shipped model with its language model: beams part on small differences, and must not.
#[test]
fn the_shipped_models_text_is_the_same_in_any_company() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let model = ModelDir::open(&root.join("models/en")).expect("model");
    let recognizer = Recognizer::load(model, Device::Cpu, RecognizerConfig::default()).expect("recognizer");
    let manifest = Manifest::read(&root.join("audio/manifest.jsonl")).expect("manifest");
    let recordings: Vec<Recording> = manifest.utterances.into_iter().map(|one| Recording::file(one.audio)).collect();
    let (one_by_one, wanted) = transcribe(&recognizer, &recordings, alone());
    assert_eq!(wanted, BatchSummary { whole: recordings.len(), truncated: 0, failed: 0 });
    for one in one_by_one.iter().flatten().flatten() {
        assert!(!one.transcript.segments.is_empty());
    }
    for streams in [4, 16] {
        let (together, summary) = transcribe(&recognizer, &recordings, BatchOptions { streams, ..alone() });
        assert_eq!(summary, wanted);
        assert_all_same(&recordings, &one_by_one, together, streams);
    }
}

/// Parts of a recording say what recordings of their own would, later.
#[test]
fn a_long_recording_is_its_parts() {
    let folder = tempfile::tempdir().expect("folder");
    let recognizer = recognizer(&folder);
    let path = folder.path().join("long.wav");
    common::write_sound(&path, 130.0, 8_000, 3);
    let recordings = [vec![Recording::file(path.clone())], recordings(&folder)].concat();
    let split = BatchOptions { split_long: true, ..alone() };
    let (results, summary) = transcribe(&recognizer, &recordings, split);
    assert_eq!(summary, BatchSummary { whole: 13, truncated: 0, failed: 2 });
    let long = &results[0].as_ref().expect("done").as_ref().expect("read").transcript;
    assert!((long.duration.as_secs_f64() - 130.0).abs() < 1e-6, "{:?}", long.duration);
    let mut source = eddy::audio::open(&path).expect("opened");
    let mut splitter = Splitter::new(source.as_mut());
    let mut wanted = Vec::new();
    while let Some((before, samples)) = splitter.next_part().expect("part") {
        let part = recognizer.transcribe(&mut SampleSource::new(samples, 8_000), None).expect("transcribed");
        let start = Duration::from_secs_f64(before as f64 / 8_000.0);
        wanted.extend(part.segments.into_iter().map(|segment| segment.later_by(start)));
    }
    assert!(wanted.len() > 3, "{}", wanted.len());
    assert_eq!(long.segments, wanted);
    let (together, _) = transcribe(&recognizer, &recordings, BatchOptions { streams: 4, jobs: Some(6), ..split });
    assert_same(long, &together[0].as_ref().expect("done").as_ref().expect("read").transcript, "four at a time");
    // What is short is not cut.
    let (short, _) = transcribe(&recognizer, &recordings[1..], alone());
    assert_eq!(results[1..], short);
}

#[test]
fn a_run_that_is_stopped_finishes_what_it_has_begun() {
    let folder = tempfile::tempdir().expect("folder");
    let recognizer = recognizer(&folder);
    let recordings = recordings(&folder);
    for streams in [1, 2] {
        let control = BatchControl::default();
        let options = BatchOptions { streams, ..alone() };
        let summary = transcribe_recordings(&recognizer, &recordings, &options, &control, |_, result| {
            assert!(!matches!(result, Err(Error::Interrupted)), "finished");
            control.stop();
            Ok::<(), Error>(())
        });
        let BatchSummary { whole, truncated, failed } = summary.expect("summary");
        assert!((1..recordings.len()).contains(&(whole + truncated + failed)), "{streams}: {whole}");
        assert!(control.is_stopped() && control.heard() > Duration::ZERO && control.bytes() > 0);
    }
}

#[test]
fn a_caller_that_has_enough_ends_the_run() {
    let folder = tempfile::tempdir().expect("folder");
    let recognizer = recognizer(&folder);
    let options = BatchOptions { streams: 2, ..alone() };
    // With two networks, streams may wait for either.
    for networks in [1, 2, 2, 2] {
        let mut seen = 0;
        let control = BatchControl::default();
        let options = BatchOptions { networks, ..options };
        let outcome = transcribe_recordings(&recognizer, &recordings(&folder), &options, &control, |_, _| {
            seen += 1;
            Err(Error::Interrupted)
        });
        assert!(matches!(outcome, Err(Error::Interrupted)));
        assert_eq!(seen, 1);
    }
    for split_long in [false, true] {
        let (_, none) = transcribe(&recognizer, &[], BatchOptions { split_long, ..options });
        assert_eq!(none, BatchSummary::default());
    }
}
