//! Calls the command line, prints the error chain, sets the exit code.

fn main() {}
