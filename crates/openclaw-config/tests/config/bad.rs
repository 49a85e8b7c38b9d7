//! What is wrong, in words: line, column and key, and never a secret.

use std::fmt::Write as _;

use openclaw_config::{Config, Part};

use crate::{parse, vars};

/// Texts that are refused.
const BAD: &[&str] = &[
    // No JSON5.
    "",
    "{",
    "{ gateway: { auth: { token: 'half a secret",
    "{\n  gateway: {\n    port: 1\n    bind: 'lan'\n  }\n}",
    "{ gateway: { port: } }",
    "{ gateway = 1 }",
    "{} {}",
    "{}}",
    "{ a: 'one\ntwo' }",
    "{ /* }",
    "{ a: 01 }",
    "{ a: '\\ud800' }",
    // Of the wrong kind.
    "[]",
    "null",
    "'{}'",
    "{ gateway: [] }",
    "{ gateway: { auth: 'token' } }",
    "{ gateway: { auth: { token: 12345678 } } }",
    "{ gateway: { auth: { password: null } } }",
    "{ gateway: { remote: { url: {} } } }",
    "{ gateway: { tls: { enabled: 'true' } } }",
    "{ gateway: { trustedProxies: '10.0.0.1' } }",
    "{ gateway: { trustedProxies: ['10.0.0.1', 2] } }",
    "{ gateway: { nodes: { pairing: { autoApproveCidrs: true } } } }",
    "{ channels: { telegram: true } }",
    "{ channels: { telegram: { accounts: [] } } }",
    "{ channels: { telegram: { allowFrom: '1' } } }",
    "{ channels: { telegram: { allowFrom: ['1', true] } } }",
    "{ plugins: { entries: { 'device-pair': 1 } } }",
    "{ commands: { ownerAllowFrom: [[]] } }",
    // Of no value that is known.
    "{\n  gateway: {\n    // the port\n    port: 70000,\n  },\n}",
    "{ gateway: { port: 0 } }",
    "{ gateway: { port: -1 } }",
    "{ gateway: { port: 1.5 } }",
    "{ gateway: { port: '18789' } }",
    "{ gateway: { port: 184467440737095516160000000000000000000000000000000000 } }",
    "{ gateway: { mode: 'Local' } }",
    "{ gateway: { bind: '0.0.0.0' } }",
    "{ gateway: { bind: 'custom' } }",
    "{ gateway: { auth: { mode: 'trusted' } } }",
    "{ channels: { telegram: { dmPolicy: 'everybody\u{1b}[2J' } } }",
    "{ channels: { telegram: { pairingReply: 7 } } }",
    "{ channels: { telegram: { pairingBackoffSeconds: 3601 } } }",
    // Numbers that other programs would round.
    "{ channels: { discord: { allowFrom: [123456789012345678] } } }",
    "{ channels: { discord: { allowFrom: ['1', 1.5, 1e3, NaN] } } }",
    "{ commands: { ownerAllowFrom: [99999999999999999999999999999999999999999] } }",
    // Names.
    "{ channels: { '9gag': {} } }",
    "{ channels: { Telegram: {}, telegram: {} } }",
    "{ channels: { telegram: { accounts: { Work: {}, ' work': {} } } } }",
    "{ channels: { telegram: { accounts: { '../x': {} } } } }",
    // Secrets that somebody hid.
    "{ gateway: { auth: { token: '__OPENCLAW_REDACTED__' } } }",
    "{ gateway: { auth: { password: '***' } } }",
    "{ gateway: { remote: { token: '[REDACTED]' } } }",
    "{ channels: { telegram: { botToken: '********' } } }",
    "{ state: { store: 'etcd', endpoints: ['http://a'], user: 'ann', password: '***' } }",
    // A cluster that cannot be asked.
    "{ state: { store: 'zookeeper' } }",
    "{ state: { store: 'etcd' } }",
    "{ state: { store: 'etcd', endpoints: [] } }",
    "{ state: { endpoints: 'http://a' } }",
    "{ state: { endpoints: ['http://a', 'http://ann:hidden@b'] } }",
    "{ state: { user: 'ann' } }",
    "{ state: { password: 'hunter2' } }",
    "{ state: { tls: { certPath: '~/cert.pem' } } }",
    "{ state: { tls: { keyPath: '~/key.pem', caPath: 1 } } }",
    "{ state: { graceSeconds: 3601 } }",
];

