//! `eddy train`.

/// Flags of `eddy train`.
#[derive(Debug, clap::Args)]
pub(super) struct TrainArgs {}

/// Runs it.
pub(super) fn run(args: TrainArgs) -> anyhow::Result<u8> {
    let _ = args;
    todo!()
}
