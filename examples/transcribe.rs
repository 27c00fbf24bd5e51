//! A recording to text: `cargo run --release --example transcribe -- MODEL_DIR FILE`.

use eddy::{Device, ModelDir, Recognizer, RecognizerConfig, audio};
use std::path::Path;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [model, file] = arguments.as_slice() else {
        return Err("usage: transcribe MODEL_DIR FILE".into());
    };
    let model = ModelDir::open(Path::new(model))?;
    let recognizer = Recognizer::load(model, Device::Cpu, RecognizerConfig::default())?;
    let mut source = audio::open(Path::new(file))?;
    let transcript = recognizer.transcribe(source.as_mut(), None)?;
    for word in transcript.segments.iter().flat_map(|segment| &segment.words) {
        println!("{:7.2} {:7.2} {}", word.start.as_secs_f64(), word.end.as_secs_f64(), word.text);
    }
    println!("{}", transcript.text());
    Ok(())
}
