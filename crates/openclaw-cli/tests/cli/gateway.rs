//! Commands that go through a gateway.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;

use openclaw_cli::Exit;

use crate::live::{Live, TOKEN};
use crate::session::{Session, set_mode};

/// What a person types, with the gateway's address and token after it.
fn through(session: &mut Session, live: &Live, lines: &[&str]) {
    let named = live.named(session);
    for line in lines {
        session.person(&format!("{line} {named}"));
    }
}

fn masked(mut session: Session) -> Session {
    session.mask(r"--token-file \S+/token", "--token-file TOKEN");
    session
}

/// The number of an error differs from one system to the next.
fn unnumbered(mut session: Session) -> Session {
    session.mask(r" \(os error \d+\)", "");
    session
}

#[test]
fn devices_through_a_gateway() {
    let mut session = masked(Session::recorded_devices());
    let live = Live::on(&mut session);
    through(
        &mut session,
        &live,
        &[
            "devices list",
            "devices approve",
            "devices approve nobody",
            "devices rename Phone Tablet",
            "devices rotate --device Tablet --role node",
            "devices revoke --device Tablet --role node",
            "devices revoke --device Tablet --role operator",
            "devices remove Tablet",
            "devices remove Tablet",
            "devices clear",
        ],
    );
    session.finish("gateway-devices");
}

#[test]
fn nodes_through_a_gateway() {
    let mut session = masked(Session::recorded_devices());
    let live = Live::on(&mut session);
    through(
        &mut session,
        &live,
        &[
            "nodes list",
            "nodes pending",
            "nodes status",
            "nodes reject nobody",
        ],
    );
    session.finish("gateway-nodes");
}

#[test]
fn t133_a_channel_that_cannot_be_read_is_an_error_through_a_gateway() {
    let mut session = Session::recorded();
    session.write_in("credentials", "telegram-pairing.json", "{broken\n");
    let minute = std::time::Duration::from_secs(60);
    session.write_requests(
        "discord",
        &[("default", "111111111111111111", "ABCDEFGH", minute)],
    );
    let live = Live::on(&mut session);
    let named = live.named(&session);
    let run = |session: &Session, line: &str| {
        let line = format!("{line} {named}");
        let args: Vec<_> = line.split(' ').collect();
        session.run(&args)
    };
    let listed = run(&session, "pairing list --json");
    assert_eq!(listed.exit, Exit::State, "{}", listed.stderr);
    assert!(
        listed
            .stderr
            .contains("cannot read the requests of telegram"),
        "{}",
        listed.stderr
    );
    let lists: serde_json::Value = serde_json::from_str(&listed.stdout).unwrap();
    let lists = lists.as_array().unwrap();
    assert!(
        lists.iter().all(|list| list["channel"] != "telegram"),
        "{lists:?}"
    );
    let discord = lists
        .iter()
        .find(|list| list["channel"] == "discord")
        .unwrap();
    assert_eq!(discord["requests"][0]["id"], "111111111111111111");

    let listed = run(&session, "pairing list");
    assert_eq!(listed.exit, Exit::State);
    assert!(listed.stdout.contains("ABCDEFGH"), "{}", listed.stdout);
    let status = run(&session, "gateway status --json");
    let status: serde_json::Value = serde_json::from_str(&status.stdout).unwrap();
    assert_eq!(status["waiting"].get("senders"), None);
}

#[test]
fn senders_through_a_gateway() {
    let mut session = masked(Session::recorded());
    let live = Live::on(&mut session);
    let code = {
        let listed = session.run(&["pairing", "list", "telegram", "--json"]);
        let listed: serde_json::Value = serde_json::from_str(&listed.stdout).unwrap();
        listed["requests"][0]["code"].as_str().unwrap().to_owned()
    };
    through(
        &mut session,
        &live,
        &[
            "pairing list",
            &format!("pairing approve {code}"),
            &format!("pairing approve telegram {code}"),
            "pairing reject telegram 99999",
            "pairing allowed list telegram",
            "pairing allowed add telegram tg:777",
            "pairing allowed add telegram 777",
            "pairing allowed remove telegram 777",
            "pairing allowed remove telegram 777",
            "pairing request telegram 4",
        ],
    );
    session.finish("gateway-senders");
}

