//! Texts for people, on a terminal and in a chat. What comes from outside is escaped.

use std::collections::BTreeSet;
use std::time::Duration;

use pairing_core::device::{Ask, Device, DeviceInfo, Role};
use pairing_core::{Metadata, Scope, ScopeSet, Timestamp, escape, quoted};

/// `3 min ago`. A time in the future, from a clock that is ahead, is `just now`.
pub fn ago(now: Timestamp, at: Timestamp) -> String {
    match now.since(at) {
        Some(age) if age >= Duration::from_secs(1) => format!("{} ago", span(age)),
        _ => "just now".to_owned(),
    }
}

/// The time left until `at`.
pub fn left(now: Timestamp, at: Timestamp) -> String {
    span(at.since(now).unwrap_or_default())
}

/// A length of time in its largest unit, rounded down.
pub fn span(length: Duration) -> String {
    match length.as_secs() {
        seconds @ 0..60 => format!("{seconds} s"),
        seconds @ 60..3600 => format!("{} min", seconds / 60),
        seconds @ 3600..172_800 => format!("{} h", seconds / 3600),
        seconds => format!("{} days", seconds / 86400),
    }
}

/// `username=ann, name="Ann Smith"`: each value is one value, whatever it is.
pub fn meta(meta: &Metadata) -> String {
    let pairs: Vec<_> = meta
        .iter()
        .map(|(key, value)| format!("{}={}", quoted(key), quoted(&value.to_string())))
        .collect();
    pairs.join(", ")
}

/// `1 sender`, `2 senders`.
pub fn count(number: u64, noun: &str) -> String {
    let s = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{s}")
}

/// What a request asks for, for a table: `operator (read, write), node`.
pub fn ask(ask: &Ask) -> String {
    let roles = ask.roles.iter().map(|role| match role {
        Role::Operator => format!("operator ({})", scopes(&ask.scopes)),
        Role::Node => node(&ask.commands),
    });
    roles.collect::<Vec<_>>().join(", ")
}

/// What was approved, for a table: `operator (read, write), node (revoked)`.
pub fn approved(device: &Device) -> String {
    let roles = device.roles.iter().map(|(role, approved)| match role {
        role if approved.is_revoked() => format!("{role} (revoked)"),
        Role::Operator => format!("operator ({})", scopes(&approved.scopes)),
        Role::Node => node(approved.commands.as_ref().unwrap_or(&BTreeSet::new())),
    });
    let roles: Vec<_> = roles.collect();
    if roles.is_empty() {
        "nothing".to_owned()
    } else {
        roles.join(", ")
    }
}

/// `node (camera.snap, system.run)`. All commands are listed, because the owner decides by them.
fn node(commands: &BTreeSet<String>) -> String {
    if commands.is_empty() {
        return "node".to_owned();
    }
    format!("node ({})", self::commands(commands))
}

/// `camera.snap; sensitive: system.run`. All commands are listed, escaped.
pub fn commands<'a>(commands: impl IntoIterator<Item = &'a String>) -> String {
    let (sensitive, plain): (Vec<_>, Vec<_>) =
        commands.into_iter().partition(|name| power(name).is_some());
    let names = |names: &[&String]| {
        let names: Vec<_> = names.iter().map(|name| command(name)).collect();
        names.join(", ")
    };
    match (plain.as_slice(), sensitive.as_slice()) {
        (plain, []) => names(plain),
        ([], sensitive) => format!("sensitive: {}", names(sensitive)),
        (plain, sensitive) => format!("{}; sensitive: {}", names(plain), names(sensitive)),
    }
}

/// The power over a node's machine that a command gives; `None` for ordinary commands. Such commands are shown apart
/// wherever an owner decides.
pub fn power(command: &str) -> Option<&'static str> {
    let (family, rest) = command.split_once('.').unwrap_or((command, ""));
    match family {
        "system" if rest.starts_with("run") => Some("run programs"),
        "system" if rest.starts_with("execApprovals") => Some("decide which programs may be run"),
        "file" | "dir" | "fs" | "workspace" => Some("read and write files"),
        "terminal" => Some("use a terminal"),
        "browser" => Some("use the browser and what it is signed in to"),
        _ => None,
    }
}

/// A command's name, escaped; in quotes if it could be mistaken for more than a name.
pub fn command(name: &str) -> String {
    quoted(name).to_string()
}

/// `read, write`.
pub fn scopes(scopes: &ScopeSet) -> String {
    let names = scopes.iter().map(Scope::as_str);
    let names: Vec<_> = names
        .map(|name| name.strip_prefix("operator.").unwrap_or(name))
        .collect();
    if names.is_empty() {
        "no scopes".to_owned()
    } else {
        names.join(", ")
    }
}

