//! `openclaw qr`.

use gateway_protocol::SetupCode;
use std::fs;

use openclaw_cli::Exit;
use pairing_core::device::SetupProfile;
use rqrr::{PreparedImage, SimpleGrid};

use crate::session::{Session, minutes};

const URL: &str = "wss://gateway.example.org";

fn configured(text: &str) -> Session {
    let session = Session::new();
    session.write_in(".", "openclaw.json", text);
    session
}

/// Whether anything has been issued.
fn issued(session: &Session) -> usize {
    let devices = session.service().devices();
    devices.pairing_tokens().unwrap().len()
}

#[test]
fn for_people() {
    let mut session = Session::new();
    session.person(&format!("qr --url {URL}"));
    session.person(&format!("qr --url {URL} --no-ascii --full"));
    session.person("qr --url ws://127.0.0.1:18789 --no-ascii --node-only");
    session.person(&format!("qr --url {URL} --setup-code-only"));
    session.finish("qr");
}

#[test]
fn for_programs() {
    let mut session = Session::new();
    session.pipe(&format!("qr --url {URL} --limited"));
    session.pipe(&format!("qr --url {URL} --setup-code-only"));
    session.pipe(&format!("qr --url {URL} --json"));
    session.pipe(&format!("qr --url {URL} --json --node-only"));
    session.finish("qr-pipe");
}

#[test]
fn t51_what_is_drawn_is_the_code() {
    let session = Session::new();
    let ran = session.run_as_person(&["qr", "--url", URL]);
    assert_eq!(ran.exit, Exit::Done, "{}", ran.stderr);
    let is_drawn = |line: &&str| line.chars().all(|c| "█▀▄ ".contains(c)) && !line.is_empty();
    let mut rows: Vec<Vec<bool>> = Vec::new();
    for line in ran.stdout.lines().filter(is_drawn) {
        assert!(line.chars().count() <= 80);
        rows.push(line.chars().map(|c| matches!(c, '█' | '▀')).collect());
        rows.push(line.chars().map(|c| matches!(c, '█' | '▄')).collect());
    }
    let side = rows[0].len() - 8;
    let grid = SimpleGrid::from_func(side, |x, y| !rows[y + 4][x + 4]);
    let (_, scanned) = rqrr::Grid::new(grid).decode().unwrap();
    assert!(ran.stdout.lines().any(|line| line == scanned));

    let code = SetupCode::decode(&scanned).unwrap();
    assert_eq!(code.url.as_str(), URL);
    let devices = session.service().devices();
    let [token] = devices.pairing_tokens().unwrap().try_into().unwrap();
    assert_eq!(token.profile, SetupProfile::Limited);
    assert!(token.hash.matches(&code.token));
    assert_eq!(code.expires_at, Some(token.expires_at));
}

#[test]
fn t51_what_would_be_broken_is_not_drawn() {
    let drawn = |columns| {
        let session = Session::new().columns(columns);
        let ran = session.run_as_person(&["qr", "--url", URL]);
        assert_eq!(ran.exit, Exit::Done, "{}", ran.stderr);
        assert_eq!(
            ran.stderr.contains("columns wide"),
            !ran.stdout.contains('▀')
        );
        ran.stdout.contains('▀')
    };
    assert!(drawn(65));
    assert!(!drawn(64));
}

#[test]
fn as_a_picture() {
    let session = Session::new();
    let path = session.state().with_file_name("code.png");
    let name = path.to_str().unwrap();
    let ran = session.run(&["qr", "--url", URL, "--png", name]);
    assert_eq!(ran.exit, Exit::Done, "{}", ran.stderr);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    let file = std::io::BufReader::new(fs::File::open(&path).unwrap());
    let mut decoder = png::Decoder::new(file);
    decoder.set_transformations(png::Transformations::EXPAND);
    let mut reader = decoder.read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let size = usize::try_from(reader.next_frame(&mut pixels).unwrap().width).unwrap();
    let mut image = PreparedImage::prepare_from_greyscale(size, size, |x, y| pixels[y * size + x]);
    let grids = image.detect_grids();
    assert_eq!(grids[0].decode().unwrap().1, ran.stdout.trim());

    // What is there already may be something else.
    let ran = session.run(&["qr", "--url", URL, "--png", name]);
    assert_eq!(ran.exit, Exit::State);
    assert!(ran.stderr.contains("does not exist yet"), "{}", ran.stderr);
    assert_eq!(issued(&session), 1);
}