#[test]
fn t91_what_is_shown_through_a_gateway_is_what_is_on_the_files() {
    let mut session = Session::recorded_devices();
    let live = Live::on(&mut session);
    let named = live.named(&session);
    for line in [
        "devices list",
        "devices list --json",
        "nodes list",
        "nodes list --json",
    ] {
        let on_files: Vec<_> = line.split(' ').collect();
        let line = format!("{line} {named}");
        let through: Vec<_> = line.split(' ').collect();
        let (on_files, through) = (session.run(&on_files), session.run(&through));
        assert_eq!(through.exit, Exit::Done, "{}", through.stderr);
        assert_eq!(through.stdout, on_files.stdout, "{line}");
    }
}

#[test]
fn t91_a_named_gateway_that_is_not_there_is_an_error() {
    let mut session = unnumbered(Session::recorded());
    // Nobody listens there.
    session.person("pairing list --url ws://127.0.0.1:1");
    session.person("pairing approve telegram AAAAAAAA --url ws://127.0.0.1:1");
    session.person("devices list --url ws://127.0.0.1:1");
    session.person("nodes list --url ws://127.0.0.1:1");
    session.person("pairing request telegram 1 --url ws://127.0.0.1:1");
    session.person("devices list --url ws://127.0.0.1:1 --local");
    session.person("devices list --url ws://gateway.example.org");
    session.person("devices list --url https://gateway.example.org");
    session.person("devices list --url wss://127.0.0.1:1 --tls-fingerprint abc");
    session.person("devices list --timeout soon");
    session.person("devices list --token hunter2");
    session.finish("gateway-nowhere");
}

#[test]
fn t100_secrets_that_are_none() {
    let mut session = unnumbered(masked(Session::recorded_devices()));
    let live = Live::on(&mut session);
    let named = live.named(&session);
    let token = session.state().join("token");
    session.person(&format!("devices list --url ws://127.0.0.1:{}", live.port));
    fs::remove_file(&token).unwrap();
    session.person(&format!("devices list {named}"));
    for text in ["", "  \n", "a\nb\n", "[REDACTED]\n"] {
        fs::write(&token, text).unwrap();
        set_mode(&token, 0o600);
        session.person(&format!("devices list {named}"));
    }
    fs::write(&token, "hunter2\n").unwrap();
    set_mode(&token, 0o644);
    session.person(&format!("devices list {named}"));
    assert!(!session.state().join("identity").exists());
    session.finish("gateway-secrets");
}

#[test]
fn t89_looking_makes_no_identity_and_asks_for_no_pairing() {
    let mut session = unnumbered(Session::new());
    session.person("gateway status --url ws://127.0.0.1:1");
    session.person("gateway health --url ws://127.0.0.1:1");
    session.person("gateway token");
    session.vars.push(("OPENCLAW_GATEWAY_PORT", "1".to_owned()));
    session.person("gateway status");
    session.pipe("gateway status --json");
    session.person("gateway health");
    assert!(!session.state().exists());
    // One that is there, without a secret.
    let live = Live::on(&mut session);
    for line in [
        "devices list",
        "gateway status",
        "gateway health",
        "pairing list",
    ] {
        session.person(&format!("{line} --url ws://127.0.0.1:{}", live.port));
    }
    assert!(!session.state().join("identity").exists());
    let devices = session.run(&["devices", "list"]);
    assert_eq!(
        devices.stdout + &devices.stderr,
        "No devices, neither pending nor paired.\n"
    );
    session.finish("gateway-looking");
}

