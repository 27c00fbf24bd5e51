//! Audio as it comes, words as soon as they are known: `cargo run --release --example stream -- MODEL_DIR FILE`.

use eddy::{Device, Event, Frames, ModelDir, Recognizer, RecognizerConfig, Stage, audio};
use std::path::Path;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [model, file] = arguments.as_slice() else {
        return Err("usage: stream MODEL_DIR FILE".into());
    };
    let model = ModelDir::open(Path::new(model))?;
    let recognizer = Recognizer::load(model, Device::Cpu, RecognizerConfig::default())?;
    let mut source = audio::open(Path::new(file))?; // or any other source of samples
    let mut front_end = recognizer.front_end(source.sample_rate())?;
    let mut session = recognizer.session()?;
    let (mut frames, mut events) = (Frames::new(front_end.dim()), Vec::new());
    while let Some(block) = source.next_block()? {
        front_end.push(&block.samples, &mut frames)?;
        recognizer.push(&mut session, &frames, &mut events)?;
        frames.consume();
        events.drain(..).for_each(show);
    }
    front_end.finish(&mut frames)?;
    recognizer.push(&mut session, &frames, &mut events)?;
    recognizer.finish(session, &mut events)?;
    events.into_iter().for_each(show);
    Ok(())
}

fn show(event: Event) {
    match event {
        Event::Partial { committed, tentative } => eprintln!("... {} words", committed.len() + tentative.len()),
        Event::Final(segment) => println!("{:.2} s: {}", segment.start.as_secs_f64(), segment.text),
        Event::Gap { lost } => eprintln!("{lost:?} lost"),
    }
}
