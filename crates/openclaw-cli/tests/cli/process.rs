//! The binary itself: what the library cannot see of its own process.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::session::{Session, set_mode};

/// The binary in an environment of its own.
fn openclaw<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_openclaw"));
    command.env_clear().args(args).stdin(Stdio::null());
    // Nobody listens there: what runs on this machine is none of the tests' business.
    command.env("OPENCLAW_GATEWAY_PORT", "1");
    command
}

fn on(state: &Path, args: &str) -> Command {
    let mut command = openclaw(args.split(' '));
    command.env("OPENCLAW_STATE_DIR", state);
    command
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

fn stdout(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).unwrap()
}

fn stderr(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).unwrap()
}

#[test]
fn the_two_commands_of_the_readme() {
    let session = Session::new();
    let asked = on(&session.state(), "pairing request telegram 12345")
        .output()
        .unwrap();
    assert_eq!(code(&asked), 0, "{}", stderr(&asked));
    let command = stdout(&asked).lines().last().unwrap();
    let approve = command.strip_prefix("openclaw ").unwrap();
    let approved = on(&session.state(), approve)
        .env("LOGNAME", "bob")
        .output()
        .unwrap();
    assert_eq!(stdout(&approved), "Approved telegram: 12345\n");
    let again = on(&session.state(), approve).output().unwrap();
    assert_eq!(code(&again), 1);
    let allowed = on(&session.state(), "pairing allowed list telegram")
        .output()
        .unwrap();
    assert!(stdout(&allowed).starts_with("telegram\t12345\tterminal:bob\t"));
}

#[test]
fn exit_codes() {
    let session = Session::new();
    session.write("slack-pairing.json", "{");
    let table = [
        ("pairing list telegram", 0),
        ("--help", 0),
        ("--version", 0),
        ("pairing approve telegram AAAAAAAA", 1),
        ("pairing approve telegram A", 2),
        ("pairing list nowhere", 2),
        ("frobnicate", 2),
        ("pairing list slack", 3),
        ("pairing list", 3),
    ];
    for (args, expected) in table {
        let output = on(&session.state(), args).output().unwrap();
        assert_eq!(code(&output), expected, "{args}: {}", stderr(&output));
    }
}

#[test]
fn setup_names_the_state_directory_for_commands_that_run_elsewhere() {
    let dir = tempfile::tempdir().unwrap();
    let setup = openclaw("--state-dir own setup --channel telegram --owner none".split(' '))
        .current_dir(dir.path())
        .env("HOME", dir.path())
        .output()
        .unwrap();
    let here = fs::canonicalize(dir.path()).unwrap().join("own");
    let export = format!("export OPENCLAW_STATE_DIR={}\n", here.display());
    assert!(
        stdout(&setup).contains(&export),
        "{}{}",
        stdout(&setup),
        stderr(&setup)
    );
}

#[test]
fn a_closed_pipe_is_no_error() {
    let session = Session::recorded();
    for args in [
        "completions bash",
        "--help",
        "pairing list --json",
        "pairing allowed list telegram",
        "devices list --json",
        "nodes list --json",
        "qr --url wss://gateway.example.org",
    ] {
        let (reader, writer) = io::pipe().unwrap();
        drop(reader);
        let mut child = on(&session.state(), args);
        let child = child.stdout(writer).stderr(Stdio::piped()).spawn().unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!(code(&output), 0, "{args}: {}", stderr(&output));
        assert!(!stderr(&output).contains("error"), "{}", stderr(&output));
    }
    // Nor is one for remarks.
    let (reader, writer) = io::pipe().unwrap();
    drop(reader);
    let status = on(&session.state(), "pairing approve telegram AAAAAAAA")
        .stderr(writer)
        .status()
        .unwrap();
    assert_eq!(status.code(), Some(1));
}

#[cfg(target_os = "linux")]
#[test]
fn an_answer_that_cannot_be_written_is_an_error() {
    let session = Session::recorded();
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let output = on(&session.state(), "pairing list --json")
        .stdout(full)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
        .wait_with_output()
        .unwrap();
    assert_eq!(code(&output), 3);
    assert!(stderr(&output).starts_with("error: cannot write the answer: No space left"));
}

#[test]
fn colour_only_where_it_is_wanted() {
    let session = Session::new();
    let run = |args: &str, no_color: Option<&str>| {
        let mut command = on(&session.state(), args);
        command.env("CLICOLOR_FORCE", "1");
        command.envs(no_color.map(|value| ("NO_COLOR", value)));
        let output = command.output().unwrap();
        [output.stdout, output.stderr].concat().contains(&0x1b)
    };
    for args in ["pairing list nowhere", "pairing --help"] {
        assert!(run(args, None), "{args}");
        assert!(!run(args, Some("1")), "{args}");
        assert_eq!(run(args, Some("")), run(args, None), "{args}");
    }
    assert!(!run("--no-color pairing list nowhere", None));
    assert!(!run("pairing list nowhere --no-color", None));
    // A pipe gets none, whatever the terminal could do.
    let piped = on(&session.state(), "pairing list nowhere")
        .env("TERM", "xterm-256color")
        .output()
        .unwrap();
    assert!(!piped.stderr.contains(&0x1b));
}

