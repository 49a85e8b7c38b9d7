//! Configurations that are put together of files, variables and references to secrets.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use openclaw_config::{Config, Part};
use pairing_core::{AccountId, ChannelId, DmPolicy};
use tempfile::TempDir;

use crate::{faults, vars};

/// A state directory with these files.
struct Install {
    dir: TempDir,
}

impl Install {
    fn new(files: &[(&str, &str)]) -> Self {
        let install = Self {
            dir: tempfile::tempdir().unwrap(),
        };
        for (name, text) in files {
            install.put(name, text);
        }
        install
    }

    fn put(&self, name: &str, text: &str) -> PathBuf {
        let path = self.dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        path
    }

    fn load(&self, environment: &[(&str, &str)]) -> Config {
        Config::load(&self.dir.path().join("openclaw.json"), vars(environment)).unwrap()
    }
}

fn closed(config: &Config) -> Vec<String> {
    let closed = config.closed().into_iter();
    closed.map(|(part, _)| part.to_string()).collect()
}

fn telegram(config: &Config) -> openclaw_config::Account {
    config.account(
        &ChannelId::parse("telegram").unwrap(),
        &AccountId::default(),
    )
}

fn token(config: &Config) -> Option<&str> {
    config
        .gateway
        .auth
        .token
        .as_ref()
        .map(openclaw_config::Secret::expose)
}

#[test]
fn t129_included_files_count() {
    let install = Install::new(&[
        (
            "openclaw.json",
            "{ gateway: { $include: './gateway.json5', port: 1 },
               channels: { telegram: { $include: ['parts/telegram.json5', 'parts/more.json5'], blockFrom: [9] } } }",
        ),
        (
            "gateway.json5",
            "{ auth: { mode: 'password', password: 'included' }, port: 2, nodes: { pairing: { autoApproveLocal: false } } }",
        ),
        ("parts/telegram.json5", "{ dmPolicy: 'disabled', blockFrom: ['666'], $include: './reply.json5' }"),
        ("parts/more.json5", "{ blockFrom: ['667'], dmPolicy: 'allowlist' }"),
        ("parts/reply.json5", "{ pairingReply: false, dmPolicy: 'open' }"),
    ]);
    let config = install.load(&[]);
    assert_eq!(faults(&config), Vec::<String>::new());
    assert_eq!(config.gateway.port, 1);
    assert_eq!(
        config.gateway.auth.password.as_ref().unwrap().expose(),
        "included"
    );
    assert!(!config.gateway.auto_approve.local);
    let telegram = telegram(&config);
    assert_eq!(telegram.block_from.unwrap(), ["666", "667", "9"]);
    assert_eq!(telegram.dm_policy, Some(DmPolicy::Allowlist));
    assert_eq!(
        telegram.pairing_reply,
        Some(openclaw_config::PairingReply::Silent)
    );
    let names: Vec<_> = config
        .files()
        .iter()
        .map(|path| path.file_name().unwrap())
        .collect();
    for name in [
        "gateway.json5",
        "telegram.json5",
        "more.json5",
        "reply.json5",
        ".env",
    ] {
        assert!(names.iter().any(|known| *known == name), "{name}");
    }
}

#[test]
fn t129_a_whole_configuration_may_be_included() {
    let install = Install::new(&[
        (
            "openclaw.json",
            "{ $include: './all.json5', gateway: { port: 1 } }",
        ),
        (
            "all.json5",
            "{ gateway: { port: 2, mode: 'remote' }, channels: { telegram: { dmPolicy: 'open' } } }",
        ),
    ]);
    let config = install.load(&[]);
    assert_eq!(config.gateway.port, 1);
    assert_eq!(config.gateway.mode, openclaw_config::Mode::Remote);
    assert_eq!(telegram(&config).dm_policy, Some(DmPolicy::Open));
}