#[test]
fn t48_the_address_comes_from_the_configuration() {
    let public =
        "plugins: { entries: { 'device-pair': { config: { publicUrl: 'wss://p.example' } } } }";
    let remote =
        "gateway: { mode: 'remote', remote: { url: 'wss://r.example', tlsFingerprint: 'ab:cd' } }";
    let custom = "gateway: { bind: 'custom', customBindHost: '192.168.1.2', port: 4000 }";
    for (text, url, source) in [
        (
            format!("{{ {public}, {remote} }}"),
            "wss://p.example",
            "plugins.entries.device-pair.config.publicUrl",
        ),
        (
            format!("{{ {remote} }}"),
            "wss://r.example",
            "gateway.remote.url",
        ),
        (
            format!("{{ {custom} }}"),
            "ws://192.168.1.2:4000",
            "gateway.customBindHost",
        ),
        (format!("{{ {public} }}"), URL, "--url"),
    ] {
        let session = configured(&text);
        let named: &[&str] = if source == "--url" {
            &["--url", URL]
        } else {
            &[]
        };
        let ran = session.run(&[&["qr", "--json"], named].concat());
        assert_eq!(ran.exit, Exit::Done, "{}", ran.stderr);
        let answer: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
        assert_eq!(answer["gatewayUrl"], url);
        assert_eq!(answer["urlSource"], source);
        let code = SetupCode::decode(answer["setupCode"].as_str().unwrap()).unwrap();
        assert_eq!(code.url.as_str(), url);
        let pinned = (source == "gateway.remote.url").then_some("ab:cd");
        assert_eq!(code.tls_fingerprint.as_deref(), pinned);
    }
}

#[test]
fn t48_t49_nothing_is_issued_for_an_address_that_is_none() {
    let mut session = Session::new();
    session.person("qr");
    session.pipe("qr --json");
    for url in [
        "https://gateway.example.org",
        "ws://gateway.example.org",
        "wss://ann:secret@gateway.example.org",
        "ws://0.0.0.0:18789",
        "gateway.example.org",
        "wss://",
        "wss://gateway.example.org:70000",
    ] {
        session.person(&format!("qr --url {url}"));
    }
    session.person("qr --full --node-only");
    session.person("qr --setup-code-only --json");
    session.person(&format!("qr --url {URL} --png /nowhere/code.png"));
    assert!(!session.state().exists());
    for text in [
        "{ plugins: { entries: { 'device-pair': { config: { publicUrl: 'http://p.example' } } } } }",
        "{ plugins: { entries: { 'device-pair': { enabled: false } } } }",
        "{ gateway: { bind: 'lan' } }",
        "{ gateway: 1 }",
    ] {
        session.write_in(".", "openclaw.json", text);
        session.person("qr");
    }
    assert_eq!(issued(&session), 0);
    session.finish("qr-refused");
}

#[test]
fn a_code_ends_by_itself() {
    let mut session = Session::new();
    session.done(&["qr", "--url", URL]);
    session.wait(minutes(9));
    assert_eq!(issued(&session), 1);
    session.wait(minutes(1));
    assert_eq!(issued(&session), 0);
}

#[test]
fn t52_the_token_of_a_code_is_not_kept() {
    let session = Session::new();
    let ran = session.run(&["qr", "--url", URL]);
    let code = SetupCode::decode(&ran.stdout).unwrap();
    for entry in fs::read_dir(session.state().join("devices")).unwrap() {
        let content = fs::read(entry.unwrap().path()).unwrap();
        let content = String::from_utf8_lossy(&content).into_owned();
        assert!(!content.contains(code.token.expose()));
    }
}
