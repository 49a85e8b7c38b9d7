//! `openclaw doctor`: how findings are told. What is found is tested where it is looked for.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use crate::session::{Session, minutes, set_mode};

/// Nearly everything that can be wrong.
fn ailing() -> Session {
    let session = Session::recorded();
    set_mode(&session.file("telegram-pairing.json"), 0o644);
    session.write("whatsapp-pairing.json", "{\n  oops");
    session.write(
        "signal-allowFrom.json",
        r#"{ "version": 1, "allowFrom": ["+15550001111", "ann\u001b[2J"] }"#,
    );
    session.write(
        "slack-pairing.json.lock",
        r#"{ "pid": 1, "createdAt": "2020-01-01T00:00:00.000Z" }"#,
    );
    session.write_requests("discord", &[("default", "1", "ABCDEFGH", minutes(90))]);
    session
}

#[test]
fn nothing_wrong() {
    let mut session = Session::recorded();
    session.person("doctor");
    session.pipe("doctor");
    session.pipe("doctor --json");
    session.finish("doctor-well");
}

#[test]
fn no_state_at_all() {
    let mut session = Session::new();
    session.person("doctor");
    session.pipe("doctor --fix --json");
    assert!(!session.state().exists());
    session.finish("doctor-no-state");
}

#[test]
fn findings() {
    let mut session = ailing();
    session.person("doctor");
    session.pipe("doctor");
    session.pipe("doctor --json");
    session.finish("doctor-ailing");
}

#[test]
fn mending() {
    let mut session = ailing();
    let broken = session.file("whatsapp-pairing.json");
    session.person("doctor --fix");
    assert_eq!(fs::read_to_string(&broken).unwrap(), "{\n  oops");
    let mode = fs::metadata(session.file("telegram-pairing.json")).unwrap();
    assert_eq!(mode.permissions().mode() & 0o777, 0o600);
    session.person("pairing list whatsapp");
    session.pipe("doctor --fix --set-aside");
    session.person("pairing list whatsapp");
    session.person("doctor");
    session.finish("doctor-fix");
}

#[test]
fn everything_mended_is_well() {
    let mut session = Session::recorded();
    set_mode(&session.file("telegram-pairing.json"), 0o644);
    session.person("doctor");
    session.person("doctor --fix");
    session.person("doctor");
    session.finish("doctor-mended");
}

#[test]
fn the_command_of_another_program_that_a_shell_finds_first() {
    let mut session = Session::recorded();
    let program = |dir: &str| {
        let dir = session.outside(dir);
        fs::create_dir(&dir).unwrap();
        let file = format!("{dir}/openclaw");
        fs::write(&file, "").unwrap();
        set_mode(file.as_ref(), 0o755);
        (dir, file)
    };
    let ((theirs, _), (ours, own)) = (program("npm"), program("bin"));
    // A directory of that name, and a file that nobody can run, are no commands.
    let none = session.outside("none");
    fs::create_dir_all(format!("{none}/openclaw")).unwrap();
    session.machine.program = own.into();
    session.vars = vec![("PATH", format!("{none}:{ours}:{theirs}"))];
    session.person("doctor");
    session.vars = vec![("PATH", format!("{none}:{theirs}:{ours}"))];
    session.person("doctor");
    session.vars = vec![("PATH", theirs)];
    session.pipe("doctor --json");
    session.finish("doctor-other-command");
}
