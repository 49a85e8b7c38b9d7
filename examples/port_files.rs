//! A port: a gateway that kept its pairing in files of its own, with channels that its configuration names.
//!
//! Such a gateway has a file of channels, each with prefixes and an optional pattern of ids, which may grow while it
//! runs; senders are in lists by id or by user name; it answers strangers in its own name. Everything between it and
//! the library is between the two marks below: 40 lines.
//!
//! ```sh
//! cargo run -p examples --example port_files -- ./state
//! cargo test -p examples --example port_files
//! ```

use std::error::Error;
use std::io::Write as _;

use pairing_core::{
    Access, Account, AddChannelError, Approver, ChannelId, ChannelRules, Channels, DecisionError,
    DmPolicy, Limits, PairingBuilder, Replies, RequestError, Requested, Sender,
};
use pairing_fs::{FsStore, StateDir, SystemClock, SystemEntropy};
use serde::Deserialize;

/// A channel, as this gateway's configuration has it.
#[derive(Deserialize)]
struct Plugin {
    name: String,
    #[serde(default)]
    prefixes: Vec<String>,
    /// Ids are compared in lower case.
    #[serde(default)]
    fold_case: bool,
    #[serde(default)]
    allow: Vec<String>,
}

// Glue begins.
struct Pairings(pairing_core::Pairing);

impl Pairings {
    fn open(state: &StateDir) -> Self {
        let channels = Channels::builtin();
        let store = FsStore::new(state, channels.clone());
        let replies = Replies::default().product("Claw").command("claw");
        let builder = PairingBuilder::new(store, SystemClock, SystemEntropy);
        let builder = builder.channels(channels).limits(Limits::default());
        Self(builder.replies(replies).build())
    }

    /// Starts a plugin, at any time.
    fn add(&self, plugin: &Plugin) -> Result<Account, Box<dyn Error>> {
        let rules = ChannelRules::new(ChannelId::parse(&plugin.name)?)
            .label("userId", format!("Your {} id: ", plugin.name))
            .prefixes(&plugin.prefixes)
            .match_usernames();
        let rules = if plugin.fold_case {
            rules.normaliser(|id| Some(id.to_lowercase()), "an id")
        } else {
            rules
        };
        let channel = match self.0.add_channel(rules) {
            Err(AddChannelError::Known { channel }) => self.0.channel_of(&channel)?,
            added => added?,
        };
        let access = Access::new(channel.rules(), DmPolicy::Pairing, &plugin.allow);
        Ok(channel.account("default")?.with_access(access))
    }
}

/// What to send for a message, if anything.
fn answer(gate: &Account, from: Sender, text: &str) -> Result<Option<String>, RequestError> {
    Ok(match gate.request_or_reuse(from)? {
        Requested::Allowed(sender) => Some(format!("{}: {text}", sender.sender())),
        Requested::Created(created) => Some(created.reply),
        _ => None,
    })
}
// Glue ends.

fn main() -> Result<(), Box<dyn Error>> {
    let state = std::env::args().nth(1).ok_or("usage: port_files <state>")?;
    let pairings = Pairings::open(&StateDir::at(state));
    let plugin: Plugin = serde_json::from_str(r#"{"name":"irc","prefixes":["nick"]}"#)?;
    let gate = pairings.add(&plugin)?;
    let told = answer(&gate, Sender::new("nick:ann"), "hello")?;
    writeln!(std::io::stdout(), "{}", told.unwrap_or_default())?;
    Ok(())
}

/// The command line of this gateway: `claw pairing approve <channel> <code>`.
#[cfg_attr(not(test), allow(dead_code, reason = "this program has no arguments"))]
fn approve(gate: &Account, code: &str, login: &str) -> Result<String, DecisionError> {
    let approved = gate.approve(code, &Approver::terminal(login))?;
    Ok(approved.request.sender.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plugin_of_the_configuration_pairs_in_this_gateways_name() {
        let dir = tempfile::tempdir().unwrap();
        let pairings = Pairings::open(&StateDir::at(dir.path()));
        let plugin = r#"{"name":"irc","prefixes":["nick"],"fold_case":true,"allow":["@boss"]}"#;
        let plugin: Plugin = serde_json::from_str(plugin).unwrap();
        let gate = pairings.add(&plugin).unwrap();
        let told = answer(&gate, Sender::new("nick:Ann"), "hello")
            .unwrap()
            .unwrap();
        assert!(told.starts_with("Claw: access not configured."), "{told}");
        assert!(told.contains("Your irc id: ann\n"), "{told}");
        let code = told.split_whitespace().last().unwrap();
        assert!(told.contains("\nclaw pairing approve irc "), "{told}");
        assert_eq!(approve(&gate, code, "owner").unwrap(), "ann");
        let told = answer(&gate, Sender::new("ANN"), "hello").unwrap();
        assert_eq!(told.as_deref(), Some("ann: hello"));

        let boss = Sender::new("77").with("username", "Boss");
        let told = answer(&gate, boss, "hello").unwrap();
        assert_eq!(told.as_deref(), Some("77: hello"));

        // The plugin is started again, and another program reads the same files.
        pairings.add(&plugin).unwrap();
        let again = Pairings::open(&StateDir::at(dir.path()));
        let gate = again.add(&plugin).unwrap();
        assert!(gate.is_allowed("ann").unwrap());
    }

    #[test]
    fn the_glue_is_as_long_as_it_says() {
        examples::assert_glue("port_files", include_str!("port_files.rs"));
    }
}
