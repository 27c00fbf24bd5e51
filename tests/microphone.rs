//! The microphone through ALSA and PulseAudio: recordings are played into a null sink, whose monitor is ALSA's default
//! input. Needs `pulseaudio`, `pactl`, `paplay` and ALSA's pulse plugin (Debian: pulseaudio, pulseaudio-utils,
//! libasound2-plugins); says so and is skipped without them.
#![cfg(all(feature = "torch", feature = "mic", target_os = "linux"))]

use eddy::pipeline::{Mark, MarkKind, marks_path, read_marks};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// What is missing on this machine, if anything.
fn missing() -> Option<String> {
    let programs = ["pulseaudio", "pactl", "paplay"];
    let runs = |program: &&str| Command::new(program).arg("--version").output().is_ok();
    let absent: Vec<&str> = programs.into_iter().filter(|program| !runs(program)).collect();
    if !absent.is_empty() {
        return Some(absent.join(", "));
    }
    let libraries = ["/usr/lib", "/usr/lib64", "/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu"];
    let plugin = |folder: &str| Path::new(folder).join("alsa-lib/libasound_module_pcm_pulse.so").is_file();
    (!libraries.into_iter().any(plugin)).then(|| "ALSA's pulse plugin (libasound2-plugins)".to_string())
}

/// Whether there is no microphone to play into; says so.
fn skipped() -> bool {
    let missing = missing();
    if let Some(missing) = &missing {
        eprintln!("skipped: no microphone to play into: {missing} missing");
    }
    missing.is_some()
}

/// A sound server of its own, with a null sink whose monitor is the only microphone.
struct SoundServer {
    folder: TempDir,
    process: Child,
}

impl SoundServer {
    fn start(rate: u32, channels: u32) -> Self {
        let folder = tempfile::tempdir().expect("folder");
        let socket = format!("module-native-protocol-unix socket={}", folder.path().join("socket").display());
        let sink = format!("module-null-sink sink_name=eddy rate={rate} channels={channels}");
        let asoundrc = "pcm.!default { type pulse device \"eddy.monitor\" }\nctl.!default { type pulse }\n";
        std::fs::write(folder.path().join(".asoundrc"), asoundrc).expect("written");
        let mut command = Command::new("pulseaudio");
        command.args([
            "-n",
            "--daemonize=no",
            "--exit-idle-time=-1",
            "--disable-shm=yes",
            "--load",
            &socket,
            "--load",
            &sink,
        ]);
        environment(&mut command, folder.path());
        let process = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("pulseaudio runs");
        let server = SoundServer { folder, process };
        eventually("the sound server", || {
            server
                .command("pactl")
                .args(["list", "short", "sinks"])
                .output()
                .is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains("eddy"))
        });
        server
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        environment(&mut command, self.folder.path());
        command.current_dir(self.folder.path()).stdin(Stdio::null());
        command
    }

    fn eddy(&self) -> Command {
        let mut command = self.command(env!("CARGO_BIN_EXE_eddy"));
        command.env("EDDY_MODEL", root().join("models/an4")).env_remove("RUST_LOG");
        command
    }
}