#[test]
fn t129_a_file_that_cannot_be_included_closes_what_it_may_hold() {
    let outside = tempfile::tempdir().unwrap();
    let secret = outside.path().join("outside.json5");
    fs::write(&secret, "{ dmPolicy: 'open' }").unwrap();
    for (include, told) in [
        ("'./missing.json5'", "./missing.json5 cannot be read: "),
        ("'./broken.json5'", "line 2, column 5 of ./broken.json5"),
        ("'./again.json5'", "./again.json5 includes itself"),
        ("'./openclaw.json'", "./openclaw.json includes itself"),
        ("'./list.json5'", "is no object, and has keys beside it"),
        ("'./deep/0.json5'", "is nested more than 10 files deep"),
        ("'./latin.json5'", "./latin.json5 is not UTF-8"),
        ("'./large.json5'", "./large.json5 is larger than 2 MiB"),
        ("'.'", ". is not a file"),
        (
            "'../../../../../../../../etc/passwd'",
            "is outside the directory of openclaw.json",
        ),
        (
            "'./link.json5'",
            "./link.json5 is outside the directory of openclaw.json",
        ),
        ("7", "a number is not a path, nor a list of paths"),
        ("['./good.json5', 7]", "$include[1]: a number is not a path"),
        (
            "['./good.json5', './missing.json5']",
            "$include[1]: ./missing.json5 cannot be read",
        ),
        ("'./${DIR}.json5'", "may not hold a variable"),
        ("'./bomb.json5'", "at most 200 files are included"),
    ] {
        let install = Install::new(&[
            (
                "openclaw.json",
                &format!(
                    "{{ channels: {{ telegram: {{ $include: {include}, dmPolicy: 'pairing' }}, slack: {{ dmPolicy: 'open' }} }} }}"
                ),
            ),
            ("good.json5", "{ allowFrom: [1] }"),
            ("broken.json5", "{\n  a b }"),
            (
                "again.json5",
                "{ accounts: { a: { $include: './again.json5' } } }",
            ),
            ("list.json5", "[1]"),
            ("large.json5", &format!("{{}}{}", " ".repeat(2 << 20))),
            (
                "bomb.json5",
                &format!(
                    "{{ accounts: {{ $include: [{}] }} }}",
                    "'./empty.json5',".repeat(300)
                ),
            ),
            ("empty.json5", "{}"),
        ]);
        for depth in 0..12 {
            let text = format!("{{ $include: './{}.json5' }}", depth + 1);
            install.put(&format!("deep/{depth}.json5"), &text);
        }
        install.put("deep/12.json5", "{}");
        fs::write(install.dir.path().join("latin.json5"), b"{ a: '\xff' }").unwrap();
        std::os::unix::fs::symlink(&secret, install.dir.path().join("link.json5")).unwrap();
        let config = install.load(&[]);
        let all = faults(&config).join("\n");
        assert!(all.contains(told), "{include}: {all}");
        assert!(all.contains("channels.telegram."), "{include}: {all}");
        let parts = closed(&config);
        let is_known = parts.iter().all(|part| part.starts_with("telegram/"));
        assert!(is_known && !parts.is_empty(), "{include}: {parts:?}");
        let slack = config.account(&ChannelId::parse("slack").unwrap(), &AccountId::default());
        assert_eq!(slack.dm_policy, Some(DmPolicy::Open), "{include}");
    }
}

#[test]
fn what_a_lost_file_may_hold_is_closed_wherever_it_belongs() {
    for (text, expected) in [
        (
            "{ $include: './lost' }",
            &[
                "the gateway",
                "the gateway's secret",
                "the gateway's page",
                "commands to nodes",
                "commands through a gateway",
                "owners in chats",
                "setup codes",
                "the records of pairing",
            ][..],
        ),
        (
            "{ gateway: { auth: { $include: './lost' } } }",
            &["the gateway's secret"],
        ),
        (
            "{ channels: { $include: './lost', telegram: {} } }",
            &["telegram/default"],
        ),
        ("{ state: { $include: './lost', store: 'files' } }", &[]),
        (
            "{ state: { $include: './lost' } }",
            &["the records of pairing"],
        ),
        (
            "{ agents: { $include: './lost' }, tools: { $include: 7 } }",
            &[],
        ),
    ] {
        let install = Install::new(&[("openclaw.json", text)]);
        let config = install.load(&[]);
        let mut parts = closed(&config);
        parts.sort();
        let mut expected = expected.to_vec();
        expected.sort_unstable();
        assert_eq!(parts, expected, "{text}");
    }
    // A channel that nobody names here may be in the lost file.
    let install = Install::new(&[("openclaw.json", "{ channels: { $include: './lost' } }")]);
    assert!(!telegram(&install.load(&[])).is_enabled());
}

