//! Command lines that mean nothing, and help.

use openclaw_cli::Exit;

use crate::session::{Session, settings};

#[test]
fn help() {
    let mut session = Session::new();
    session.person("--help");
    session.person("--version");
    session.person("pairing --help");
    session.person("pairing list --help");
    session.person("pairing watch --help");
    session.person("pairing approve --help");
    session.person("pairing reject --help");
    session.person("pairing allowed --help");
    session.person("pairing allowed list --help");
    session.person("pairing allowed add --help");
    session.person("pairing allowed remove --help");
    session.person("pairing request --help");
    for command in [
        "devices",
        "devices list",
        "devices watch",
        "devices approve",
        "devices reject",
        "devices remove",
        "devices clear",
        "devices rename",
        "devices rotate",
        "devices revoke",
        "nodes",
        "nodes list",
        "nodes status",
        "nodes pending",
        "nodes approve",
        "nodes reject",
        "nodes rename",
        "nodes remove",
        "gateway",
        "gateway run",
        "gateway status",
        "gateway health",
        "gateway token",
        "node",
        "node run",
        "qr",
        "state",
        "state export",
        "state import",
        "state migrate",
    ] {
        session.person(&format!("{command} --help"));
    }
    session.person("doctor --help");
    session.person("completions --help");
    session.finish("help");
}

#[test]
fn usage() {
    let mut session = Session::new();
    session.person("pairing aprove telegram M8NGT2AA");
    session.person("pairing approve");
    session.person("pairing approve telegram");
    session.person("pairing approve discord");
    session.person("pairing reject whatsapp");
    session.person("pairing reject discord");
    session.person("pairing approve telegram M8NGT2AA more");
    session.person("pairing approve --channel telegram discord M8NGT2AA");
    session.person("pairing list telegram --channel discord");
    session.person("pairing allowed list");
    session.person("pairing allowed add 12345");
    session.person("pairing request telegram");
    session.person("doctor --set-aside");
    session.person("completions tcsh");
    session.person("gateway");
    session.person("gateway run --bind everywhere");
    session.person("gateway run --log xml");
    session.person("node run --host a --url ws://127.0.0.1:1");
    session.finish("usage");
}

#[test]
fn channels_and_accounts_that_are_none() {
    let long = "x".repeat(300);
    let bad = [
        "matrix",
        "../x",
        "a/b",
        "tele\0gram",
        "\u{1b}[31m",
        "",
        &long,
    ];
    let mut found = String::new();
    let session = Session::new();
    for name in bad {
        let commands: [&[&str]; 6] = [
            &["pairing", "list", name],
            &["pairing", "approve", "--channel", name, "M8NGT2AA"],
            &["pairing", "reject", name, "M8NGT2AA"],
            &["pairing", "allowed", "add", name, "1"],
            &["pairing", "request", name, "1"],
            &["pairing", "request", "telegram", "1", "--account", name],
        ];
        let shown: String = name.chars().take(12).collect();
        for args in commands {
            let account = args.contains(&"--account");
            if name == "matrix" && account {
                continue; // That is a good name for an account.
            }
            let ran = session.run(args);
            assert_eq!(ran.exit, Exit::Usage, "{args:?}");
            assert_eq!(ran.stdout, "", "{args:?}");
            let what = if account { "account" } else { "channel" };
            let text = format!("{what} {shown:?}\n{}\n", ran.stderr);
            if !found.contains(&text) {
                found.push_str(&text);
            }
        }
    }
    assert!(!session.state().exists(), "nothing is written");
    settings().bind(|| insta::assert_snapshot!("bad-names", found));
}

#[test]
fn completions_for_every_shell() {
    let session = Session::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let ran = session.run(&["completions", shell]);
        assert_eq!(ran.exit, Exit::Done, "{shell}");
        assert!(ran.stdout.contains("allowed"), "{shell}");
        assert_eq!(ran.stderr, "");
    }
}
