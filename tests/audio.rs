//! Every kind of recording that is read, and every kind that is refused, with its message.

use eddy::audio::{self, AudioSource};
use hound::{SampleFormat, WavSpec, WavWriter};
use std::path::{Path, PathBuf};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

fn tone(i: usize, rate: u32) -> f32 {
    0.5 * (i as f32 * 440.0 * std::f32::consts::TAU / rate as f32).sin()
}

/// A tone of 0.25 s; every channel the same.
fn write_tone(path: &Path, spec: WavSpec) -> usize {
    let mut writer = WavWriter::create(path, spec).expect("writer");
    let frames = spec.sample_rate as usize / 4;
    for i in 0..frames {
        for _ in 0..spec.channels {
            let value = tone(i, spec.sample_rate);
            match spec.sample_format {
                SampleFormat::Float => writer.write_sample(value).expect("sample"),
                SampleFormat::Int => {
                    let scale = (1u64 << (spec.bits_per_sample - 1)) as f32 - 1.0;
                    writer.write_sample((value * scale) as i32).expect("sample");
                }
            }
        }
    }
    writer.finalize().expect("finalize");
    frames
}

fn read(path: &Path) -> (Vec<f32>, u32, Option<String>) {
    let mut source = audio::open(path).expect("recording");
    let samples = audio::read_all(source.as_mut()).expect("samples");
    (samples, source.sample_rate(), source.truncation().map(str::to_string))
}

/// The message of a refusal, at opening or at reading.
fn refusal(path: &Path) -> String {
    let all = |mut source: Box<dyn AudioSource>| audio::read_all(source.as_mut());
    audio::open(path).and_then(all).expect_err("accepted").to_string()
}

#[test]
fn wav_of_every_rate_channel_count_and_sample_format_is_read() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("tone.wav");
    let formats = [
        (8, SampleFormat::Int),
        (16, SampleFormat::Int),
        (24, SampleFormat::Int),
        (32, SampleFormat::Int),
        (32, SampleFormat::Float),
    ];
    for sample_rate in [4000, 8000, 11025, 16000, 22050, 44100, 48000, 96000, 192_000] {
        for channels in 1..=8 {
            for (bits_per_sample, sample_format) in formats {
                let spec = WavSpec { channels, sample_rate, bits_per_sample, sample_format };
                let frames = write_tone(&path, spec);
                let (samples, rate, truncation) = read(&path);
                assert_eq!((samples.len(), rate, truncation), (frames, sample_rate, None), "{spec:?}");
                let allowed = if bits_per_sample == 8 { 0.02 } else { 1e-3 };
                let worst = samples.iter().enumerate().map(|(i, x)| (x - tone(i, rate)).abs()).fold(0.0, f32::max);
                assert!(worst < allowed, "{spec:?}: off by {worst}");
            }
        }
    }
}

fn mono16() -> WavSpec {
    WavSpec { channels: 1, sample_rate: 16000, bits_per_sample: 16, sample_format: SampleFormat::Int }
}

#[test]
fn wav_of_double_precision_is_read() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("double.wav");
    let samples: Vec<u8> = (0..1000).flat_map(|i| f64::from(tone(i, 16000)).to_le_bytes()).collect();
    let mut bytes = b"RIFF\0\0\0\0WAVEfmt ".to_vec();
    bytes[4..8].copy_from_slice(&(36 + samples.len() as u32).to_le_bytes());
    for (value, width) in [(16u32, 4), (3, 2), (1, 2), (16000, 4), (16000 * 8, 4), (8, 2), (64, 2)] {
        bytes.extend_from_slice(&value.to_le_bytes()[..width]);
    }
    bytes.extend_from_slice(b"data");
    bytes.extend_from_slice(&(samples.len() as u32).to_le_bytes());
    bytes.extend_from_slice(&samples);
    std::fs::write(&path, bytes).expect("written");
    let (read, rate, truncation) = read(&path);
    assert_eq!((read.len(), rate, truncation), (1000, 16000, None));
    assert!(read.iter().enumerate().all(|(i, x)| (x - tone(i, 16000)).abs() < 1e-6));
}

#[test]
fn wav_whose_last_sample_is_cut_gives_the_others_and_says_so() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("odd.wav");
    write_tone(&path, mono16());
    let mut bytes = std::fs::read(&path).expect("bytes");
    bytes.truncate(44 + 2001);
    bytes[40..44].copy_from_slice(&2001u32.to_le_bytes());
    std::fs::write(&path, &bytes).expect("written");
    let (samples, _, truncation) = read(&path);
    assert_eq!((samples.len(), truncation.as_deref()), (1000, Some("the last sample is cut short")));
}

#[test]
fn sample_rates_that_no_recording_has_are_refused() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("rate.wav");
    write_tone(&path, mono16());
    let mut bytes = std::fs::read(&path).expect("bytes");
    for rate in [0u32, 1, 999, 1_000_001, 500_000_000] {
        bytes[24..28].copy_from_slice(&rate.to_le_bytes());
        bytes[28..32].copy_from_slice(&rate.wrapping_mul(2).to_le_bytes());
        std::fs::write(&path, &bytes).expect("written");
        let message = refusal(&path);
        assert!(message.contains("rate.wav") && message.contains(&format!("sample rate {rate} Hz")), "{message}");
        assert!(format!("{rate},s16le,1").parse::<audio::RawFormat>().is_err());
    }
}