#[test]
fn the_link_that_signs_a_browser_in() {
    let session = Session::new();
    let link = |session: &Session| session.run(&["dashboard"]);
    let none = link(&session);
    assert_eq!(none.exit, Exit::Refused, "{}", none.stderr);
    assert!(
        none.stderr.contains("openclaw gateway run"),
        "{}",
        none.stderr
    );

    let write = |gateway: &str| {
        fs::create_dir_all(session.state()).unwrap();
        fs::write(
            session.state().join("openclaw.json"),
            format!("{{ gateway: {gateway} }}"),
        )
        .unwrap();
    };
    for (gateway, url) in [
        ("{ auth: { token: 'abc' } }", "http://127.0.0.1:18789/"),
        (
            "{ port: 1234, tls: { enabled: true }, auth: { mode: 'password', password: 'a b&c#d+é' } }",
            "https://127.0.0.1:1234/",
        ),
        (
            "{ auth: { mode: 'none' } }",
            "http://127.0.0.1:18789/#token=",
        ),
    ] {
        write(gateway);
        let told = link(&session);
        assert_eq!(
            (told.exit, told.stdout),
            (Exit::Done, format!("{url}\n")),
            "{gateway}"
        );
        let told = session.run(&["dashboard", "--json"]);
        let told: serde_json::Value = serde_json::from_str(&told.stdout).unwrap();
        assert_eq!(told, serde_json::json!({ "url": url }));
    }
    write("{ auth: { token: 'abc' }, controlUi: { enabled: false } }");
    let off = link(&session);
    assert_eq!((off.exit, off.stdout.as_str()), (Exit::Refused, ""));
    assert!(
        off.stderr.contains("gateway.controlUi.enabled"),
        "{}",
        off.stderr
    );
}

#[test]
fn the_configured_gateway_goes_first() {
    let mut session = Session::recorded_devices();
    let live = Live::on(&mut session);
    session.looks = true;
    session.vars = vec![
        ("OPENCLAW_GATEWAY_PORT", live.port.to_string()),
        ("OPENCLAW_GATEWAY_TOKEN", TOKEN.to_owned()),
    ];
    session.person("devices remove Phone");
    session.person("gateway status");
    session.person("gateway health");
    session.pipe("gateway health --json");
    session.person("devices list --local");
    // Another gateway's: it is said, and the owner of the files goes on.
    session.vars.pop();
    session
        .vars
        .push(("OPENCLAW_GATEWAY_TOKEN", "hunter2".to_owned()));
    session.person("devices list");
    session.person("gateway health");
    drop(live);
    session.person("devices list");
    session.mask(r#""(ts|durationMs)": \d+"#, r#""$1": [n]"#);
    session.mask(r"for \d+ s", "for [n] s");
    session.finish("gateway-configured");
}

#[test]
fn setup_codes_come_from_the_gateway() {
    let mut session = Session::new();
    let live = Live::on(&mut session);
    session.looks = true;
    session.vars = vec![
        ("OPENCLAW_GATEWAY_PORT", live.port.to_string()),
        ("OPENCLAW_GATEWAY_TOKEN", TOKEN.to_owned()),
    ];
    let ran = session.run(&[
        "qr",
        "--url",
        "wss://gateway.example.org",
        "--setup-code-only",
    ]);
    assert_eq!(ran.exit, Exit::Done, "{}", ran.stderr);
    assert!(ran.stderr.contains("Through the gateway"));
    let code = gateway_protocol::SetupCode::decode(ran.stdout.trim()).unwrap();
    assert_eq!(code.url.as_str(), "wss://gateway.example.org");
}

#[test]
fn what_is_no_gateway_is_told_so() {
    let answer = |text: &'static str| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let thread = std::thread::spawn(move || {
            let (mut socket, _) = listener.accept().unwrap();
            let mut read = [0; 2048];
            let _ = socket.read(&mut read).unwrap();
            socket.write_all(text.as_bytes()).unwrap();
        });
        (port, thread)
    };
    let mut session = Session::new();
    for text in [
        "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n\u{1b}[2Jhello",
        "SSH-2.0-OpenSSH_10.0\r\n",
        "",
    ] {
        let (port, thread) = answer(text);
        session.person(&format!("devices list --url ws://127.0.0.1:{port}"));
        session.mask(format!(":{port}"), ":[port]");
        thread.join().unwrap();
    }
    // One that never says anything.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    session.mask(format!(":{port}"), ":[port]");
    session.person(&format!(
        "devices list --url ws://127.0.0.1:{port} --timeout 50ms"
    ));
    session.person(&format!(
        "devices list --url wss://127.0.0.1:{port} --timeout 50ms"
    ));
    session.finish("gateway-none");
}

