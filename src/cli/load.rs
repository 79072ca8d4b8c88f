//! Opening the model that the command line names.

use super::args::{BackendName, ModelArgs};
use super::error::CliError;
use crate::compute::cpu::Cpu;
use crate::compute::reference::Reference;
use crate::engine::Network;
use crate::model::{Checkpoint, bundled};

pub(super) fn checkpoint(args: &ModelArgs) -> Result<Checkpoint, CliError> {
    Ok(match &args.model {
        Some(directory) => Checkpoint::open(directory)?,
        None => bundled()?,
    })
}

/// A network on the backend that was asked for; what is done with it is written once, for any.
pub(super) enum AnyNetwork {
    Cpu(Box<Network<Cpu>>),
    Reference(Box<Network<Reference>>),
}

pub(super) fn network(args: &ModelArgs, checkpoint: &Checkpoint) -> Result<AnyNetwork, CliError> {
    let (config, weights) = (checkpoint.config.clone(), checkpoint.weights.clone());
    Ok(match args.backend {
        BackendName::Cpu => AnyNetwork::Cpu(Box::new(Network::new(Cpu::new(args.threads)?, config, weights)?)),
        BackendName::Reference => AnyNetwork::Reference(Box::new(Network::new(Reference, config, weights)?)),
    })
}
