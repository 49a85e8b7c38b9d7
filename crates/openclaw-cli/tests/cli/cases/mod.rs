//! Configurations and states with which users of comparable programs had bad surprises, each with what has to happen.
//!
//! Each case is a folder of `fixtures/cases`, and a function here that runs the program on it. They are of the kinds of
//! rows 127 to 144 of `docs/threats.md`.

mod bot_api;

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::session::{private_dir, set_mode};
use bot_api::BotApi;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cli/fixtures/cases");

/// What has to come of a case.
type Outcome = fn(&Case);

const CASES: [(&str, Outcome); 10] = [
    ("bots-that-do-not-run", bots_that_do_not_run),
    ("etcd-jwt", etcd_jwt),
    ("include", include),
    ("proxy", proxy),
    ("real-keys", real_keys),
    ("renewed-certificate", renewed_certificate),
    ("small", small),
    ("unreadable-channel", unreadable_channel),
    ("untold", untold),
    ("variables", variables),
];

#[test]
fn every_case_has_its_right_outcome() {
    let folders = fs::read_dir(FOLDER).unwrap();
    let folders: BTreeSet<_> = folders
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    let named: BTreeSet<_> = CASES.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(folders, named);
    let wrong = thread::scope(|scope| {
        let running: Vec<_> = CASES
            .iter()
            .map(|(name, run)| (name, scope.spawn(|| catch_unwind(|| run(&Case::new(name))))))
            .collect();
        let wrong = running
            .into_iter()
            .filter_map(|(name, running)| running.join().unwrap().err().map(|_| *name));
        wrong.collect::<Vec<_>>()
    });
    assert!(wrong.is_empty(), "{wrong:?}");
}

/// A case, and a state directory for it.
struct Case {
    name: &'static str,
    dir: tempfile::TempDir,
}

/// What a command did: its status, standard output and standard error.
type Did = (Option<i32>, String, String);

/// A gateway that runs on the state directory of a case. It is told to stop when dropped.
struct Gateway {
    child: Child,
    port: u16,
}

impl Case {
    fn new(name: &'static str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        private_dir(&dir.path().join("state"));
        Self { name, dir }
    }

    fn state(&self) -> PathBuf {
        self.dir.path().join("state")
    }

    /// Copies a file of the case into the state directory; `@…@` in it is replaced.
    fn put(&self, file: &str, to: &str, replaced: &[(&str, &str)]) {
        let mut text = fs::read_to_string(Path::new(FOLDER).join(self.name).join(file)).unwrap();
        for (name, value) in replaced {
            text = text.replace(&format!("@{name}@"), value);
        }
        self.write(to, text);
    }

    fn write(&self, to: &str, content: impl AsRef<[u8]>) {
        let path = self.state().join(to);
        private_dir(path.parent().unwrap());
        fs::write(&path, content).unwrap();
        set_mode(&path, 0o600);
    }

    fn command(&self, args: &str, vars: &[(&str, &str)]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_openclaw"));
        command
            .env_clear()
            .env("OPENCLAW_STATE_DIR", self.state())
            .env("HOME", self.dir.path())
            // Nobody listens there: what runs on this machine is none of the tests' business.
            .env("OPENCLAW_GATEWAY_PORT", "1")
            .envs(vars.iter().copied())
            .args(args.split_whitespace())
            .stdin(Stdio::null());
        command
    }

    fn run_with(&self, args: &str, vars: &[(&str, &str)]) -> Did {
        let output = self.command(args, vars).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (
            output.status.code(),
            text(output.stdout),
            text(output.stderr),
        )
    }

    fn run(&self, args: &str) -> Did {
        self.run_with(args, &[])
    }

    /// Runs a command until what it says is as wanted.
    fn until(&self, args: &str, is_right: impl Fn(&Did) -> bool) -> Did {
        for _ in 0..400 {
            let did = self.run(args);
            if is_right(&did) {
                return did;
            }
        }
        panic!("never as it has to be: {args}: {:?}", self.run(args));
    }