#[test]
fn more_roots_may_be_named() {
    let outside = tempfile::tempdir().unwrap();
    let path = outside.path().join("shared.json5");
    fs::write(&path, "{ port: 7 }").unwrap();
    let text = format!("{{ gateway: {{ $include: '{}' }} }}", path.display());
    let install = Install::new(&[("openclaw.json", &text)]);
    assert!(!closed(&install.load(&[])).is_empty());
    let roots = outside.path().to_str().unwrap();
    let config = install.load(&[("OPENCLAW_INCLUDE_ROOTS", roots)]);
    assert_eq!(config.gateway.port, 7);
}

#[test]
fn faults_in_included_files_name_the_file() {
    let install = Install::new(&[
        ("openclaw.json", "{ gateway: { $include: './g.json5' } }"),
        ("g.json5", "{\n  port: 70000, trustedProxys: [] }"),
    ]);
    let config = install.load(&[]);
    assert_eq!(
        faults(&config),
        ["gateway.port: 70000 is not a port, line 2, column 9 of ./g.json5"]
    );
    assert!(
        config.slips()[0]
            .to_string()
            .ends_with("line 2, column 16 of ./g.json5")
    );
}

#[test]
fn a_text_without_a_file_includes_none() {
    let config = Config::parse("{ gateway: { $include: '/etc/passwd' } }").unwrap();
    assert!(faults(&config)[0].contains("a text without a file includes none"));
    assert!(config.closed_by(&Part::Gateway).is_some());
}

#[test]
fn t128_variables_are_substituted_in_every_text() {
    let install = Install::new(&[(
        "openclaw.json",
        "{ gateway: { auth: { token: 'oc-${GATEWAY_SECRET}' } },
           commands: { ownerAllowFrom: ['telegram:${OWNER_ID}'] },
           channels: { telegram: { blockFrom: ['${PEST_ID}', 'tg:${OTHER}7'], apiRoot: 'http://${HOST}:${PORT}', pairingReply: '$${CODE} is {code}' } } }",
    )]);
    let environment = [
        ("GATEWAY_SECRET", "truly-${secret}"),
        ("OWNER_ID", "4242"),
        ("PEST_ID", "666"),
        ("OTHER", "1"),
        ("HOST", "localhost"),
        ("PORT", "1"),
    ];
    let config = install.load(&environment[1..]);
    assert_eq!(token(&config), None);
    assert_eq!(closed(&config), ["the gateway's secret"]);
    assert_eq!(config.owner_allow_from, ["telegram:4242"]);
    let settings = telegram(&config);
    assert_eq!(settings.block_from.unwrap(), ["666", "tg:17"]);
    assert_eq!(settings.api_root.unwrap(), "http://localhost:1");
    let reply = openclaw_config::PairingReply::Own("${CODE} is {code}".to_owned());
    assert_eq!(settings.pairing_reply, Some(reply));
    // The value of a variable is not looked at again, and a secret that holds `${` is none.
    let config = install.load(&environment);
    assert_eq!(token(&config), None);
    let config = install.load(&[&[("GATEWAY_SECRET", "truly")], &environment[1..]].concat());
    assert_eq!(token(&config), Some("oc-truly"));
}

#[test]
fn t128_a_variable_that_is_not_set_is_a_fault_of_its_key() {
    let install = Install::new(&[(
        "openclaw.json",
        "{ gateway: { auth: { token: 'oc-${NO_TOKEN}' }, bind: '${NO_BIND}' },
           commands: { ownerAllowFrom: ['telegram:${NO_OWNER}'] },
           channels: { telegram: { blockFrom: ['1', '${NO_PEST}'] }, slack: { allowFrom: ['${NO_FRIEND}', '${lower}', 'U0AAAAAAA'] } } }",
    )]);
    let config = install.load(&[("NO_BIND", " ")]);
    let told = faults(&config).join("\n");
    for name in ["NO_TOKEN", "NO_BIND", "NO_OWNER", "NO_PEST", "NO_FRIEND"] {
        assert!(
            told.contains(&format!("refers to {name}, which is not set")),
            "{told}"
        );
    }
    assert!(told.contains("allowFrom[1]: holds `${`"), "{told}");
    assert_eq!(
        closed(&config),
        [
            "the gateway's secret",
            "owners in chats",
            "telegram/default"
        ]
    );
    let slack = config.account(&ChannelId::parse("slack").unwrap(), &AccountId::default());
    assert_eq!(slack.allow_from.unwrap(), ["U0AAAAAAA"]);
}

