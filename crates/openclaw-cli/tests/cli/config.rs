//! What `openclaw.json` changes, and what is said when it is wrong.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use crate::session::{Session, private_dir, set_mode};

/// Puts the configuration there.
fn configure(session: &Session, text: &str) {
    private_dir(&session.state());
    let path = session.state().join("openclaw.json");
    fs::write(&path, text).unwrap();
    set_mode(&path, 0o600);
}

const BROKEN: &str = "{
  gateway: {
    // not a port
    port: 70000,
    auth: { token: '***' },
  },
}";

#[test]
fn policies() {
    let mut session = Session::recorded();
    for policy in ["allowlist", "open", "disabled"] {
        configure(
            &session,
            &format!(
                "{{ channels: {{ telegram: {{ dmPolicy: '{policy}', allowFrom: ['tg:4242', 77] }} }} }}"
            ),
        );
        session.person("pairing request telegram 1");
        session.person("pairing request telegram 4242");
        session.pipe("pairing request telegram 1 --json");
    }
    // Others have policies of their own.
    session.person("pairing request slack U1");
    session.finish("policy-request");
}

#[test]
fn configured_senders_need_no_code() {
    let mut session = Session::new();
    configure(
        &session,
        "{ channels: { telegram: {
            allowFrom: ['tg:4242', 77],
            accounts: { Work: { allowFrom: ['*'] } },
        } } }",
    );
    session.person("pairing request telegram 4242");
    session.person("pairing request telegram 77");
    session.person("pairing request telegram 78 --account work");
    session.person("pairing request telegram 78");
    session.finish("policy-configured");
}

#[test]
fn approvals_that_do_not_count() {
    let mut session = Session::recorded();
    configure(
        &session,
        "{ channels: {
            telegram: { dmPolicy: 'allowlist', accounts: { work: { dmPolicy: 'pairing' } } },
            whatsapp: { dmPolicy: 'open' },
        } }",
    );
    session.pipe("pairing list");
    session.pipe("pairing list telegram --json");
    session.pipe("pairing list slack");
    session.person("pairing approve telegram M8NGT2AA");
    session.person("pairing approve telegram UMKSKDC8");
    session.person("pairing reject whatsapp ARZJQWV8");
    session.person("pairing allowed add whatsapp +15550000009");
    session.pipe("pairing allowed list telegram --account work");
    session.finish("policy-approvals");
}

#[test]
fn a_broken_configuration() {
    let mut session = Session::recorded();
    configure(&session, BROKEN);
    session.person("pairing request telegram 1");
    session.pipe("pairing request telegram 1 --json");
    session.person("pairing approve telegram M8NGT2AA");
    session.pipe("pairing list telegram");
    session.person("doctor");
    configure(&session, "{ gateway: { port: 1");
    session.person("pairing request telegram 1");
    session.finish("config-broken");
    // The file is only ever read.
}

#[test]
fn doctor_tells_of_slips() {
    let mut session = Session::recorded();
    configure(
        &session,
        "{
  gatway: {},
  channels: {
    telegram: { dmpolicy: 'open', allowFrom: ['@ann', '\\u001b[2J', 1], accounts: { work: {} } },
  },
}",
    );
    session.person("doctor");
    session.pipe("doctor --json");
    set_mode(&session.state().join("openclaw.json"), 0o644);
    session.person("doctor --fix");
    session.finish("config-slips");
}

#[test]
fn doctor_tells_of_lists_that_let_nobody_in_or_everybody() {
    let mut session = Session::recorded();
    configure(
        &session,
        "{
  commands: { ownerAllowFrom: ['77', 'telegram:@ann', 'telegram:77'] },
  accessGroups: { team: { type: 'message.senders', members: { telegram: ['77'] } } },
  channels: {
    telegram: {
      dmPolicy: 'allowlist', groupPolicy: 'allowlist',
      accounts: {
        group: { allowFrom: ['accessGroup:team'] }, useless: { allowFrom: ['@ann'] },
        open: { dmPolicy: 'open', allowFrom: [77] }, both: { dmPolicy: 'pairing', allowFrom: ['*'] },
        off: { enabled: false },
      },
    },
  },
}",
    );
    session.pipe("doctor");
    configure(&session, "{ channels: { telegram: {} } }");
    session.pipe("doctor");
    session.finish("config-lists");
}

#[test]
fn one_fault_stops_only_what_depends_on_it() {
    let mut session = Session::recorded();
    configure(
        &session,
        "{ gateway: { auth: { mode: 'passkey' }, port: 1 }, channels: { slack: { dmPolicy: 'friends' } } }",
    );
    session.person("pairing list telegram");
    session.person("pairing request telegram 1");
    session.person("pairing request slack U1");
    session.person("doctor");
    configure(&session, "{ state: { store: 'zookeeper' } }");
    session.person("pairing list telegram");
    session.finish("config-one-fault");
}

#[test]
fn a_channel_with_a_near_name_is_suggested() {
    let mut session = Session::recorded();
    session.person("pairing list telegrm");
    session.person("pairing request discrod 1");
    session.person("pairing list irc");
    session.finish("config-near-channel");
}

