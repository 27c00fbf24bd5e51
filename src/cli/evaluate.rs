//! `eddy evaluate`.

/// Flags of `eddy evaluate`.
#[derive(Debug, clap::Args)]
pub(super) struct EvaluateArgs {}

/// Runs it.
pub(super) fn run(args: EvaluateArgs) -> anyhow::Result<u8> {
    let _ = args;
    todo!()
}
