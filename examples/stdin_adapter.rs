//! A channel adapter on standard input: each line is a direct message, `sender: text`.
//!
//! ```sh
//! cargo run -p examples --example stdin_adapter -- ./state telegram
//! 12345: hello
//! ```
//!
//! It admits the sender, or answers with the reply that the channel would deliver. Approve with
//! `cargo run -p openclaw-cli -- --state-dir ./state pairing approve telegram <CODE>`, in another
//! terminal while this one runs, and the next line of that sender gets through.

use std::error::Error;
use std::io::{self, BufRead, Write};

use pairing_core::{Account, Admission, Requested, Sender, escape};
use pairing_fs::StateDir;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let Some(state) = arguments.next() else {
        return Err("usage: stdin_adapter <state-dir> [channel] [account]".into());
    };
    let pairing = pairing_fs::open(&StateDir::at(state));
    let channel = pairing.channel(&arguments.next().unwrap_or("telegram".to_owned()))?;
    let account = channel.account(&arguments.next().unwrap_or("default".to_owned()))?;
    run(&account, io::stdin().lock(), io::stdout().lock())
}

/// Answers line after line. What is wrong with one message is said, and the next one is read.
fn run(account: &Account, lines: impl BufRead, mut out: impl Write) -> Result<(), Box<dyn Error>> {
    for line in lines.split(b'\n') {
        let line = line?;
        let line = String::from_utf8_lossy(&line);
        // The id may hold colons of its own: `tg:12345: hello`.
        let Some((sender, text)) = line.split_once(": ") else {
            writeln!(out, "? a line is `sender: text`")?;
            continue;
        };
        match handle(account, sender, text) {
            Ok(Some(answer)) => writeln!(out, "{answer}")?,
            Ok(None) => {}
            // An error admits nobody.
            Err(error) => writeln!(out, "! {error}")?,
        }
    }
    Ok(())
}

/// What goes back to the sender, if anything does.
fn handle(account: &Account, sender: &str, text: &str) -> Result<Option<String>, Box<dyn Error>> {
    if let Admission::Approved(sender) = account.admit(sender)? {
        let sender = escape(sender.sender().as_str()).to_string();
        return Ok(Some(format!("{sender} says: {}", escape(text))));
    }
    // A real adapter knows more of a sender, which helps the owner to recognise them.
    let stranger = Sender::new(sender).with("source", "standard input");
    Ok(match account.request_or_reuse(stranger)? {
        Requested::Created(created) => Some(created.reply),
        // Strangers who insist, and those for whom there is no room, hear nothing.
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use pairing_conformance::seeded;
    use pairing_core::{Approver, ManualClock, MemoryStore, Pairing, Timestamp};

    use super::*;

    fn answers(account: &Account, lines: &str) -> String {
        let mut out = Vec::new();
        run(account, lines.as_bytes(), &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn strangers_are_answered_once_and_approved_ones_get_through() {
        let clock = ManualClock::new(Timestamp::from_millis(0));
        let pairing = Pairing::new(MemoryStore::new(), clock, seeded(1));
        let account = pairing.channel("telegram").unwrap();
        let account = account.account("default").unwrap();
        let first = answers(&account, "tg:12345: hello\n12345: hello?\n");
        assert_eq!(first.matches("Pairing code: ").count(), 1);

        account.allow("12345", &Approver::terminal("ann")).unwrap();
        let lines = "12345: a\u{1b}[2J\nno message\n@ann: hi\n777: hi\n";
        let next = answers(&account, lines);
        assert!(
            next.starts_with("12345 says: a\\u{1b}[2J\n? a line is"),
            "{next}"
        );
        assert!(
            next.contains("! a sender of telegram is a numeric id"),
            "{next}"
        );
        assert!(next.contains("Your Telegram user id: 777"), "{next}");
    }
}
