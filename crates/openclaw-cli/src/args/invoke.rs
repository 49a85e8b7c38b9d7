//! `openclaw nodes describe`, `invoke` and `notify`.

use std::time::Duration;

use clap::Args;
use serde_json::Value;

use super::target::time;
use crate::failure::UsageError;

/// A command for a node.
pub(crate) struct Invoking {
    pub(crate) command: String,
    pub(crate) params: Value,
    pub(crate) timeout: Duration,
    /// Lets the node recognise a repetition; a new one if not given.
    pub(crate) idempotency_key: Option<String>,
}

/// A notification on a node's screen.
pub(crate) struct Notice {
    pub(crate) title: Option<String>,
    pub(crate) body: Option<String>,
    pub(crate) priority: Option<String>,
    pub(crate) sound: Option<String>,
    pub(crate) timeout: Duration,
}

/// Time that a node has to answer, as for the other program's commands.
const ANSWER: Duration = Duration::from_secs(15);

/// The node that is meant.
#[derive(Debug, Args)]
pub(super) struct RawMeant {
    /// The node's id, the beginning of it, or its name
    #[arg(required_unless_present = "node_option")]
    node: Option<String>,
    /// The node, instead of naming it first
    #[arg(
        long = "node",
        id = "node_option",
        value_name = "NODE",
        conflicts_with = "node"
    )]
    option: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(super) struct RawInvoke {
    #[command(flatten)]
    meant: RawMeant,
    /// The command, such as device.info
    #[arg(long, value_name = "COMMAND")]
    command: String,
    /// The command's parameters, as JSON
    #[arg(long, value_name = "JSON", default_value = "{}")]
    params: String,
    /// How long the node may take to answer, such as 15s
    #[arg(long, value_name = "TIME")]
    invoke_timeout: Option<String>,
    /// A key by which the node recognises a repetition
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct RawNotify {
    #[command(flatten)]
    meant: RawMeant,
    /// The notification's title
    #[arg(long, value_name = "TEXT", required_unless_present = "body")]
    title: Option<String>,
    /// The notification's text
    #[arg(long, value_name = "TEXT")]
    body: Option<String>,
    /// How urgent it is
    #[arg(long, value_parser = ["passive", "active", "timeSensitive"])]
    priority: Option<String>,
    /// The name of a sound
    #[arg(long, value_name = "NAME")]
    sound: Option<String>,
    /// How long the node may take to answer, such as 15s
    #[arg(long, value_name = "TIME")]
    invoke_timeout: Option<String>,
}

impl RawMeant {
    /// The node, and whether to print JSON. One of the two spellings is there, or the form was wrong already.
    pub(super) fn meaning(self) -> (String, bool) {
        (self.node.or(self.option).unwrap_or_default(), self.json)
    }
}

impl RawInvoke {
    /// The node, the command for it, and whether to print JSON.
    pub(super) fn meaning(self) -> Result<(String, Invoking, bool), UsageError> {
        let (node, json) = self.meant.meaning();
        let invoking = Invoking {
            command: self.command,
            params: serde_json::from_str(&self.params).map_err(UsageError::Params)?,
            timeout: answer_within(self.invoke_timeout)?,
            idempotency_key: self.idempotency_key,
        };
        Ok((node, invoking, json))
    }
}

impl RawNotify {
    /// The node, the notification for it, and whether to print JSON.
    pub(super) fn meaning(self) -> Result<(String, Notice, bool), UsageError> {
        let (node, json) = self.meant.meaning();
        let notice = Notice {
            title: self.title,
            body: self.body,
            priority: self.priority,
            sound: self.sound,
            timeout: answer_within(self.invoke_timeout)?,
        };
        Ok((node, notice, json))
    }
}

fn answer_within(text: Option<String>) -> Result<Duration, UsageError> {
    text.map_or(Ok(ANSWER), |text| time(&text))
}
