//! The shipped models: law 8 (silence says nothing), laws 1 and 2 on their weights, the recordings of `audio/`,
//! the test sets of AN4 and of the spoken digits.
#![cfg(feature = "torch")]

mod common;

use eddy::audio::{self, SampleSource};
use eddy::metrics::ErrorCounts;
use eddy::nn::{Encoder, Mode, weights};
use eddy::pipeline::{LiveConfig, LiveEvent, Pipeline};
use eddy::train::{Manifest, Scored, evaluate};
use eddy::{DecoderConfig, Device, Event, Frames, ModelDir, Recognizer, RecognizerConfig, Stage, Word};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use tch::{Kind, Tensor};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn model(name: &str) -> ModelDir {
    ModelDir::open(&root().join("models").join(name)).expect(name)
}

/// With the model's own decoder: `en` has a language model.
fn recognizer(name: &str) -> Recognizer {
    Recognizer::load(model(name), Device::Cpu, RecognizerConfig::default()).expect("recognizer")
}

fn text(recognizer: &Recognizer, samples: Vec<f32>, rate: u32) -> String {
    recognizer.transcribe(&mut SampleSource::new(samples, rate), None).expect("transcript").text()
}

/// Sounds without words with their names, 20 s each.
fn wordless(rate: u32) -> Vec<(String, Vec<f32>)> {
    let length = 20 * rate as usize;
    let mut sounds = vec![("silence".to_string(), vec![0.0; length])];
    let sine = |i: usize, hz: f32| (i as f32 * hz * std::f32::consts::TAU / rate as f32).sin();
    for hz in [100.0, 440.0, 1000.0, 3000.0] {
        for level in [0.01, 0.3] {
            let tone = (0..length).map(|i| level * sine(i, hz)).collect();
            sounds.push((format!("{hz} Hz at {level}"), tone));
        }
    }
    let hum = |i: usize| 0.2 * (1..6).map(|n| sine(i, 50.0 * n as f32) / n as f32).sum::<f32>();
    sounds.push(("hum".to_string(), (0..length).map(hum).collect()));
    let mut random = common::random(1);
    for level in [0.001, 0.01, 0.1, 0.5] {
        sounds.push((format!("white noise at {level}"), (0..length).map(|_| level * random()).collect()));
    }
    sounds
}

#[test]
fn what_has_no_words_gives_no_words() {
    let sounds = wordless(16000);
    for name in ["an4", "en"] {
        let recognizer = recognizer(name);
        for (sound, samples) in &sounds {
            assert_eq!(text(&recognizer, samples.clone(), 16000), "", "{name}: {sound}");
        }
    }
}

/// All recordings of `audio/`, in order.
fn recordings() -> Vec<PathBuf> {
    let manifest = Manifest::read(&root().join("audio/manifest.jsonl")).expect("manifest");
    manifest.utterances.into_iter().map(|utterance| utterance.audio).collect()
}

