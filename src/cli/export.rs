//! `eddy export`.

/// Flags of `eddy export`.
#[derive(Debug, clap::Args)]
pub(super) struct ExportArgs {}

/// Runs it.
pub(super) fn run(args: ExportArgs) -> anyhow::Result<u8> {
    let _ = args;
    todo!()
}
