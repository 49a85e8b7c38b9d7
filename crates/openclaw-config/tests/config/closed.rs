//! A fault costs what depends on its key, and nothing else; what restricts access and cannot be understood
//! restricts.

use openclaw_config::{Bind, Config, PairingReply, Part};
use pairing_core::{AccountId, ChannelId, Channels, DmPolicy, SenderId};

use crate::{faults, parse, vars};

fn channel(name: &str) -> ChannelId {
    ChannelId::parse(name).unwrap()
}

fn account(name: &str) -> AccountId {
    AccountId::parse(name).unwrap()
}

/// The closed parts, in words.
fn closed(config: &Config) -> Vec<String> {
    let closed = config.closed().into_iter();
    closed.map(|(part, _)| part.to_string()).collect()
}

/// A fault, and the parts that it closes.
const CLOSING: &[(&str, &[&str])] = &[
    // Keys that let somebody in, or that are a matter of taste, close nothing.
    ("gateway: { bind: 'everywhere' }", &[]),
    ("gateway: { bind: 'custom' }", &[]),
    ("gateway: { trustedProxies: ['10.0.0.1', 'ten'] }", &[]),
    (
        "gateway: { nodes: { pairing: { autoApproveCidrs: 7, autoApproveLocal: 'no' } } }",
        &[],
    ),
    ("gateway: { nodes: { commands: { allow: 'camera' } } }", &[]),
    ("gateway: { limits: { maxConnections: 0 } }", &[]),
    ("gateway: { controlUi: { allowedOrigins: {} } }", &[]),
    ("gateway: { tailscale: { mode: 'mesh' } }", &[]),
    (
        "gateway: { auth: { mode: 'token', token: 't', password: ['p'] } }",
        &[],
    ),
    ("gateway: { auth: { mode: 'none', token: ['p'] } }", &[]),
    ("gateway: { remote: { url: 1, tlsFingerprint: 2 } }", &[]),
    ("gateway: { tls: { certPath: 1 } }", &[]),
    (
        "channels: { telegram: { allowFrom: ['1', true], handOverFirst: 1, pairingBackoffSeconds: -1 } }",
        &[],
    ),
    ("channels: { telegram: { pairingReply: 7 } }", &[]),
    ("channels: { '9gag': {} }", &[]),
    ("commands: { ownerAllowFrom: ['telegram:1', true] }", &[]),
    ("pairing: { notify: 'yes' }", &[]),
    ("state: { graceSeconds: 'long', endpoints: 7 }", &[]),
    // Keys that restrict close what depends on them.
    (
        "gateway: { port: 0 }",
        &["the gateway", "commands through a gateway"],
    ),
    (
        "gateway: { mode: 'cloud' }",
        &["commands through a gateway"],
    ),
    (
        "gateway: { mode: 'remote', remote: { tlsFingerprint: 2 } }",
        &["commands through a gateway"],
    ),
    (
        "gateway: { auth: { mode: 'passkey' } }",
        &["the gateway's secret"],
    ),
    (
        "gateway: { auth: { mode: 'trusted-proxy' } }",
        &["the gateway's secret"],
    ),
    (
        "gateway: { auth: { token: ['t'] } }",
        &["the gateway's secret"],
    ),
    (
        "gateway: { auth: { password: ['p'] } }",
        &["the gateway's secret"],
    ),
    ("gateway: { tls: { enabled: 'yes' } }", &["the gateway"]),
    (
        "gateway: { tls: { enabled: true, keyPath: 7 } }",
        &["the gateway"],
    ),
    (
        "gateway: { controlUi: { enabled: 'no' } }",
        &["the gateway's page"],
    ),
    (
        "gateway: { controlUi: { basePath: '/a b' } }",
        &["the gateway's page"],
    ),
    (
        "gateway: { nodes: { commands: { deny: 'system.run' } } }",
        &["commands to nodes"],
    ),
    (
        "gateway: { nodes: { denyCommands: [7] } }",
        &["commands to nodes"],
    ),
    (
        "channels: { telegram: { dmPolicy: 'friends' } }",
        &["telegram/default"],
    ),
    (
        "channels: { telegram: { enabled: 'no' } }",
        &["telegram/default"],
    ),
    (
        "channels: { telegram: { blockFrom: [true] } }",
        &["telegram/default"],
    ),
    (
        "channels: { telegram: { blockFrom: ['@somebody'] } }",
        &["telegram/default"],
    ),
    (
        "channels: { telegram: { botToken: '***' } }",
        &["telegram/default"],
    ),
    (
        "channels: { telegram: { accounts: { work: { dmPolicy: 'friends' } } } }",
        &["telegram/work"],
    ),
    (
        "channels: { telegram: { botToken: {}, accounts: { work: {} } } }",
        &["telegram/default"],
    ),
    (
        "channels: { telegram: { dmPolicy: 7, accounts: { work: { dmPolicy: 'open' } } } }",
        &["telegram/default"],
    ),
    (
        "channels: { telegram: true, slack: {} }",
        &["telegram/default"],
    ),
    (
        "channels: { Telegram: {}, telegram: {} }",
        &["telegram/default"],
    ),
    (
        "channels: { slack: { dm: { enabled: 'no' } } }",
        &["slack/default"],
    ),
    (
        "plugins: { entries: { 'device-pair': { enabled: 'no' } } }",
        &["setup codes"],
    ),
    (
        "plugins: { entries: { 'device-pair': { config: { publicUrl: 7 } } } }",
        &["setup codes"],
    ),
    (
        "commands: { ownerAllowFrom: 'telegram:1' }",
        &["owners in chats"],
    ),
    ("commands: { ownerAllowFrom: [true] }", &["owners in chats"]),
    ("state: { store: 'zookeeper' }", &["the records of pairing"]),
    (
        "state: { store: 'etcd', endpoints: 7 }",
        &["the records of pairing"],
    ),
];

