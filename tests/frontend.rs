//! The front end against kaldi-native-fbank, and law 1 for it at several rates.

use eddy::frontend::{FrontEnd, FrontEndConfig, num_frames};
use eddy::{Frames, Stage, audio, check_cut_invariance};
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Reads NumPy's float32 matrices, format 1.0.
fn read_npy(path: &Path) -> (Vec<f32>, usize) {
    let bytes = std::fs::read(path).expect("golden file");
    let header = 10 + usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    let text = String::from_utf8_lossy(&bytes[10..header]).to_string();
    assert!(text.contains("'<f4'"), "{text}");
    let shape = text.split(['(', ')']).nth(1).expect("a shape");
    let columns = shape.split(',').nth(1).expect("two axes").trim().parse().expect("a number");
    let value = |bytes: &[u8]| f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    (bytes[header..].chunks_exact(4).map(value).collect(), columns)
}

fn features(path: &Path, config: &FrontEndConfig) -> Frames {
    let mut source = audio::open(path).expect("recording");
    let samples = audio::read_all(source.as_mut()).expect("samples");
    let mut front_end = FrontEnd::new(config, source.sample_rate(), None).expect("front end");
    let mut frames = Frames::new(front_end.dim());
    front_end.push(&samples, &mut frames).expect("push");
    front_end.finish(&mut frames).expect("finish");
    frames
}

#[test]
fn cepstra_equal_kaldi_native_fbank() {
    for name in ["02-letters", "03-digits", "09-audiobook"] {
        for (num_mels, num_ceps) in [(40, 40), (23, 13)] {
            let config = FrontEndConfig { num_mels, num_ceps, ..FrontEndConfig::default() };
            let frames = features(&root().join(format!("audio/{name}.wav")), &config);
            let (golden, columns) = read_npy(&root().join(format!("tests/golden/mfcc/{name}-{num_ceps}.npy")));
            assert_eq!((frames.data.len(), frames.dim), (golden.len(), columns), "{name}");
            let worst = frames.data.iter().zip(&golden).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(worst < 1e-3, "{name}, {num_ceps} cepstra: off by {worst}");
        }
    }
}

/// Speech-like samples at any rate: a few tones and noise.
fn samples(rate: u32, seconds: f64) -> Vec<f32> {
    let mut state = 9u64;
    let count = (f64::from(rate) * seconds) as usize;
    let sample = |i: usize| {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        let noise = (state >> 40) as f32 / (1 << 24) as f32 - 0.5;
        let t = i as f32 / rate as f32;
        0.3 * (t * 1500.0).sin() + 0.2 * (t * 4000.0).sin() * (t * 20.0).sin() + 0.02 * noise
    };
    (0..count).map(sample).collect()
}

#[test]
fn the_cut_of_the_input_does_not_matter() {
    for rate in [16000, 8000, 44100, 48000] {
        let front_end = FrontEnd::new(&FrontEndConfig::default(), rate, None).expect("front end");
        check_cut_invariance(front_end, &samples(rate, 0.5), 40, 11);
    }
}

#[test]
fn whole_with_equals_push_and_finish() {
    for rate in [16000, 22050] {
        let mut front_end = FrontEnd::new(&FrontEndConfig::default(), rate, None).expect("front end");
        let input = samples(rate, 0.7);
        let mut pushed = Frames::new(40);
        front_end.push(&input, &mut pushed).expect("push");
        front_end.finish(&mut pushed).expect("finish");
        let mut seen = 0;
        let whole = front_end.whole_with(&input, &mut |log_mel| seen = log_mel.len()).expect("whole");
        assert_eq!(whole, pushed);
        assert_eq!(seen, pushed.len());
    }
}

#[test]
fn frames_follow_the_count_law_and_silence_is_finite() {
    for length in [0, 399, 400, 16000] {
        let mut front_end = FrontEnd::new(&FrontEndConfig::default(), 16000, None).expect("front end");
        let mut frames = Frames::new(40);
        front_end.push(&vec![0.0; length], &mut frames).expect("push");
        front_end.finish(&mut frames).expect("finish");
        assert_eq!(frames.len() as u64, num_frames(length as u64, 400, 160));
        assert!(frames.data.iter().all(|value| value.is_finite()));
    }
}

#[test]
fn settings_out_of_range_are_named() {
    let message = |config: FrontEndConfig| match FrontEnd::new(&config, 16000, None) {
        Ok(_) => panic!("accepted {config:?}"),
        Err(error) => error.to_string(),
    };
    let default = FrontEndConfig::default;
    assert_eq!(message(FrontEndConfig { num_ceps: 41, ..default() }), "num_ceps = 41: must be 1..=40 (num_mels)");
    assert!(
        message(FrontEndConfig { num_mels: 200, num_ceps: 13, ..default() })
            .starts_with("num_mels = 200: must be fewer")
    );
    assert!(message(FrontEndConfig { high_hz: -8000.0, ..default() }).starts_with("high_hz"));
    assert!(message(FrontEndConfig { frame_shift_ms: 0.0, ..default() }).starts_with("frame_shift_ms = 0"));
}

/// Recordings that any developer has: used where the corpus lies beside the project, said to be skipped where not.
#[test]
fn opus_and_flac_of_the_corpus_have_the_length_that_the_manifest_states() {
    let corpus = std::env::var_os("EDDY_CORPUS").map_or_else(|| root().join("../shared/corpus"), PathBuf::from);
    let mut checked = 0;
    for manifest in ["an4/test.jsonl", "an4/train.jsonl"] {
        let path = corpus.join(manifest);
        let Ok(text) = std::fs::read_to_string(&path) else {
            eprintln!("skipped: no corpus at {} (set EDDY_CORPUS)", path.display());
            continue;
        };
        for line in text.lines().take(20) {
            let line: serde_json::Value = serde_json::from_str(line).expect("a line");
            let file = path.parent().expect("a folder").join(line["audio"].as_str().expect("audio"));
            let mut source = audio::open(&file).expect("recording");
            let seconds =
                audio::read_all(source.as_mut()).expect("samples").len() as f64 / f64::from(source.sample_rate());
            assert_eq!(source.truncation(), None, "{}", file.display());
            assert!(
                (seconds - line["duration"].as_f64().expect("duration")).abs() < 0.051,
                "{}: {seconds}",
                file.display()
            );
            checked += 1;
        }
    }
    eprintln!("checked {checked} recordings");
}
