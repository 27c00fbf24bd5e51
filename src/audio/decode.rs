//! Recordings of any supported format, chosen by content: WAV goes to `wav.rs`, all else through symphonia (FLAC, MP3,
//! Ogg, MP4, Matroska, AIFF, CAF, and the WAV that hound refuses).
//!
//! Layer 1. Blocks follow the file's packets; memory does not grow with its length. A damaged packet is left out and a
//! file that ends early is read as far as it goes; both are told through [`AudioSource::truncation`].

use super::wav::{self, NO_SAMPLES, SampleKind, mono};
use super::{AudioBlock, AudioSource, RawFormat, RawSource, WavSource, check_sample_rate};
use crate::error::{Error, Result};
use std::fs::File;
use std::io::{BufReader, Cursor, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use symphonia::core::codecs::audio::{AudioDecoder, AudioDecoderOptions};
use symphonia::core::codecs::registry::CodecRegistry;
use symphonia::core::errors::Error as SymphoniaError;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::{FormatReader, TrackType};
use symphonia::core::io::{MediaSourceStream, ReadOnlySource};
use symphonia_adapter_libopus::OpusDecoder;

/// Bytes that tell a format.
const HEAD: u64 = 16;
/// Bytes of a WAV in which the kind of sample is looked for, in a stream.
const WAV_HEAD: u64 = 4096;
/// What names standard input.
pub(super) const STDIN: &str = "-";
/// Largest Ogg page in bytes.
const OGG_PAGE: u64 = 65_307;

/// Opens a recording of any supported format, chosen by content, not by name.
///
/// # Errors
/// Names the file, what is wrong and the way out: empty, a directory, no permission, not audio, a format not supported.
pub fn open(path: &Path) -> Result<Box<dyn AudioSource>> {
    let metadata = std::fs::metadata(path).map_err(|error| Error::io(path, error))?;
    if metadata.is_dir() {
        std::fs::read_dir(path).map_err(|error| Error::io(path, error))?;
        return Err(Error::audio(path, "is a directory: name the recordings in it"));
    }
    let mut head = Vec::new();
    let file = File::open(path).map_err(|error| Error::io(path, error))?;
    file.take(HEAD).read_to_end(&mut head).map_err(|error| Error::io(path, error))?;
    match head.as_slice() {
        [] => Err(Error::audio(path, "is empty: record again or leave the file out")),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'A', b'V', b'E', ..] => open_wav(path),
        [b'R', b'I', b'F', b'F', ..] if head.len() < 12 => {
            Err(Error::audio(path, "the WAV header is cut short: record or copy the file again"))
        }
        _ if is_known(&head) => Ok(Box::new(FileSource::open(path)?)),
        _ => Err(Error::audio(path, refusal(&head))),
    }
}

/// Standard input: samples as `raw` says, or a recording of any supported format that needs no seeking.
///
/// # Errors
/// As [`open`].
pub fn open_stdin(raw: Option<RawFormat>) -> Result<Box<dyn AudioSource>> {
    open_stream(Path::new(STDIN), std::io::stdin(), raw)
}

/// A stream that cannot be sought in; `path` is for messages.
fn open_stream(
    path: &Path,
    mut stream: impl Read + Send + Sync + 'static,
    raw: Option<RawFormat>,
) -> Result<Box<dyn AudioSource>> {
    if let Some(format) = raw {
        return Ok(Box::new(RawSource::new(path, Box::new(BufReader::new(stream)), format)));
    }
    let mut head = Vec::new();
    (&mut stream).take(HEAD).read_to_end(&mut head).map_err(|error| Error::io(path, error))?;
    let is_wav = matches!(head.as_slice(), [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'A', b'V', b'E', ..]);
    let mut kind = None;
    if is_wav {
        // Far enough for the kind of sample in all but strange headers.
        (&mut stream).take(WAV_HEAD).read_to_end(&mut head).map_err(|error| Error::io(path, error))?;
        kind = wav::sample_kind_in(&head);
    }
    let whole = Cursor::new(head.clone()).chain(stream);
    match head.as_slice() {
        [] => Err(Error::audio(path, "is empty: nothing came in")),
        _ if is_wav && kind.is_none_or(SampleKind::is_plain) => {
            Ok(Box::new(WavSource::from_stream(path, Box::new(BufReader::new(whole)))?))
        }
        _ if is_wav || is_known(&head) => {
            let stream = MediaSourceStream::new(Box::new(ReadOnlySource::new(whole)), Default::default());
            let source = FileSource::new(path, stream, head.starts_with(b"OggS"), false);
            let source = source.map_err(|error| match error {
                Error::Audio { path, reason } => {
                    Error::audio(path, format!("{reason}; some formats cannot be read from a stream: name the file"))
                }
                other => other,
            })?;
            Ok(Box::new(FileSource { is_stream: true, ..source }))
        }
        _ => Err(Error::audio(path, format!("{}, or name its raw samples with --raw", refusal(&head)))),
    }
}