#[test]
fn t140_a_blocked_sender_gets_no_code_and_an_approval_says_so() {
    let mut session = Session::recorded();
    configure(
        &session,
        "{ channels: { telegram: { blockFrom: ['tg:67890', '${PEST}'], accounts: { work: {} } } } }",
    );
    session.person("pairing request telegram 1");
    configure(
        &session,
        "{ channels: { telegram: { blockFrom: ['tg:67890', '1'] } } }",
    );
    session.person("pairing request telegram tg:1");
    session.pipe("pairing request telegram 1 --json");
    session.person("pairing request telegram 67890 --account work");
    session.person("pairing request telegram 2");
    session.person("pairing approve telegram M8NGT2AA");
    session.finish("config-blocked");
}

#[test]
fn single_keys_are_read_and_changed() {
    let mut session = Session::new();
    session.person("config get gateway.port");
    session.person("config set gateway.port 4242");
    let path = session.state().join("openclaw.json");
    assert_eq!(
        fs::read_to_string(&path).unwrap(),
        "{ gateway: { port: 4242 }\n}\n"
    );
    configure(
        &session,
        "// mine\n{\n  gateway: { auth: { token: 'in-clear', password: '${PW}' } }, // here\n  channels: {\n    telegram: { dmPolicy: 'open' },\n  },\n}\n",
    );
    session.person("config get gateway.auth");
    session.person("config get gateway.auth.token");
    session.person("config get channels.telegram.dmPolicy");
    session.person("config set channels.telegram.dmPolicy pairing");
    session.person("config set channels.telegram.allowFrom [1,'tg:2']");
    session.person("config get channels.telegram.allowFrom[1]");
    session.person("config set channels.telegram.accounts.work.enabled false");
    session.person("config unset gateway.auth.password");
    session.person("config unset gateway.auth.password");
    let text = fs::read_to_string(&path).unwrap();
    assert_eq!(
        text,
        "// mine\n{\n  gateway: { auth: { token: 'in-clear' } }, // here\n  channels: {\n    telegram: { dmPolicy: \"pairing\", allowFrom: [1,'tg:2'], accounts: { work: { enabled: false } } },\n  },\n}\n"
    );
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    session.finish("config-command");
}

#[test]
fn what_would_not_be_read_is_not_written() {
    let mut session = Session::new();
    let text = "{ gateway: { port: 1, auth: { mode: 'passkey' } } }";
    configure(&session, text);
    for command in [
        "config set gateway.port 70000",
        "config set gateway.prot 7",
        "config set gateway.port.x 7",
        "config set channels.telegram.dmPolicy friends",
        "config set channels.telegram 7",
        "config set gateway.auth.token hunter2",
        "config set gateway.auth {token:'hunter2'}",
        "config set gateway..port 7",
        "config set gateway",
        "config unset gateway.tls",
    ] {
        session.person(command);
        assert_eq!(
            fs::read_to_string(session.state().join("openclaw.json")).unwrap(),
            text,
            "{command}"
        );
    }
    configure(&session, "{ gateway: ");
    session.person("config set gateway.port 7");
    assert_eq!(
        fs::read_to_string(session.state().join("openclaw.json")).unwrap(),
        "{ gateway: "
    );
    // What was wrong before may stay so, and may be mended.
    configure(&session, text);
    session.person("config set gateway.port 2");
    session.person("config set gateway.auth.mode token");
    session.person("config set gateway.auth.token ${MY_TOKEN}");
    session.finish("config-command-refused");
}

#[test]
fn the_configuration_is_never_written() {
    let session = Session::recorded();
    configure(&session, BROKEN);
    let before = fs::read(session.state().join("openclaw.json")).unwrap();
    for command in [
        "pairing approve telegram M8NGT2AA",
        "doctor --fix --set-aside",
        "pairing request telegram 1",
    ] {
        session.run(&command.split(' ').collect::<Vec<_>>());
        let after = fs::read(session.state().join("openclaw.json")).unwrap();
        assert_eq!(after, before, "{command}");
    }
}

#[test]
fn a_range_of_addresses_that_is_none_is_found_with_its_place() {
    let session = Session::new();
    let text = "{ gateway: { nodes: { pairing: {\n  autoApproveCidrs: ['10.0.0.0/8', '10.0.0.0/99'],\n} } } }";
    configure(&session, text);
    let ran = session.run(&["doctor", "--json"]);
    let expected = "gateway.nodes.pairing.autoApproveCidrs[1]: 10.0.0.0/99 is no address range such as \
                    192.168.1.0/24 or fd00::/8, line 2, column 36";
    assert!(ran.stdout.contains(expected), "{}", ran.stdout);
}

/// Where the records are on a cluster, the files are out of date.
#[test]
fn what_may_name_a_cluster_is_not_passed_over() {
    let mut session = Session::recorded();
    configure(
        &session,
        "{ gateway: { port: 70000 }, state: { store: 'etcd', endpoints: ['http://127.0.0.1'] } }",
    );
    session.pipe("pairing list telegram");
    session.pipe("pairing list telegram --local");
    configure(&session, "{ gateway: { port: 70000 } }");
    session.pipe("devices list --local");
    session.finish("config-broken-cluster");
}

#[cfg(not(feature = "etcd"))]
#[test]
fn a_cluster_takes_another_build() {
    let mut session = Session::recorded();
    configure(
        &session,
        "{ state: { store: 'etcd', endpoints: ['http://127.0.0.1'] } }",
    );
    session.pipe("pairing list telegram");
    session.pipe("gateway run --port 1");
    session.pipe("doctor");
    session.finish("config-no-etcd");
}