#[test]
fn the_size_of_the_pushes_changes_no_byte() {
    let run = |model: &str, chunk: Option<&str>| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_eddy"));
        command.args(["transcribe", "--json", "--model"]).arg(root().join("models").join(model)).args(recordings());
        if let Some(chunk) = chunk {
            command.args(["--chunk-ms", chunk]);
        }
        let output = command.output().expect("eddy runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    };
    for model in ["an4", "en"] {
        let whole = run(model, None);
        assert!(whole.len() > 1000);
        for chunk in ["10", "100", "1000"] {
            assert!(run(model, Some(chunk)) == whole, "{model}: --chunk-ms {chunk}");
        }
    }
}

#[test]
fn streaming_equals_training_on_the_shipped_weights() {
    ["an4", "en"].iter().for_each(|name| streaming_equals_training(name));
}

fn streaming_equals_training(name: &str) {
    let (recognizer, model) = (recognizer(name), model(name));
    let encoder = Encoder::new(&model.config.encoder, 0, Kind::Float, Device::Cpu).expect("encoder");
    weights::load(&encoder, &model.weights_path()).expect("weights");
    for path in recordings() {
        let mut source = audio::open(&path).expect("recording");
        let samples = audio::read_all(source.as_mut()).expect("samples");
        let mut front_end = recognizer.front_end(source.sample_rate()).expect("front end");
        let mut frames = Frames::new(front_end.dim());
        front_end.push(&samples, &mut frames).expect("push");
        front_end.finish(&mut frames).expect("finish");
        let (mut session, mut events) = (recognizer.session().expect("session"), Vec::new());
        let mut blocks: Vec<Tensor> = Vec::new();
        recognizer.push_observed(&mut session, &frames, &mut events, &mut |y| blocks.push(y.copy())).expect("push");
        recognizer.finish_observed(session, &mut events, &mut |y| blocks.push(y.copy())).expect("finish");
        let streamed = Tensor::cat(&blocks, 0);
        let x = Tensor::from_slice(&frames.data).view([1, frames.len() as i64, -1]);
        let direction = recognizer.direction();
        let whole = tch::no_grad(|| encoder.forward(&x, &[frames.len() as i64], direction, Mode::Infer));
        let whole = whole.expect("forward").0.squeeze_dim(1);
        let worst = (&streamed - &whole).abs().max().double_value(&[]);
        assert!(worst < 1e-3, "{name}, {}: off by {worst}", path.display());
        assert!(streamed.argmax(1, false).equal(&whole.argmax(1, false)), "{name}, {}", path.display());
    }
}

/// Errors on some of the recordings of `audio/`, whose speakers and microphones no model ever met.
fn errors(name: &str, recordings: std::ops::Range<usize>) -> ErrorCounts {
    let manifest = Manifest::read(&root().join("audio/manifest.jsonl")).expect("manifest");
    let utterances = &manifest.utterances[recordings];
    let mut counts = ErrorCounts::default();
    let evaluation = evaluate(&recognizer(name), utterances, &|u| audio::open(&u.audio), &mut |s| counts.add(&s.words));
    assert_eq!(counts, evaluation.words);
    counts
}

#[test]
fn digits_and_letters_of_other_recordings_are_mostly_right() {
    let counts = errors("an4", 0..4);
    assert!(counts.rate() <= 0.35, "{counts:?}");
}

#[test]
fn sentences_of_other_recordings_are_mostly_right() {
    let counts = errors("en", 0..11);
    assert!(counts.rate() <= 0.45, "{counts:?}");
}

/// Law 3 on the shipped weights, as a live session hears: a recording that ends with a word's last sample ends with a word.
#[test]
fn the_last_word_of_a_recording_cut_at_its_last_sample_is_there() {
    let config = RecognizerConfig { live: true, ..RecognizerConfig::default() };
    let live = Recognizer::load(model("en"), Device::Cpu, config).expect("recognizer");
    let mut clips = 0;
    for path in recordings() {
        let mut source = audio::open(&path).expect("recording");
        let (samples, rate) = (audio::read_all(source.as_mut()).expect("samples"), source.sample_rate());
        let hear = |samples: &[f32]| -> Vec<Word> {
            let heard = live.transcribe(&mut SampleSource::new(samples.to_vec(), rate), None).expect("transcript");
            heard.segments.into_iter().flat_map(|segment| segment.words).collect()
        };
        // One or two unsure words alone count as noise. Once at the word's end and once a little before.
        let cuts = hear(&samples).into_iter().skip(3).flat_map(|word| [(word.clone(), 0.0), (word, 0.02)]);
        for (word, before) in cuts {
            let end = ((word.end.as_secs_f64() - before) * f64::from(rate)) as usize;
            let length = Duration::from_secs_f64(end as f64 / f64::from(rate));
            let last = hear(&samples[..end]).last().map(|last| last.end).unwrap_or_default();
            let clip = format!("{} up to {:?}, {length:?}", path.display(), word.text);
            assert!(last + Duration::from_millis(250) > length, "{clip}: the last word ends at {last:?}");
            clips += 1;
        }
    }
    assert!(clips >= 100, "{clips}");
}

/// A live session on the shipped weights, with language model: committed words stay, finals come soon after the pause, and
/// together they are what a whole run finds.
#[test]
fn live_finals_come_soon_and_keep_what_was_committed() {
    let config = || RecognizerConfig { live: true, ..RecognizerConfig::default() };
    let live = || Recognizer::load(model("en"), Device::Cpu, config()).expect("recognizer");
    let rate = 16_000;
    let mut samples = Vec::new();
    for path in &recordings()[6..] {
        let mut source = audio::open(path).expect("recording");
        assert_eq!(source.sample_rate(), rate);
        samples.extend(audio::read_all(source.as_mut()).expect("samples"));
        samples.extend(vec![0.0; 2 * rate as usize + rate as usize / 2]);
    }
    let whole = text(&live(), samples.clone(), rate);
    let source = Box::new(SampleSource::new(samples, rate));
    let pipeline = Pipeline::start(live(), source, LiveConfig::default()).expect("pipeline");
    let (mut finals, mut committed_so_far): (Vec<String>, Vec<String>) = Default::default();
    let (mut early, mut partials) = (0, 0);
    let texts = |words: &[Word]| words.iter().map(|word| word.text.clone()).collect::<Vec<_>>();
    for LiveEvent { at, event } in pipeline {
        match event {
            Event::Partial { committed, .. } => {
                let now = texts(&committed);
                assert!(now.starts_with(&committed_so_far), "{committed_so_far:?}, then {now:?}");
                committed_so_far = now;
                partials += 1;
            }
            Event::Final(segment) => {
                assert!(texts(&segment.words).starts_with(&committed_so_far), "{committed_so_far:?}: {}", segment.text);
                committed_so_far.clear();
                // The rule's 1200 ms, and a partial result's 300.
                early += u32::from(at - segment.end <= Duration::from_millis(1550));
                finals.push(segment.text);
            }
            Event::Gap { .. } => panic!("nothing was lost"),
        }
    }
    assert_eq!(finals.join(" "), whole);
    // Where fork and session differ in a word, the blocks decide.
    assert!(finals.len() >= 5 && early as usize + 1 >= finals.len(), "{early} of {} finals were early", finals.len());
    assert!(partials > 30, "{partials}");
}

/// A manifest of the corpora; `None`, and a word about it, where they are not beside the project.
fn corpus_manifest(name: &str) -> Option<Manifest> {
    let corpus = std::env::var_os("EDDY_CORPUS").map_or_else(|| root().join("../shared/corpus"), PathBuf::from);
    let path = corpus.join(name);
    if !path.is_file() {
        eprintln!("skipped: no {} (set EDDY_CORPUS)", path.display());
        return None;
    }
    Some(Manifest::read(&path).expect("manifest"))
}

/// 97 % of the Free Spoken Digit Dataset's test recordings by gated cells, 90 % by Elman cells.
#[test]
fn digits_test_set() {
    let Some(manifest) = corpus_manifest("digits/test.jsonl") else {
        return;
    };
    for (name, wanted) in [("digits/rnn", 0.90), ("digits/lstm", 0.97), ("digits/gru", 0.97)] {
        let mut right = 0u32;
        let each = &mut |scored: &Scored| right += u32::from(scored.hypothesis.as_ref() == Ok(&scored.reference));
        let greedy = RecognizerConfig { decoder: DecoderConfig::Greedy, ..RecognizerConfig::default() };
        let recognizer = Recognizer::load(model(name), Device::Cpu, greedy).expect("recognizer");
        let evaluation = evaluate(&recognizer, &manifest.utterances, &|u| audio::open(&u.audio), each);
        let accuracy = f64::from(right) / evaluation.utterances as f64;
        eprintln!("{name}: {:.2} % of {} right", 100.0 * accuracy, evaluation.utterances);
        assert!(evaluation.utterances == 300 && accuracy >= wanted, "{name}: {accuracy}");
    }
}

/// Word error rates of 15 % by the specialist, greedy, and 8 % by the model of English with its language model.
#[test]
fn an4_test_set() {
    let Some(manifest) = corpus_manifest("an4/test.jsonl") else {
        return;
    };
    for (name, most) in [("an4", 0.15), ("en", 0.08)] {
        let evaluation = evaluate(&recognizer(name), &manifest.utterances, &|u| audio::open(&u.audio), &mut |_| {});
        let words = evaluation.words;
        eprintln!("AN4 test, {name}: {:.2} % of {} words", 100.0 * words.rate(), words.reference);
        assert!(words.rate() <= most, "{name}: {words:?}");
    }
}