/// WAV: linear and float samples by hound, whose reader mends broken headers; compressed ones and float of 64 bits by
/// symphonia.
fn open_wav(path: &Path) -> Result<Box<dyn AudioSource>> {
    match wav::sample_kind(path)? {
        Some(kind) if !kind.is_plain() => Ok(Box::new(FileSource::open(path)?)),
        _ => Ok(Box::new(WavSource::open(path)?)),
    }
}

/// Whether a file that starts like this is of a format that symphonia reads.
fn is_known(head: &[u8]) -> bool {
    match head {
        [b'f', b'L', b'a', b'C', ..] | [b'O', b'g', b'g', b'S', ..] | [b'c', b'a', b'f', b'f', ..] => true,
        [b'I', b'D', b'3', ..] | [b'F', b'O', b'R', b'M', ..] | [0x1a, 0x45, 0xdf, 0xa3, ..] => true,
        [_, _, _, _, b'f', b't', b'y', b'p', ..] => true,
        // MPEG audio, layers 1 to 3; AAC frames (ADTS) have layer 0.
        [0xff, second, ..] => second & 0xe0 == 0xe0,
        _ => false,
    }
}

/// Why a file that starts like this is not read, and the way out.
fn refusal(head: &[u8]) -> String {
    let format = match head {
        [b'.', b's', b'n', b'd', ..] => Some("AU"),
        [b'R', b'F', b'6', b'4', ..] => Some("RF64"),
        [b'R', b'I', b'F', b'F', ..] => Some("RIFF, but not WAV"),
        _ => None,
    };
    match format {
        Some(format) => {
            format!("{format} is not supported: convert it to WAV, FLAC or Ogg Opus, for example `ffmpeg -i IN OUT.wav`")
        }
        None => "is not audio that eddy knows (WAV, FLAC, MP3, Ogg, M4A, WebM, AIFF, CAF): check the file, or convert it, for example `ffmpeg -i IN OUT.wav`".to_string(),
    }
}

fn codecs() -> &'static CodecRegistry {
    static CODECS: OnceLock<CodecRegistry> = OnceLock::new();
    CODECS.get_or_init(|| {
        let mut codecs = CodecRegistry::new();
        symphonia::default::register_enabled_codecs(&mut codecs);
        codecs.register_audio_decoder::<OpusDecoder>();
        codecs
    })
}

/// A compressed recording read packet by packet, channels averaged.
pub struct FileSource {
    path: PathBuf,
    format: Box<dyn FormatReader>,
    decoder: Box<dyn AudioDecoder>,
    track: u32,
    sample_rate: u32,
    /// Samples a channel that the header promises.
    promised: Option<u64>,
    samples: u64,
    damaged_packets: u64,
    ends_early: bool,
    /// Whether it comes from a stream, which cannot be sought in.
    is_stream: bool,
    interleaved: Vec<f32>,
    truncation: Option<String>,
}

impl FileSource {
    /// Opens a recording through symphonia.
    ///
    /// # Errors
    /// Names the file, what is wrong and the way out.
    pub fn open(path: &Path) -> Result<Self> {
        let file = File::open(path).map_err(|error| Error::io(path, error))?;
        let is_ogg = is_ogg(path).map_err(|error| Error::io(path, error))?;
        let ends_early = is_ogg && ogg_ends_early(path).map_err(|error| Error::io(path, error))?;
        FileSource::new(path, MediaSourceStream::new(Box::new(file), Default::default()), is_ogg, ends_early)
    }

