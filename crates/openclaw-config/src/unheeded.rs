//! Keys of OpenClaw that restrict access, or lead elsewhere, and are not obeyed here yet.

use crate::error::Place;
use crate::read::Reader;
use crate::tree::Node;

const GROUPS: &str = "is not obeyed: in groups only `allowFrom` counts";
const CHATS: &str = "is not obeyed: the settings of the account count for every chat of it";
const LISTS: &str = "is not obeyed: `dmPolicy` and `allowFrom` count";
const AUDIENCE: &str = "is not obeyed: a group of this type lets nobody in";

/// A pattern of keys, and what happens instead. `<…>` stands for any name, and `*` at the end for all that
/// is below. The keys of a channel may stand in its accounts, too.
pub(crate) const UNHEEDED: [(&str, &str); 37] = [
    ("accessGroups.<group>.channelId", AUDIENCE),
    ("accessGroups.<group>.guildId", AUDIENCE),
    ("accessGroups.<group>.membership", AUDIENCE),
    ("channels.defaults.groupPolicy", GROUPS),
    ("channels.<channel>.allowedRoles", GROUPS),
    ("channels.<channel>.allowlistOnly", LISTS),
    ("channels.<channel>.authorization.*", GROUPS),
    ("channels.<channel>.autoJoinAllowlist", GROUPS),
    ("channels.<channel>.channels.*", GROUPS),
    ("channels.<channel>.defaultAuthorizedShips", GROUPS),
    ("channels.<channel>.direct.*", CHATS),
    ("channels.<channel>.dm.groupChannels", GROUPS),
    ("channels.<channel>.dm.groupEnabled", GROUPS),
    ("channels.<channel>.dmAllowlist", LISTS),
    ("channels.<channel>.dms.*", CHATS),
    ("channels.<channel>.friends", LISTS),
    ("channels.<channel>.groupAllowFrom", GROUPS),
    ("channels.<channel>.groupChannels", GROUPS),
    ("channels.<channel>.groupInviteAllowlist", GROUPS),
    ("channels.<channel>.groupPolicy", GROUPS),
    ("channels.<channel>.groups.*", GROUPS),
    ("channels.<channel>.groupSenderAllowFrom", GROUPS),
    ("channels.<channel>.guilds.*", GROUPS),
    ("channels.<channel>.mentionPatterns.*", GROUPS),
    ("channels.<channel>.requestPolicy", LISTS),
    ("channels.<channel>.requireMention", GROUPS),
    ("channels.<channel>.rooms.*", GROUPS),
    ("channels.<channel>.teams.*", GROUPS),
    (
        "channels.<channel>.webhookUrl",
        "is not obeyed: messages are fetched instead, and none come while a webhook is set",
    ),
    (
        "commands.allowFrom.*",
        "is not obeyed: owners give commands, and nobody else",
    ),
    (
        "gateway.auth.rateLimit.*",
        "is not obeyed: `gateway.limits` counts instead",
    ),
    (
        "gateway.auth.trustedProxy.cloudflareAccessOidc.*",
        "is not obeyed: users are those whom the proxy names",
    ),
    (
        "gateway.remote.transport",
        "is not obeyed: commands go to `gateway.remote.url` directly",
    ),
    (
        "gateway.roles.*",
        "is not obeyed: a device has the scopes that it was approved for",
    ),
    (
        "gateway.tls.caPath",
        "is not obeyed: clients are asked for no certificate",
    ),
    (
        "session.sendPolicy.*",
        "is not obeyed: messages are sent whatever it says",
    ),
];

/// Members of `channels` that are no channels.
const NO_CHANNELS: [&str; 2] = ["defaults", "modelByChannel"];

/// Notes the keys of a configuration that are not obeyed.
pub(crate) fn note(root: &Node, reader: &mut Reader<'_>) {
    for (pattern, detail) in UNHEEDED {
        let pattern = pattern.strip_suffix(".*").unwrap_or(pattern);
        let parts: Vec<_> = pattern.split('.').collect();
        find(root, &parts, "", &mut |path, place| {
            reader.unheeded(path, place, detail.to_owned());
        });
        if let ["channels", "<channel>", rest @ ..] = parts.as_slice() {
            let mut parts = vec!["channels", "<channel>", "accounts", "<account>"];
            parts.extend(rest);
            find(root, &parts, "", &mut |path, place| {
                reader.unheeded(path, place, detail.to_owned());
            });
        }
    }
}

fn find(node: &Node, parts: &[&str], path: &str, found: &mut dyn FnMut(&str, &Place)) {
    let Some((part, rest)) = parts.split_first() else {
        found(path, &node.place);
        return;
    };
    for member in node.members() {
        let is_channel = !NO_CHANNELS.contains(&member.key.as_str());
        let is_meant = match *part {
            "<channel>" => is_channel,
            part if part.starts_with('<') => true,
            part => part == member.key,
        };
        if is_meant {
            let key = pairing_core::escape(&member.key).limit(64);
            let path = if path.is_empty() {
                key.to_string()
            } else {
                format!("{path}.{key}")
            };
            find(&member.node, rest, &path, found);
        }
    }
}
