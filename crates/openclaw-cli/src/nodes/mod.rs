//! `openclaw nodes`: legacy nodes, which have a token and no key.

mod decide;
mod invoke;
mod list;
mod status;

use std::sync::Arc;

use pairing_core::device::{Node, NodeRequest};
use pairing_core::{DeviceList, Entropy, NodeList};

use crate::args::NodesCommand;
use crate::backend::Backend;
use crate::console::Screen;
use crate::subject::find;
use crate::{Exit, Failure};

/// What every command about nodes needs.
pub(crate) struct Call {
    pub(crate) backend: Backend,
    pub(crate) json: bool,
    /// The source of idempotency keys of invocations.
    pub(crate) entropy: Arc<dyn Entropy>,
}

impl Call {
    pub(crate) fn run(
        &self,
        command: &NodesCommand,
        screen: &mut Screen<'_, '_>,
    ) -> Result<Exit, Failure> {
        match command {
            NodesCommand::List => self.list(true, screen),
            NodesCommand::Pending => self.list(false, screen),
            NodesCommand::Status => self.status(screen),
            NodesCommand::Approve(request, commands) => {
                self.approve(request, commands.as_ref(), screen)
            }
            NodesCommand::Reject(request) => self.reject(request, screen),
            NodesCommand::Rename(node, name) => self.rename(node, name, screen),
            NodesCommand::Remove(node) => self.remove(node, screen),
            NodesCommand::Describe(node) => self.describe(node, screen),
            NodesCommand::Invoke(node, invoking) => self.invoke(node, invoking, screen),
            NodesCommand::Notify(node, notice) => self.notify(node, notice, screen),
        }
    }

    /// Lists requests and nodes, and warns of records that are not understood.
    fn read(&self, screen: &mut Screen<'_, '_>) -> Result<NodeList, Failure> {
        let list = self.backend.nodes()?;
        screen.problems(&list.problems);
        Ok(list)
    }

    /// Finds the request that the command names.
    fn request(&self, typed: &str, list: &NodeList, verb: &str) -> Result<NodeRequest, Failure> {
        let waiting = list.waiting();
        let found = find(typed, &waiting).cloned().map_err(|error| {
            error.or_instead(|| {
                let other = find(typed, &self.devices().pending).ok()?.id.clone();
                Some(format!(
                    "it is a request of a device: `openclaw devices {verb} {other}`"
                ))
            })
        });
        Ok(found?)
    }

    /// Finds the node that the command names.
    fn node<'l>(&self, typed: &str, list: &'l NodeList, verb: &str) -> Result<&'l Node, Failure> {
        let found = find(typed, &list.paired).map_err(|error| {
            error.or_instead(|| {
                let other = find(typed, &self.devices().paired).ok()?.id;
                Some(format!("it is a device: `openclaw devices {verb} {other}`"))
            })
        });
        Ok(found?)
    }

    /// Lists the devices. If they cannot be read, the list is empty.
    fn devices(&self) -> DeviceList {
        self.backend.devices().unwrap_or_default()
    }
}
