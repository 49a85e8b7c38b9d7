//! Buttons that were pressed.

use channel_kit::{MessageId, Pressed, Target};
use serde::Deserialize;

use super::{Home, Me, read};
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
    home: Home,
}

pub(super) fn press(payload: &str) -> Option<Press> {
    #[derive(Deserialize)]
    struct Body {
        #[serde(rename = "type")]
        kind: String,
        user: User,
        container: Container,
        actions: Vec<Action>,
        #[serde(default)]
        team: Option<HasId>,
        #[serde(default)]
        enterprise: Option<HasId>,
    }
    #[derive(Deserialize)]
    struct HasId {
        id: Id,
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
        home: Home {
            team: body.team.map(|team| team.id),
            enterprise: body.enterprise.map(|enterprise| enterprise.id),
        },
    })
}

impl Press {
    /// The press, if it was made where the bot is.
    pub(crate) fn pressed(self, me: &Me) -> Option<Pressed> {
        me.home.is_home_of(&self.home).then(|| {
            Pressed::new(
                self.user.to_string(),
                MessageId(self.message.to_string()),
                Target::chat(self.channel.as_str()),
                self.data,
            )
        })
    }
}
