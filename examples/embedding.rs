//! Gating a channel with the pairing state of an OpenClaw install: the whole of it is [`on_message`].
//!
//! ```sh
//! cargo run -p examples --example embedding -- ./state 12345 "hello there"
//! cargo run -p openclaw-cli -- --state-dir ./state pairing approve telegram <CODE>
//! cargo run -p examples --example embedding -- ./state 12345 "hello again"
//! ```

use std::error::Error;
use std::io::Write;

use pairing_core::{Account, Admission, ApprovedSender, Requested};
use pairing_fs::StateDir;

/// A direct message came in. Its sender has been authenticated by the channel.
fn on_message(gate: &Account, sender: &str, text: &str) -> Result<(), Box<dyn Error>> {
    match gate.admit(sender)? {
        Admission::Approved(sender) => answer(&sender, text),
        Admission::Refused(_) => match gate.request_or_reuse(sender)? {
            Requested::Created(created) => send(&created.reply),
            // Asked before, or too many are waiting: nothing is sent, nothing is processed.
            _ => Ok(()),
        },
    }
}

/// Whatever the bot does. It takes the proof, so it cannot be called for anybody else.
fn answer(sender: &ApprovedSender, text: &str) -> Result<(), Box<dyn Error>> {
    send(&format!(
        "{} may ask me anything, such as: {text}",
        sender.sender()
    ))
}

/// Stands in for the channel.
fn send(text: &str) -> Result<(), Box<dyn Error>> {
    Ok(writeln!(std::io::stdout(), "{text}")?)
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(state), Some(sender)) = (arguments.next(), arguments.next()) else {
        return Err("usage: embedding <state-dir> <telegram-id> [text]".into());
    };
    let text = arguments.next().unwrap_or_default();

    // Made once and shared between threads.
    let pairing = pairing_fs::open(&StateDir::at(state));
    let gate = pairing.channel("telegram")?.account("default")?;
    on_message(&gate, &sender, &text)
}
