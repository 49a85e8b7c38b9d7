//! The gateway as a service: what is written, what the service manager is told, and what is refused.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Output};
use std::sync::Mutex;

use openclaw_cli::{Exit, Machine, Manager};

use crate::session::{Session, settings};

/// A machine that runs nothing, and notes what it was told to run.
pub(crate) struct FakeMachine {
    pub(crate) manager: Option<Manager>,
    pub(crate) is_root: bool,
    pub(crate) root: PathBuf,
    pub(crate) program: PathBuf,
    /// What programs answer, by the start of their command line: status and output. Others succeed and say nothing.
    pub(crate) answers: Vec<(&'static str, i32, &'static str)>,
    pub(crate) ran: Mutex<Vec<String>>,
}

impl Default for FakeMachine {
    fn default() -> Self {
        Self {
            manager: None,
            is_root: false,
            root: "/nowhere".into(),
            program: "/usr/bin/openclaw-rs".into(),
            answers: Vec::new(),
            ran: Mutex::default(),
        }
    }
}

impl Machine for FakeMachine {
    fn manager(&self) -> Option<Manager> {
        self.manager
    }

    fn is_root(&self) -> bool {
        self.is_root
    }

    fn user_id(&self) -> u32 {
        1000
    }

    fn program(&self) -> io::Result<PathBuf> {
        Ok(self.program.clone())
    }

    fn root(&self) -> &Path {
        &self.root
    }

    fn run(&self, program: &str, args: &[&str]) -> io::Result<Output> {
        let line = format!("{program} {}", args.join(" "));
        let answer = self
            .answers
            .iter()
            .find(|(start, ..)| line.starts_with(start));
        self.ran.lock().unwrap().push(line);
        let (code, said) = answer.map_or((0, ""), |(_, code, said)| (*code, *said));
        Ok(Output {
            status: ExitStatus::from_raw(code << 8),
            stdout: said.into(),
            stderr: said.into(),
        })
    }

    fn show(&self, program: &str, args: &[&str]) -> io::Result<ExitStatus> {
        Ok(self.run(program, args)?.status)
    }
}

/// On a machine with this service manager, of a person or of root.
fn on(manager: Manager, is_root: bool) -> Session {
    let mut session = Session::new();
    let home = session.outside("home");
    fs::create_dir(&home).unwrap();
    session.vars.push(("HOME", home.clone()));
    session.machine = FakeMachine {
        manager: Some(manager),
        is_root,
        root: session.outside("root").into(),
        answers: vec![
            ("loginctl", 0, "yes\n"),
            ("systemctl --version", 0, "systemd 252 (252.39)\n"),
        ],
        ..FakeMachine::default()
    };
    fs::create_dir_all(session.machine.root.join("etc/systemd/system")).unwrap();
    session
}

fn ran(session: &Session) -> Vec<String> {
    let ran = std::mem::take(&mut *session.machine.ran.lock().unwrap());
    let asked =
        |line: &String| !line.starts_with("systemctl --version") && !line.starts_with("loginctl");
    ran.into_iter().filter(asked).collect()
}

fn unit_of(session: &Session) -> PathBuf {
    session
        .outside("home/.config/systemd/user/openclaw-gateway.service")
        .into()
}

/// The definition, with this release and these directories left out.
fn masked(session: &Session, text: &str) -> String {
    let text = text.replace(env!("CARGO_PKG_VERSION"), "[version]");
    text.replace(
        session.state().parent().unwrap().to_str().unwrap(),
        "/home/ann",
    )
}

