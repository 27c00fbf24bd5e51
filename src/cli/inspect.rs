//! `eddy inspect`.

/// Flags of `eddy inspect`.
#[derive(Debug, clap::Args)]
pub(super) struct InspectArgs {}

/// Runs it.
pub(super) fn run(args: InspectArgs) -> anyhow::Result<u8> {
    let _ = args;
    todo!()
}
