//! Calls the command line, prints the error chain, sets the exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    match eddy::cli::run() {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("eddy: {error:#}");
            ExitCode::from(2)
        }
    }
}