    /// `ends_early`: what is known of that before it is read.
    fn new(path: &Path, stream: MediaSourceStream<'static>, is_ogg: bool, ends_early: bool) -> Result<Self> {
        let probe = symphonia::default::get_probe();
        let damaged = |error: SymphoniaError| {
            Error::audio(path, format!("the header is cut short or damaged ({error}): record or copy the file again"))
        };
        let format = probe.probe(&Hint::new(), stream, Default::default(), Default::default()).map_err(damaged)?;
        let track = format.default_track(TrackType::Audio).ok_or_else(|| Error::audio(path, "holds no audio track"))?;
        // Ogg tells its length by its last page's end mark alone: its count of frames includes the encoder's delay.
        let id = track.id;
        let promised = track.num_frames.filter(|_| !is_ogg);
        let parameters = track.codec_params.as_ref().and_then(|parameters| parameters.audio());
        let parameters = parameters.ok_or_else(|| Error::audio(path, "the audio track's codec is not known"))?;
        let states_none = || Error::audio(path, "states no sample rate: the header is damaged");
        let sample_rate = parameters.sample_rate.ok_or_else(states_none)?;
        check_sample_rate(path, sample_rate)?;
        let decoder = codecs().make_audio_decoder(parameters, &AudioDecoderOptions::default()).map_err(|_| {
            let reason = "has a codec that is not supported (Speex, WMA and others): convert it, for example `ffmpeg -i IN OUT.wav`";
            Error::audio(path, reason)
        })?;
        Ok(FileSource {
            path: path.to_path_buf(),
            format,
            decoder,
            track: id,
            sample_rate,
            promised,
            samples: 0,
            damaged_packets: 0,
            ends_early,
            is_stream: false,
            interleaved: Vec::new(),
            truncation: None,
        })
    }

    /// At the end: nothing at all is an error, less than promised is told.
    fn end(&mut self) -> Result<Option<AudioBlock>> {
        if self.samples == 0 {
            return Err(Error::audio(&self.path, NO_SAMPLES));
        }
        let missing = self.promised.map_or(0, |promised| promised.saturating_sub(self.samples));
        if self.damaged_packets > 0 {
            self.truncation = Some(format!("{} damaged packets were left out", self.damaged_packets));
        } else if self.ends_early || missing > 0 {
            let seconds = missing as f64 / f64::from(self.sample_rate);
            let known = if missing > 0 { format!(": {seconds:.2} s are missing") } else { String::new() };
            self.truncation = Some(format!("the file ends early{known}"));
        }
        Ok(None)
    }

    /// Samples of one packet, mono; `None` when the packet is of another track, empty or damaged.
    fn decode(&mut self, packet: &symphonia::core::packet::Packet) -> Option<Vec<f32>> {
        if packet.track_id != self.track {
            return None;
        }
        let Ok(buffer) = self.decoder.decode(packet) else {
            self.damaged_packets += 1;
            return None;
        };
        let channels = buffer.spec().channels().count().max(1);
        self.interleaved.resize(buffer.samples_interleaved(), 0.0);
        buffer.copy_to_slice_interleaved(&mut self.interleaved);
        Some(mono(&self.interleaved, channels)).filter(|samples| !samples.is_empty())
    }
}

impl AudioSource for FileSource {
    fn sample_rate(&self) -> u32 {
        self.sample_rate
    }

    fn next_block(&mut self) -> Result<Option<AudioBlock>> {
        loop {
            let packet = match self.format.next_packet() {
                Ok(Some(packet)) => packet,
                Ok(None) => return self.end(),
                Err(error) => {
                    // Some formats tell the end of a stream only by there being no more.
                    self.ends_early |= !(self.is_stream && is_end(&error));
                    return self.end();
                }
            };
            if let Some(samples) = self.decode(&packet) {
                self.samples += samples.len() as u64;
                return Ok(Some(AudioBlock { samples, dropped: 0 }));
            }
        }
    }

    fn truncation(&self) -> Option<&str> {
        self.truncation.as_deref()
    }

    fn length(&self) -> Option<u64> {
        self.promised
    }
}

fn is_end(error: &SymphoniaError) -> bool {
    matches!(error, SymphoniaError::IoError(error) if error.kind() == std::io::ErrorKind::UnexpectedEof)
}

