//! Messages that are sent, and the chats they go to.

use std::fmt;

/// A chat, as the chat system names it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Target {
    /// The id of the chat.
    pub chat: String,
    /// The thread within the chat, on chat systems that have threads.
    pub thread: Option<String>,
}

/// The adapter's name for a message that it sent.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct MessageId(pub String);

/// A message to send. Its text is plain: nothing in it is markup.
///
/// ```
/// use channel_kit::{Button, Outgoing};
///
/// let asked = Outgoing::text("Let Ann in?").buttons(vec![Button::new("Approve", "a:1")]);
/// assert!(!asked.is_secret);
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub struct Outgoing {
    /// The text; the caption, if there is a picture.
    pub text: String,
    /// A picture, as PNG.
    pub picture: Option<Vec<u8>>,
    /// Buttons, side by side.
    pub buttons: Vec<Button>,
    /// Whether it may hold a secret. Where the chat system allows it, such a message is not previewed or forwarded.
    pub is_secret: bool,
}

/// A button under a message.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Button {
    /// The text on the button.
    pub label: String,
    /// The data that comes back when it is pressed: at most 64 bytes.
    pub data: String,
}

impl Target {
    /// A chat without a thread.
    pub fn chat(id: impl Into<String>) -> Self {
        Self {
            chat: id.into(),
            thread: None,
        }
    }

    /// The same chat, in this thread.
    pub fn thread(self, id: impl Into<Option<String>>) -> Self {
        Self {
            thread: id.into(),
            ..self
        }
    }
}

impl Outgoing {
    /// A message of plain text.
    pub fn text(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            picture: None,
            buttons: Vec::new(),
            is_secret: false,
        }
    }

    /// The same with a picture, as PNG.
    pub fn picture(self, png: Vec<u8>) -> Self {
        Self {
            picture: Some(png),
            ..self
        }
    }

    /// The same with buttons, side by side.
    pub fn buttons(self, buttons: Vec<Button>) -> Self {
        Self { buttons, ..self }
    }

    /// The same, which may hold a secret.
    pub fn secret(self) -> Self {
        Self {
            is_secret: true,
            ..self
        }
    }
}

impl Button {
    /// A button with this text, and the data that comes back when it is pressed.
    pub fn new(label: impl Into<String>, data: impl Into<String>) -> Self {
        Self {
            label: label.into(),
            data: data.into(),
        }
    }
}

impl fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The text is private, and may hold a code.
        f.debug_struct("Outgoing").finish_non_exhaustive()
    }
}
