//! `eddy features`.

/// Flags of `eddy features`.
#[derive(Debug, clap::Args)]
pub(super) struct FeaturesArgs {}

/// Runs it.
pub(super) fn run(args: FeaturesArgs) -> anyhow::Result<u8> {
    let _ = args;
    todo!()
}