/// What a role, its scopes and its commands allow a device, one line each. Commands that the node could not
/// be asked `before` are marked.
pub fn rights(ask: &Ask, before: Option<&BTreeSet<String>>) -> Vec<String> {
    let mut lines = Vec::new();
    if ask.roles.contains(&Role::Operator) && ask.scopes.is_empty() {
        lines.push("as operator: connect, and nothing else (no scopes)".to_owned());
    }
    for scope in ask.scopes.iter() {
        let may = match scope.as_str() {
            Scope::ADMIN => "do everything, approve other devices too",
            Scope::PAIRING => "decide who and what is paired",
            Scope::WRITE => "look at everything, read direct messages, and change things",
            Scope::READ => "look at everything but the texts of direct messages",
            Scope::MESSAGES => "read the texts of direct messages",
            Scope::APPROVALS => "decide what agents may execute",
            "operator.talk.secrets" => "read the secrets that voice needs",
            _ => "something that this version does not know",
        };
        lines.push(format!("as operator: {may} ({scope})"));
    }
    if ask.roles.contains(&Role::Node) {
        lines.push("as node: carry out what it is asked to".to_owned());
        let mark = |name: &String| {
            let is_new = before.is_some_and(|before| !before.contains(name));
            if is_new { " (new)" } else { "" }
        };
        let ordinary = ask.commands.iter().filter(|name| power(name).is_none());
        lines.extend(ordinary.map(|name| format!("  {}{}", command(name), mark(name))));
        let powers = ask
            .commands
            .iter()
            .filter_map(|name| Some((name, power(name)?)));
        let mut powers = powers.peekable();
        if powers.peek().is_some() {
            lines.push("as node, with power over its machine:".to_owned());
        }
        lines.extend(
            powers.map(|(name, power)| format!("  {}: {power}{}", command(name), mark(name))),
        );
    }
    lines
}

/// `"iOS 26.1", iPhone`: each is one value.
pub fn platform(info: &DeviceInfo) -> String {
    let said = [&info.platform, &info.device_family];
    let said = said.into_iter().flatten();
    let said: Vec<_> = said.map(|text| quoted(text).to_string()).collect();
    said.join(", ")
}

/// A text from outside, escaped; empty if there is none.
pub fn said(text: Option<&str>) -> String {
    text.map_or_else(String::new, |text| escape(text).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time() {
        let table = [
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 min"),
            (3599, "59 min"),
            (3600, "1 h"),
            (172_799, "47 h"),
            (172_800, "2 days"),
        ];
        for (seconds, text) in table {
            assert_eq!(span(Duration::from_secs(seconds)), text);
        }
    }

    #[test]
    fn t33_t70_a_name_is_not_taken_for_more_than_one() {
        for (name, shown) in [
            ("system.run", "system.run"),
            ("a, system.run", r#""a, system.run""#),
            ("a\", \"b", r#""a\", \"b""#),
            ("run (new)", r#""run (new)""#),
            ("\u{202e}nur", r#""\u{202e}nur""#),
        ] {
            assert_eq!(command(name), shown);
        }
    }

    #[test]
    fn t113_what_a_sender_says_is_as_many_values_as_they_said() {
        for name in test_support::HOSTILE_NAMES {
            let mut said = Metadata::default();
            said.insert("name", name);
            said.insert("username", "ann");
            let shown = meta(&said);
            assert_eq!(
                test_support::values_of(&shown),
                [
                    ("name".to_owned(), name.to_owned()),
                    ("username".to_owned(), "ann".to_owned())
                ],
                "{shown}"
            );
        }
    }

    #[test]
    fn t117_consent_names_the_texts_of_messages() {
        let line = |scope: &str| {
            let scope = Scope::parse(scope).unwrap();
            rights(
                &Ask::role(Role::Operator, [scope].into_iter().collect()),
                None,
            )
            .join("\n")
        };
        assert!(line(Scope::MESSAGES).contains("read the texts of direct messages"));
        assert!(line(Scope::WRITE).contains("read direct messages"));
        assert!(line(Scope::READ).contains("everything but the texts of direct messages"));
        // The page says the same, in its own words.
        let page = include_str!("../ui/words.js");
        for scope in [Scope::MESSAGES, Scope::WRITE, Scope::READ] {
            let said = line(scope);
            let (_, may) = said.split_once(": ").unwrap();
            let (may, _) = may.rsplit_once(" (").unwrap();
            assert!(page.contains(&format!("'{scope}': '{may}'")), "{scope}");
        }
    }

    #[test]
    fn clocks_that_disagree() {
        let (now, later) = (Timestamp::from_millis(0), Timestamp::from_millis(90_000));
        assert_eq!(ago(now, later), "just now");
        assert_eq!(ago(later, now), "1 min ago");
        assert_eq!(left(later, now), "0 s");
    }
}