#[test]
fn definitions_of_the_service() {
    let session = on(Manager::Systemd, false);
    let mut shown = String::new();
    for args in [
        &[
            "gateway",
            "install",
            "--print",
            "--state-dir",
            "/home/ann/.openclaw",
        ][..],
        &[
            "gateway",
            "install",
            "--print",
            "--state-dir",
            "/home/ann/.openclaw",
            "--port",
            "19000",
            "--program",
            "/opt/my $tools/100%/openclaw",
        ],
        &["gateway", "install", "--print", "--system"],
        &[
            "gateway",
            "install",
            "--print",
            "--system",
            "--run-as",
            "ann",
            "--state-dir",
            "/srv/open claw",
        ],
        &["gateway", "install", "--print", "--launchd"],
        &["gateway", "install", "--print", "--socket"],
    ] {
        let ran = session.run(args);
        assert_eq!((ran.exit, ran.stderr.as_str()), (Exit::Done, ""));
        write!(shown, "$ openclaw {}\n{}\n", args.join(" "), ran.stdout).unwrap();
    }
    let shown = masked(&session, &shown)
        .replace("[state]", "/home/ann/state")
        .replace("[dir]", "/home/ann");
    settings().bind(|| insta::assert_snapshot!("service-definitions", shown));
    assert_eq!(ran(&session), [""; 0], "nothing is changed");
    assert!(!unit_of(&session).exists());
}

#[test]
fn newer_service_managers_restart_ever_more_slowly() {
    let mut session = on(Manager::Systemd, false);
    session.machine.answers = vec![("systemctl --version", 0, "systemd 257 (257.7-1)\n+PAM\n")];
    let unit = session.run(&["gateway", "install", "--print"]).stdout;
    assert!(
        unit.contains("\nRestartSteps=5\nRestartMaxDelaySec=60\n"),
        "{unit}"
    );
}

#[test]
fn a_service_of_ones_own_from_install_to_uninstall() {
    let session = on(Manager::Systemd, false);
    let unit = unit_of(&session);
    let installed = session.run(&["gateway", "install"]);
    assert_eq!(installed.exit, Exit::Done, "{}", installed.stderr);
    assert_eq!(
        installed.stdout,
        "openclaw-gateway.service is installed: [dir]/home/.config/systemd/user/openclaw-gateway.service\n"
    );
    assert!(session.state().is_dir(), "the sandbox needs it");
    assert_eq!(
        fs::metadata(&unit).unwrap().permissions().mode() & 0o777,
        0o644
    );
    let printed = session.run(&["gateway", "install", "--print"]).stdout;
    let written = fs::read_to_string(&unit).unwrap();
    assert_eq!(
        written.replace(session.state().to_str().unwrap(), "[state]"),
        printed
    );
    assert_eq!(
        ran(&session),
        [
            "systemctl --user daemon-reload",
            "systemctl --user enable openclaw-gateway.service",
            "systemctl --user restart openclaw-gateway.service",
        ]
    );
    // Again, as after an upgrade.
    session.done(&["gateway", "install", "--no-start", "--port", "19001"]);
    assert!(
        fs::read_to_string(&unit)
            .unwrap()
            .contains(" --port 19001\n")
    );
    assert_eq!(
        ran(&session)[1..],
        ["systemctl --user enable openclaw-gateway.service"]
    );
    for (command, told) in [
        ("start", "started"),
        ("stop", "stopped"),
        ("restart", "restarted"),
    ] {
        let done = session.run(&["gateway", command]);
        assert_eq!(
            done.stdout,
            format!("openclaw-gateway.service is {told}.\n")
        );
        assert_eq!(
            ran(&session),
            [format!(
                "systemctl --user {command} openclaw-gateway.service"
            )]
        );
    }
    session.done(&["gateway", "logs", "--follow", "-n", "7"]);
    assert_eq!(
        ran(&session),
        ["journalctl --user-unit openclaw-gateway.service --lines 7 --no-pager --follow"]
    );
    session.done(&["gateway", "uninstall"]);
    assert_eq!(
        ran(&session),
        [
            "systemctl --user disable --now openclaw-gateway.service",
            "systemctl --user daemon-reload",
        ]
    );
    assert!(!unit.exists());
    assert!(session.state().is_dir(), "the state stays");
    for command in ["uninstall", "start", "stop", "restart", "logs"] {
        let refused = session.run(&["gateway", command]);
        assert_eq!(refused.exit, Exit::Refused);
        assert!(
            refused
                .stderr
                .starts_with("error: the gateway is not installed as a service\nhint: ")
        );
    }
}

