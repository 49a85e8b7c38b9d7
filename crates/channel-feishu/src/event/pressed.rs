//! Buttons of cards that were pressed.

use channel_kit::{MessageId, Pressed, Target};
use serde::Deserialize;

use super::read;
use crate::id::Id;
use crate::send::card_id;

/// The longest data of a button that is handed on, in bytes; ours have 64.
const LONGEST_DATA: usize = 256;

/// A button that was pressed.
#[derive(Debug)]
pub(crate) struct Press {
    person: Id,
    message: Id,
    chat: Id,
    data: String,
}

pub(super) fn press(event: &str) -> Option<Press> {
    #[derive(Deserialize)]
    struct Body {
        operator: Operator,
        action: Action,
        context: Context,
    }
    #[derive(Deserialize)]
    struct Operator {
        open_id: String,
    }
    #[derive(Deserialize)]
    struct Action {
        tag: String,
        value: Value,
    }
    #[derive(Deserialize)]
    struct Value {
        data: String,
        chat: Id,
    }
    #[derive(Deserialize)]
    struct Context {
        open_message_id: Id,
        open_chat_id: Id,
    }
    let body: Body = read(event)?;
    let person = Id::with("ou_", &body.operator.open_id)?;
    let Value { data, chat } = body.action.value;
    // The card says which chat it was made for, in the names that we send by. Elsewhere it was brought by somebody.
    let is_there = if chat.is_person() {
        chat == person
    } else {
        chat == body.context.open_chat_id
    };
    let is_button = body.action.tag == "button" && data.len() <= LONGEST_DATA;
    (is_button && is_there).then_some(Press {
        person,
        message: body.context.open_message_id,
        chat,
        data,
    })
}

impl Press {
    pub(crate) fn pressed(self) -> Pressed {
        Pressed::new(
            self.person.to_string(),
            MessageId(card_id(&self.message)),
            Target::chat(self.chat.as_str()),
            self.data,
        )
    }
}