fn is_ogg(path: &Path) -> std::io::Result<bool> {
    let mut magic = Vec::new();
    File::open(path)?.take(4).read_to_end(&mut magic)?;
    Ok(magic == b"OggS")
}

/// Whether the last page of an Ogg file does not say that the stream ends there.
fn ogg_ends_early(path: &Path) -> std::io::Result<bool> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(OGG_PAGE)))?;
    let mut tail = Vec::new();
    file.read_to_end(&mut tail)?;
    let last = tail.windows(4).rposition(|bytes| bytes == b"OggS");
    Ok(last.is_none_or(|at| tail.get(at + 5).is_none_or(|flags| flags & 4 == 0)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::read_all;

    fn fixtures() -> Vec<PathBuf> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
        let entries = std::fs::read_dir(folder).expect("fixtures");
        let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("entry").path()).collect();
        paths.retain(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("tone")));
        paths
    }

    #[test]
    fn a_stream_is_read_like_a_file() {
        let mut compared = 0;
        for path in fixtures() {
            let stream = open_stream(&path, File::open(&path).expect("opened"), None);
            let mut stream = match stream {
                Ok(stream) => stream,
                // These two have to be sought in.
                Err(error) if path.extension().is_some_and(|ending| ending == "caf" || ending == "m4a") => {
                    assert!(error.to_string().contains("name the file"), "{error}");
                    continue;
                }
                Err(error) => panic!("{error}"),
            };
            let mut file = open(&path).expect("file");
            assert_eq!(stream.sample_rate(), file.sample_rate());
            let (streamed, wanted) = (read_all(stream.as_mut()), read_all(file.as_mut()).expect("samples"));
            assert_eq!(streamed.expect("samples"), wanted, "{}", path.display());
            assert_eq!(stream.truncation(), file.truncation(), "{}", path.display());
            compared += 1;
        }
        assert!(compared > 10, "{compared}");
    }

    /// A mono WAV of 16 bits whose header declares `declared` bytes.
    fn wav(declared: u32, samples: &[i16]) -> Vec<u8> {
        let mut bytes = b"RIFF\xff\xff\xff\xffWAVEfmt \x10\0\0\0\x01\0\x01\0".to_vec();
        bytes.extend(8_000u32.to_le_bytes());
        bytes.extend(16_000u32.to_le_bytes());
        bytes.extend(b"\x02\0\x10\0data");
        bytes.extend(declared.to_le_bytes());
        bytes.extend(samples.iter().flat_map(|sample| sample.to_le_bytes()));
        bytes
    }

    fn streamed(bytes: Vec<u8>) -> Result<(Vec<f32>, Option<String>)> {
        let mut source = open_stream(Path::new(STDIN), Cursor::new(bytes), None)?;
        let samples = read_all(source.as_mut())?;
        Ok((samples, source.truncation().map(str::to_string)))
    }

    #[test]
    fn a_stream_may_not_know_its_length() {
        let samples: Vec<i16> = (0..9_001).collect();
        let wanted: Vec<f32> = samples.iter().map(|&sample| f32::from(sample) / 32768.0).collect();
        for declared in [0, u32::MAX, 0x7fff_ffff, 18_002] {
            let read = streamed(wav(declared, &samples)).expect("samples");
            assert_eq!((read.0.len(), read.1), (9_001, None), "{declared}");
            assert_eq!(read.0, wanted);
        }
        let mut cut = wav(20_000, &samples);
        cut.pop();
        let (read, truncation) = streamed(cut).expect("samples");
        assert_eq!(read, wanted[..9_000]);
        assert!(truncation.expect("told").contains("ends early: 0.12 s are missing"));
    }

    #[test]
    fn streams_without_audio_are_refused() {
        for (bytes, wanted) in [
            (Vec::new(), "-: is empty"),
            (b"some text, no audio".to_vec(), "--raw"),
            (wav(0, &[]), "no samples"),
            (wav(100, &[]), "no samples"),
            (wav(100, &[])[..30].to_vec(), "the WAV header is cut short"),
        ] {
            let message = streamed(bytes).expect_err(wanted).to_string();
            assert!(message.contains(wanted), "{message}");
        }
    }
}