#[test]
fn systemd_listens_for_the_service_until_that_is_taken_back() {
    let session = on(Manager::Systemd, false);
    session.write_in(".", "openclaw.json", "{ gateway: { port: 19002 } }");
    let unit = unit_of(&session);
    let socket = unit.with_extension("socket");
    session.done(&["gateway", "install", "--socket"]);
    let listens = fs::read_to_string(&socket).unwrap();
    assert!(
        listens.contains("\nListenStream=127.0.0.1:19002\n"),
        "{listens}"
    );
    let both = "openclaw-gateway.socket openclaw-gateway.service";
    assert_eq!(
        ran(&session),
        [
            "systemctl --user daemon-reload".to_owned(),
            format!("systemctl --user enable {both}"),
            format!("systemctl --user stop {both}"),
            "systemctl --user restart openclaw-gateway.service".to_owned(),
        ]
    );
    session.done(&["gateway", "restart"]);
    session.done(&["gateway", "stop"]);
    assert_eq!(
        ran(&session),
        [
            "systemctl --user restart openclaw-gateway.service".to_owned(),
            format!("systemctl --user stop {both}"),
        ]
    );
    session.done(&[
        "gateway",
        "install",
        "--socket",
        "--port",
        "19003",
        "--no-start",
    ]);
    let listens = fs::read_to_string(&socket).unwrap();
    assert!(listens.contains(":19003\n"), "{listens}");
    session.done(&["gateway", "uninstall"]);
    assert!(!socket.exists() && !unit.exists());
    session.done(&["gateway", "install", "--socket"]);
    ran(&session);
    session.done(&["gateway", "install", "--no-start"]);
    assert_eq!(
        ran(&session),
        [
            "systemctl --user disable --now openclaw-gateway.socket",
            "systemctl --user daemon-reload",
            "systemctl --user enable openclaw-gateway.service",
        ]
    );
    assert!(unit.exists() && !socket.exists());
    assert!(!fs::read_to_string(&unit).unwrap().contains("socket"));
    // What is refused changes nothing.
    session.done(&["gateway", "install", "--socket"]);
    let ours = fs::read_to_string(&unit).unwrap();
    fs::write(
        &unit,
        "[Service]\nExecStart=/usr/bin/node openclaw.mjs gateway\n",
    )
    .unwrap();
    ran(&session);
    let refused = session.run(&["gateway", "install"]);
    assert_eq!(refused.exit, Exit::Refused);
    assert_eq!(ran(&session), [""; 0]);
    assert!(socket.exists());
    fs::write(&unit, ours).unwrap();
    session.done(&["gateway", "install"]);
    assert!(!socket.exists());
    // Somebody else's is left alone.
    fs::write(&socket, "[Socket]\nListenStream=1\n").unwrap();
    session.done(&["gateway", "uninstall"]);
    assert!(socket.exists());
    let on_mac = on(Manager::Launchd, false);
    let refused = on_mac.run(&["gateway", "install", "--socket"]);
    assert_eq!(refused.exit, Exit::Refused);
}