#[test]
fn a_read_only_directory_can_be_listed() {
    let session = Session::recorded();
    for dir in [session.file(""), session.state()] {
        set_mode(&dir, 0o500);
    }
    let listed = on(&session.state(), "pairing list --json --verbose")
        .output()
        .unwrap();
    for dir in [session.state(), session.file("")] {
        set_mode(&dir, 0o700);
    }
    assert_eq!(code(&listed), 0, "{}", stderr(&listed));
    let state = session.state();
    let note = format!(
        "No gateway to use at ws://127.0.0.1:1: on the files in {}.\n",
        state.display()
    );
    assert_eq!(stderr(&listed), note);
}

#[cfg(target_os = "linux")]
#[test]
fn a_home_that_cannot_be_written() {
    let run = |args: &str| {
        openclaw(args.split(' '))
            .env("HOME", "/proc")
            .output()
            .unwrap()
    };
    let listed = run("pairing list");
    assert_eq!(
        (code(&listed), stderr(&listed)),
        (0, "No pending requests.\n")
    );
    let asked = run("pairing request telegram 12345");
    assert_eq!(code(&asked), 3);
    assert!(
        stderr(&asked).starts_with("error: cannot write /proc/.openclaw"),
        "{}",
        stderr(&asked)
    );
    assert!(stderr(&asked).contains("\nhint: "));
}

#[test]
fn no_home_at_all() {
    let output = openclaw(["pairing", "list"]).output().unwrap();
    assert_eq!(code(&output), 3);
    assert_eq!(
        stderr(&output),
        "error: cannot tell where the state directory is: HOME is not set\n\
         hint: name the directory with `--state-dir`\n"
    );
    // What needs no state needs no home.
    assert_eq!(code(&openclaw(["completions", "zsh"]).output().unwrap()), 0);
}

#[test]
fn the_state_directory_that_is_named_beats_the_environment() {
    let (named, other) = (Session::recorded(), Session::new());
    let output = openclaw(["pairing", "allowed", "list", "telegram", "--state-dir"])
        .arg(named.state())
        .env("OPENCLAW_STATE_DIR", other.state())
        .env("CLAWDBOT_STATE_DIR", other.state())
        .env("OPENCLAW_OAUTH_DIR", other.state())
        .env("HOME", other.state())
        .output()
        .unwrap();
    assert_eq!(
        stdout(&output),
        "telegram\t12345\t\t\ntelegram\ttg:555\t\t\n"
    );
    let elsewhere = on(&other.state(), "pairing allowed list telegram")
        .env("OPENCLAW_OAUTH_DIR", named.file(""))
        .output()
        .unwrap();
    assert_eq!(stdout(&elsewhere), stdout(&output));
}

#[cfg(unix)]
#[test]
fn arguments_that_are_no_text() {
    use std::os::unix::ffi::OsStrExt as _;
    let output = openclaw(["pairing", "list"])
        .arg(OsStr::from_bytes(b"tele\xff"))
        .env("HOME", "/nowhere")
        .output()
        .unwrap();
    assert_eq!(code(&output), 2);
    assert!(
        stderr(&output).starts_with("error: invalid UTF-8"),
        "{}",
        stderr(&output)
    );
}

/// A client that comes while the gateway is not there yet waits for it.
#[cfg(target_os = "linux")]
#[test]
fn a_socket_that_listens_already_is_taken_over() {
    use std::io::{BufRead as _, BufReader, Read as _, Write as _};
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::OwnedFd;

    let session = Session::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let mut early = TcpStream::connect(address).unwrap();
    write!(
        early,
        "GET /healthz HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n"
    )
    .unwrap();
    let mut gateway = Command::new("sh");
    // systemd's third descriptor, for this process alone.
    gateway
        .args([
            "-c",
            "exec 3<&0 0</dev/null; export LISTEN_PID=$$ LISTEN_FDS=1; exec \"$0\" gateway run",
        ])
        .arg(env!("CARGO_BIN_EXE_openclaw"))
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap())
        .env("OPENCLAW_STATE_DIR", session.state())
        .env("OPENCLAW_GATEWAY_PORT", address.port().to_string())
        .stdin(OwnedFd::from(listener))
        .stdout(Stdio::piped());
    let mut gateway = gateway.spawn().unwrap();
    let mut first = String::new();
    BufReader::new(gateway.stdout.take().unwrap())
        .read_line(&mut first)
        .unwrap();
    assert_eq!(first, format!("Listening on ws://{address}\n"));
    let mut answer = String::new();
    early.read_to_string(&mut answer).unwrap();
    gateway.kill().unwrap();
    gateway.wait().unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}
