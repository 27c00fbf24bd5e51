//! Gives every binary, test and example a run path to LibTorch, so that they start without `LD_LIBRARY_PATH`.
//!
//! The run path holds the directory that the build used (`LIBTORCH`, or the `torch` package of Python when
//! `LIBTORCH_USE_PYTORCH` is set) and places relative to the executable, so that a checkout can be moved.

use std::env;
use std::path::PathBuf;
use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    for name in ["LIBTORCH", "LIBTORCH_LIB", "LIBTORCH_USE_PYTORCH"] {
        println!("cargo:rerun-if-env-changed={name}");
    }
    let unix = env::var("CARGO_CFG_UNIX").is_ok();
    if env::var("CARGO_FEATURE_TORCH").is_err() || !unix {
        return;
    }
    let origin = match env::var("CARGO_CFG_TARGET_OS").as_deref() {
        Ok("macos") => "@loader_path",
        _ => "$ORIGIN",
    };
    for up in ["../..", "../../.."] {
        println!("cargo:rustc-link-arg=-Wl,-rpath,{origin}/{up}/.libtorch/lib");
    }
    println!("cargo:rustc-link-arg=-Wl,-rpath,{origin}/../lib/eddy");
    if let Some(directory) = library_directory() {
        println!("cargo:rustc-link-arg=-Wl,-rpath,{}", directory.display());
    }
}

/// Where LibTorch's shared libraries lay at build time.
fn library_directory() -> Option<PathBuf> {
    if env::var_os("LIBTORCH_USE_PYTORCH").is_some() {
        let script = "import os, torch; print(os.path.join(os.path.dirname(torch.__file__), 'lib'))";
        let output = Command::new("python3").args(["-c", script]).output().ok()?;
        return Some(PathBuf::from(String::from_utf8(output.stdout).ok()?.trim()));
    }
    let root = env::var_os("LIBTORCH_LIB").or_else(|| env::var_os("LIBTORCH"))?;
    Some(PathBuf::from(root).join("lib"))
}