#[test]
fn a_service_of_the_system() {
    let mut session = on(Manager::Systemd, true);
    let refused = session.run(&["gateway", "install"]);
    assert_eq!(refused.exit, Exit::Refused);
    assert!(refused.stderr.contains("--system"), "{}", refused.stderr);
    session.done(&["gateway", "install", "--system", "--json"]);
    assert_eq!(
        ran(&session),
        [
            "id -u -- openclaw",
            "systemctl daemon-reload",
            "systemctl enable openclaw-gateway.service",
            "systemctl restart openclaw-gateway.service",
        ]
    );
    let unit = session
        .machine
        .root
        .join("etc/systemd/system/openclaw-gateway.service");
    assert!(
        fs::read_to_string(&unit)
            .unwrap()
            .contains("\nUser=openclaw\n")
    );
    assert!(!session.state().exists(), "systemd makes the state");
    // Found without being asked for, as nobody has one of their own.
    session.done(&["gateway", "restart"]);
    assert_eq!(
        ran(&session),
        ["systemctl restart openclaw-gateway.service"]
    );
    session.done(&["gateway", "uninstall", "--system"]);
    assert!(!unit.exists());
    session.machine.answers.push(("id -u", 1, "no such user"));
    let refused = session.run(&["gateway", "install", "--system"]);
    assert_eq!(refused.exit, Exit::Refused);
    assert!(
        refused
            .stderr
            .contains("there is no user openclaw\nhint: `useradd --system")
    );
    assert!(!unit.exists());
    session.machine.is_root = false;
    let refused = session.run(&["gateway", "install", "--system"]);
    assert_eq!(refused.exit, Exit::Refused);
    assert!(refused.stderr.contains("sudo"), "{}", refused.stderr);
}

#[test]
fn the_service_of_another_program_is_not_replaced_silently() {
    let session = on(Manager::Systemd, false);
    let unit = unit_of(&session);
    fs::create_dir_all(unit.parent().unwrap()).unwrap();
    let theirs = "[Service]\nExecStart=/usr/bin/node openclaw.mjs gateway\n";
    fs::write(&unit, theirs).unwrap();
    for command in ["install", "uninstall"] {
        let refused = session.run(&["gateway", command]);
        assert_eq!(refused.exit, Exit::Refused);
        assert!(
            refused.stderr.contains("was not written by this program"),
            "{}",
            refused.stderr
        );
        assert_eq!(ran(&session), [""; 0]);
        assert_eq!(fs::read_to_string(&unit).unwrap(), theirs);
    }
    let started = session.run(&["gateway", "start"]);
    assert!(
        started.stderr.starts_with("warning: "),
        "{}",
        started.stderr
    );
    session.done(&["gateway", "install", "--force"]);
    assert_eq!(
        fs::read_to_string(format!("{}.before", unit.display())).unwrap(),
        theirs
    );
    assert!(fs::read_to_string(&unit).unwrap().contains("Type=notify"));
}

#[test]
fn a_job_of_launchd() {
    let session = on(Manager::Launchd, false);
    session.done(&["gateway", "install"]);
    let file = session.outside("home/Library/LaunchAgents/ai.openclaw.gateway.plist");
    assert!(
        fs::read_to_string(&file)
            .unwrap()
            .contains("<key>KeepAlive</key>")
    );
    assert_eq!(
        ran(&session),
        [
            "launchctl bootout gui/1000/ai.openclaw.gateway".to_owned(),
            "launchctl enable gui/1000/ai.openclaw.gateway".to_owned(),
            format!("launchctl bootstrap gui/1000 {file}"),
        ]
    );
    session.done(&["gateway", "restart"]);
    session.done(&["gateway", "logs"]);
    session.done(&["gateway", "stop"]);
    session.done(&["gateway", "uninstall"]);
    let log = session.state().join("gateway.log");
    assert_eq!(
        ran(&session),
        [
            "launchctl kickstart -k gui/1000/ai.openclaw.gateway".to_owned(),
            format!("tail -n 200 {}", log.display()),
            "launchctl bootout gui/1000/ai.openclaw.gateway".to_owned(),
            "launchctl bootout gui/1000/ai.openclaw.gateway".to_owned(),
        ]
    );
    assert_eq!(
        session.run(&["gateway", "install", "--system"]).exit,
        Exit::Refused
    );
}

#[test]
fn without_a_service_manager_it_says_what_to_do_instead() {
    let mut session = Session::new();
    session.person("gateway install");
    session.person("gateway stop");
    session.finish("service-none");
}

