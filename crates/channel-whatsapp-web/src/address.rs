//! Addresses of WhatsApp: JIDs.

use channel_kit::PhoneNumber;

/// Whom or what a JID names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Address {
    /// A person by their number.
    Number(PhoneNumber),
    /// A person by the id that hides their number.
    Lid(String),
    /// A group, a broadcast, a channel, a bot, a service.
    Other,
}

impl Address {
    /// Reads a JID, such as `15550001111:3@s.whatsapp.net`. The device is left out.
    pub(crate) fn parse(jid: &str) -> Self {
        let Some((user, server)) = jid.split_once('@') else {
            return Self::Other;
        };
        let user = user.split([':', '.', '_']).next().unwrap_or_default();
        let is_digits = !user.is_empty() && user.bytes().all(|byte| byte.is_ascii_digit());
        match server {
            "s.whatsapp.net" | "c.us" | "hosted" if is_digits => {
                PhoneNumber::parse(&format!("+{user}")).map_or(Self::Other, Self::Number)
            }
            "lid" | "hosted.lid" if is_digits && user.len() <= 20 => Self::Lid(user.to_owned()),
            _ => Self::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn persons_are_told_from_everything_else() {
        let number = Address::Number(PhoneNumber::parse("+15550001111").unwrap());
        for jid in [
            "15550001111@s.whatsapp.net",
            "15550001111:12@s.whatsapp.net",
            "15550001111.0:12@s.whatsapp.net",
            "15550001111@c.us",
            "15550001111:99@hosted",
        ] {
            assert_eq!(Address::parse(jid), number, "{jid}");
        }
        let lid = Address::Lid("15550001111".to_owned());
        assert_eq!(Address::parse("15550001111:3@lid"), lid);
        for other in [
            "",
            "15550001111",
            "@s.whatsapp.net",
            "ann@s.whatsapp.net",
            "0@s.whatsapp.net",
            "+15550001111@s.whatsapp.net",
            "@lid",
            "123456789012345678901@lid",
            "120363021033254949@g.us",
            "15550001111-1400000000@g.us",
            "status@broadcast",
            "15550001111@broadcast",
            "120363021033254949@newsletter",
            "13135550002@bot",
            "15550001111@S.WHATSAPP.NET.example",
        ] {
            assert_eq!(Address::parse(other), Address::Other, "{other}");
        }
    }
}
