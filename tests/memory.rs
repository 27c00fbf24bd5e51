//! Law 7: a session's memory does not grow with its length. A file of its own, so that no other test shares the process.
#![cfg(all(feature = "torch", target_os = "linux"))]

mod common;

use eddy::{Device, Event, Frames, Recognizer, RecognizerConfig};

/// Resident memory of this process in MB.
fn resident_mb() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("status");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("VmRSS");
    line.split_whitespace().nth(1).and_then(|kb| kb.parse::<f64>().ok()).expect("a number") / 1024.0
}

#[test]
fn an_hour_of_features_leaves_memory_flat() {
    // Two would spend their time waiting for each other: the model is tiny.
    tch::set_num_threads(1);
    let folder = tempfile::tempdir().expect("folder");
    let model = common::write_model(folder.path());
    let recognizer = Recognizer::load(model, Device::Cpu, RecognizerConfig::default()).expect("recognizer");
    let mut session = recognizer.session().expect("session");
    let second = common::features(100, 3);
    let mut events: Vec<Event> = Vec::new();
    let mut after_minute = 0.0;
    for index in 0..3600u64 {
        let frames = Frames { first_frame: index * 100, ..second.clone() };
        recognizer.push(&mut session, &frames, &mut events).expect("push");
        events.clear();
        if index == 60 {
            after_minute = resident_mb();
        }
    }
    let growth = resident_mb() - after_minute;
    assert!(growth < 5.0, "{growth:.1} MB more after an hour than after a minute");
}
