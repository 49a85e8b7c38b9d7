//! What was said to the account, and what of it is handed on.

use channel_kit::{Inbound, PhoneNumber, Target, first_bytes};
use pairing_core::Timestamp;

use crate::address::Address;

/// The longest text that is handed on, in bytes.
const LONGEST_TEXT: usize = 64 << 10;

/// The longest name that is handed on, in bytes.
const LONGEST_NAME: usize = 256;

/// A message, as the protocol tells of it. Addresses are JIDs.
#[derive(Clone, Default)]
pub struct Said {
    /// The id that its sender gave it.
    pub id: String,
    /// The chat.
    pub chat: String,
    /// The sender.
    pub sender: String,
    /// The same sender by their other name: a number for a lid, or a lid for a number.
    pub sender_alt: Option<String>,
    /// The number that the protocol has told of the sender at some time, as digits.
    pub known_number: Option<String>,
    /// Whether a device of this account sent it.
    pub from_me: bool,
    /// The text; `None` for what is no new message, such as a reaction, an edit or a deletion.
    pub text: Option<String>,
    /// The name that the sender gave themselves.
    pub name: String,
    /// When it was sent, in milliseconds since 1970.
    pub at_ms: i64,
}

/// The account itself, by its JIDs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Me {
    /// By its number.
    pub number: Option<String>,
    /// By its lid.
    pub lid: Option<String>,
}

/// What becomes of a message.
#[derive(Debug)]
pub enum Verdict {
    /// It is handed on.
    HandOn(Box<Inbound>),
    /// It is no new message of a person in a direct chat.
    Ignore,
    /// The sender's number is not known: there is no name by which an owner could allow them.
    Nameless,
}

impl Said {
    /// What becomes of this message. With `self_chat`, what the owner writes to themselves is a message of theirs; whatever
    /// else their devices send is from the account.
    ///
    /// Nothing here depends on the address book: whoever is in it is as much a stranger as anybody.
    pub fn judge(self, me: &Me, self_chat: bool) -> Verdict {
        let chat = Address::parse(&self.chat);
        let sender = Address::parse(&self.sender);
        let Some(text) = self.text else {
            return Verdict::Ignore;
        };
        if chat == Address::Other || sender == Address::Other {
            return Verdict::Ignore;
        }
        let is_own = self.from_me || me.is(&sender);
        let to_self = is_own && me.is(&chat);
        let who = if is_own {
            me.number.as_deref().and_then(number)
        } else {
            let alt = self.sender_alt.as_deref().map(Address::parse);
            let known = self.known_number.map(|digits| format!("+{digits}"));
            match (sender, alt) {
                (Address::Number(number), _) | (_, Some(Address::Number(number))) => Some(number),
                _ => known.and_then(|known| PhoneNumber::parse(&known).ok()),
            }
        };
        let Some(who) = who else {
            return Verdict::Nameless;
        };
        // An answer goes to the sender, whatever chat the message names; only what the owner wrote is in somebody else's.
        let chat = match chat {
            _ if !is_own || to_self => who.to_string(),
            Address::Number(number) => number.to_string(),
            _ => self.chat,
        };
        let name = first_bytes(self.name, LONGEST_NAME);
        let name = Some(name).filter(|name| !name.is_empty());
        let at = Timestamp::from_millis(self.at_ms);
        let mut message = Inbound::new(self.id, who.to_string(), Target::chat(chat), at);
        message.is_direct = true;
        message.text = first_bytes(text, LONGEST_TEXT);
        message.from_me = is_own && !(self_chat && to_self);
        // `historical` stays false: WhatsApp keeps messages while the gateway is away, and those are still new.
        message.authenticated = true;
        message.meta = name
            .map(|name| ("name".to_owned(), name))
            .into_iter()
            .collect();
        Verdict::HandOn(Box::new(message))
    }
}

impl Me {
    fn is(&self, address: &Address) -> bool {
        let own = [&self.number, &self.lid].into_iter().flatten();
        *address != Address::Other
            && own
                .map(|jid| Address::parse(jid))
                .any(|own| own == *address)
    }
}

fn number(jid: &str) -> Option<PhoneNumber> {
    match Address::parse(jid) {
        Address::Number(number) => Some(number),
        _ => None,
    }
}

impl std::fmt::Debug for Said {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The text and the name are private.
        f.debug_struct("Said")
            .field("id", &self.id)
            .field("chat", &self.chat)
            .field("sender", &self.sender)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANN: &str = "15550001111:2@s.whatsapp.net";
    const ANN_LID: &str = "111111111111111:2@lid";

    fn me() -> Me {
        Me {
            number: Some("15559990000:7@s.whatsapp.net".to_owned()),
            lid: Some("999999999999999:7@lid".to_owned()),
        }
    }