#[test]
fn one_fault_closes_what_depends_on_its_key() {
    for (text, expected) in CLOSING {
        let config = parse(&format!("{{ {text} }}"));
        assert_eq!(closed(&config), *expected, "{text}");
        assert_ne!(config.faults().count(), 0, "{text}");
        let is_closed = |part: &Part| config.closed_by(part).is_some();
        assert!(
            config.closed().iter().all(|(part, _)| is_closed(part)),
            "{text}"
        );
    }
}

#[test]
fn what_is_faulty_counts_as_its_strictest_value() {
    let config = parse(
        "{ gateway: { bind: 'everywhere', trustedProxies: ['10.0.0.1', 'ten'],
             nodes: { pairing: { autoApproveLocal: 'yes', autoApproveCidrs: ['ten'] }, commands: { deny: 7, allow: 7 } },
             controlUi: { enabled: 'yes', allowedOrigins: ['https://a.example', 7] },
             tls: { enabled: 'no', autoGenerate: 7 } },
           channels: { telegram: { allowFrom: [1, true], pairingReply: [], handOverFirst: 'yes' } },
           plugins: { entries: { 'device-pair': { enabled: 7 } } }, state: { graceSeconds: 'ever' } }",
    );
    let gateway = &config.gateway;
    assert_eq!(gateway.bind, Bind::Loopback);
    assert_eq!(gateway.trusted_proxies, ["10.0.0.1"]);
    assert!(!gateway.auto_approve.local && gateway.auto_approve.cidrs.is_empty());
    assert!(
        gateway.node_commands.denies("camera.snap") && gateway.node_commands.lacks("camera.snap")
    );
    assert_eq!(gateway.control_ui.enabled, Some(false));
    assert_eq!(gateway.control_ui.allowed_origins, ["https://a.example"]);
    assert!(gateway.tls.enabled && !gateway.tls.auto_generate);
    let telegram = config.account(&channel("telegram"), &account("default"));
    assert_eq!(telegram.allow_from.unwrap(), ["1"]);
    assert_eq!(telegram.pairing_reply, Some(PairingReply::Silent));
    assert_eq!(telegram.hand_over_first, Some(false));
    assert!(!config.device_pair.enabled);
    assert_eq!(config.state.etcd.grace.as_secs(), 0);
}

#[test]
fn a_closed_account_lets_nobody_in_and_says_why() {
    let config = parse(
        "{ channels: { telegram: { allowFrom: [1, '*'], dmPolicy: 'friends',
             accounts: { work: { dmPolicy: 'open' }, home: { blockFrom: [{}] } } }, discord: { allowFrom: ['42'] } } }",
    );
    let known = Channels::builtin();
    let rules = known.get(&channel("telegram")).unwrap();
    for (name, policy) in [
        ("default", DmPolicy::Disabled),
        ("home", DmPolicy::Disabled),
        ("work", DmPolicy::Open),
    ] {
        let access = config.access(rules, &account(name));
        assert_eq!(access.policy(), policy, "{name}");
        let settings = config.account(rules.id(), &account(name));
        assert_eq!(
            settings.is_enabled(),
            settings.closed_by().is_none(),
            "{name}"
        );
    }
    let why = config.account(rules.id(), &account("default"));
    let why = why.closed_by().unwrap().to_string();
    assert!(
        why.starts_with("channels.telegram.dmPolicy: \"friends\" is none of"),
        "{why}"
    );
    assert!(
        config
            .account(&channel("discord"), &account("default"))
            .is_enabled()
    );
}