#[test]
fn wav_cut_short_gives_what_is_there_and_says_so() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("cut.wav");
    write_tone(&path, mono16());
    let whole = std::fs::read(&path).expect("bytes");
    std::fs::write(&path, &whole[..44 + 2001]).expect("cut");
    let (samples, _, truncation) = read(&path);
    assert_eq!(samples.len(), 1000);
    assert_eq!(truncation.expect("told"), "5999 of 8000 bytes of audio are missing");
}

#[test]
fn wav_from_a_pipe_whose_header_never_knew_the_length_is_read_to_its_end() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("pipe.wav");
    for unknown in [0u32, u32::MAX, 0x7fff_ffff] {
        write_tone(&path, mono16());
        let mut bytes = std::fs::read(&path).expect("bytes");
        bytes[40..44].copy_from_slice(&unknown.to_le_bytes());
        std::fs::write(&path, &bytes).expect("write");
        let (samples, _, truncation) = read(&path);
        assert_eq!((samples.len(), truncation), (4000, None), "length {unknown:#x}");
    }
}

#[test]
fn what_cannot_be_read_is_refused_with_the_file_and_the_way_out() {
    let folder = tempfile::tempdir().expect("folder");
    let at = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).expect("write");
        path
    };
    write_tone(&folder.path().join("good.wav"), mono16());
    let good = std::fs::read(folder.path().join("good.wav")).expect("bytes");
    let mut no_samples = good[..44].to_vec();
    no_samples[40..44].fill(0);
    for (path, wanted) in [
        (at("empty.wav", b""), "is empty"),
        (at("none.wav", &no_samples), "holds no samples"),
        (at("header.wav", &good[..30]), "header is cut short"),
        (at("start.wav", &good[..6]), "header is cut short"),
        (at("text.wav", b"this is no recording at all"), "is not audio that eddy knows"),
        (at("song.mp3", b"ID3\x04aaaaaaaaaaaaaaaaaaa"), "cut short or damaged"),
        (at("song.m4a", b"\0\0\0\x20ftypM4A aaaaaaaa"), "cut short or damaged"),
        (at("x.aiff", b"FORM\0\0\0\0AIFFaaaaaaa"), "cut short or damaged"),
        (at("x.au", b".snd\0\0\0\0aaaaaaaaaaa"), "AU is not supported: convert it"),
        (at("x.flac", b"fLaC\0\0"), "cut short or damaged"),
        (at("x.ogg", b"OggS\0\x02aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"), "cut short or damaged"),
        (folder.path().to_path_buf(), "is a directory"),
        (folder.path().join("missing.wav"), "No such file"),
    ] {
        let message = refusal(&path);
        assert!(message.contains(wanted), "{message}");
        assert!(message.starts_with(&path.display().to_string()), "{message}");
    }
}

#[test]
fn ogg_with_another_codec_is_named() {
    // A whole Ogg page with the identification header of Vorbis: 1 channel, 16 kHz.
    let mut header = b"\x01vorbis\0\0\0\0\x01".to_vec();
    header.extend(16000u32.to_le_bytes());
    header.extend([0; 12]);
    header.extend([0xb8, 1]);
    let mut page = b"OggS\0\x02".to_vec();
    page.extend([0; 8]);
    page.extend([7, 0, 0, 0, 0, 0, 0, 0]);
    page.extend([0; 4]);
    page.extend([1, header.len() as u8]);
    page.extend(header);
    let crc = page.iter().fold(0u32, |crc, byte| {
        (0..8).fold(
            crc ^ (u32::from(*byte) << 24),
            |crc, _| if crc >> 31 == 1 { crc << 1 ^ 0x04c1_1db7 } else { crc << 1 },
        )
    });
    page[22..26].copy_from_slice(&crc.to_le_bytes());
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("x.ogg");
    std::fs::write(&path, page).expect("write");
    let message = refusal(&path);
    assert!(message.starts_with(&path.display().to_string()), "{message}");
}

#[test]
fn nan_and_infinity_are_refused_with_their_place() {
    let folder = tempfile::tempdir().expect("folder");
    for bad in [f32::NAN, f32::INFINITY] {
        let path = folder.path().join("bad.wav");
        let spec = WavSpec { channels: 2, sample_rate: 8000, bits_per_sample: 32, sample_format: SampleFormat::Float };
        let mut writer = WavWriter::create(&path, spec).expect("writer");
        for i in 0..10_000 {
            writer.write_sample(if i == 9001 { bad } else { 0.0 }).expect("sample");
        }
        writer.finalize().expect("finalize");
        let message = refusal(&path);
        assert!(message.contains("bad.wav: sample 4500 is"), "{message}");
    }
}

