//! Programs that run on: the gateway and a node, as processes.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Output, Stdio};

use rustix::process::Signal;

use crate::session::{Session, private_dir, set_mode};

/// A process that is told to stop when the test is over.
pub(crate) struct Running {
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl Running {
    fn start(state: &Path, args: &str) -> Self {
        let mut child = openclaw(state, args)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        Self { child, lines }
    }

    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// Tells it to stop, and says how it ended.
    pub(crate) fn stop(self) -> Option<i32> {
        self.end_by(Signal::TERM)
    }

    fn send(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).unwrap();
        let pid = rustix::process::Pid::from_raw(pid).unwrap();
        rustix::process::kill_process(pid, signal).unwrap();
    }

    fn end_by(mut self, signal: Signal) -> Option<i32> {
        self.send(signal);
        self.child.wait().unwrap().code()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It has ended already, or the test has failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn openclaw(state: &Path, args: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_openclaw"));
    command
        .env_clear()
        .env("OPENCLAW_STATE_DIR", state)
        .args(args.split_whitespace())
        .stdin(Stdio::null());
    command
}

pub(crate) fn output(state: &Path, args: &str) -> (Option<i32>, String, String) {
    let Output {
        status,
        stdout,
        stderr,
    } = openclaw(state, args).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code(), text(stdout), text(stderr))
}

/// A gateway on a port of its own, and that port.
pub(crate) fn gateway(state: &Path) -> (Running, String) {
    let mut gateway = Running::start(state, "gateway run --port 0 --log-level off");
    let listening = gateway.line();
    let port = listening.rsplit(':').next().unwrap().to_owned();
    assert!(
        listening.starts_with("Listening on ws://127.0.0.1:"),
        "{listening}"
    );
    (gateway, port)
}

#[test]
fn a_gateway_runs_until_it_is_told_to_stop() {
    let session = Session::new();
    let state = session.state();
    let (mut gateway, port) = gateway(&state);
    let token = gateway.line();
    let config = state.join("openclaw.json");
    assert_eq!(
        token,
        format!(
            "The token is in {}, at gateway.auth.token",
            config.display()
        )
    );

    let (code, said, _) = output(&state, "gateway token");
    assert_eq!((code, said), (Some(0), format!("{token}\n")));
    let (code, shown, _) = output(&state, "gateway token --show");
    assert_eq!(code, Some(0));
    assert!(fs::read_to_string(&config).unwrap().contains(shown.trim()));
    let (code, _, stderr) = output(&state, "gateway token --new");
    assert_eq!(code, Some(1), "{stderr}");
    assert!(stderr.contains("is set in"), "{stderr}");

    fs::write(state.join("token"), &shown).unwrap();
    set_mode(&state.join("token"), 0o600);
    let named = format!(
        "--url ws://127.0.0.1:{port} --token-file {}",
        state.join("token").display()
    );
    let (code, said, stderr) = output(&state, &format!("gateway health {named}"));
    assert_eq!(
        (code, said.as_str()),
        (Some(0), "The gateway is well.\n"),
        "{stderr}"
    );
    let (code, said, stderr) = output(&state, "gateway status --json");
    assert_eq!(code, Some(0), "{stderr}");
    let status: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!(
        (&status["running"], &status["connections"]),
        (&true.into(), &1.into())
    );
    assert_eq!(status["waiting"]["devices"], 0);

    // Only one on a directory; and a port has room for one.
    let (code, _, stderr) = output(&state, "gateway run --port 0");
    assert_eq!(code, Some(1), "{stderr}");
    let pid = gateway.child.id();
    assert!(
        stderr.contains(&format!("process {pid} on port {port}")),
        "{stderr}"
    );
    let other = Session::new();
    let (code, _, stderr) = output(&other.state(), &format!("gateway run --port {port}"));
    assert_eq!(code, Some(3), "{stderr}");
    assert!(
        stderr.contains(&format!("cannot listen on 127.0.0.1:{port}")),
        "{stderr}"
    );

    assert_eq!(gateway.stop(), Some(0));
}

#[test]
fn a_gateway_that_may_not_listen_there() {
    let session = Session::new();
    session.write_in(
        ".",
        "openclaw.json",
        r#"{ gateway: { auth: { mode: "none" } } }"#,
    );
    let (code, _, stderr) = output(&session.state(), "gateway run --port 0 --bind lan");
    assert_eq!(code, Some(1), "{stderr}");
    assert!(stderr.contains("asks for no secret"), "{stderr}");
    for (args, said) in [
        ("--bind nowhere", "does not listen on"),
        ("--bind custom", "does not listen on"),
        ("--log-level =", "no filter of a log"),
        ("--port 65536", "65536"),
    ] {
        let (code, _, stderr) = output(&session.state(), &format!("gateway run {args}"));
        assert_eq!(code, Some(2), "{args}: {stderr}");
        assert!(stderr.contains(said), "{args}: {stderr}");
    }
    let (code, _, stderr) = output(&session.state(), "gateway run --token-file /nowhere/token");
    assert_eq!(code, Some(3), "{stderr}");
    assert!(stderr.contains("cannot read /nowhere/token"), "{stderr}");
}

#[test]
fn a_token_of_its_own() {
    let session = Session::new();
    session.write_in(".", "openclaw.json", "{}");
    let state = session.state();
    let shown = || output(&state, "gateway token --show").1;
    let (code, _, stderr) = output(&state, "gateway token");
    assert_eq!(code, Some(1), "{stderr}");
    assert!(stderr.contains("no token yet"), "{stderr}");
    assert_eq!(output(&state, "gateway token --new").0, Some(0));
    let first = shown();
    assert_eq!(first.trim().len(), 43);
    let (code, said, _) = output(&state, "gateway token --new");
    assert_eq!(code, Some(0));
    assert!(
        !said.contains(shown().trim()),
        "it is shown only if asked for"
    );
    assert_ne!(shown(), first);
    assert_eq!(
        fs::read_to_string(state.join("openclaw.json")).unwrap(),
        "{}"
    );
}

#[test]
fn a_node_asks_is_approved_and_comes_back() {
    node_comes_back(&Session::new());
}

/// A node pairs with a gateway on the session's state, comes back, and is thrown out.
pub(crate) fn node_comes_back(session: &Session) {
    let (state, of_node) = (session.state(), session.state().join("node"));
    let (gateway, port) = gateway(&state);
    private_dir(&of_node);
    let token = output(&state, "gateway token --show").1;
    fs::write(of_node.join("token"), token).unwrap();
    set_mode(&of_node.join("token"), 0o600);
    let run = format!(
        "node run --host 127.0.0.1 --port {port} --display-name Desk --token-file {} --json",
        of_node.join("token").display()
    );
    let event =
        |node: &mut Running| -> serde_json::Value { serde_json::from_str(&node.line()).unwrap() };
    let mut node = Running::start(&of_node, &run);
    assert_eq!(event(&mut node)["event"], "connecting");
    let required = event(&mut node);
    assert_eq!(required["event"], "pairing-required");
    let request = required["requestId"].as_str().unwrap();
    assert_eq!(node.stop(), Some(0));

    let (code, said, stderr) = output(&state, &format!("devices approve {request} --local"));
    assert_eq!(code, Some(0), "{stderr}");
    assert!(
        said.contains("(Desk)") && said.contains("device.info"),
        "{said}"
    );
    let mut node = Running::start(&of_node, &run);
    assert_eq!(event(&mut node)["event"], "connecting");
    assert_eq!(event(&mut node)["event"], "connected");
    // It was approved beside the gateway, on what both keep it in.
    let listed = output(&state, "devices list --local").1;
    assert!(listed.contains("device.status"), "{listed}");
    assert_eq!(
        output(&state, "devices revoke --device Desk --role node --local").0,
        Some(0)
    );
    assert_eq!(event(&mut node)["event"], "disconnected");
    assert_eq!(node.stop(), Some(0));
    assert_eq!(gateway.stop(), Some(0));
}

#[test]
fn a_node_pairs_by_its_code_only_if_it_has_to() {
    let session = Session::new();
    let (state, of_node) = (session.state(), session.state().join("node"));
    let (gateway, port) = gateway(&state);
    private_dir(&of_node);
    let url = format!("ws://127.0.0.1:{port}/claw");
    let qr = format!("qr --url {url} --node-only --setup-code-only");
    let code = output(&state, &qr).1;
    let run = format!(
        "node run --pair-if-needed {} --commands device.info --display-name Desk --json",
        code.trim()
    );
    let event =
        |node: &mut Running| -> serde_json::Value { serde_json::from_str(&node.line()).unwrap() };
    let mut node = Running::start(&of_node, &run);
    assert_eq!(event(&mut node)["event"], "connecting");
    let required = event(&mut node);
    let request = required["requestId"].as_str().unwrap();
    assert_eq!(node.stop(), Some(0));
    let (code, _, stderr) = output(&state, &format!("devices approve {request} --local"));
    assert_eq!(code, Some(0), "{stderr}");
    // First the code leads to a token, then the token ends the code, and then the node needs no code.
    for _ in 0..3 {
        let mut node = Running::start(&of_node, &run);
        assert_eq!(event(&mut node)["event"], "connecting");
        assert_eq!(event(&mut node)["event"], "connected");
        assert_eq!(node.stop(), Some(0));
    }
    let path =
        format!("node run --port {port} --context-path /claw/ --commands device.info --json");
    let mut node = Running::start(&of_node, &path);
    assert_eq!(event(&mut node)["url"], url);
    assert_eq!(event(&mut node)["event"], "connected");
    assert_eq!(node.stop(), Some(0));
    let listed = output(&state, "devices list --local").1;
    assert!(
        listed.contains("device.info") && !listed.contains("device.status"),
        "{listed}"
    );
    assert_eq!(gateway.stop(), Some(0));
}

#[test]
fn a_join_code_is_good_for_one_node() {
    let session = Session::new();
    let (state, of_node) = (session.state(), session.state().join("node"));
    let (gateway, port) = gateway(&state);
    private_dir(&of_node);
    let url = gateway_protocol::GatewayUrl::parse(&format!("ws://127.0.0.1:{port}")).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let issued: serde_json::Value = runtime.block_on(async {
        let scopes = ["operator.admin"].map(|scope| pairing_core::Scope::parse(scope).unwrap());
        let connect = gateway_client::Connect::to(url.clone())
            .by_owner_socket(&state)
            .scopes(scopes.into_iter().collect());
        let (client, _events) = connect.open().await.unwrap();
        let params = serde_json::json!({ "profile": "node", "joinUrl": true, "url": url });
        client.call("device.pair.setupCode", params).await.unwrap()
    });
    let join = issued["joinUrl"].as_str().unwrap();
    let mut node = Running::start(&of_node, &format!("connect {join} --display-name Desk"));
    assert!(
        node.line()
            .starts_with(&format!("Connecting to ws://127.0.0.1:{port} as node "))
    );
    assert!(node.line().starts_with("Waiting for approval: "));
    assert_eq!(node.stop(), Some(0));
    let listed = output(&state, "devices list --local").1;
    assert!(listed.contains("Desk"), "{listed}");
    let (code, _, stderr) = output(&of_node, &format!("connect {join}"));
    assert_eq!(
        (code, stderr.as_str()),
        (
            Some(1),
            "error: the gateway knows no such join code, or no longer\n\
             hint: make a new one with `openclaw devices join-code` at the gateway: each is good once\n"
        )
    );
    assert_eq!(output(&of_node, "connect http://8.8.8.8/j/AAAA").0, Some(2));
    assert_eq!(gateway.stop(), Some(0));
}

#[test]
fn setup_codes_that_are_none() {
    let session = Session::new();
    let state = session.state();
    for (args, code) in [
        ("--pair nonsense", 2),
        ("--pair -", 2),
        ("--pair-file /nowhere/code", 3),
        ("--pair a --pair-file b", 2),
        ("--pair a --pair-if-needed b", 2),
        ("--pair-if-needed nonsense", 2),
        ("--port 1 --commands camera.snap", 1),
        ("--url ws://127.0.0.1:1 --context-path claw", 2),
        ("--url ws://127.0.0.1:1 --port 1", 2),
        ("--host gateway.example.org", 2),
    ] {
        let (found, _, stderr) = output(&state, &format!("node run {args}"));
        assert_eq!(found, Some(code), "{args}: {stderr}");
        assert!(!stderr.contains("nonsense"), "{stderr}");
    }
    assert!(!state.exists(), "nothing is made before the code is read");
}

/// Whoever has the gateway's port before the gateway is told nothing by the commands of its owner.
#[test]
fn t103_a_squatter_on_the_port_is_not_even_spoken_to() {
    let session = Session::new();
    let squatter = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    squatter.set_nonblocking(true).unwrap();
    let port = squatter.local_addr().unwrap().port();
    let config = format!("{{ gateway: {{ port: {port}, auth: {{ token: 'the-secret' }} }} }}");
    session.write_in(".", "openclaw.json", config);
    let state = session.state();
    let (gateway, gateways) = gateway(&state);
    for args in [
        "devices list",
        "pairing list",
        "gateway status",
        "gateway health",
        "nodes list",
    ] {
        let (code, out, errors) = output(&state, args);
        assert_eq!(code, Some(0), "{args}: {out}{errors}");
        let nobody = squatter.accept().unwrap_err();
        assert_eq!(nobody.kind(), std::io::ErrorKind::WouldBlock, "{args}");
    }
    // The link leads to where the gateway is, and holds nothing that the squatter could use.
    let (code, link, errors) = output(&state, "dashboard");
    assert_eq!(code, Some(0), "{errors}");
    let at = format!("http://127.0.0.1:{gateways}/#token=");
    assert!(
        link.starts_with(&at) && !link.contains("the-secret"),
        "{link}"
    );
    assert_eq!(gateway.stop(), Some(0));
    let (_, link, errors) = output(&state, "dashboard");
    assert_eq!(link, format!("http://127.0.0.1:{port}/\n"), "{errors}");
}

/// A gateway that gives the secret alone too little, at an address that is named: the command is a device of this
/// machine then.
#[test]
fn t112_a_command_that_decides_by_tcp_is_a_device() {
    let session = Session::new();
    session.write_in(
        ".",
        "openclaw.json",
        "{ gateway: { auth: { token: 'the-secret' } } }",
    );
    session.write_in(".", "token", "the-secret\n");
    let (running, port) = gateway(&session.state());
    let elsewhere = Session::new();
    let token = session.state().join("token");
    let at = format!(
        "--url ws://127.0.0.1:{port} --token-file {}",
        token.display()
    );
    let args = format!("pairing approve telegram AAAAAAAA {at}");
    let (code, out, errors) = output(&elsewhere.state(), &args);
    assert_eq!(code, Some(1), "{out}{errors}");
    assert!(!errors.contains("missing scope"), "{errors}");
    let (_, devices, _) = output(&session.state(), "devices list");
    assert!(devices.contains("operator (pairing)"), "{devices}");
    assert_eq!(running.stop(), Some(0));
}

#[test]
fn t142_sigusr1_drains_and_sighup_reads_the_configuration_again() {
    let session = Session::new();
    let start = || {
        let mut child = openclaw(&session.state(), "gateway run --port 0 --log json")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = BufReader::new(child.stderr.take().unwrap());
        let lines = BufReader::new(child.stdout.take().unwrap());
        let mut running = Running { child, lines };
        let line = running.line();
        assert!(line.starts_with("Listening on "), "{line}");
        (running, log)
    };
    let until = |log: &mut BufReader<std::process::ChildStderr>, wanted: &str| {
        let found = log
            .lines()
            .find(|line| line.as_ref().unwrap().contains(wanted));
        assert!(found.is_some(), "the log has no {wanted:?}");
    };
    let (running, mut log) = start();
    running.send(Signal::HUP);
    until(&mut log, "read again, as asked");
    assert_eq!(running.end_by(Signal::USR1), Some(0));
    until(&mut log, "shutting down");
}

/// What a gateway tells the service manager that has started it, as systemd hears it.
#[cfg(target_os = "linux")]
#[test]
fn systemd_is_told_that_it_listens_that_it_lives_and_that_it_stops() {
    use std::os::unix::net::UnixDatagram;
    let session = Session::new();
    let path = session.outside("notify");
    let heard = UnixDatagram::bind(&path).unwrap();
    heard
        .set_read_timeout(Some(std::time::Duration::from_secs(60)))
        .unwrap();
    let next = || {
        let mut text = [0; 256];
        let length = heard.recv(&mut text).unwrap();
        String::from_utf8(text[..length].to_vec()).unwrap()
    };
    let mut gateway = openclaw(&session.state(), "gateway run --port 0 --log-level off")
        .env("NOTIFY_SOCKET", &path)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let told = [next(), next()];
    let pid = i32::try_from(gateway.id()).unwrap();
    let pid = rustix::process::Pid::from_raw(pid).unwrap();
    rustix::process::kill_process(pid, Signal::TERM).unwrap();
    let mut last = next();
    while last == "WATCHDOG=1\n" {
        last = next();
    }
    let ended = gateway.wait().unwrap();
    assert_eq!(told, ["READY=1\n", "WATCHDOG=1\n"]);
    assert_eq!(last, "STOPPING=1\n");
    assert_eq!(ended.code(), Some(0));
}
