//! Buttons that were pressed.

use channel_kit::{MessageId, Pressed, Target};
use serde::Deserialize;

use super::read;
use crate::id::{Id, Ts};

/// The longest data of a button that is handed on, in bytes. Slack allows 2,000 characters; ours have 64.
const LONGEST_DATA: usize = 2000;

/// A button that was pressed.
#[derive(Debug)]
pub(crate) struct Press {
    user: Id,
    channel: Id,
    message: Ts,
    data: String,
}

pub(super) fn press(payload: &str) -> Option<Press> {
    #[derive(Deserialize)]
    struct Body {
        #[serde(rename = "type")]
        kind: String,
        user: User,
        container: Container,
        actions: Vec<Action>,
    }
    #[derive(Deserialize)]
    struct User {
        id: Id,
    }
    #[derive(Deserialize)]
    struct Container {
        #[serde(rename = "type")]
        kind: String,
        message_ts: Ts,
        channel_id: Id,
    }
    #[derive(Deserialize)]
    struct Action {
        #[serde(rename = "type")]
        kind: String,
        #[serde(default)]
        value: Option<String>,
    }
    let body: Body = read(payload)?;
    // There is one for each press; a list is what other elements need.
    let [action] = body.actions.as_slice() else {
        return None;
    };
    let data = action.value.clone()?;
    let is_button = body.kind == "block_actions"
        && body.container.kind == "message"
        && action.kind == "button"
        && data.len() <= LONGEST_DATA;
    is_button.then_some(Press {
        user: body.user.id,
        channel: body.container.channel_id,
        message: body.container.message_ts,
        data,
    })
}

impl Press {
    pub(crate) fn pressed(self) -> Pressed {
        Pressed {
            sender: self.user.to_string(),
            message: MessageId(self.message.to_string()),
            chat: Target::chat(self.channel.as_str()),
            data: self.data,
        }
    }
}