#[test]
fn t19_a_key_decides_about_what_was_chosen() {
    let mut session = Session::recorded_devices();
    let live = Live::on(&mut session);
    let named = live.named(&session);
    session.press("a1aq");
    let line = format!("devices watch {named}");
    let args: Vec<_> = line.split(' ').collect();
    let ran = session.run_as_person(&args);
    assert_eq!(ran.exit, Exit::Done, "{}", ran.stderr);
    assert!(ran.stdout.contains("Choose one first."), "{}", ran.stdout);
    assert!(ran.stdout.contains("Approving 1 lets it"), "{}", ran.stdout);
    assert!(ran.stdout.contains("Approved device"), "{}", ran.stdout);
    // The same on files.
    let session = Session::recorded();
    session.press("1rq");
    let ran = session.run_as_person(&["pairing", "watch"]);
    assert_eq!(ran.exit, Exit::Done, "{}", ran.stderr);
    assert!(ran.stdout.contains("Rejected imessage"), "{}", ran.stdout);
}

#[test]
fn t102_a_certificate_that_was_named_is_the_only_one() {
    let mut session = masked(Session::new());
    let (live, fingerprint) = Live::encrypted(&mut session);
    let named = live.named(&session).replace("ws://", "wss://");
    session.mask(r"(00:?){32}", "[another]");
    session.mask(r"[0-9a-f]{64}", "[fingerprint]");
    let wrong = "00:".repeat(31) + "00";
    session.person(&format!(
        "devices list {named} --tls-fingerprint {fingerprint}"
    ));
    session.person(&format!("devices list {named} --tls-fingerprint {wrong}"));
    session.person(&format!("devices list {named}"));
    // The gateway of this machine is known by its own files.
    session.looks = true;
    session.write_in(
        ".",
        "openclaw.json",
        "{ gateway: { tls: { enabled: true } } }",
    );
    session.vars = vec![
        ("OPENCLAW_GATEWAY_PORT", live.port.to_string()),
        ("OPENCLAW_GATEWAY_TOKEN", TOKEN.to_owned()),
    ];
    session.person("devices list");
    session.finish("gateway-tls");
}

#[test]
fn t84_no_secret_is_taken_from_the_command_line() {
    let session = Session::new();
    for command in [
        "devices list",
        "nodes list",
        "pairing list",
        "gateway run",
        "node run",
    ] {
        for option in ["--token", "--password"] {
            let line = format!("{command} {option} hunter2");
            let ran = session.run(&line.split(' ').collect::<Vec<_>>());
            assert_eq!(ran.exit, Exit::Usage, "{line}");
            assert!(!ran.stderr.contains("hunter2"), "{}", ran.stderr);
        }
    }
}

#[test]
fn t91_the_gateway_elsewhere_that_is_configured() {
    let mut session = unnumbered(Session::recorded_devices());
    let live = Live::on(&mut session);
    session.looks = true;
    let configure = |session: &Session, port: u16, token: &str| {
        let config = format!(
            "{{ gateway: {{ mode: \"remote\", remote: {{ url: \"ws://127.0.0.1:{port}\", token: {token:?} }} }} }}"
        );
        session.write_in(".", "openclaw.json", config);
    };
    configure(&session, live.port, TOKEN);
    session.person("devices rename Phone Tablet");
    // It answers, and says no: that is no reason to decide elsewhere.
    configure(&session, live.port, "hunter2");
    session.person("devices rename Tablet Phone");
    session.person("devices rename Tablet Phone --local");
    // Nobody answers: that is said, and where it goes then.
    configure(&session, 1, TOKEN);
    session.person("devices rename Phone Tablet");
    session.finish("gateway-elsewhere");
}

#[test]
fn a_configuration_that_cannot_be_read_is_told() {
    let mut session = Session::recorded_devices();
    session.looks = true;
    session.write_in(".", "openclaw.json", "{ gateway: { port: 70000 } }");
    session.person("devices rename Phone Tablet");
    session.person("gateway status");
    session.finish("gateway-config");
}