/// What a text comes to: its faults, and what they close.
fn told(text: &str) -> Vec<String> {
    let config = match Config::parse(text) {
        Ok(config) => config,
        Err(error) => return vec![format!("=> {error}: nothing counts")],
    };
    let faults = config.faults().map(|fault| format!("=> {fault}"));
    let closed = config.closed().into_iter();
    let closed = closed.map(|(part, _)| format!("   closed: {part}"));
    faults.chain(closed).collect()
}

#[test]
fn messages() {
    let mut transcript = String::new();
    for text in BAD {
        writeln!(transcript, "{text}").unwrap();
        let told = told(text);
        assert!(!told.is_empty(), "{text}");
        assert!(told.iter().all(|line| !line.contains("hidden")), "{text}");
        writeln!(transcript, "{}\n", told.join("\n")).unwrap();
    }
    assert!(!transcript.contains('\u{1b}') || BAD.iter().any(|text| text.contains('\u{1b}')));
    insta::assert_snapshot!("messages", transcript.replace('\u{1b}', "ESC"));
}

#[test]
fn many_faults_are_not_all_listed_and_all_count() {
    let text = format!(
        "{{ gateway: {{ port: 0, mode: 1, trustedProxies: [{}] }}, state: {{ store: 1 }} }}",
        "1,".repeat(50)
    );
    let config = parse(&text);
    assert_eq!(config.faults().count(), 20);
    for part in [Part::Gateway, Part::Remote, Part::Store] {
        assert!(config.closed_by(&part).is_some(), "{part}");
    }
}

#[test]
fn no_error_shows_a_secret() {
    for text in [
        "{ gateway: { auth: { token: 'hunter2', mode: 'hunter2'.port } } }",
        "{ gateway: { auth: { token: 'hunter2",
        "{ gateway: { auth: { token: hunter2 } } }",
        "{ gateway: { auth: { token: ['hunter2'] } } }",
        "{ gateway: { auth: { token: { hunter2: 1 } } } }",
        "{ gateway: { auth: { token: 'hunter2${x}' } } }",
    ] {
        let told = told(text);
        assert!(
            !told.is_empty() && !told.concat().contains("hunter2"),
            "{told:?}"
        );
        let shown = format!("{:?}", Config::parse(text));
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}

#[test]
fn the_environment_may_be_wrong_too() {
    let table = [
        (
            "OPENCLAW_GATEWAY_PORT",
            "70000",
            "OPENCLAW_GATEWAY_PORT: 70000 is not a port",
        ),
        (
            "OPENCLAW_GATEWAY_PORT",
            "a port",
            "OPENCLAW_GATEWAY_PORT: a port is not a port",
        ),
        (
            "OPENCLAW_GATEWAY_TOKEN",
            "__OPENCLAW_REDACTED__",
            "OPENCLAW_GATEWAY_TOKEN: is a placeholder, put there in place of the real one",
        ),
        (
            "OPENCLAW_GATEWAY_PASSWORD",
            "***",
            "OPENCLAW_GATEWAY_PASSWORD: is a placeholder, put there in place of the real one",
        ),
    ];
    for (name, value, message) in table {
        let config = parse("{ gateway: { auth: { token: 't' } } }").under(vars(&[(name, value)]));
        let told: Vec<_> = config.faults().map(ToString::to_string).collect();
        assert_eq!(told, [message]);
        let part = if name.ends_with("PORT") {
            Part::Gateway
        } else {
            Part::Secret
        };
        assert!(config.closed_by(&part).is_some(), "{name}");
    }
}

#[test]
fn slips_are_told() {
    let config = parse(
        "{
  gatway: {},
  gateway: {
    trustedProxys: ['10.0.0.1'],
    Port: 1,
    auth: { pasword: 'x', token: 'a', token: 'b' },
    nodes: { pairing: { autoApproveCIDRs: [] } },
    reload: { mode: 'hybrid' },
  },
  channels: {
    telegram: { dmpolicy: 'open', allowfrom: ['*'], accounts: { work: { dm_policy: 'open' } } },
    slack: { appToken: 'x', userToken: 'y', groupPolicy: 'open', dm: { policy: 'open' } },
    telegarm: { dmPolicy: 'disabled' },
  },
  plugins: { entries: { device_pair: {}, 'device-pair': { config: { publicURL: 'x' } } } },
  commands: { ownerAllowfrom: [] },
  state: { endpoint: 'x', tls: { caFile: 'x', keypath: 'x' } },
}",
    );
    let told: Vec<_> = config.slips().iter().map(ToString::to_string).collect();
    insta::assert_snapshot!("slips", told.join("\n"));
    // The last one counts, as for other programs.
    assert_eq!(config.gateway.auth.token.unwrap().expose(), "b");
}
