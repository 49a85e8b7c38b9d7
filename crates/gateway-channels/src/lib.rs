#![doc = include_str!("../README.md")]

mod adapters;
mod channels;
mod first_owner;
mod gate;
mod host;
mod message;
mod owners;
mod roster;
mod run;
mod sends;
mod sift;

pub use adapters::{AdapterKey, Adapters, BuildError, Built, Configured};
pub use channels::Channels;
pub use first_owner::{FirstOwnerError, make_owner, may_make_owner, owners_path, with_first_owner};
pub use host::Host;
pub use message::{By, Message};
pub use owners::{OwnerCommands, OwnerMessage, Owners};
pub use roster::{Roster, Source};
pub use sends::{Attempt, SendKey, Sends, Sent, digest};
pub use sift::{MAX_ID, MAX_TEXT, is_target};