#[test]
fn a_service_manager_that_fails_is_quoted() {
    let mut session = on(Manager::Systemd, false);
    session.machine.answers.push((
        "systemctl --user",
        1,
        "Failed to connect to bus: No medium found\n",
    ));
    let failed = session.run(&["gateway", "install"]);
    assert_eq!(failed.exit, Exit::Refused);
    assert_eq!(
        failed.stderr.lines().next(),
        Some(
            "error: `systemctl --user daemon-reload` failed: Failed to connect to bus: No medium found"
        )
    );
    assert!(failed.stderr.contains("enable-linger"), "{}", failed.stderr);
}

#[test]
fn what_a_definition_cannot_hold_is_refused() {
    let session = on(Manager::Systemd, false);
    for args in [
        &[
            "gateway",
            "install",
            "--print",
            "--state-dir",
            "/srv/a\nExecStartPre=/bin/evil",
        ][..],
        &["gateway", "install", "--print", "--program", "/srv/a\nb"],
        &[
            "gateway",
            "install",
            "--print",
            "--system",
            "--run-as",
            "ann\nExecStartPre=/bin/evil",
        ],
        &["gateway", "install", "--print", "--system", "--run-as", ""],
        &[
            "gateway",
            "install",
            "--print",
            "--system",
            "--state-dir",
            "/var/lib/a b",
        ],
    ] {
        let refused = session.run(args);
        assert_eq!(
            (refused.exit, refused.stdout.as_str()),
            (Exit::State, ""),
            "{args:?}"
        );
    }
}

#[test]
fn a_state_among_temporary_files_is_not_hidden_from_its_service() {
    let session = on(Manager::Systemd, false);
    let unit = |dir: &str| {
        session
            .run(&["gateway", "install", "--print", "--state-dir", dir])
            .stdout
    };
    assert!(unit("/srv/openclaw").contains("\nPrivateTmp=yes\n"));
    for dir in ["/tmp/openclaw", "/var/tmp/a/openclaw"] {
        assert!(!unit(dir).contains("PrivateTmp"), "{dir}");
    }
}

/// systemd itself reads the units, and judges what they allow.
#[test]
fn systemd_finds_nothing_wrong_with_the_units() {
    if Command::new("systemd-analyze")
        .arg("--version")
        .output()
        .is_err()
    {
        println!("systemd-analyze is not installed: units are not verified");
        return;
    }
    let session = on(Manager::Systemd, false);
    // The program and the user have to be there.
    for (name, args, most) in [
        ("user", &["--state-dir", "/srv/openclaw"][..], 60),
        ("system", &["--system", "--run-as", "daemon"], 20),
        // Quotes and specifiers are read as they were meant.
        ("odd", &["--state-dir", "/srv/a b/100%"], 60),
        ("socket", &["--state-dir", "/srv/openclaw", "--socket"], 60),
    ] {
        let args = ["gateway", "install", "--print", "--program", "/bin/true"]
            .iter()
            .chain(args);
        let args: Vec<_> = args.copied().collect();
        let printed = session.run(&args).stdout;
        let printed = printed.replace("[state]", session.state().to_str().unwrap());
        let dir = session.outside(name);
        fs::create_dir(&dir).unwrap();
        let unit = format!("{dir}/openclaw-gateway.service");
        let (service, socket) = printed
            .split_once("\n# openclaw-gateway.socket, beside it:\n")
            .unwrap_or((&printed, ""));
        fs::write(&unit, service).unwrap();
        if !socket.is_empty() {
            fs::write(format!("{dir}/openclaw-gateway.socket"), socket).unwrap();
        }
        let verified = Command::new("systemd-analyze")
            .args(["verify", "--man=no", "--recursive-errors=no"])
            .arg(&unit)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&verified.stderr);
        assert!(
            verified.status.success() && said.is_empty(),
            "{name}: {said}"
        );
        let judged = Command::new("systemd-analyze")
            .args(["security", "--offline=yes", "--no-pager"])
            .arg(format!("--threshold={most}"))
            .arg(&unit)
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&judged.stdout);
        let verdict = text.lines().last().unwrap_or_default();
        println!("{name}: {verdict}");
        assert!(judged.status.success(), "{name}: {text}");
    }
}
