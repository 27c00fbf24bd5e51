//! Speed of the front end on one thread, against kaldi-native-fbank on the same samples in interleaved rounds.
//!
//! Run: `pip install kaldi-native-fbank numpy && cargo bench --bench frontend`. Without the Python package eddy's own
//! figure is printed alone. Both sides get the samples in memory, 40 cepstra of 40 mel filters.

mod peer;

use eddy::frontend::{FrontEnd, FrontEndConfig};
use eddy::{Frames, Stage, audio};
use peer::{Peer, median};
use std::path::Path;
use std::process::Command;
use std::time::Instant;

const ROUNDS: usize = 9;
const REPEATS: usize = 20;

/// Answers each line with the seconds that one pass over the samples took.
const PEER: &str = r#"
import sys, time, wave
import numpy as np, kaldi_native_fbank as knf
parts = []
for path in sys.argv[2:]:
    with wave.open(path) as f:
        parts.append(np.frombuffer(f.readframes(f.getnframes()), "<i2").astype(np.float32))
samples = np.tile(np.concatenate(parts), int(sys.argv[1]))
options = knf.MfccOptions()
options.frame_opts.dither = 0
options.frame_opts.samp_freq = 16000
options.mel_opts.num_bins = 40
options.mel_opts.low_freq, options.mel_opts.high_freq = 20, -400
options.num_ceps = 40
options.use_energy = False
print("ready", flush=True)
for _ in sys.stdin:
    start = time.perf_counter()
    mfcc = knf.OnlineMfcc(options)
    mfcc.accept_waveform(16000, samples)
    mfcc.input_finished()
    print(time.perf_counter() - start, mfcc.num_frames_ready, flush=True)
"#;

/// kaldi-native-fbank, when it is installed.
fn kaldi(files: &[String]) -> Option<Peer> {
    Peer::start(Command::new("python3").args(["-c", PEER, &REPEATS.to_string()]).args(files))
}

/// Seconds and frames of one pass.
fn kaldi_round(peer: &mut Peer) -> Option<(f64, usize)> {
    let answer = peer.ask("")?;
    let (seconds, frames) = answer.trim().split_once(' ')?;
    Some((seconds.parse().ok()?, frames.parse().ok()?))
}

fn main() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("audio");
    let files: Vec<String> = ["01-digits", "08-audiobook", "10-audiobook"]
        .iter()
        .map(|name| folder.join(format!("{name}.wav")).display().to_string())
        .collect();
    let mut samples = Vec::new();
    for file in &files {
        let mut source = audio::open(Path::new(file)).expect("recording");
        samples.extend(audio::read_all(source.as_mut()).expect("samples"));
    }
    let samples = samples.repeat(REPEATS);
    let seconds = samples.len() as f64 / 16000.0;
    let mut front_end = FrontEnd::new(&FrontEndConfig::default(), 16000, None).expect("front end");
    let mut frames = Frames::new(front_end.dim());
    let mut peer = kaldi(&files);
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        front_end.reset();
        frames.consume();
        let start = Instant::now();
        front_end.push(&samples, &mut frames).expect("push");
        front_end.finish(&mut frames).expect("finish");
        let own = start.elapsed().as_secs_f64();
        let other = peer.as_mut().and_then(kaldi_round);
        // The first round warms up.
        if round > 0 {
            ours.push(own);
            theirs.extend(other.map(|(time, count)| {
                assert_eq!(count, frames.len(), "both count the same frames");
                time
            }));
        }
    }
    let own = seconds / median(&mut ours);
    println!("{seconds:.0} s of audio, one thread\neddy                {own:7.0} x real time");
    if theirs.is_empty() {
        println!("kaldi-native-fbank  not installed: pip install kaldi-native-fbank numpy");
        return;
    }
    let other = seconds / median(&mut theirs);
    println!("kaldi-native-fbank  {other:7.0} x real time\nratio               {:7.2}", own / other);
}