    fn gateway_with(&self, vars: &[(&str, &str)]) -> Gateway {
        // A file: nobody has to read it for the gateway to go on.
        let log = fs::File::create(self.log()).unwrap();
        let mut child = self
            .command("gateway run --port 0", vars)
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut said = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        said.read_line(&mut line).unwrap();
        let address = line.split(',').next().unwrap().trim();
        let port = address.rsplit(':').next().unwrap().parse();
        let port = port.unwrap_or_else(|_| panic!("{line}{}", self.logged()));
        Gateway { child, port }
    }

    fn gateway(&self) -> Gateway {
        self.gateway_with(&[])
    }

    fn log(&self) -> PathBuf {
        self.dir.path().join("log")
    }

    fn logged(&self) -> String {
        fs::read_to_string(self.log()).unwrap()
    }

    /// Waits until the gateway's faults are in this state of being right.
    fn until_faults(&self, is_right: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        let faults = |did: &Did| -> Vec<Value> {
            let health: Value = serde_json::from_str(&did.1).unwrap_or_default();
            health["faults"].as_array().cloned().unwrap_or_default()
        };
        let did = self.until("gateway health --json", |did| is_right(&faults(did)));
        faults(&did)
    }
}

impl Gateway {
    /// The status and the body of a page.
    fn page(&self, path: &str) -> (u16, String) {
        let mut socket = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        write!(
            socket,
            "GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"
        )
        .unwrap();
        let mut text = String::new();
        socket.read_to_string(&mut text).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        (
            head.split(' ').nth(1).unwrap().parse().unwrap(),
            body.to_owned(),
        )
    }

    fn send(&self, signal: Signal) {
        let pid = rustix::process::Pid::from_raw(self.child.id().cast_signed()).unwrap();
        rustix::process::kill_process(pid, signal).unwrap();
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.send(Signal::TERM);
        // It has ended then, one way or another.
        let _ = self.child.wait();
    }
}

