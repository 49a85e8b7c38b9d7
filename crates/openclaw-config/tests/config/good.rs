//! What is read, and what goes where nothing is written.

use std::fs;
use std::path::Path;

use openclaw_config::{Bind, Config, Gateway, LoadError, Mode, PairingReply};
use pairing_core::{AccountId, Basis, ChannelId, Channels, DmPolicy};

use crate::{faults, parse, vars};

const FULL: &str = include_str!("full.json5");

#[test]
fn every_key() {
    let config = parse(FULL);
    assert_eq!(config.slips(), []);
    let shown = format!("{config:#?}");
    assert!(!shown.contains("in-clear"), "{shown}");
    insta::assert_snapshot!("every_key", shown);
    let expose = |secret: &Option<openclaw_config::Secret>| {
        let secret = secret.as_ref().unwrap();
        secret.expose().to_owned()
    };
    let Gateway { auth, remote, .. } = &config.gateway;
    assert_eq!(expose(&auth.token), "gateway-token-in-clear");
    assert_eq!(expose(&auth.password), "gateway-password-in-clear");
    assert_eq!(expose(&remote.token), "remote-token-in-clear");
    assert_eq!(expose(&remote.password), "remote-password-in-clear");
    assert_eq!(
        expose(&config.state.etcd.password),
        "etcd-password-in-clear"
    );
}

#[test]
fn nothing_at_all() {
    let defaults = format!("{:#?}", Config::default());
    insta::assert_snapshot!("nothing", defaults);
    for nothing in [
        "{}",
        " // nothing\n{} /* at all */",
        "{ gateway: {}, channels: {}, plugins: {}, commands: {} }",
        "{ gateway: { customBindHost: '', auth: { token: ' ' } } }",
    ] {
        let config = parse(nothing);
        assert_eq!(
            format!("{:?}", config.gateway),
            format!("{:?}", Config::default().gateway)
        );
    }
}

#[test]
fn byte_order_marks_and_line_ends_are_forgiven() {
    let config = parse("\u{feff}{\r\n'gateway': {\r\n\"port\": 1,},}\r\n");
    assert_eq!(config.gateway.port, 1);
    let place = config.place("gateway.port").unwrap();
    assert_eq!((place.line, place.column), (3, 9));
}

#[test]
fn accounts_fall_back_to_their_channel() {
    let config = parse(FULL);
    let channels = Channels::builtin();
    let telegram = ChannelId::parse("telegram").unwrap();
    let rules = channels.get(&telegram).unwrap();
    let account = |name: &str| AccountId::parse(name).unwrap();
    let table = [
        ("default", DmPolicy::Allowlist, Some(true)),
        ("work", DmPolicy::Open, Some(true)),
        ("home", DmPolicy::Allowlist, Some(false)),
        ("unheard-of", DmPolicy::Allowlist, Some(true)),
    ];
    for (name, policy, enabled) in table {
        let account = account(name);
        assert_eq!(config.access(rules, &account).policy(), policy, "{name}");
        assert_eq!(
            config.account(&telegram, &account).enabled,
            enabled,
            "{name}"
        );
    }
    let slack = ChannelId::parse("slack").unwrap();
    assert_eq!(
        config.dm_policy(&slack, &account("default")),
        DmPolicy::Pairing
    );
    let names: Vec<_> = config.accounts(&telegram).map(AccountId::as_str).collect();
    assert_eq!(names, ["home", "work"]);
}

#[test]
fn what_strangers_get_falls_back_and_who_is_blocked_adds_up() {
    let config = parse(FULL);
    let telegram = ChannelId::parse("telegram").unwrap();
    let account = |name: &str| config.account(&telegram, &AccountId::parse(name).unwrap());
    let own = PairingReply::Own("Ask Ann for {code}.".to_owned());
    for (name, blocked, reply, seconds, hands_over) in [
        ("default", &["tg:3", "4"][..], own.clone(), 0, true),
        (
            "work",
            &["tg:3", "4", "5"],
            PairingReply::Silent,
            3600,
            false,
        ),
        ("home", &["tg:3", "4"], own, 0, true),
    ] {
        let set = account(name);
        assert_eq!(set.block_from.clone().unwrap(), blocked, "{name}");
        assert_eq!(set.pairing_reply.clone(), Some(reply), "{name}");
        assert_eq!(set.pairing_backoff().as_secs(), seconds, "{name}");
        assert_eq!(set.hand_over_first, Some(hands_over), "{name}");
    }
    let too_long = "ä".repeat(PairingReply::MAX_CHARS + 1);
    let text = format!("{{ channels: {{ telegram: {{ pairingReply: '{too_long}' }} }} }}");
    let config = parse(&text);
    let told = faults(&config).concat();
    assert!(
        told.contains("has at most 2000 characters, this has 2001"),
        "{told}"
    );
    assert!(!told.contains('ä'));
    let reply = config
        .account(&telegram, &AccountId::default())
        .pairing_reply;
    assert_eq!(reply, Some(PairingReply::Silent));
}