#[test]
fn a_faulty_list_is_no_reason_to_fall_back_to_a_wider_one() {
    let config = parse(
        "{ channels: { telegram: { allowFrom: ['*'], accounts: { work: { allowFrom: 'me' }, home: { allowFrom: [true, 2] } } } } }",
    );
    let list = |name| {
        config
            .account(&channel("telegram"), &account(name))
            .allow_from
    };
    assert_eq!(list("work").unwrap(), Vec::<String>::new());
    assert_eq!(list("home").unwrap(), ["2"]);
    assert_eq!(list("default").unwrap(), ["*"]);
}

#[test]
fn what_replaces_a_faulty_value_opens_again() {
    let text = "{ gateway: { port: 0, auth: { token: '***' } } }";
    let env = [
        ("OPENCLAW_GATEWAY_PORT", "1"),
        ("OPENCLAW_GATEWAY_TOKEN", "t"),
    ];
    assert_eq!(closed(&parse(text).under(vars(&env))), Vec::<String>::new());
    assert_eq!(closed(&parse(text).under(vars(&env[1..]))).len(), 2);
    assert_eq!(
        closed(&parse(text).under(vars(&env[..1]))),
        ["the gateway's secret"]
    );
    // The token counts, and the password is another secret.
    let password = [("OPENCLAW_GATEWAY_PASSWORD", "p"), env[0]];
    assert_eq!(closed(&parse(text).under(vars(&password))).len(), 1);
    let other = "{ gateway: { auth: { mode: 'passkey', token: '***' } } }";
    assert_eq!(
        closed(&parse(other).under(vars(&env))),
        ["the gateway's secret"]
    );
    let password = "{ gateway: { auth: { password: '***' } } }";
    assert_eq!(
        closed(&parse(password).under(vars(&env))),
        Vec::<String>::new()
    );
}

#[test]
fn t121_the_older_spelling_of_slack_and_discord_is_obeyed() {
    let config = parse(
        "{ channels: {
             slack: { dm: { policy: 'allowlist', allowFrom: ['U0AAAAAAA'] },
               accounts: { own: { dm: { enabled: false } }, newer: { dmPolicy: 'open', dm: { policy: 'disabled' }, allowFrom: ['*'] } } },
             discord: { dmPolicy: 'pairing', allowFrom: [1], dm: { policy: 'open', allowFrom: ['*'] } },
             telegram: { dm: { enabled: false }, dmPolicy: 'open', allowFrom: ['*'] } } }",
    );
    assert_eq!(faults(&config), Vec::<String>::new());
    for (name, id, policy, list) in [
        ("slack", "default", DmPolicy::Allowlist, &["U0AAAAAAA"][..]),
        ("slack", "own", DmPolicy::Disabled, &["U0AAAAAAA"]),
        ("slack", "newer", DmPolicy::Open, &["*"]),
        ("discord", "default", DmPolicy::Pairing, &["1"]),
        ("telegram", "default", DmPolicy::Disabled, &["*"]),
    ] {
        let settings = config.account(&channel(name), &account(id));
        assert_eq!(settings.dm_policy, Some(policy), "{name} {id}");
        assert_eq!(settings.allow_from.unwrap(), list, "{name} {id}");
    }
}

#[test]
fn t121_denied_node_commands_are_denied_in_both_spellings() {
    let config = parse(
        "{ gateway: { nodes: { commands: { deny: ['system.run'], allow: ['a'] }, denyCommands: [' camera.snap '], allowCommands: ['b'] } } }",
    );
    let commands = config.gateway.node_commands;
    assert!(commands.denies("system.run") && commands.denies("camera.snap"));
    assert!(!commands.denies("canvas.eval") && !commands.denies_all);
    assert_eq!(commands.allow.as_deref(), Some(&["a".to_owned()][..]));
    let older = parse("{ gateway: { nodes: { allowCommands: ['b'] } } }");
    assert_eq!(
        older.gateway.node_commands.allow.as_deref(),
        Some(&["b".to_owned()][..])
    );
}