impl Drop for SoundServer {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn environment(command: &mut Command, folder: &Path) {
    let socket = format!("unix:{}", folder.join("socket").display());
    command.env("HOME", folder).env("XDG_RUNTIME_DIR", folder).env("PULSE_SERVER", socket);
}

fn eventually(what: &str, check: impl Fn() -> bool) {
    let begin = Instant::now();
    while !check() {
        assert!(begin.elapsed() < Duration::from_secs(60), "never: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn signal(name: &str, process: &Child) {
    let sent = Command::new("kill").args([name, &process.id().to_string()]).status().expect("kill runs");
    assert!(sent.success());
}

/// Listens while a recording is played, and is stopped for `stall` in the middle of it; gives the live transcript.
fn listen(server: &SoundServer, name: &str, stall: Option<Duration>) -> String {
    let arguments = ["listen", "--plain", "--record", "heard.wav", "--out", "heard.txt"];
    let child = server.eddy().args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("eddy runs");
    let size = || std::fs::metadata(server.path("heard.wav")).map_or(0, |metadata| metadata.len());
    eventually("a recording", || size() > 10_000);
    let mut player = server.command("paplay");
    let mut player =
        player.args(["--device", "eddy"]).arg(root().join("audio").join(name)).spawn().expect("paplay runs");
    if let Some(stall) = stall {
        std::thread::sleep(Duration::from_millis(700));
        signal("-STOP", &child);
        std::thread::sleep(stall);
        signal("-CONT", &child);
    }
    assert!(player.wait().expect("paplay ends").success());
    // What is still on its way through the sound server: half a second at most.
    let at_end = size();
    eventually("the last second", || size() > at_end + 200_000);
    signal("-INT", &child);
    let output = child.wait_with_output().expect("eddy ends");
    let messages = String::from_utf8_lossy(&output.stderr).to_string();
    assert_eq!(output.status.code(), Some(0), "{messages}");
    assert_eq!(std::fs::read(server.path("heard.txt")).expect("transcript"), output.stdout);
    eprintln!("{messages}");
    String::from_utf8(output.stdout).expect("UTF-8").lines().collect::<Vec<_>>().join(" ")
}

#[test]
fn what_is_played_is_written_live_as_in_a_batch() {
    if skipped() {
        return;
    }
    for (rate, channels) in [(48_000, 2), (44_100, 1), (16_000, 1)] {
        let server = SoundServer::start(rate, channels);
        let devices = server.eddy().args(["devices", "--json"]).output().expect("eddy runs");
        let devices = String::from_utf8(devices.stdout).expect("UTF-8");
        assert!(devices.contains(r#""id":"alsa:default""#), "{devices}");
        check(&server, &format!("{rate} Hz, {channels} channels"));
    }
}

/// What the sound server heard while the process could not run comes late, and is not lost with the device taken for gone.
#[test]
fn a_process_that_is_stopped_hears_what_was_said_meanwhile() {
    if skipped() {
        return;
    }
    let server = SoundServer::start(48_000, 2);
    let live = listen(&server, "03-digits.wav", Some(Duration::from_secs(4)));
    let replayed = server.eddy().args(["listen", "--plain", "--from", "heard.wav"]).output().expect("eddy runs");
    let replayed = String::from_utf8_lossy(&replayed.stdout).lines().collect::<Vec<_>>().join(" ");
    assert_eq!(live, replayed, "from the recording and its marks");
    // The sound server may lose some itself, where the machine is slow.
    let marks = read_marks(&marks_path(&server.path("heard.wav"))).expect("marks");
    let lost = |mark: &Mark| match mark.kind {
        MarkKind::Gap { lost } | MarkKind::Reset { lost } => lost,
        MarkKind::EndSegment => 0,
    };
    let lost: u64 = marks.iter().map(lost).sum();
    assert!(lost < 2 * 48_000, "{lost} samples lost");
    if lost == 0 {
        assert_mostly_right(&live, "stopped for four seconds");
    }
}

/// The live text is what a batch makes of the recording, and mostly what was said.
fn check(server: &SoundServer, what: &str) {
    let live = listen(server, "03-digits.wav", None);
    let batch = server.eddy().args(["transcribe", "heard.wav"]).output().expect("eddy runs");
    assert_eq!(live, String::from_utf8_lossy(&batch.stdout).trim_end(), "{what}");
    assert_mostly_right(&live, what);
}

/// The sound server's own conversion of rates costs a word now and then.
fn assert_mostly_right(live: &str, what: &str) {
    let right = ["two", "nine", "three", "four", "zero"].iter().filter(|word| live.contains(*word)).count();
    assert!(right >= 3, "{what}: {live}");
}