#[test]
fn t138_the_state_directorys_env_file_is_read() {
    let install = Install::new(&[
        (
            "openclaw.json",
            "{ env: { vars: { A: 'inline', B: 'inline', C: 'inline' }, D: 'direct' }, gateway: { allowedHosts: ['${A}', '${B}', '${C}', '${D}'] } }",
        ),
        (
            ".env",
            "A=dotenv\nB='dotenv'\nOPENCLAW_GATEWAY_TOKEN=of-the-env-file\nOPENCLAW_GATEWAY_PORT=7\n",
        ),
    ]);
    let config = install.load(&[("A", "environment")]);
    assert_eq!(
        config.gateway.allowed_hosts,
        ["environment", "dotenv", "inline", "direct"]
    );
    assert_eq!(token(&config), Some("of-the-env-file"));
    assert_eq!(config.gateway.port, 7);
    assert_eq!(
        token(&install.load(&[("OPENCLAW_GATEWAY_TOKEN", "of-the-shell")])),
        Some("of-the-shell")
    );
    assert_eq!(config.variable("B", |_| None).unwrap(), "dotenv");
    assert_eq!(
        config.variable("B", |_| Some(" ".into())).unwrap(),
        "dotenv"
    );
    assert_eq!(config.variable("B", |_| Some("x".into())).unwrap(), "x");
    // Of another state directory than the file's.
    let other = Install::new(&[(".env", "A=other")]);
    let path = install.dir.path().join("openclaw.json");
    let config = Config::load_in(other.dir.path(), &path, vars(&[])).unwrap();
    assert_eq!(config.gateway.allowed_hosts[0], "other");
    assert!(!format!("{config:?}").contains("of-the-env-file"));
}

#[test]
fn an_env_file_that_cannot_be_read_is_said() {
    let install = Install::new(&[("openclaw.json", "{ gateway: { auth: { token: '${T}' } } }")]);
    fs::create_dir(install.dir.path().join(".env")).unwrap();
    let config = install.load(&[]);
    assert!(
        faults(&config)
            .iter()
            .any(|fault| fault.starts_with(".env: cannot be read"))
    );
    assert_eq!(closed(&config), ["the gateway's secret"]);
}

/// An install with two files of secrets, whose gateway's token is a reference.
struct Referring(Install);

impl Referring {
    fn new() -> Self {
        Self(Install::new(&[
            (
                "secrets.json",
                "{ gateway: { token: 'in-json' }, 'a/b': ['zero', 'one'], blank: ' ' }",
            ),
            ("one-secret", "whole-file\n"),
        ]))
    }

    fn config(&self, reference: &str) -> Config {
        let install = &self.0;
        let path = |name: &str| install.dir.path().join(name).display().to_string();
        let text = format!(
            "{{ secrets: {{ providers: {{
                 json: {{ source: 'file', path: '{}' }}, single: {{ source: 'file', path: '{}', mode: 'singleValue' }},
                 home: {{ source: 'file', path: '~/secrets.json' }}, some: {{ source: 'env', allowlist: ['MY_TOKEN'] }},
                 lost: {{ source: 'file', path: './lost.json' }}, vault: {{ source: 'exec', command: '/bin/vault' }} }} }},
               gateway: {{ auth: {{ mode: 'token', token: {reference} }} }} }}",
            path("secrets.json"),
            path("one-secret"),
        );
        install.put("openclaw.json", &text);
        let home = install.dir.path().to_str().unwrap();
        install.load(&[
            ("MY_TOKEN", "in-the-environment"),
            ("OTHER", "x"),
            ("HOME", home),
            ("HIDDEN", "***"),
        ])
    }
}

#[test]
fn references_lead_to_secrets() {
    let install = Referring::new();
    for (reference, expected) in [
        (
            "{ source: 'env', provider: 'default', id: 'MY_TOKEN' }",
            "in-the-environment",
        ),
        ("{ source: 'env', id: 'MY_TOKEN' }", "in-the-environment"),
        (
            "{ source: 'env', provider: 'some', id: 'MY_TOKEN' }",
            "in-the-environment",
        ),
        ("'$MY_TOKEN'", "in-the-environment"),
        ("'${MY_TOKEN}'", "in-the-environment"),
        ("'$my_token'", "$my_token"),
        (
            "{ source: 'file', provider: 'json', id: '/gateway/token' }",
            "in-json",
        ),
        ("{ source: 'file', provider: 'home', id: '/a~1b/1' }", "one"),
        (
            "{ source: 'file', provider: 'single', id: 'value' }",
            "whole-file",
        ),
    ] {
        let config = install.config(reference);
        assert_eq!(faults(&config), Vec::<String>::new(), "{reference}");
        assert_eq!(token(&config), Some(expected), "{reference}");
    }
}