    fn said(chat: &str, sender: &str) -> Said {
        Said {
            id: "3EB0AA".to_owned(),
            chat: chat.to_owned(),
            sender: sender.to_owned(),
            text: Some("hello".to_owned()),
            name: "Ann".to_owned(),
            at_ms: 1_795_000_000_000,
            ..Said::default()
        }
    }

    /// The sender, the chat, and whether it is from the account; `None` for what is not handed on.
    fn handed(said: Said, self_chat: bool) -> Option<(String, String, bool)> {
        match said.judge(&me(), self_chat) {
            Verdict::HandOn(inbound) => Some((inbound.sender, inbound.chat.chat, inbound.from_me)),
            Verdict::Ignore | Verdict::Nameless => None,
        }
    }

    #[test]
    fn a_number_and_a_lid_are_one_person_once_whatsapp_has_told_so() {
        let ann = Some(("+15550001111".to_owned(), "+15550001111".to_owned(), false));
        assert_eq!(handed(said("15550001111@s.whatsapp.net", ANN), false), ann);
        let by_lid = || said("111111111111111@lid", ANN_LID);
        let told = Said {
            sender_alt: Some(ANN.to_owned()),
            ..by_lid()
        };
        assert_eq!(handed(told, false), ann);
        let known = Said {
            known_number: Some("15550001111".to_owned()),
            ..by_lid()
        };
        assert_eq!(handed(known, false), ann);
        // The digits of a lid are nobody's number.
        let hidden = by_lid().judge(&me(), false);
        assert!(matches!(hidden, Verdict::Nameless), "{hidden:?}");
        for other in ["", "x", "0", "1 555"] {
            let odd = Said {
                known_number: Some(other.to_owned()),
                sender_alt: Some("120@g.us".to_owned()),
                ..by_lid()
            };
            assert!(matches!(odd.judge(&me(), false), Verdict::Nameless));
        }
    }

    #[test]
    fn own_devices_are_from_the_account_and_a_chat_with_oneself_is_heard_if_asked_for() {
        let phone = "15559990000@s.whatsapp.net";
        let own = |chat: &str, sender: &str| Said {
            from_me: true,
            ..said(chat, sender)
        };
        let to_ann = Some(("+15559990000".to_owned(), "+15550001111".to_owned(), true));
        for self_chat in [false, true] {
            assert_eq!(
                handed(own("15550001111@s.whatsapp.net", phone), self_chat),
                to_ann
            );
            // Also where the protocol does not say that it is.
            assert_eq!(
                handed(said("15550001111@s.whatsapp.net", phone), self_chat),
                to_ann
            );
            let lid = handed(own("111111111111111@lid", "999999999999999@lid"), self_chat);
            assert_eq!(
                lid.map(|(_, chat, from_me)| (chat, from_me)),
                Some(("111111111111111@lid".into(), true))
            );
        }
        for (chat, sender) in [
            (phone, phone),
            ("999999999999999@lid", "999999999999999@lid"),
        ] {
            for self_chat in [false, true] {
                let me = "+15559990000".to_owned();
                assert_eq!(
                    handed(own(chat, sender), self_chat),
                    Some((me.clone(), me, !self_chat))
                );
            }
        }
        // Somebody else's message is never the owner's, whatever chat it names.
        let forged = handed(said(phone, ANN), true).unwrap();
        assert_eq!(
            forged,
            ("+15550001111".into(), "+15550001111".into(), false)
        );
    }

    #[test]
    fn groups_broadcasts_channels_status_posts_and_what_is_no_message_are_ignored() {
        for (chat, sender) in [
            ("120363021033254949@g.us", ANN),
            ("status@broadcast", ANN),
            ("15550001111@broadcast", ANN),
            (
                "120363021033254949@newsletter",
                "120363021033254949@newsletter",
            ),
            ("13135550002@bot", "13135550002@bot"),
            ("0@s.whatsapp.net", "0@s.whatsapp.net"),
            ("", ""),
        ] {
            let verdict = said(chat, sender).judge(&me(), true);
            assert!(matches!(verdict, Verdict::Ignore), "{chat}: {verdict:?}");
        }
        let reaction = Said {
            text: None,
            ..said("15550001111@s.whatsapp.net", ANN)
        };
        assert!(matches!(reaction.judge(&me(), true), Verdict::Ignore));
    }

    #[test]
    fn what_is_long_is_cut_and_debug_shows_no_text() {
        let long = Said {
            text: Some("ä".repeat(LONGEST_TEXT)),
            name: "n".repeat(10_000),
            ..said("15550001111@s.whatsapp.net", ANN)
        };
        assert!(!format!("{long:?}").contains('ä'));
        let Verdict::HandOn(inbound) = long.judge(&me(), false) else {
            panic!("it is handed on");
        };
        assert_eq!(
            (inbound.text.len(), inbound.meta[0].1.len()),
            (LONGEST_TEXT, LONGEST_NAME)
        );
    }
}