/// Row 134: health knows each bot that does not run, and why.
fn bots_that_do_not_run(case: &Case) {
    for (refuses, named) in [
        (
            (|_, _| Some((401, "Unauthorized"))) as bot_api::Refuses,
            "Unauthorized",
        ),
        (
            |method, _| {
                let webhook = "Conflict: can't use getUpdates method while webhook is active";
                (method == "getUpdates").then_some((409, webhook))
            },
            "webhook is active",
        ),
    ] {
        let api = BotApi::start();
        api.refuses(refuses);
        case.put("openclaw.json", "openclaw.json", &[("api", &api.root)]);
        let gateway = case.gateway();
        let faults = case.until_faults(|faults| !faults.is_empty());
        let fault = &faults[0];
        assert_eq!(
            (&fault["part"], &fault["name"], &fault["state"]),
            (
                &json!("channel"),
                &json!("telegram:default"),
                &json!("down")
            )
        );
        assert!(fault["why"].as_str().unwrap().contains(named), "{fault}");
        assert!(fault["advice"].is_string(), "{fault}");
        let (_, ready) = gateway.page("/readyz");
        assert!(ready.contains(r#""channel":"down""#), "{ready}");
        let (_, metrics) = gateway.page("/metrics");
        assert!(metrics.contains("openclaw_health{part=\"channel\"} 2\n"));
        let (_, found, _) = case.run("doctor --json");
        assert!(found.contains(named), "{found}");
    }
}

/// Row 127: a change of the cluster's users renews the gateway's login.
#[cfg(feature = "etcd")]
fn etcd_jwt(case: &Case) {
    use crate::etcd::Member;
    let key = case.dir.path().join("key");
    fs::write(&key, "a key that both sides of the cluster know").unwrap();
    let tokens = format!("jwt,priv-key={},sign-method=HS256,ttl=60m", key.display());
    let member = Member::start_with(&["--auth-token", &tokens]);
    let admin = member.with_users("oc", "ocpw");
    case.put(
        "openclaw.json",
        "openclaw.json",
        &[("api", member.endpoint())],
    );
    let gateway = case.gateway();
    assert_eq!(gateway.page("/readyz").0, 200);
    admin.add_role("somebody-elses");
    let (code, asked, errors) = case.run("pairing request telegram 12345");
    assert_eq!(code, Some(0), "{asked}{errors}");
    let did = case.until("pairing list", |did| did.1.contains("12345"));
    assert_eq!(did.0, Some(0));
    assert_eq!(gateway.page("/readyz").0, 200);
    assert!(!case.logged().contains("store unavailable"));
}

/// Needs a build with the store.
#[cfg(not(feature = "etcd"))]
fn etcd_jwt(case: &Case) {
    assert!(Path::new(FOLDER).join(case.name).is_dir());
}

/// Row 129: what an included file says counts.
fn include(case: &Case) {
    for file in ["openclaw.json", "gateway.json5", "telegram.json5"] {
        case.put(file, file, &[]);
    }
    let (code, found, _) = case.run("doctor");
    assert_eq!(code, Some(0), "{found}");
    let (_, said, _) = case.run("pairing request telegram 666");
    assert!(!said.contains("Pairing code"), "{said}");
    let gateway = case.gateway();
    case.write("right", "a-long-enough-password-1");
    case.write("wrong", "a-long-enough-password-2");
    let ask = |file: &str| {
        let file = case.state().join(file).display().to_string();
        let port = gateway.port;
        case.run(&format!(
            "gateway health --url ws://127.0.0.1:{port} --password-file {file}"
        ))
    };
    // The secret is the included one; what is included as well, that no device of this machine is approved by itself.
    let (_, _, errors) = ask("right");
    assert!(errors.contains("missing scope"), "{errors}");
    let (_, _, errors) = ask("wrong");
    assert!(errors.contains("cannot connect"), "{errors}");
    drop(gateway);

    // What cannot be read closes what it may hold.
    fs::remove_file(case.state().join("telegram.json5")).unwrap();
    let (code, found, _) = case.run("doctor");
    assert_ne!(code, Some(0));
    assert!(found.contains("telegram.json5"), "{found}");
    let (code, said, _) = case.run("pairing request telegram 667");
    assert_ne!(code, Some(0), "{said}");
}

/// Row 136: an account's own proxy is obeyed, and named when it cannot be reached.
fn proxy(case: &Case) {
    let api = BotApi::start();
    // Nobody listens at port 1.
    let put = [("api", api.root.as_str()), ("closed", "1")];
    case.put("openclaw.json", "openclaw.json", &put);
    let (_, found, _) = case.run("doctor");
    assert!(found.contains("webhookUrl is not obeyed"), "{found}");
    assert!(!found.contains("proxy is not obeyed"), "{found}");
    let gateway = case.gateway();
    case.until_faults(|faults| {
        let mut faults = faults.iter().map(|fault| fault["why"].as_str().unwrap());
        faults.any(|why| why == "the proxy that `proxy` names cannot be reached")
    });
    assert_eq!(api.calls(), 0, "it was asked without the proxy");
    drop(gateway);
    assert!(!case.logged().contains("hunter2"));
}

/// Row 138: the keys of real installs.
fn real_keys(case: &Case) {
    let api = BotApi::start();
    case.put("dotenv.json5", "openclaw.json", &[("api", &api.root)]);
    case.put("dotenv", ".env", &[]);
    let gateway = case.gateway();
    api.called("getMe", 1);
    drop(gateway);
    fs::remove_file(case.state().join(".env")).unwrap();

    case.put("secretref.json5", "openclaw.json", &[]);
    let gateway = case.gateway();
    assert_eq!(gateway.page("/readyz").0, 200);
    assert!(
        case.logged().contains("SLACK_BOT_TOKEN"),
        "{}",
        case.logged()
    );
    drop(gateway);

    case.put("pseudo-channels.json5", "openclaw.json", &[]);
    let _gateway = case.gateway();
    let (code, channels, errors) = case.run("channels status --json");
    assert_eq!(code, Some(0), "{errors}");
    for pseudo in ["defaults", "modelByChannel", "modelbychannel"] {
        assert!(!channels.contains(pseudo), "{channels}");
    }
}

/// Row 130: a renewed certificate is served, and the owner's commands go on.
fn renewed_certificate(case: &Case) {
    let dir = case.dir.path();
    let fingerprints = ["tls", "new"].map(|name| {
        let made = openclaw_gateway::Tls::self_made(&dir.join(name), now()).unwrap();
        made.fingerprint().to_string()
    });
    assert_ne!(fingerprints[0], fingerprints[1]);
    let replaced = [("dir", dir.to_str().unwrap())];
    case.put("openclaw.json", "openclaw.json", &replaced);
    case.write("token", "a-long-enough-shared-token-1");
    let gateway = case.gateway();
    for file in ["key.pem", "cert.pem"] {
        fs::rename(dir.join("new").join(file), dir.join("tls").join(file)).unwrap();
    }
    let pinned = |fingerprint: &str| {
        format!(
            "gateway health --url wss://127.0.0.1:{} --token-file {} --tls-fingerprint {fingerprint}",
            gateway.port,
            case.state().join("token").display()
        )
    };
    case.until(&pinned(&fingerprints[1]), |did| did.0 == Some(0));
    assert_ne!(case.run(&pinned(&fingerprints[0])).0, Some(0));
    assert_eq!(case.run("devices list").0, Some(0));
    assert_eq!(case.run("doctor").0, Some(0));
}

/// Rows 140 to 143.
fn small(case: &Case) {
    for channel in ["discord", "telegram"] {
        let file = format!("{channel}-allowFrom.json");
        case.put(&file, &format!("credentials/{file}"), &[]);
    }
    let (_, found, _) = case.run("doctor");
    assert!(found.contains("1467222987553865771"), "{found}");
    assert!(found.contains("ann#1234"), "{found}");
    let (code, _, errors) = case.run("pairing allowed list telegram");
    assert_eq!(code, Some(3), "{errors}");
    // What it cannot mend is still there.
    assert_eq!(case.run("doctor --fix").0, Some(1));
    let (code, list, _) = case.run("pairing allowed list telegram");
    assert_eq!((code, list.contains("555001")), (Some(0), true), "{list}");
    assert_eq!(
        case.run("pairing allowed remove telegram 555001").0,
        Some(0)
    );

    let (_, said, _) = case.run("pairing request telegram 555001");
    let code = said
        .lines()
        .find_map(|line| line.strip_prefix("Pairing code: "));
    let code = code.unwrap().to_owned();
    case.put("blocked.json5", "openclaw.json", &[]);
    let (_, said, errors) = case.run(&format!("pairing approve telegram {code}"));
    assert!(errors.contains("blockFrom"), "{said}{errors}");

    let lock = "credentials/telegram-pairing.json.lock";
    let pid = std::process::id();
    let text = format!(r#"{{"pid":{pid},"createdAt":"2999-01-01T00:00:00.000Z"}}"#);
    case.write(lock, text);
    let (_, found, _) = case.run("doctor");
    assert!(found.contains("dated in the future"), "{found}");
    assert_eq!(case.run("pairing request telegram 7").0, Some(0));
    assert!(!case.state().join(lock).exists());

    let mut gateway = case.gateway();
    gateway.send(Signal::HUP);
    while !case.logged().contains("read again, as asked") {
        thread::yield_now();
    }
    gateway.send(Signal::USR1);
    assert_eq!(gateway.child.wait().unwrap().code(), Some(0));
    assert!(case.logged().contains("shutting down"));
    std::mem::forget(gateway);
}

/// Row 133: a channel that cannot be read is an error, through the gateway and without.
fn unreadable_channel(case: &Case) {
    case.put("openclaw.json", "openclaw.json", &[]);
    let file = "telegram-pairing.json";
    case.put(file, &format!("credentials/{file}"), &[]);
    let is_right = |(code, list, errors): Did| {
        assert_eq!(code, Some(3), "{errors}");
        assert!(errors.contains("telegram"), "{errors}");
        let list: Value = serde_json::from_str(&list).unwrap();
        let channels = list.as_array().unwrap().iter();
        let channels: Vec<_> = channels.map(|of| of["channel"].as_str().unwrap()).collect();
        assert!(channels.contains(&"slack") && !channels.contains(&"telegram"));
    };
    is_right(case.run("pairing list --json --local"));
    let gateway = case.gateway();
    is_right(case.run("pairing list --json"));
    // The gateway's health knows this group of records.
    let faults = case.until_faults(|faults| !faults.is_empty());
    assert_eq!(
        (&faults[0]["part"], &faults[0]["name"], &faults[0]["state"]),
        (&json!("records"), &json!("telegram"), &json!("down"))
    );
    let (status, ready) = gateway.page("/readyz");
    assert_eq!(status, 200, "the other groups work: {ready}");
    assert!(ready.contains(r#""records":"down""#), "{ready}");
}

/// Row 131: strangers are told as soon as that is possible.
fn untold(case: &Case) {
    let api = BotApi::start();
    case.put("openclaw.json", "openclaw.json", &[("api", &api.root)]);
    let _gateway = case.gateway();
    api.refuses(|method, params| {
        let in_topic = method == "sendMessage" && params["message_thread_id"].is_number();
        in_topic.then_some((400, "Bad Request: message thread not found"))
    });
    let topic = json!({ "message_thread_id": 4711, "is_topic_message": true });
    api.says(777_003, "hello", &topic);
    let told = api.called("sendMessage", 2);
    assert_eq!(told["chat_id"], 777_003);
    assert!(told["text"].as_str().unwrap().contains("Pairing code: "));

    api.refuses(|method, _| {
        let blocked = "Forbidden: bot was blocked by the user";
        (method == "sendMessage").then_some((403, blocked))
    });
    api.says(777_004, "hello", &json!({}));
    assert_eq!(api.called("sendMessage", 3)["chat_id"], 777_004);
    while !case.logged().contains("pairing code not delivered") {
        thread::yield_now();
    }
    api.refuses(|_, _| None);
    api.says(777_004, "I no longer block you", &json!({}));
    let told = api.called("sendMessage", 4);
    assert_eq!(told["chat_id"], 777_004);
    assert!(told["text"].as_str().unwrap().contains("Pairing code: "));
    case.until("pairing list telegram", |did| did.1.contains("777004"));
}

/// Row 128: variables are substituted in every text, and what is missing closes its key.
fn variables(case: &Case) {
    case.put("openclaw.json", "openclaw.json", &[]);
    let vars = [
        ("GATEWAY_SECRET", "truly-secret-value-1234567890"),
        ("OWNER_ID", "4242"),
        ("PEST_ID", "666"),
    ];
    let (code, found, _) = case.run_with("doctor", &vars);
    assert_eq!(code, Some(0), "{found}");
    let (_, said, _) = case.run_with("pairing request telegram 666", &vars);
    assert!(!said.contains("Pairing code"), "{said}");
    let gateway = case.gateway_with(&vars);
    case.write("literal", "oc-${GATEWAY_SECRET}\n");
    case.write("real", "oc-truly-secret-value-1234567890\n");
    let ask = |file: &str| {
        let file = case.state().join(file).display().to_string();
        let port = gateway.port;
        case.run_with(
            &format!("gateway health --url ws://127.0.0.1:{port} --token-file {file}"),
            &vars,
        )
    };
    assert_eq!(ask("real").0, Some(0), "{:?}", ask("real"));
    assert_ne!(ask("literal").0, Some(0));
    drop(gateway);

    let (code, found, _) = case.run("doctor");
    assert_ne!(code, Some(0));
    for name in ["GATEWAY_SECRET", "OWNER_ID", "PEST_ID"] {
        assert!(found.contains(name), "{found}");
    }
    let (code, said, _) = case.run("pairing request telegram 667");
    assert_ne!(code, Some(0), "{said}");
}

fn now() -> pairing_core::Timestamp {
    use pairing_core::Clock as _;
    pairing_fs::SystemClock.now()
}