#[test]
fn references_that_lead_nowhere_are_faults_that_show_no_secret() {
    let install = Referring::new();
    for (reference, told) in [
        (
            "{ source: 'env', provider: 'default', id: 'NOT_SET' }",
            "refers to NOT_SET, which is not set",
        ),
        ("'$NOT_SET'", "refers to NOT_SET, which is not set"),
        (
            "{ source: 'env', provider: 'default', id: 'HIDDEN' }",
            "is a placeholder",
        ),
        (
            "{ source: 'env', provider: 'some', id: 'OTHER' }",
            "the allowlist of secrets.providers.some does not hold",
        ),
        (
            "{ source: 'env', provider: 'none', id: 'OTHER' }",
            "names the provider `none`",
        ),
        (
            "{ source: 'file', provider: 'default', id: '/a' }",
            "names the provider `default`",
        ),
        (
            "{ source: 'file', provider: 'some', id: '/a' }",
            "has none of that name for `file`",
        ),
        (
            "{ source: 'file', provider: 'json', id: '/gateway' }",
            "has no text at `/gateway`",
        ),
        (
            "{ source: 'file', provider: 'json', id: '/blank' }",
            "has no text at `/blank`",
        ),
        (
            "{ source: 'file', provider: 'json', id: 'gateway' }",
            "has no text at `gateway`",
        ),
        (
            "{ source: 'file', provider: 'single', id: '/a' }",
            "has no text at `/a`",
        ),
        (
            "{ source: 'file', provider: 'lost', id: '/a' }",
            "refers to ./lost.json, which cannot be read",
        ),
        (
            "{ source: 'exec', provider: 'vault', id: 'a' }",
            "none is run from here",
        ),
        (
            "{ source: 'store', provider: 'default', id: 'A' }",
            "which is not read here",
        ),
        (
            "{ source: 'cloud', provider: 'default', id: 'A' }",
            "has the unknown source `cloud`",
        ),
        ("{}", "is no reference to a secret"),
    ] {
        let config = install.config(reference);
        let all = faults(&config).join("\n");
        assert!(all.contains(told), "{reference}: {all}");
        assert_eq!(token(&config), None, "{reference}");
        assert_eq!(closed(&config), ["the gateway's secret"], "{reference}");
        for value in ["in-json", "whole-file", "in-the-environment", "***"] {
            assert!(!all.contains(value), "{all}");
        }
    }
}

#[test]
fn files_of_secrets_are_private_files() {
    let install = Install::new(&[(
        "openclaw.json",
        "{ secrets: { providers: { one: { source: 'file', path: './one', mode: 'singleValue' } } },
           channels: { telegram: { botToken: { source: 'file', provider: 'one', id: 'value' } } } }",
    )]);
    let path = install.put("one", "123:bot");
    assert_eq!(
        telegram(&install.load(&[])).bot_token.unwrap().expose(),
        "123:bot"
    );
    let told = |expected: &str| {
        let config = install.load(&[]);
        let all = faults(&config).join("\n");
        assert!(all.contains(expected), "{all}");
        assert_eq!(closed(&config), ["telegram/default"]);
    };
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    told("chmod 600 it");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    fs::rename(&path, install.dir.path().join("real")).unwrap();
    std::os::unix::fs::symlink("real", &path).unwrap();
    told("is not a file itself");
    fs::remove_file(&path).unwrap();
    install.put("one", &"x".repeat((1 << 20) + 1));
    told("is larger than 1 MiB");
}

#[test]
fn t138_a_reference_of_one_channel_closes_no_other() {
    let install = Install::new(&[(
        "openclaw.json",
        "{ gateway: { port: 1 }, channels: { slack: { botToken: { source: 'env', provider: 'default', id: 'SLACK_BOT_TOKEN' } }, telegram: {} } }",
    )]);
    let config = install.load(&[]);
    assert_eq!(closed(&config), ["slack/default"]);
    assert!(telegram(&config).is_enabled());
    assert_eq!(
        install
            .load(&[("SLACK_BOT_TOKEN", "xoxb-1")])
            .closed()
            .len(),
        0
    );
}

#[test]
fn a_relative_path_without_a_directory_is_one_of_this_directory() {
    let missing = Path::new("there-is-no-such-openclaw.json");
    assert!(Config::load(missing, vars(&[])).is_ok());
}
