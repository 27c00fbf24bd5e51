//! What several tests need: models of random weights, noise, sources in memory.
#![cfg(feature = "torch")]
#![allow(dead_code, reason = "every test file uses its own part")]

use eddy::audio::{AudioBlock, AudioSource, WavWriter};
use eddy::frontend::{CmvnStats, FrontEnd, FrontEndConfig};
use eddy::nn::{Encoder, weights};
use eddy::text::TokenTable;
use eddy::{CellKind, DirectionConfig, EncoderConfig, Frames, Grid, Head, ModelConfig, ModelDir, Stage};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use tch::{Device, Kind};

/// Values in a feature frame.
pub const DIM: usize = 13;
/// Frames a step of the network.
pub const STACKING: usize = 3;

/// Chunk and look-ahead in frames; the first is the default, since the second is above 1 s.
pub const GRIDS: [Grid; 2] = [Grid { chunk: 12, look_ahead: 6 }, Grid { chunk: 120, look_ahead: 30 }];

pub fn controlled() -> DirectionConfig {
    DirectionConfig::LatencyControlled(GRIDS.to_vec())
}

/// The facts of a small model in `path`, nothing written yet.
pub fn model(path: &Path, cell: CellKind, direction: DirectionConfig) -> ModelDir {
    let tokens = TokenTable::words(["one two three four"], 1).expect("tokens");
    let front_end = FrontEndConfig { num_mels: 23, num_ceps: DIM, ..Default::default() };
    let encoder = EncoderConfig {
        input_dim: DIM,
        stacking: STACKING,
        cell,
        layers: 2,
        hidden: 12,
        direction,
        vocabulary: tokens.len(),
        head: Head::Ctc,
    };
    let config = ModelConfig { format: 1, name: "random".into(), front_end, encoder };
    let cmvn = CmvnStats { frames: 1, sum: vec![0.0; DIM], sum_squares: vec![400.0; DIM] };
    ModelDir { path: path.to_path_buf(), config, tokens, cmvn }
}

/// LibTorch has one random generator for the whole process: tests that run side by side make their networks one after
/// another, or the same seed would give other weights.
pub static MAKING_WEIGHTS: Mutex<()> = Mutex::new(());

/// Random weights for `model`, the output layer loud enough that the likeliest token changes with the input, and blank
/// often enough that there are pauses.
pub fn encoder(model: &ModelDir, seed: u64, kind: Kind) -> Encoder {
    let _making = MAKING_WEIGHTS.lock().expect("no test panics while it makes weights");
    let encoder = Encoder::new(&model.config.encoder, seed, kind, Device::Cpu).expect("encoder");
    tch::no_grad(|| {
        for (name, mut parameter) in encoder.parameters() {
            match name.as_str() {
                "output.weight" => drop(parameter.g_mul_scalar_(12.0)),
                "output.bias" => drop(parameter.get(0).fill_(6.0)),
                _ => {}
            }
        }
    });
    encoder
}

/// Writes a latency-controlled LSTM of random weights into `path`, its CMVN from [`sound`].
pub fn write_model(path: &Path) -> ModelDir {
    let mut model = model(path, CellKind::Lstm, controlled());
    let mut front_end = FrontEnd::new(&model.config.front_end, 16_000, None).expect("front end");
    let mut frames = Frames::new(DIM);
    front_end.push(&sound(160_000, 16_000, 9), &mut frames).expect("features");
    model.cmvn = CmvnStats::new(DIM);
    model.cmvn.add(&frames);
    model.save().expect("model saved");
    weights::save(&encoder(&model, 1, Kind::Float), &model.weights_path(), Kind::Float).expect("weights saved");
    model
}

/// Pseudo-random numbers in `-1.0..1.0`.
pub fn random(seed: u64) -> impl FnMut() -> f32 {
    let mut state = seed.wrapping_mul(2).wrapping_add(1);
    move || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    }
}

/// Feature frames that wander, so that neighbours are alike.
pub fn features(frames: usize, seed: u64) -> Frames {
    let mut random = random(seed);
    let mut row = [0.0f32; DIM];
    let mut out = Frames::new(DIM);
    for _ in 0..frames {
        row.iter_mut().for_each(|value| *value = 0.7 * *value + random());
        out.data.extend_from_slice(&row);
    }
    out
}

/// Sound whose loudness and colour change every 80 ms.
pub fn sound(samples: usize, rate: u32, seed: u64) -> Vec<f32> {
    let mut random = random(seed);
    let (mut level, mut smooth, mut value) = (0.1, 0.5, 0.0);
    let mut sample = |index: usize| {
        if index.is_multiple_of(rate as usize * 80 / 1000) {
            (level, smooth) = (random().abs() * 0.5, random().abs() * 0.95);
        }
        value = smooth * value + (1.0 - smooth) * random();
        value * level
    };
    (0..samples).map(&mut sample).collect()
}

/// Writes `seconds` of sound as a WAV file.
pub fn write_sound(path: &Path, seconds: f64, rate: u32, seed: u64) {
    let mut writer = WavWriter::create(path, rate).expect("wav");
    writer.write(&sound((seconds * f64::from(rate)) as usize, rate, seed)).expect("samples");
    writer.finish().expect("finished");
}

/// Cuts a file short to `keep` of its length.
pub fn truncate(path: &Path, keep: f64) {
    let bytes = std::fs::read(path).expect("read");
    std::fs::write(path, &bytes[..(bytes.len() as f64 * keep) as usize]).expect("write");
}

/// A shipped recording, if there is one.
pub fn shipped_recording() -> Option<PathBuf> {
    let entries = std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("audio")).ok()?;
    let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.sort();
    paths
        .into_iter()
        .find(|path| path.extension().is_some_and(|kind| ["wav", "flac", "opus"].iter().any(|k| kind == *k)))
}

/// Samples in memory as a source.
pub struct MemorySource {
    pub rate: u32,
    pub samples: Vec<f32>,
    /// Samples a block.
    pub block: usize,
}

impl AudioSource for MemorySource {
    fn sample_rate(&self) -> u32 {
        self.rate
    }

    fn next_block(&mut self) -> eddy::Result<Option<AudioBlock>> {
        let take = self.block.min(self.samples.len());
        let samples: Vec<f32> = self.samples.drain(..take).collect();
        Ok((take > 0).then_some(AudioBlock { samples, dropped: 0 }))
    }
}
