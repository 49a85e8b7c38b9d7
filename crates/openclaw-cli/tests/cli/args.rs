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
        "gateway install",
        "gateway uninstall",
        "gateway restart",
        "gateway logs",
        "setup",
        "status",
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
fn the_version_with_everything_that_a_report_needs() {
    let session = Session::new();
    let short = session.run(&["--version"]);
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(short.stdout, format!("openclaw {version}\n"));
    let long = session.run(&["--version", "--verbose"]);
    assert_eq!((long.exit, long.stderr.as_str()), (Exit::Done, ""));
    assert_eq!(session.run(&["--verbose", "-V"]).stdout, long.stdout);
    let facts: Vec<_> = long.stdout.lines().collect();
    let [name, commit, features, rustc, target] = facts[..] else {
        panic!("{}", long.stdout);
    };
    assert_eq!(name, format!("openclaw {version}"));
    let etcd = if cfg!(feature = "etcd") {
        "etcd"
    } else {
        "none"
    };
    assert_eq!(features, format!("features: {etcd}"));
    assert!(rustc.starts_with("rustc:    rustc 1."), "{rustc}");
    assert!(
        target.starts_with("target:   ") && target.contains('-'),
        "{target}"
    );
    let commit = commit.strip_prefix("commit:   ").unwrap();
    let is_commit = commit.len() == 40 && commit.bytes().all(|byte| byte.is_ascii_hexdigit());
    // A source archive has no commit unless whoever builds it names one.
    let is_checkout =
        std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../.git")).exists();
    assert!(
        is_commit || (!is_checkout && commit == "unknown"),
        "{commit}"
    );
    // It is not an option of anything else.
    assert_eq!(session.run(&["--verbose"]).exit, Exit::Usage);
}

#[test]
fn a_manual_page_for_every_command() {
    let session = Session::new();
    for name in ["openclaw", "openclaw-rs"] {
        let dir = session.outside(name);
        let missing = session.run(&["man", &dir, "--name", name]);
        assert_eq!(missing.exit, Exit::State, "the directory has to exist");
        std::fs::create_dir(&dir).unwrap();
        session.done(&["man", &dir, "--name", name]);
        let pages = std::fs::read_dir(&dir).unwrap();
        let mut pages: Vec<_> = pages
            .map(|page| page.unwrap().file_name().into_string().unwrap())
            .collect();
        pages.sort();
        let mut expected = vec![format!("{name}.1")];
        commands(&session, &mut Vec::new(), &mut |path| {
            expected.push(format!("{name}-{}.1", path.join("-")));
        });
        expected.sort();
        assert_eq!(pages, expected);
        let page = std::fs::read_to_string(format!("{dir}/{name}-pairing-approve.1")).unwrap();
        assert!(page.contains("Let the sender with this code in"), "{page}");
    }
}

/// Finds every command that the help shows, through all levels.
fn commands(session: &Session, path: &mut Vec<String>, found: &mut impl FnMut(&[String])) {
    let mut args: Vec<&str> = path.iter().map(String::as_str).collect();
    args.push("--help");
    let help = session.run(&args).stdout;
    let Some((_, list)) = help.split_once("Commands:\n") else {
        return;
    };
    let names = list.lines().take_while(|line| !line.is_empty());
    let names = names.filter_map(|line| {
        line.strip_prefix("  ")
            .filter(|line| !line.starts_with(' '))
    });
    for name in names.filter_map(|line| line.split_whitespace().next()) {
        path.push(name.to_owned());
        found(path);
        commands(session, path, found);
        path.pop();
    }
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
