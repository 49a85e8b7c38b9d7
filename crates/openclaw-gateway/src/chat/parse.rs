//! Parsing `/pair …`. Every text is a command, a call for help, or ordinary text.

use pairing_core::device::SetupProfile;

/// A command of an owner.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum PairCommand {
    /// `/pair [full|node]`, `/pair qr [full|node]`: a setup code.
    Setup {
        /// What a device may ask for with the code.
        profile: SetupProfile,
        /// Whether the code is sent as a picture.
        drawn: bool,
    },
    /// `/pair approve`: approves what came with a setup code of this chat.
    ApproveOwn,
    /// `/pair approve latest`: shows the newest request.
    Preview,
    /// `/pair approve <id>`.
    Approve(String),
    /// `/pair reject <id>`.
    Reject(String),
    /// `/pair pending`.
    Pending,
    /// `/pair status`.
    Status,
    /// `/pair cleanup`.
    CleanUp,
    /// `/pair notify on|once|off|status`.
    Notify(Notify),
    /// Anything else after `/pair`.
    Help,
}

/// What to change about notices in a chat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Notify {
    /// Send all notices.
    On,
    /// Send the next one only.
    Once,
    /// Send none.
    Off,
    /// Only show the current setting.
    Status,
}

/// Maximum length of an id.
const MOST: usize = 64;

impl PairCommand {
    /// Parses a message; `None` if it is ordinary text.
    ///
    /// A bot's name after `@` is ignored: the chat system has delivered the message to this bot.
    pub fn parse(text: &str) -> Option<Self> {
        let mut words = text.split_whitespace();
        let (name, bot) = match words.next()?.split_once('@') {
            Some((name, bot)) => (name, Some(bot)),
            None => (text.split_whitespace().next()?, None),
        };
        let is_bot = |name: &str| {
            !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        };
        if !name.eq_ignore_ascii_case("/pair") || !bot.is_none_or(is_bot) {
            return None;
        }
        let words: Vec<&str> = words.take(4).collect();
        let lower: Vec<String> = words.iter().map(|word| word.to_ascii_lowercase()).collect();
        let lower: Vec<&str> = lower.iter().map(String::as_str).collect();
        let setup = |profile, drawn| Self::Setup { profile, drawn };
        Some(match (lower.as_slice(), words.as_slice()) {
            ([], _) => setup(SetupProfile::Limited, false),
            (["qr"], _) => setup(SetupProfile::Limited, true),
            (["full"], _) => setup(SetupProfile::Full, false),
            (["node"], _) => setup(SetupProfile::Node, false),
            (["qr", "full"], _) => setup(SetupProfile::Full, true),
            (["qr", "node"], _) => setup(SetupProfile::Node, true),
            (["approve"], _) => Self::ApproveOwn,
            (["approve", "latest" | "--latest"], _) => Self::Preview,
            (["approve", _], [_, id]) if id.len() <= MOST => Self::Approve((*id).to_owned()),
            (["reject", _], [_, id]) if id.len() <= MOST => Self::Reject((*id).to_owned()),
            (["pending"], _) => Self::Pending,
            (["status"], _) => Self::Status,
            (["cleanup"], _) => Self::CleanUp,
            (["notify", "on"], _) => Self::Notify(Notify::On),
            (["notify", "once"], _) => Self::Notify(Notify::Once),
            (["notify", "off"], _) => Self::Notify(Notify::Off),
            (["notify"] | ["notify", "status"], _) => Self::Notify(Notify::Status),
            _ => Self::Help,
        })
    }
}

/// The text of `/pair help`.
pub(super) const HELP: &str = "\
/pair: a setup code for a phone (/pair qr: as a picture; add \"full\" for everything, \"node\" for a node alone)
/pair approve: let in what came with this chat's code
/pair approve <id>, /pair reject <id>: decide about another request
/pair pending: who waits
/pair status: how things stand
/pair cleanup: end this chat's unused codes
/pair notify on|once|off|status: be told of requests";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str) -> Option<PairCommand> {
        PairCommand::parse(text)
    }

    #[test]
    fn every_command_is_read() {
        let setup = |profile, drawn| PairCommand::Setup { profile, drawn };
        for (text, expected) in [
            ("/pair", setup(SetupProfile::Limited, false)),
            (" /PAIR@Some_Bot1 \n", setup(SetupProfile::Limited, false)),
            ("/pair full", setup(SetupProfile::Full, false)),
            ("/pair node", setup(SetupProfile::Node, false)),
            ("/pair  QR", setup(SetupProfile::Limited, true)),
            ("/pair@bot qr full", setup(SetupProfile::Full, true)),
            ("/pair qr node", setup(SetupProfile::Node, true)),
            ("/pair approve", PairCommand::ApproveOwn),
            (
                "/pair approve Ab-1",
                PairCommand::Approve("Ab-1".to_owned()),
            ),
            ("/pair reject Ab-1", PairCommand::Reject("Ab-1".to_owned())),
            ("/pair pending", PairCommand::Pending),
            ("/pair status", PairCommand::Status),
            ("/pair cleanup", PairCommand::CleanUp),
            ("/pair notify on", PairCommand::Notify(Notify::On)),
            ("/pair notify ONCE", PairCommand::Notify(Notify::Once)),
            ("/pair notify off", PairCommand::Notify(Notify::Off)),
            ("/pair notify status", PairCommand::Notify(Notify::Status)),
            ("/pair notify", PairCommand::Notify(Notify::Status)),
        ] {
            assert_eq!(parse(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn t20_the_latest_is_only_shown() {
        for text in [
            "/pair approve latest",
            "/pair approve LATEST",
            "/pair approve --latest",
        ] {
            assert_eq!(parse(text), Some(PairCommand::Preview));
        }
    }

    #[test]
    fn what_is_not_understood_is_help() {
        let long = format!("/pair approve {}", "a".repeat(MOST + 1));
        for text in [
            "/pair help",
            "/pair full qr",
            "/pair approve a b",
            "/pair reject",
            "/pair reject a b",
            "/pair notify maybe",
            "/pair pending x",
            &long,
        ] {
            assert_eq!(parse(text), Some(PairCommand::Help), "{text}");
        }
    }

    #[test]
    fn ordinary_text_is_none() {
        for text in [
            "",
            " ",
            "pair",
            "/pairs",
            "/pairing",
            "hello /pair",
            "/pair@",
            "/pair@a@b",
            "/pair@b-c",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn nothing_panics(text: String, rest: String) {
            let _ = parse(&text);
            let command = format!("/pair {rest}");
            prop_assert!(parse(&command).is_some());
        }
    }
}