#[cfg(unix)]
#[test]
fn a_file_without_permission_is_named() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("locked.wav");
    write_tone(&path, mono16());
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o000)).expect("permissions");
    if std::fs::File::open(&path).is_ok() {
        eprintln!("skipped: this user may read every file");
        return;
    }
    assert!(refusal(&path).contains("locked.wav: Permission denied"));
}

/// `make.py` beside the fixtures made them: a 440 Hz tone at half of full scale.
#[test]
fn flac_and_opus_are_read_with_their_exact_length() {
    for (name, rate, length) in
        [("tone-16k.flac", 16000, 8000), ("tone-44k-stereo.flac", 44100, 22050), ("tone.opus", 48000, 120_000)]
    {
        let (samples, found, truncation) = read(&fixture(name));
        assert_eq!((found, truncation), (rate, None), "{name}");
        assert_eq!(samples.len(), length, "{name}");
        let middle = &samples[samples.len() / 4..samples.len() * 3 / 4];
        let rms = (middle.iter().map(|x| x * x).sum::<f32>() / middle.len() as f32).sqrt();
        assert!((rms - 0.5 / 2f32.sqrt()).abs() < 0.03, "{name}: level {rms}");
    }
}

/// `make.py` beside the fixtures made them with ffmpeg: a 440 Hz tone of 0.5 s at half of full scale.
#[test]
fn every_other_format_gives_the_tone_at_its_place() {
    // Samples before the tone and in all that a codec may pad it with (AAC's priming is not removed), and how far off
    // samples may be.
    for (name, rate, delay, padding, allowed) in [
        ("tone-16k.mp3", 16000, 0, 0, 0.05),
        ("tone-16k.vorbis.ogg", 16000, 0, 0, 0.05),
        ("tone-16k.aac.m4a", 16000, 1024, 2048, 0.05),
        ("tone-16k.aac", 16000, 1024, 2048, 0.05),
        ("tone-16k.alac.m4a", 16000, 0, 0, 1e-3),
        ("tone-16k.aiff", 16000, 0, 0, 1e-3),
        ("tone-16k.caf", 16000, 0, 0, 1e-3),
        ("tone-16k.opus.webm", 16000, 0, 1024, 0.05),
        ("tone-16k.vorbis.mkv", 16000, 0, 1024, 0.05),
        ("tone-16k.alaw.wav", 16000, 0, 0, 0.02),
        ("tone-16k.mulaw.wav", 16000, 0, 0, 0.02),
        ("tone-16k.ima.wav", 16000, 0, 1024, 0.02),
        ("tone-16k.ms.wav", 16000, 0, 1024, 0.02),
    ] {
        let (samples, found, truncation) = read(&fixture(name));
        assert_eq!((found, truncation), (rate, None), "{name}");
        let length = rate as usize / 2;
        let fits = (length..=length + padding).contains(&samples.len());
        let middle = samples.len() / 4..samples.len() * 3 / 4;
        let worst = middle.map(|i| (samples[i] - tone(i - delay, rate)).abs()).fold(0.0, f32::max);
        assert!(fits && worst < allowed, "{name}: {} samples, off by {worst}", samples.len());
    }
}

#[test]
fn compressed_recordings_cut_short_give_what_is_there_and_say_so() {
    let folder = tempfile::tempdir().expect("folder");
    for name in ["tone-16k.flac", "tone.opus", "tone-16k.mp3", "tone-16k.ima.wav"] {
        let whole = std::fs::read(fixture(name)).expect("bytes");
        let path = folder.path().join(name);
        std::fs::write(&path, &whole[..whole.len() * 2 / 3]).expect("cut");
        let complete = read(&fixture(name)).0.len();
        let (samples, _, truncation) = read(&path);
        assert!(!samples.is_empty() && samples.len() < complete, "{name}: {} of {complete}", samples.len());
        assert!(truncation.is_some(), "{name}");
    }
}

#[test]
fn damaged_bytes_never_panic() {
    let folder = tempfile::tempdir().expect("folder");
    let wav = folder.path().join("tone.wav");
    write_tone(&wav, mono16());
    let mut state = 5u64;
    let mut random = |limit: usize| {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 33) as usize % limit
    };
    let others = ["mp3", "aac.m4a", "opus.webm", "caf", "ima.wav", "vorbis.ogg"]
        .map(|kind| fixture(&format!("tone-16k.{kind}")));
    for name in [wav, fixture("tone-16k.flac"), fixture("tone.opus")].into_iter().chain(others) {
        let whole = std::fs::read(&name).expect("bytes");
        for _ in 0..150 {
            let mut bytes = whole.clone();
            for _ in 0..1 + random(8) {
                let at = random(bytes.len());
                bytes[at] = random(256) as u8;
            }
            bytes.truncate(1 + random(whole.len()));
            let path = folder.path().join("damaged");
            std::fs::write(&path, &bytes).expect("write");
            if let Ok(mut source) = audio::open(&path) {
                let _ = audio::read_all(source.as_mut());
            }
        }
    }
}
