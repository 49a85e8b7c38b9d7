//! Commands that the stage accepts.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;
use serde_json::Value;

use crate::bot::{Bot, LinkStep};

/// A command with the id that identifies its answer.
#[derive(Debug)]
pub(crate) struct Request {
    /// Any JSON value; the answer repeats it.
    pub(crate) id: Value,
    /// The command to carry out.
    pub(crate) command: Command,
}

/// A command to carry out.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(
    tag = "do",
    rename_all = "camelCase",
    rename_all_fields = "camelCase",
    deny_unknown_fields
)]
pub(crate) enum Command {
    /// Starts the gateway with this configuration, on a port that stays the same from then on.
    Start {
        config: String,
        #[serde(default)]
        bot: Bot,
    },
    /// Stops the gateway, and waits until it has stopped.
    Stop {},
    /// Stops the gateway and starts it on the same port, with a new configuration if one is given.
    Restart {
        config: Option<String>,
        bot: Option<Bot>,
    },
    /// Returns the messages that the bot has sent.
    Said {},
    /// Has something happen while the bot's account is linked by a code.
    Link {
        step: LinkStep,
        #[serde(default)]
        text: String,
    },
    /// Moves the clock of the gateway and of the terminal.
    Move {
        ms: i64,
    },
    /// Requests pairing for a sender, as if a stranger had written to the bot.
    Writes(Writes),
    /// Connects a device, which requests pairing if it has to and stays connected if it is admitted.
    Connect(Connect),
    /// Returns whether the device is connected.
    Alive {
        device: String,
    },
    /// Waits until the device is disconnected, and returns the reason.
    Died {
        device: String,
    },
    /// Disconnects the device.
    Leave {
        device: String,
    },
    /// Requests pairing for a legacy node with this id.
    NodeAsks {
        node: String,
        display_name: Option<String>,
        #[serde(default)]
        commands: Vec<String>,
    },
    /// Approves a device request in the gateway's own process, which therefore knows of it at once.
    LetIn {
        request_id: String,
    },
    RevokeToken {
        device_id: String,
        role: String,
    },
    /// Approves a device request at the terminal; the next three commands act there too.
    Approve {
        request_id: String,
    },
    Reject {
        request_id: String,
    },
    Rename {
        device_id: String,
        name: String,
    },
    Remove {
        device_id: String,
    },
    /// Approves a sender at the terminal; the next three commands act there too.
    ApproveSender {
        channel: String,
        code: String,
    },
    RejectSender {
        channel: String,
        code: String,
    },
    Allow {
        channel: String,
        sender: String,
    },
    Disallow {
        channel: String,
        sender: String,
    },
    /// Stores the given number of senders of one account, and of devices.
    Seed(Seed),
    /// Returns the stored data, as the terminal sees it.
    Stored {
        #[serde(default = "default_channel")]
        channel: String,
        #[serde(default = "default_account")]
        account: String,
    },
    /// Appends a line to the audit log, as anyone with write access could.
    Log {
        line: String,
    },
    /// Serves a page on another origin.
    Serve {
        html: String,
    },
    /// Decodes the QR code in an image.
    Decode {
        path: PathBuf,
    },
}

/// The sender that writes to the bot, and the account it writes to.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Writes {
    pub(crate) channel: String,
    #[serde(default = "default_account")]
    pub(crate) account: String,
    pub(crate) sender: String,
    #[serde(default)]
    pub(crate) meta: BTreeMap<String, String>,
}

/// Settings with which a device connects.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Connect {
    /// Name of the device in the test; each name is a different device.
    pub(crate) device: String,
    pub(crate) role: String,
    pub(crate) display_name: Option<String>,
    pub(crate) platform: Option<String>,
    pub(crate) device_family: Option<String>,
    #[serde(default)]
    pub(crate) scopes: Vec<String>,
    #[serde(default)]
    pub(crate) commands: Vec<String>,
    /// Setup code to use instead of the gateway's token.
    pub(crate) setup_code: Option<String>,
}

/// Amount of data to store.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Seed {
    #[serde(default)]
    pub(crate) senders: u32,
    #[serde(default)]
    pub(crate) devices: u32,
    #[serde(default = "default_channel")]
    pub(crate) channel: String,
    #[serde(default = "default_account")]
    pub(crate) account: String,
}

fn default_account() -> String {
    "default".to_owned()
}

fn default_channel() -> String {
    "telegram".to_owned()
}

impl Request {
    /// Parses a line. An error comes with the id for its answer.
    pub(crate) fn parse(line: &str) -> Result<Self, (Value, serde_json::Error)> {
        let mut value: Value = serde_json::from_str(line).map_err(|error| (Value::Null, error))?;
        let id = value.as_object_mut().and_then(|value| value.remove("id"));
        let id = id.unwrap_or_default();
        match serde_json::from_value(value) {
            Ok(command) => Ok(Self { id, command }),
            Err(error) => Err((id, error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(line: &str) -> Command {
        Request::parse(line).unwrap().command
    }

    fn error(line: &str) -> String {
        Request::parse(line).unwrap_err().1.to_string()
    }

    #[test]
    fn commands_have_defaults() {
        let line = r#"{"id":1,"do":"writes","channel":"telegram","sender":"555"}"#;
        let Command::Writes(writes) = command(line) else {
            unreachable!("it was asked to write");
        };
        assert_eq!(writes.account, "default");
        assert!(writes.meta.is_empty());
        assert_eq!(command(r#"{"do":"stop"}"#), Command::Stop {});
        assert_eq!(
            command(r#"{"do":"move","ms":-5}"#),
            Command::Move { ms: -5 }
        );
        let line = r#"{"do":"nodeAsks","node":"n","displayName":"N"}"#;
        assert!(matches!(
            command(line),
            Command::NodeAsks {
                display_name: Some(_),
                ..
            }
        ));
    }

    #[test]
    fn what_is_wrong_is_named() {
        assert!(error(r#"{"id":1,"do":"dance"}"#).contains("dance"));
        assert!(error(r#"{"id":1}"#).contains("do"));
        assert!(error(r#"{"id":1,"do":"start"}"#).contains("config"));
        assert!(error(r#"{"id":1,"do":"alive","device":"a","loud":true}"#).contains("loud"));
    }

    #[test]
    fn the_id_of_a_command_that_fails_is_kept() {
        let (id, _) = Request::parse(r#"{"id":"x","do":"dance"}"#).unwrap_err();
        assert_eq!(id, "x");
        let (id, _) = Request::parse("[]").unwrap_err();
        assert_eq!(id, Value::Null);
    }
}