/// As release 2026.9.6 documents it: these need to be listed, others do not.
#[test]
fn t121_a_list_of_allowed_commands_has_to_name_those_that_need_it() {
    let commands = |text: &str| parse(text).gateway.node_commands;
    let listed = commands(
        "{ gateway: { nodes: { commands: { allow: [' camera.snap ', 'sms.send'], deny: ['sms.send'] } } } }",
    );
    assert!(!listed.denies("camera.snap") && listed.denies("sms.send"));
    assert!(listed.denies("screen.record") && listed.lacks("screen.record"));
    assert!(!listed.denies("system.run") && !listed.denies("canvas.eval"));
    let unlisted = commands("{}");
    assert!(!unlisted.denies("camera.snap") && !unlisted.denies("screen.record"));
    assert!(commands("{ gateway: { nodes: { commands: { allow: [] } } } }").denies("camera.snap"));
}

#[test]
fn access_groups_stand_for_their_members() {
    let config = parse(
        "{ accessGroups: {
             team: { type: 'message.senders', members: { '*': ['7'], telegram: [1, 'tg:2'], discord: ['discord:42'] } },
             audience: { type: 'discord.channelAudience', guildId: '1' },
             partly: { type: 'message.senders', members: { telegram: [3, true] } } },
           commands: { ownerAllowFrom: ['accessGroup:team'] },
           channels: {
             telegram: { allowFrom: ['accessGroup:team', 9, 'accessGroup:team', 'accessGroup:nobody', 'accessGroup:audience'],
               accounts: { strict: { blockFrom: ['accessGroup:team'] }, lost: { blockFrom: ['accessGroup:nobody'] },
                 partly: { allowFrom: ['accessGroup:partly'], blockFrom: ['accessGroup:partly'] } } },
             discord: { dm: { allowFrom: ['accessGroup:team'] } } } }",
    );
    let list = |name, id| {
        config
            .account(&channel(name), &account(id))
            .allow_from
            .unwrap()
    };
    assert_eq!(list("telegram", "default"), ["7", "1", "tg:2", "9"]);
    assert_eq!(list("telegram", "partly"), ["3"]);
    assert_eq!(list("discord", "default"), ["7", "discord:42"]);
    let strict = config.account(&channel("telegram"), &account("strict"));
    assert_eq!(strict.block_from.unwrap(), ["7", "1", "tg:2"]);
    assert_eq!(
        config.owner_allow_from,
        ["7", "discord:discord:42", "telegram:1", "telegram:tg:2"]
    );
    assert_eq!(closed(&config), ["telegram/lost", "telegram/partly"]);
    let told = faults(&config).join("\n");
    for part in [
        "`nobody`, which is not set up",
        "accessGroups.audience.type",
        "telegram[1]: a truth value",
    ] {
        assert!(told.contains(part), "{told}");
    }
    let rules = Channels::builtin()
        .get(&channel("telegram"))
        .unwrap()
        .clone();
    let access = config.access(&rules, &account("default"));
    assert!(access.ignored().is_empty());
    let sender: SenderId = rules.sender("2").unwrap();
    assert_eq!(sender.as_str(), "2");
}

#[test]
fn t138_defaults_and_models_are_no_channels() {
    let config = parse(
        "{ channels: { defaults: { groupPolicy: 'allowlist' }, modelByChannel: { telegram: {} }, irc: {} } }",
    );
    let ids: Vec<_> = config.channels().map(ChannelId::as_str).collect();
    assert_eq!(ids, ["irc"]);
}

#[test]
fn base_paths_have_one_form() {
    for (written, expected) in [
        ("/openclaw", "/openclaw"),
        ("openclaw/", "/openclaw"),
        ("/a//b/", "/a/b"),
        ("/", ""),
        (" ", ""),
    ] {
        let config = parse(&format!(
            "{{ gateway: {{ controlUi: {{ basePath: '{written}' }} }} }}"
        ));
        assert_eq!(config.gateway.control_ui.base_path, expected, "{written}");
    }
    for bad in ["/a?b", "/a#b", "/../a", "/%2e", "/a\\\\b", "/<x>"] {
        let config = parse(&format!(
            "{{ gateway: {{ controlUi: {{ basePath: '{bad}' }} }} }}"
        ));
        assert!(config.closed_by(&Part::Page).is_some(), "{bad}");
    }
}
