//! The shipped model: law 8 (silence says nothing), laws 1 and 2 on its weights, the recordings of `audio/`, AN4's test set.
#![cfg(feature = "torch")]

use eddy::audio::{self, SampleSource};
use eddy::metrics::ErrorCounts;
use eddy::nn::{Encoder, Mode, weights};
use eddy::train::{Manifest, evaluate};
use eddy::{Device, Frames, ModelDir, Recognizer, RecognizerConfig, Stage};
use std::path::{Path, PathBuf};
use std::process::Command;
use tch::{Kind, Tensor};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn model() -> ModelDir {
    ModelDir::open(&root().join("models/an4")).expect("models/an4")
}

fn recognizer() -> Recognizer {
    Recognizer::load(model(), Device::Cpu, RecognizerConfig::default()).expect("recognizer")
}

fn text(recognizer: &Recognizer, samples: Vec<f32>, rate: u32) -> String {
    recognizer.transcribe(&mut SampleSource::new(samples, rate), None).expect("transcript").text()
}

#[test]
fn silence_tones_and_white_noise_give_no_words() {
    let recognizer = recognizer();
    let rate = 16000;
    let length = 20 * rate as usize;
    assert_eq!(text(&recognizer, vec![0.0; length], rate), "", "silence");
    for hz in [100.0, 440.0, 1000.0, 3000.0] {
        for level in [0.01, 0.3] {
            let tone = |i: usize| level * (i as f32 * hz * std::f32::consts::TAU / rate as f32).sin();
            assert_eq!(text(&recognizer, (0..length).map(tone).collect(), rate), "", "{hz} Hz at {level}");
        }
    }
    let mut state = 1u64;
    let mut random = || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    for level in [0.001, 0.01, 0.1, 0.5] {
        let noise = (0..length).map(|_| level * random()).collect();
        assert_eq!(text(&recognizer, noise, rate), "", "white noise at {level}");
    }
}

/// All recordings of `audio/`, in order.
fn recordings() -> Vec<PathBuf> {
    let manifest = Manifest::read(&root().join("audio/manifest.jsonl")).expect("manifest");
    manifest.utterances.into_iter().map(|utterance| utterance.audio).collect()
}

#[test]
fn the_size_of_the_pushes_changes_no_byte() {
    let run = |chunk: Option<&str>| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_eddy"));
        command.args(["transcribe", "--json", "--model"]).arg(root().join("models/an4")).args(recordings());
        if let Some(chunk) = chunk {
            command.args(["--chunk-ms", chunk]);
        }
        let output = command.output().expect("eddy runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    };
    let whole = run(None);
    assert!(whole.len() > 1000);
    for chunk in ["10", "100", "1000"] {
        assert!(run(Some(chunk)) == whole, "--chunk-ms {chunk}");
    }
}

#[test]
fn streaming_equals_training_on_the_shipped_weights() {
    let recognizer = recognizer();
    let encoder = Encoder::new(&model().config.encoder, 0, Kind::Float, Device::Cpu).expect("encoder");
    weights::load(&encoder, &model().weights_path()).expect("weights");
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
        assert!(worst < 1e-3, "{}: off by {worst}", path.display());
        assert!(streamed.argmax(1, false).equal(&whole.argmax(1, false)), "{}", path.display());
    }
}

#[test]
fn digits_and_letters_of_other_recordings_are_mostly_right() {
    let recognizer = recognizer();
    let manifest = Manifest::read(&root().join("audio/manifest.jsonl")).expect("manifest");
    // The first four hold words that the model knows; their speakers and microphones it never met.
    let mut counts = ErrorCounts::default();
    let evaluation =
        evaluate(&recognizer, &manifest.utterances[..4], &|u| audio::open(&u.audio), &mut |s| counts.add(&s.words));
    assert_eq!(counts, evaluation.words);
    assert!(evaluation.words.rate() <= 0.35, "{:?}", evaluation.words);
}

#[test]
fn an4_test_set() {
    let corpus = std::env::var_os("EDDY_CORPUS").map_or_else(|| root().join("../shared/corpus"), PathBuf::from);
    let path = corpus.join("an4/test.jsonl");
    if !path.is_file() {
        eprintln!("skipped: no AN4 at {} (set EDDY_CORPUS)", path.display());
        return;
    }
    let manifest = Manifest::read(&path).expect("manifest");
    let evaluation = evaluate(&recognizer(), &manifest.utterances, &|u| audio::open(&u.audio), &mut |_| {});
    eprintln!("AN4 test: {:.2} % of {} words", 100.0 * evaluation.words.rate(), evaluation.words.reference);
    assert!(evaluation.words.rate() <= 0.15, "{:?}", evaluation.words);
}