#[test]
fn a_bots_token_is_of_one_account() {
    let config = parse(FULL);
    let telegram = ChannelId::parse("telegram").unwrap();
    let token = |name: &str| {
        let account = config.account(&telegram, &AccountId::parse(name).unwrap());
        account.bot_token.map(|token| token.expose().to_owned())
    };
    assert_eq!(token("default").as_deref(), Some("bot-token-in-clear"));
    assert_eq!(token("work").as_deref(), Some("work-token-in-clear"));
    assert_eq!(token("home"), None);
}

#[test]
fn the_configured_list_lets_in() {
    use pairing_core::{Admission, Approver, ManualClock, MemoryStore, Pairing, Timestamp};
    use rand_core::SeedableRng as _;

    let config = parse("{ channels: { telegram: { allowFrom: ['tg:1', 2] } } }");
    let clock = ManualClock::new(Timestamp::from_millis(0));
    let entropy = std::sync::Mutex::new(rand_chacha::ChaCha8Rng::seed_from_u64(1));
    let pairing = Pairing::new(MemoryStore::new(), clock, entropy);
    let channel = pairing.channel("telegram").unwrap();
    let gate = channel.account("default").unwrap();
    gate.allow("3", &Approver::terminal("ann")).unwrap();
    let gate = gate.with_access(config.access(channel.rules(), &AccountId::default()));
    let table = [
        ("1", Some(Basis::Configured)),
        ("2", Some(Basis::Configured)),
        ("3", Some(Basis::Paired)),
        ("4", None),
    ];
    for (sender, expected) in table {
        let basis = match gate.admit(sender).unwrap() {
            Admission::Approved(sender) => Some(sender.basis()),
            Admission::Refused(_) => None,
        };
        assert_eq!(basis, expected, "{sender}");
    }
}

#[test]
fn the_environment_wins() {
    let environment = [
        ("OPENCLAW_GATEWAY_TOKEN", "token-of-the-environment"),
        ("OPENCLAW_GATEWAY_PASSWORD", "password-of-the-environment"),
        ("OPENCLAW_GATEWAY_PORT", " 4242 "),
    ];
    let gateway = parse(FULL).under(vars(&environment)).gateway;
    let token = gateway.auth.token.unwrap();
    assert_eq!(token.expose(), "token-of-the-environment");
    let password = gateway.auth.password.unwrap();
    assert_eq!(password.expose(), "password-of-the-environment");
    assert_eq!(gateway.port, 4242);
    // What is blank is not set.
    let blank = environment.map(|(name, _)| (name, " "));
    let gateway = parse(FULL).under(vars(&blank)).gateway;
    assert_eq!(
        gateway.auth.token.unwrap().expose(),
        "gateway-token-in-clear"
    );
    assert_eq!(gateway.port, 0x4966);
}

#[test]
fn files() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("openclaw.json");
    let load = |path: &Path| Config::load(path, vars(&[("OPENCLAW_GATEWAY_PORT", "4242")]));
    // Missing means default.
    assert_eq!(load(&path).unwrap().gateway.port, 4242);
    assert!(!path.exists());

    fs::write(&path, FULL).unwrap();
    let config = load(&path).unwrap();
    assert_eq!(config.gateway.mode, Mode::Remote);
    assert_eq!(config.gateway.bind, Bind::Custom("192.168.1.2".to_owned()));
    assert_eq!(config.gateway.port, 4242);
    assert_eq!(fs::read_to_string(&path).unwrap(), FULL);

    fs::write(&path, "{").unwrap();
    let error = load(&path).unwrap_err();
    assert_eq!(error.to_string(), format!("cannot use {}", path.display()));
    fs::write(&path, b"{\n 'a': '\xff' }").unwrap();
    let LoadError::Invalid { source, .. } = load(&path).unwrap_err() else {
        unreachable!()
    };
    assert_eq!(source.to_string(), "this is not UTF-8, line 2, column 8");

    assert!(matches!(load(dir.path()), Err(LoadError::Read { .. })));
    fs::remove_file(&path).unwrap();
    std::os::unix::fs::symlink("nowhere", &path).unwrap();
    assert!(matches!(load(&path), Err(LoadError::Read { .. })));
}
