//! The state on a real member of etcd, which each test starts and owns.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;

use openclaw_cli::Exit;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::session::Session;
use crate::transfer::records;

/// Starts a member, and ends it when standard input ends: also when this process is killed.
const KEEPER: &str = r#""$@" & cat >/dev/null; kill -9 $! 2>/dev/null; wait"#;

/// One member, gone when dropped.
pub(crate) struct Member {
    keeper: Child,
    endpoint: String,
    /// Goes with it.
    _data: TempDir,
}

impl Member {
    /// As soon as it serves.
    fn start() -> Self {
        Self::start_with(&[])
    }

    /// As soon as it serves, with arguments besides.
    pub(crate) fn start_with(args: &[&str]) -> Self {
        let data = tempfile::tempdir().unwrap();
        let free = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
        let [endpoint, peer] =
            free.map(|listener| format!("http://{}", listener.local_addr().unwrap()));
        let mut keeper = Command::new("sh")
            .args(["-c", KEEPER, "keeper", "etcd", "--name", "n0"])
            .arg("--data-dir")
            .arg(data.path())
            .args(["--listen-client-urls", &endpoint])
            .args(["--advertise-client-urls", &endpoint])
            .args(["--listen-peer-urls", &peer])
            .args(["--initial-advertise-peer-urls", &peer])
            .args(["--initial-cluster", &format!("n0={peer}")])
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = BufReader::new(keeper.stderr.take().unwrap());
        let (sender, ready) = mpsc::channel();
        std::thread::spawn(move || {
            let lines = log.lines().map_while(Result::ok);
            for line in lines {
                if line.contains("ready to serve client requests") {
                    // Whoever waits, waits once.
                    let _ = sender.send(());
                }
            }
        });
        let served = ready.recv().is_ok();
        assert!(
            served,
            "no member of etcd starts (apt-get install etcd-server)"
        );
        Self {
            keeper,
            endpoint,
            _data: data,
        }
    }

    pub(crate) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Turns on its logins, for `root` and for a user with every right.
    pub(crate) fn with_users(&self, user: &str, password: &str) -> Admin {
        let admin = |token| Admin {
            address: self.endpoint.trim_start_matches("http://").to_owned(),
            token,
        };
        let open = admin(String::new());
        for (user, password) in [("root", "rootpw"), (user, password)] {
            open.call("user/add", &json!({ "name": user, "password": password }));
            open.call("user/grant", &json!({ "user": user, "role": "root" }));
        }
        open.call("enable", &json!({}));
        let login = json!({ "name": "root", "password": "rootpw" });
        let token = open.call("authenticate", &login)["token"].clone();
        admin(token.as_str().unwrap().to_owned())
    }

    /// The section `state` of a configuration.
    fn state(&self, store: &str) -> String {
        let endpoint = &self.endpoint;
        format!("state: {{ store: '{store}', endpoints: ['{endpoint}'], prefix: 'home/one' }}")
    }
}

/// Whoever administers the users of a member, by its HTTP interface.
pub(crate) struct Admin {
    address: String,
    token: String,
}

impl Admin {
    /// Adds a role. Logins from before it are refused from then on.
    pub(crate) fn add_role(&self, name: &str) {
        self.call("role/add", &json!({ "name": name }));
    }

    fn call(&self, what: &str, params: &Value) -> Value {
        let body = params.to_string();
        let mut socket = TcpStream::connect(&self.address).unwrap();
        write!(
            socket,
            "POST /v3/auth/{what} HTTP/1.0\r\nauthorization: {}\r\ncontent-length: {}\r\n\r\n{body}",
            self.token,
            body.len()
        )
        .unwrap();
        let mut text = String::new();
        socket.read_to_string(&mut text).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(" 200 "), "{what}: {text}");
        serde_json::from_str(body).unwrap()
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        self.keeper.wait().unwrap();
    }
}

fn configure(session: &Session, text: &str) {
    session.write_in(".", "openclaw.json", format!("{{ {text} }}"));
}

const LISTS: [&str; 4] = [
    "pairing list --json",
    "pairing allowed list matrix --json",
    "devices list --json",
    "nodes list --json",
];

fn lists(session: &Session) -> Vec<String> {
    let lists = LISTS.iter().map(|line| {
        let ran = session.run(&line.split(' ').collect::<Vec<_>>());
        assert_eq!(ran.exit, Exit::Done, "{line}: {}", ran.stderr);
        ran.stdout
    });
    lists.collect()
}

#[test]
fn from_files_to_a_cluster_and_back() {
    let member = Member::start();
    let mut session = Session::recorded_whole().masked(r"127\.0\.0\.1:\d+", "[member]");
    // A channel that nobody has given rules for, and that has nobody who waits.
    session.write(
        "matrix-allowFrom.json",
        r#"{ "version": 1, "allowFrom": ["@ann:example.org"] }"#,
    );
    configure(&session, &member.state("files"));
    let file = session.outside("kept.jsonl");
    session.done(&["state", "export", "--to", &file]);
    let before = lists(&session);
    let allowed = fs::read(session.file("telegram-allowFrom.json")).unwrap();

    session.person("state migrate --from files --to etcd --dry-run");
    session.person("state migrate --from files --to etcd");
    session.person("state migrate --from files --to etcd");
    configure(&session, &member.state("etcd"));
    assert_eq!(lists(&session), before);
    session.person("doctor");

    // From now on that is where things are decided.
    let back = session.outside("back");
    session.person(&format!("state migrate --from etcd --to files:{back}"));
    session.person("pairing approve telegram M8NGT2AA");
    session.person("pairing allowed list telegram");
    let now = fs::read(session.file("telegram-allowFrom.json")).unwrap();
    assert_eq!(now, allowed, "the files are nobody's any more");

    let again = session.outside("again.jsonl");
    session.write_in(".", "openclaw.json", "{}");
    session.done(&["state", "export", "--to", &again, "--state-dir", &back]);
    assert_eq!(records(&again), records(&file));
    session.finish("etcd-migrate");
}

#[test]
fn a_cluster_that_does_not_answer() {
    let mut session = Session::recorded_whole()
        .masked(r"127\.0\.0\.1:\d+", "[member]")
        .masked(r"within \d+ ms.*", "within [time]");
    let member = Member::start();
    configure(&session, &member.state("etcd"));
    drop(member);
    session.pipe("pairing list telegram");
    session.pipe("doctor");
    session.finish("etcd-gone");
}

#[test]
fn settings_that_cannot_be_gone_by() {
    let mut session = Session::new();
    for state in [
        "endpoints: ['127.0.0.1']",
        "endpoints: ['http://a', 'https://b']",
        "endpoints: ['http://a'], prefix: '/home'",
        "endpoints: ['http://a'], user: 'ann', password: '${NOT_SET}'",
        "endpoints: ['https://a'], tls: { caPath: '~/nowhere.pem' }",
    ] {
        configure(&session, &format!("state: {{ store: 'etcd', {state} }}"));
        session.pipe("devices list");
    }
    session.finish("etcd-settings");
}
