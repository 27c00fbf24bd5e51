//! `eddy transcribe`.

/// Flags of `eddy transcribe`.
#[derive(Debug, clap::Args)]
pub(super) struct TranscribeArgs {}

/// Runs it.
pub(super) fn run(args: TranscribeArgs) -> anyhow::Result<u8> {
    let _ = args;
    todo!()
}
